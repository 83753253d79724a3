// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"strings"

	"github.com/falco-go/falco/pkg/field"
)

// rightField checks whether left can be compared with a field or call.
func (c *Compiler) rightField(e *Check, left *operand) error {
	if left.ref != nil {
		switch def := left.ref.Def; {
		case left.typ == field.IPNet:
			return fmt.Errorf("field type 'IPNET' doesn't support right-hand side fields")
		case def.Has(field.NoRHS) && !def.Has(field.List):
			return fmt.Errorf("field '%s' doesn't support right-hand side fields", left.name)
		}
	}
	if e.Op == OpPMatch || e.Op == OpRegex {
		return fmt.Errorf("operator '%s' doesn't support right-hand side fields", strings.ToUpper(e.Op.String()))
	}
	return nil
}

// checkField compiles the comparison of left with a field or call, which it returns.
func (c *Compiler) checkField(e *Check, left *operand) (*operand, func(*Env) bool, error) {
	right, err := c.conditionOperand(e.Right.Of)
	if err != nil {
		return nil, nil, err
	}
	fail := func(format string, args ...any) (*operand, func(*Env) bool, error) {
		return nil, nil, &Error{Pos: e.Right.Of.At(), Msg: fmt.Sprintf(format, args...)}
	}
	if right.ref != nil && right.ref.Def.Has(field.NoRHS) {
		return fail("field '%s' can't be used as a right-hand side field", right.name)
	}
	if left.typ != right.typ && !(classOf(left.typ) == classText && classOf(right.typ) == classText && (left.ref == nil || right.ref == nil)) {
		return fail("field '%s' has type '%s' while the right-hand side field '%s' has incompatible type '%s'",
			left.name, left.typ.SchemaName(), right.name, right.typ.SchemaName())
	}
	if err := allowed(e.Op, e.Mod, left); err != nil {
		return nil, nil, &Error{Pos: e.Pos, Msg: err.Error()}
	}
	if IsEventType(e.Left) {
		return nil, nil, &Error{Pos: e.Right.Of.At(), Msg: "right-hand field comparisons on `evt.type`/`syscall.type` checks are not supported by event code search"}
	}
	compare := comparer(e.Op, left.typ)
	a, b := left.slot, right.slot
	every := left.list && e.Op == OpIn || e.Op == OpNE
	return right, func(env *Env) bool {
		l, r := env.get(a), env.get(b)
		if len(l) == 0 || len(r) == 0 {
			return false
		}
		for i := range l {
			found := false
			for j := range r {
				if found = compare(&l[i], &r[j]); found {
					break
				}
			}
			if found != every {
				return found
			}
		}
		return every
	}, nil
}

// comparer makes the comparison of two values of type t.
func comparer(op Op, t field.Type) func(a, b *field.Value) bool {
	order := func(a, b *field.Value) int { return compareNumbers(t, a.Num, b.Num) }
	switch classOf(t) {
	case classText, classBytes:
		compare := textComparison(op)
		return func(a, b *field.Value) bool { return compare(a.Str, b.Str) }
	case classAddress, classNet:
		order = func(a, b *field.Value) int { return a.IP.Compare(b.IP) }
	}
	switch op {
	case OpNE:
		return func(a, b *field.Value) bool { return order(a, b) != 0 }
	case OpLT:
		return func(a, b *field.Value) bool { return order(a, b) < 0 }
	case OpLE:
		return func(a, b *field.Value) bool { return order(a, b) <= 0 }
	case OpGT:
		return func(a, b *field.Value) bool { return order(a, b) > 0 }
	case OpGE:
		return func(a, b *field.Value) bool { return order(a, b) >= 0 }
	}
	return func(a, b *field.Value) bool { return order(a, b) == 0 }
}
