// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/field"
)

// pred says whether one value satisfies a check.
type pred func(v *field.Value) bool

// check makes a node of a check. What it compares has a type, which decides the
// operators; then literals are converted. What a table can answer becomes a look-up
// (hit.go), the rest a test of its own.
func (c *Compiler) check(e *Check) (nodeID, error) {
	left, err := c.conditionOperand(e.Left)
	if err != nil {
		return never, err
	}
	fail := func(pos Pos, err error) (nodeID, error) { return never, &Error{Pos: pos, Msg: err.Error()} }
	if e.Op == OpExists {
		return c.exists(e, left), nil
	}
	if e.Right.Of != nil {
		if err := c.rightField(e, left); err != nil {
			return fail(e.Pos, err)
		}
		right, f, err := c.checkField(e, left)
		return c.testOf(e, left, f, right), err
	}
	if err := allowed(e.Op, e.Mod, left); err != nil {
		return fail(e.Pos, err)
	}
	if own, err := c.ownWay(e, left); own != nil || err != nil {
		return c.testOf(e, left, own), err
	}
	lits := make([]literal, len(e.Right.Values))
	values := e.Right.Values
	op := e.Op
	for i, v := range values {
		if i == 0 {
			op, v = c.glued(op, v, left)
		}
		if lits[i], err = c.literalOf(op, v, left); err != nil {
			return never, err
		}
	}
	if left.typ == field.Port && left.multi && op == OpIntersects {
		op = OpIn // QUIRK 12
	}
	if certain, ok := c.certainNum(e, left); ok {
		return constant(certain), nil
	}
	if c.Strict {
		if f := strictChecks(op, e.Mod, left, &lits); f != nil {
			return c.testOf(e, left, f), nil
		}
	}
	if id, ok := c.lookUp(e, op, left, lits); ok {
		return id, nil
	}
	id := c.testOf(e, left, direct(op, e.Mod, left, lits))
	if need, ok := c.needs(op, e.Mod, left, lits); ok {
		c.nodes[id].need = need
	}
	return id, nil
}

// conditionOperand is operand for a side of a check.
func (c *Compiler) conditionOperand(o Operand) (*operand, error) {
	v, err := c.operand(o, false)
	if err != nil {
		return nil, err
	}
	if _, call := o.(*Call); call {
		operandFields(o, func(f *Field) {
			if err == nil && IsEventType(f) { // QUIRK 8
				err = &Error{Pos: f.Pos, Msg: "event code search does not support field transformers on `evt.type`/`syscall.type` checks", At: f.Name}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	for _, r := range v.refs {
		if r.Def.Has(field.PrintOnly) {
			return nil, &Error{Pos: o.At(), Msg: fmt.Sprintf("field '%s' can only be used in an output", r.Token), At: r.Token}
		}
	}
	return v, nil
}

// testOf makes a node of a check that is evaluated by itself. right is set if it
// compares with another field.
func (c *Compiler) testOf(e *Check, left *operand, f func(*Env) bool, right ...*operand) nodeID {
	if f == nil {
		return never
	}
	key := appendKey(nil, e.Left)
	key = append(key, ' ', byte(e.Op), byte(e.Mod))
	if e.Right.Of != nil {
		key = appendKey(key, e.Right.Of)
	}
	for _, v := range e.Right.Values {
		key = strconv.AppendQuote(key, v.Text)
		key = append(key, "bq"[b2i(v.Quoted)])
	}
	if left.order {
		c.unique++
		key = strconv.AppendUint(key, uint64(c.unique), 10)
	}
	n := node{test: f, typed: left.typed && e.Right.Of == nil, order: left.order, late: left.late, keeps: left.keeps,
		cost: left.cost + 3 + weights[e.Op], p: chances[e.Op]}
	for _, r := range right {
		n.late, n.keeps = n.late || r.late, append(slices.Clone(n.keeps), r.keeps...)
	}
	if classOf(left.typ) == classBool && e.Op != OpExists {
		if n.p = left.likely(); n.p == 0 {
			n.p = 0.4
		}
	}
	if m := float32(len(e.Right.Values)); m > 1 && !e.Op.List() {
		n.cost += weights[e.Op] * m
	}
	return c.test(key, n)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// direct makes the function that a test is.
func direct(op Op, mod Mod, left *operand, lits []literal) func(*Env) bool {
	slot := left.slot
	if mod != ModNone {
		return checkMod(op, mod, left, lits)
	}
	var p pred
	switch {
	case op == OpPMatch:
		t := new(paths)
		for _, l := range lits {
			t.add(l.str)
		}
		p = func(v *field.Value) bool { return t.match(v.Str) }
		if len(lits) == 0 {
			p = func(*field.Value) bool { return false }
		}
	case op.List():
		p = member(left.typ, lits)
		if left.list && op == OpIn {
			return everyValue(slot, p)
		}
	default:
		p = predicate(op, left.typ, &lits[0])
		if op == OpNE && left.ends() {
			return everyValue(slot, p)
		}
	}
	if left.multi || left.list {
		return someValue(slot, p)
	}
	return oneValue(slot, p)
}

func oneValue(slot int, p pred) func(*Env) bool {
	return func(env *Env) bool {
		vals := env.get(slot)
		return len(vals) > 0 && p(&vals[0])
	}
}

func someValue(slot int, p pred) func(*Env) bool {
	return func(env *Env) bool {
		vals := env.get(slot)
		for i := range vals {
			if p(&vals[i]) {
				return true
			}
		}
		return false
	}
}

func everyValue(slot int, p pred) func(*Env) bool {
	return func(env *Env) bool {
		vals := env.get(slot)
		for i := range vals {
			if !p(&vals[i]) {
				return false
			}
		}
		return len(vals) > 0
	}
}

// glued reads "evt.num=>0", which is "=" and the value ">0", as the author meant
// it (EXT 1). The tree stays as it was written.
func (c *Compiler) glued(op Op, v Value, left *operand) (Op, Value) {
	if c.Strict || !op.equal() || v.Quoted || classOf(left.typ) != classNumber || len(v.Text) < 2 {
		return op, v
	}
	meant := OpGE
	switch v.Text[0] {
	case '>':
	case '<':
		meant = OpLE
	default:
		return op, v
	}
	if v.Pos.Src == nil || v.Pos.Src.Name == "" {
		c.warn(v.Pos, "'%s%s' is read as '%s %s'", op, v.Text, meant, v.Text[1:])
	}
	v.Text = v.Text[1:]
	return meant, v
}

// CheckMacro warns about what is odd in a macro, once, whoever uses it.
func (c *Compiler) CheckMacro(e Expr) {
	if c.Strict {
		return
	}
	Walk(e, func(e Expr) {
		check, ok := e.(*Check)
		if !ok || !check.Op.equal() || len(check.Right.Values) != 1 {
			return
		}
		f, ok := check.Left.(*Field)
		if !ok {
			return
		}
		if ref, err := c.Fields.Parse(f.Token()); err == nil {
			v := check.Right.Values[0]
			v.Pos.Src = nil
			c.glued(check.Op, v, &operand{typ: ref.Type})
		}
	})
}

func (c *Compiler) literalOf(op Op, v Value, left *operand) (l literal, err error) {
	fail := func(err error) error {
		e := &Error{Pos: v.Pos, Msg: err.Error(), At: v.Text}
		return e
	}
	if left.ref != nil && left.ref.Def.Name == "evt.type" && !field.KnownType(v.Text) {
		return l, fail(fmt.Errorf("unknown event type %s", v.Text))
	}
	if op == OpBContains || op == OpBStartsWith {
		if l.str, err = hexBytes(v.Text); err != nil {
			return l, fail(err)
		}
		return l, nil
	}
	if l, err = c.convert(v.Text, left.typ, v.Pos); err != nil {
		return l, fail(err)
	}
	if classOf(left.typ) == classText {
		c.warnText(v)
	}
	if op == OpRegex {
		if plainRegex(v.Text) {
			c.warn(v.Pos, "regex check with '%s' may be optimized with simpler operators such as '=', 'contains', 'startswith', 'endswith'", v.Text)
		}
		if l.re, err = compileRegex(v.Text); err != nil {
			return l, fail(err)
		}
	}
	return l, nil
}

// predicate makes the check of one value against one literal. Lists have been
// taken apart; in and intersects mean equality here.
func predicate(op Op, t field.Type, l *literal) pred {
	switch classOf(t) {
	case classText, classBytes:
		return textPredicate(op, l)
	case classAddress:
		ip := l.ip
		if op == OpNE {
			return func(v *field.Value) bool { return v.IP != ip }
		}
		return func(v *field.Value) bool { return v.IP == ip }
	case classNet:
		n := l.net
		if op == OpNE {
			return func(v *field.Value) bool { return !n.Contains(v.IP) }
		}
		return func(v *field.Value) bool { return n.Contains(v.IP) }
	}
	return numberPredicate(op, t, l)
}

func textPredicate(op Op, l *literal) pred {
	switch op {
	case OpRegex:
		re := l.re
		return func(v *field.Value) bool { return re.MatchString(v.Str) }
	case OpPMatch:
		t := new(paths)
		t.add(l.str)
		return func(v *field.Value) bool { return t.match(v.Str) }
	}
	compare, s := textComparison(op), l.str
	return func(v *field.Value) bool { return compare(v.Str, s) }
}

// textComparison is what op says of two texts.
func textComparison(op Op) func(s, with string) bool {
	switch op {
	case OpNE:
		return func(s, with string) bool { return s != with }
	case OpLT:
		return func(s, with string) bool { return s < with }
	case OpLE:
		return func(s, with string) bool { return s <= with }
	case OpGT:
		return func(s, with string) bool { return s > with }
	case OpGE:
		return func(s, with string) bool { return s >= with }
	case OpGlob:
		return func(s, with string) bool { return glob(with, s, false) }
	case OpIGlob:
		return func(s, with string) bool { return glob(with, s, true) }
	case OpContains, OpBContains:
		return strings.Contains
	case OpIContains:
		return containsFold
	case OpStartsWith, OpBStartsWith:
		return strings.HasPrefix
	case OpEndsWith:
		return strings.HasSuffix
	}
	return func(s, with string) bool { return s == with }
}

// containsFold reports whether s contains what, in whatever letter case.
func containsFold(s, what string) bool {
	for i := 0; i+len(what) <= len(s); i++ {
		j := 0
		for j < len(what) && lower(s[i+j]) == lower(what[j]) {
			j++
		}
		if j == len(what) {
			return true
		}
	}
	return false
}

func numberPredicate(op Op, t field.Type, l *literal) pred {
	if l.below || l.above {
		// every value is greater or less than the literal
		yes := op == OpNE || l.below && (op == OpGT || op == OpGE) || l.above && (op == OpLT || op == OpLE)
		return func(*field.Value) bool { return yes }
	}
	n := l.num
	switch op {
	case OpNE:
		return func(v *field.Value) bool { return v.Num != n }
	case OpLT:
		return func(v *field.Value) bool { return compareNumbers(t, v.Num, n) < 0 }
	case OpLE:
		return func(v *field.Value) bool { return compareNumbers(t, v.Num, n) <= 0 }
	case OpGT:
		return func(v *field.Value) bool { return compareNumbers(t, v.Num, n) > 0 }
	case OpGE:
		return func(v *field.Value) bool { return compareNumbers(t, v.Num, n) >= 0 }
	}
	return func(v *field.Value) bool { return v.Num == n }
}

func compareNumbers(t field.Type, a, b uint64) int {
	less, more := a < b, a > b
	switch {
	case t == field.Double:
		x, y := math.Float64frombits(a), math.Float64frombits(b)
		less, more = x < y, x > y
	default:
		if _, signed := width(t); signed {
			less, more = int64(a) < int64(b), int64(a) > int64(b)
		}
	}
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

// member makes the check of one value against the elements of a list. Lists that
// scalars are compared with are looked up in tables (hit.go).
func member(t field.Type, lits []literal) pred {
	if len(lits) == 1 {
		return predicate(OpEQ, t, &lits[0])
	}
	switch classOf(t) {
	case classText, classBytes:
		set := setOf(lits, func(l *literal) (string, bool) { return l.str, true })
		return func(v *field.Value) bool { _, ok := set[v.Str]; return ok }
	case classAddress:
		set := setOf(lits, func(l *literal) (netip.Addr, bool) { return l.ip, true })
		return func(v *field.Value) bool { _, ok := set[v.IP]; return ok }
	case classNet:
		return func(v *field.Value) bool {
			for i := range lits {
				if lits[i].net.Contains(v.IP) {
					return true
				}
			}
			return false
		}
	}
	set := setOf(lits, func(l *literal) (uint64, bool) { return l.num, !l.below && !l.above })
	return func(v *field.Value) bool { _, ok := set[v.Num]; return ok }
}

// setOf returns the literals that anything can be equal to.
func setOf[K comparable](lits []literal, key func(*literal) (K, bool)) map[K]struct{} {
	set := make(map[K]struct{}, len(lits))
	for i := range lits {
		if k, ok := key(&lits[i]); ok {
			set[k] = struct{}{}
		}
	}
	return set
}
