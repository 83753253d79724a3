// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"regexp/syntax"
	"strings"
)

// tableFor returns the kind of table that finds the literals that op compares
// values of the class with.
func tableFor(op Op, cl class) (tableKind, bool) {
	equal := op.equal() || op == OpIn || op == OpIntersects
	switch cl {
	case classText, classBytes:
		switch op {
		case OpStartsWith, OpBStartsWith:
			return head, true
		case OpEndsWith:
			return tail, true
		case OpContains, OpBContains:
			return part, true
		case OpIContains:
			return fold, true
		case OpPMatch:
			return path, cl == classText
		}
		return whole, equal
	case classNumber:
		return num, equal
	case classAddress:
		return addr, equal
	case classNet:
		return network, equal
	}
	return 0, false
}

// lookUp makes a check a question to a table, if that means the same.
func (c *Compiler) lookUp(e *Check, op Op, left *operand, lits []literal) (nodeID, bool) {
	cl := classOf(left.typ)
	switch {
	case e.Mod != ModNone && (e.Mod != ModAnyOf || op == OpNE), left.list && op == OpIn:
		return never, false // not every literal by itself
	case op == OpNE && e.Mod == ModNone && cl != classNumber && cl != classBool && (!left.multi || left.ends()):
		// there is a value, and it is not equal; for the ends of a connection: neither is
		hit, ok := c.lookUp(&Check{Pos: e.Pos, Left: e.Left, Op: OpEQ}, OpEQ, left, lits)
		if !ok {
			return never, false
		}
		return c.and([]nodeID{c.present(e, left), c.not(hit)}), true
	}
	kind, ok := tableFor(op, cl)
	if !ok || len(lits) == 0 {
		return never, ok
	}
	var atoms []int32
	var others []literal
	t := int32(-1)
	for i := range lits {
		l := &lits[i]
		switch {
		case l.below || l.above: // equal to nothing
		case kind == path && strings.ContainsAny(l.str, `*?[\`):
			others = append(others, *l)
		default:
			if t < 0 {
				t = c.table(left, kind)
			}
			atoms = append(atoms, c.tables[t].atom(l))
		}
	}
	id := never
	if len(atoms) > 0 {
		id = c.hit(t, atoms)
	}
	if len(others) > 0 {
		rest := *e
		rest.Right.Values = nil
		for _, l := range others {
			rest.Right.Values = append(rest.Right.Values, Value{Text: l.str})
		}
		test := c.testOf(&rest, left, direct(op, e.Mod, left, others))
		if need, ok := c.needs(op, e.Mod, left, others); ok {
			c.nodes[test].need = need
		}
		id = c.or([]nodeID{id, test})
	}
	return id, true
}

// present is true if left has a value.
func (c *Compiler) present(e *Check, left *operand) nodeID {
	slot := left.slot
	return c.testOf(&Check{Left: e.Left, Op: OpExists}, left, func(env *Env) bool { return len(env.get(slot)) > 0 })
}

// exists compiles that operator. fd.ip exists for every record of a descriptor,
// also where no check of it can be true (fields.md).
func (c *Compiler) exists(e *Check, left *operand) nodeID {
	if left.ref != nil && left.ref.Def.Name == "fd.ip" && real(left.ref.Def) {
		if v, err := c.operand(&Field{Pos: e.Pos, Name: "fd.type"}, false); err == nil {
			return c.present(&Check{Left: &Field{Name: "fd.type"}}, v)
		}
	}
	return c.present(e, left)
}

// certainNum recognises the customary ways to say never and always: events are
// numbered from 1.
func (c *Compiler) certainNum(e *Check, left *operand) (value, ok bool) {
	if left.ref == nil || left.ref.Def.Name != "evt.num" || !real(left.ref.Def) {
		return false, false
	}
	switch s, n := inferNum(e); {
	case s == EventSet{}:
		return false, true
	case n == EventSet{}:
		return true, true
	}
	return false, false
}

// needs returns atoms one of which is there whenever the check is true: the
// letters that a pattern begins or ends with.
func (c *Compiler) needs(op Op, mod Mod, left *operand, lits []literal) (out []tableAtom, ok bool) {
	if mod != ModNone && (mod != ModAnyOf || op == OpNE) || left.list || classOf(left.typ) != classText || len(lits) == 0 {
		return nil, false
	}
	for i := range lits {
		text, kind := "", head
		switch op {
		case OpGlob:
			text = plainHead(lits[i].str, `*?[\`)
			if text == "" {
				text, kind = plainTail(lits[i].str), tail
			}
		case OpPMatch:
			text, kind = plainHead(lits[i].str, `*?[\`), path
			text = text[:strings.LastIndexByte(text, '/')+1]
			if name, _ := component(text); name == "" {
				text = ""
			}
		case OpRegex:
			text = regexHead(lits[i].re.String())
		}
		if text == "" {
			return nil, false
		}
		t := c.table(left, kind)
		out = append(out, tableAtom{t, c.tables[t].atom(&literal{str: text})})
	}
	return out, true
}

func plainHead(s, special string) string {
	if i := strings.IndexAny(s, special); i >= 0 {
		return s[:i]
	}
	return s
}

// plainTail returns what follows the last special character of a glob. One that
// has brackets or backslashes is too hard to read backwards.
func plainTail(s string) string {
	if strings.ContainsAny(s, `[\`) {
		return ""
	}
	return s[strings.LastIndexAny(s, "*?")+1:]
}

// regexHead returns the letters that everything that matches begins with.
func regexHead(expr string) string {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return ""
	}
	tree = tree.Simplify()
	for tree.Op == syntax.OpCapture || tree.Op == syntax.OpConcat && len(tree.Sub) > 0 {
		if tree.Op == syntax.OpCapture {
			tree = tree.Sub[0]
			continue
		}
		i := 0
		for i < len(tree.Sub) && tree.Sub[i].Op == syntax.OpBeginText {
			i++
		}
		if i == len(tree.Sub) {
			return ""
		}
		tree = tree.Sub[i]
	}
	if tree.Op != syntax.OpLiteral || tree.Flags&syntax.FoldCase != 0 {
		return ""
	}
	for _, r := range tree.Rune {
		if r >= 0x80 { // bad UTF-8 in a value reads as another rune
			return ""
		}
	}
	return string(tree.Rune)
}
