// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"

	"github.com/falco-go/falco/pkg/field"
)

// ownWay compiles the checks of the few fields that compare in a way of their
// own; it returns nothing for all others.
func (c *Compiler) ownWay(e *Check, left *operand) (func(*Env) bool, error) {
	switch {
	case left.ref == nil:
	case left.ref.Def.Has(field.HostName):
		return c.hostName(e, left)
	case left.ref.Def.Has(field.AtMost):
		return c.atMost(e, left)
	}
	return nil, nil
}

// hostName compares an address with those that names stand for. The names are
// asked for in the background (field.Hosts): until there is an answer they
// stand for nothing.
func (c *Compiler) hostName(e *Check, left *operand) (func(*Env) bool, error) {
	if e.Mod != ModNone || !e.Op.equal() && e.Op != OpNE && e.Op != OpIn && e.Op != OpIntersects {
		return nil, &Error{Pos: e.Pos, Msg: fmt.Sprintf("filter error: '%s' operator not supported for host names", e.Op)}
	}
	sets := make([]*field.HostSet, len(e.Right.Values))
	for i, v := range e.Right.Values {
		sets[i] = field.Hosts.Watch(v.Text)
	}
	want := e.Op != OpNE
	return oneValue(left.slot, func(v *field.Value) bool {
		for _, s := range sets {
			if s.Contains(v.IP) {
				return want
			}
		}
		return !want
	}), nil
}

// atMost reads "=" as "at most": evt.around[T]=D is a distance.
func (c *Compiler) atMost(e *Check, left *operand) (func(*Env) bool, error) {
	if e.Mod != ModNone || !e.Op.equal() {
		return nil, &Error{Pos: e.Pos, Msg: fmt.Sprintf("filter error: '%s' operator not supported for %s", e.Op, left.ref.Def.Name)}
	}
	l, err := c.literalOf(OpLE, e.Right.Values[0], left)
	if err != nil {
		return nil, err
	}
	return oneValue(left.slot, predicate(OpLE, left.typ, &l)), nil
}
