// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"strings"

	"github.com/falco-go/falco/pkg/field"
)

// checkMod compiles an operator with a modifier. The ends of a connection are
// one thing: each element of the list is checked against both. Of other fields
// with several values, one value has to satisfy the whole.
func checkMod(op Op, mod Mod, left *operand, lits []literal) func(*Env) bool {
	slot := left.slot
	if left.ends() {
		var checks []func(*Env) bool
		for i := range lits {
			p := predicate(op, left.typ, &lits[i])
			if op == OpNE {
				checks = append(checks, everyValue(slot, p))
			} else {
				checks = append(checks, someValue(slot, p))
			}
		}
		return func(env *Env) bool {
			if len(env.get(slot)) == 0 {
				return false
			}
			n := 0
			for _, f := range checks {
				if f(env) {
					n++
				}
			}
			return enough(mod, n, len(checks))
		}
	}
	var p pred
	if mod == ModAnyOf && op.equal() {
		p = member(left.typ, lits)
	} else {
		preds := make([]pred, len(lits))
		for i := range lits {
			preds[i] = predicate(op, left.typ, &lits[i])
		}
		p = func(v *field.Value) bool {
			n := 0
			for _, q := range preds {
				if q(v) {
					n++
				}
			}
			return enough(mod, n, len(preds))
		}
	}
	if left.multi || left.list {
		return someValue(slot, p)
	}
	return oneValue(slot, p)
}

// enough says whether n of all elements are what the modifier asks for.
func enough(mod Mod, n, all int) bool {
	switch mod {
	case ModOneOf:
		return n == 1
	case ModAnyOf:
		return n > 0
	}
	return all > 0 && n == all
}

// strictChecks does what the original does with several values (QUIRK 11): some
// combinations never match, some use the first value of the list only. It
// returns nil for the others, after cutting the list if need be.
func strictChecks(op Op, mod Mod, left *operand, lits *[]literal) func(*Env) bool {
	never := func(*Env) bool { return false }
	number := classOf(left.typ) == classNumber && left.typ != field.Port
	raw := left.ref != nil && left.ref.Def.Name == "evt.rawarg"
	in := op == OpIn || op == OpIntersects
	switch {
	case in && left.ends() && left.typ == field.IP,
		in && number && (left.multi || raw),
		in && left.list && left.ref == nil && strings.HasPrefix(left.name, "to"),
		mod == ModAnyOf && left.typ == field.IPNet, mod == ModOneOf && left.typ == field.IPNet:
		return never
	case len(*lits) > 1 && (in && left.multi && left.typ == field.IPNet || mod != ModNone && (left.multi || raw)):
		*lits = (*lits)[:1]
	}
	return nil
}
