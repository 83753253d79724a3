// SPDX-License-Identifier: Apache-2.0

package filtertest

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/state"
)

// Walker evaluates conditions by walking their trees, as rules-language.md §4
// reads: every value is fetched and every literal is read anew for each check,
// nothing is remembered, nothing is reordered. It shares no code with the
// compiled program, which is compared with it. What the compiler refuses must
// not be given to it; macros must have been expanded. It knows the calls
// tolower, toupper, basename, len and concat.
type Walker struct {
	Fields filter.Fields

	scene   *state.Scene
	refs    map[string]*field.Ref
	regexes map[string]*regexp.Regexp
}

// side is one side of a check.
type side struct {
	vals        []field.Value
	typ         field.Type
	multi, list bool
}

// Match evaluates e on the scene.
func (w *Walker) Match(e filter.Expr, s *state.Scene) bool {
	w.scene = s
	return w.match(e)
}

func (w *Walker) match(e filter.Expr) bool {
	switch e := e.(type) {
	case *filter.And:
		for _, k := range e.Kids {
			if !w.match(k) {
				return false
			}
		}
		return true
	case *filter.Or:
		for _, k := range e.Kids {
			if w.match(k) {
				return true
			}
		}
		return false
	case *filter.Not:
		return !w.match(e.Kid)
	case *filter.Check:
		return w.check(e)
	}
	panic(fmt.Sprintf("filtertest: %T", e))
}

func (w *Walker) read(o filter.Operand) side {
	switch o := o.(type) {
	case *filter.Field:
		token := o.Token()
		r := w.refs[token]
		if r == nil {
			var err error
			if r, err = w.Fields.Parse(token); err != nil {
				panic("filtertest: " + err.Error())
			}
			if w.refs == nil {
				w.refs = map[string]*field.Ref{}
			}
			w.refs[token] = r
		}
		s := side{typ: r.Type, multi: r.Def.Has(field.Multi), list: r.List()}
		s.vals = r.Values(w.scene, nil)
		return s
	case *filter.Literal:
		if o.Number {
			n, _ := strconv.ParseInt(o.Text, 0, 64)
			return side{vals: []field.Value{{Num: uint64(n)}}, typ: field.Int64}
		}
		return side{vals: []field.Value{{Str: o.Text}}, typ: field.String}
	case *filter.Call:
		return w.call(o)
	}
	panic(fmt.Sprintf("filtertest: %T", o))
}

func (w *Walker) call(o *filter.Call) side {
	if o.Fn == "concat" {
		all := ""
		for _, a := range o.Args {
			s := w.read(a)
			if len(s.vals) == 0 {
				return side{typ: field.String}
			}
			all += s.vals[0].Str
		}
		return side{vals: []field.Value{{Str: all}}, typ: field.String}
	}
	s := w.read(o.Args[0])
	out := side{typ: s.typ, list: s.list}
	if o.Fn == "len" {
		out.typ, out.list = field.Uint64, false
		if s.list {
			if len(s.vals) > 0 {
				out.vals = []field.Value{{Num: uint64(len(s.vals))}}
			}
			return out
		}
	}
	for _, v := range s.vals {
		switch o.Fn {
		case "tolower":
			v.Str = strings.ToLower(v.Str)
		case "toupper":
			v.Str = strings.ToUpper(v.Str)
		case "basename":
			parts := strings.Split(v.Str, "/")
			v.Str = parts[len(parts)-1]
		case "len":
			v = field.Value{Num: uint64(len(v.Str))}
		default:
			panic("filtertest: " + o.Fn)
		}
		out.vals = append(out.vals, v)
	}
	return out
}

func (w *Walker) check(e *filter.Check) bool {
	left := w.read(e.Left)
	if e.Op == filter.OpExists {
		if f, ok := e.Left.(*filter.Field); ok && f.Name == "fd.ip" && w.scene != nil { // true for every record of a descriptor
			return len(w.read(&filter.Field{Name: "fd.type"}).vals) > 0
		}
		return len(left.vals) > 0
	}
	if len(left.vals) == 0 {
		return false
	}
	ends := left.multi && (left.typ == field.IP || left.typ == field.IPNet || left.typ == field.Port)
	if !left.multi && !left.list {
		left.vals = left.vals[:1]
	}
	if e.Right.Of != nil {
		return w.checkField(e, left)
	}
	op, texts := e.Op, []string{}
	for i, v := range e.Right.Values {
		text := v.Text
		if i == 0 && (op == filter.OpEQ || op == filter.OpEQ2) && !v.Quoted && len(text) > 1 && numeric(left.typ) { // "=>5"
			switch text[0] {
			case '>':
				op, text = filter.OpGE, text[1:]
			case '<':
				op, text = filter.OpLE, text[1:]
			}
		}
		texts = append(texts, text)
	}
	// one says whether a value satisfies the operator with one literal.
	one := func(v field.Value, text string) bool {
		return w.one(op, left.typ, v, text)
	}
	some := func(text string) bool {
		return slices.ContainsFunc(left.vals, func(v field.Value) bool { return one(v, text) })
	}
	every := func(text string) bool {
		return !slices.ContainsFunc(left.vals, func(v field.Value) bool { return !one(v, text) })
	}
	enough := func(n int) bool {
		switch e.Mod {
		case filter.ModOneOf:
			return n == 1
		case filter.ModAnyOf:
			return n > 0
		}
		return n > 0 && n == len(texts)
	}
	switch {
	case e.Mod != filter.ModNone && ends:
		n := 0
		for _, t := range texts {
			if op == filter.OpNE && every(t) || op != filter.OpNE && some(t) {
				n++
			}
		}
		return enough(n)
	case e.Mod != filter.ModNone:
		return slices.ContainsFunc(left.vals, func(v field.Value) bool {
			n := 0
			for _, t := range texts {
				if one(v, t) {
					n++
				}
			}
			return enough(n)
		})
	case op == filter.OpIn && left.list:
		return !slices.ContainsFunc(left.vals, func(v field.Value) bool {
			return !slices.ContainsFunc(texts, func(t string) bool { return one(v, t) })
		})
	case op == filter.OpIn, op == filter.OpIntersects, op == filter.OpPMatch:
		return slices.ContainsFunc(texts, some)
	case op == filter.OpNE && ends:
		return every(texts[0])
	}
	return some(texts[0])
}

func (w *Walker) checkField(e *filter.Check, left side) bool {
	right := w.read(e.Right.Of)
	if len(right.vals) == 0 {
		return false
	}
	if !right.multi && !right.list {
		right.vals = right.vals[:1]
	}
	found := func(l field.Value) bool {
		return slices.ContainsFunc(right.vals, func(r field.Value) bool { return w.two(e.Op, left.typ, l, r) })
	}
	missing := func(l field.Value) bool { return !found(l) }
	if left.list && e.Op == filter.OpIn || e.Op == filter.OpNE {
		return !slices.ContainsFunc(left.vals, missing)
	}
	return slices.ContainsFunc(left.vals, found)
}

func numeric(t field.Type) bool {
	switch t {
	case field.String, field.Path, field.Bytes, field.IP, field.IPNet, field.Bool, field.Other:
		return false
	}
	return true
}

// one compares a value with a literal.
func (w *Walker) one(op filter.Op, t field.Type, v field.Value, text string) bool {
	switch t {
	case field.IPNet:
		p := netip.MustParsePrefix(text).Masked()
		return p.Contains(v.IP) == (op != filter.OpNE)
	case field.IP:
		return (netip.MustParseAddr(text) == v.IP) == (op != filter.OpNE)
	case field.Bool:
		return (text == "true") == (v.Num != 0) == (op != filter.OpNE)
	case field.String, field.Path, field.Bytes:
		return w.text(op, v.Str, text)
	}
	digits, negative := strings.CutPrefix(text, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	size := map[field.Type]uint{field.Uint8: 8, field.Uint16: 16, field.Port: 16, field.Uint32: 32, field.Int32: 32, field.Int8: 8, field.Int16: 16}[t]
	if size == 0 {
		size = 64
	}
	// All as signed numbers of more bits than any type has.
	order := 0
	switch {
	case t.Signed() && (err != nil || n > 1<<63-1 && !negative || n > 1<<63):
		order = map[bool]int{true: 1, false: -1}[negative] // beyond everything
	case t.Signed():
		want := int64(n)
		if negative {
			want = -want
		}
		order = compare(int64(v.Num), want)
	case negative && n == 1:
		order = compare(v.Num, 1<<size-1)
	case negative && n > 0:
		order = 1
	case err != nil:
		order = -1
	default:
		order = compare(v.Num, n)
	}
	return byOrder(op, order)
}

func compare[T int64 | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func byOrder(op filter.Op, order int) bool {
	switch op {
	case filter.OpNE:
		return order != 0
	case filter.OpLT:
		return order < 0
	case filter.OpLE:
		return order <= 0
	case filter.OpGT:
		return order > 0
	case filter.OpGE:
		return order >= 0
	}
	return order == 0
}

// two compares the values of two fields.
func (w *Walker) two(op filter.Op, t field.Type, a, b field.Value) bool {
	switch t {
	case field.IP:
		return (a.IP == b.IP) == (op != filter.OpNE)
	case field.String, field.Path, field.Bytes:
		return w.text(op, a.Str, b.Str)
	}
	if t.Signed() {
		return byOrder(op, compare(int64(a.Num), int64(b.Num)))
	}
	return byOrder(op, compare(a.Num, b.Num))
}

func (w *Walker) text(op filter.Op, s, text string) bool {
	switch op {
	case filter.OpGlob:
		return wild(text, s)
	case filter.OpIGlob:
		return wild(strings.ToLower(text), strings.ToLower(s))
	case filter.OpContains:
		return strings.Contains(s, text)
	case filter.OpIContains:
		return strings.Contains(strings.ToLower(s), strings.ToLower(text))
	case filter.OpStartsWith:
		return strings.HasPrefix(s, text)
	case filter.OpEndsWith:
		return strings.HasSuffix(s, text)
	case filter.OpBContains, filter.OpBStartsWith:
		raw := make([]byte, len(text)/2)
		fmt.Sscanf(text, "%x", &raw)
		return op == filter.OpBContains && bytes.Contains([]byte(s), raw) || op == filter.OpBStartsWith && bytes.HasPrefix([]byte(s), raw)
	case filter.OpRegex:
		re := w.regexes[text]
		if re == nil {
			re = regexp.MustCompilePOSIX(text)
			if w.regexes == nil {
				w.regexes = map[string]*regexp.Regexp{}
			}
			w.regexes[text] = re
		}
		at := re.FindStringIndex(s)
		return at != nil && at[0] == 0 && at[1] == len(s)
	case filter.OpPMatch:
		split := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == '/' }) }
		want, have := split(text), split(s)
		if len(have) < len(want) {
			return false
		}
		for i := range want {
			if !wild(want[i], have[i]) {
				return false
			}
		}
		return true
	}
	return byOrder(op, strings.Compare(s, text))
}

// wild matches the whole of s with a pattern of letters, *, ? and simple [sets].
func wild(p, s string) bool {
	if p == "" {
		return s == ""
	}
	if p[0] == '*' {
		return wild(p[1:], s) || s != "" && wild(p, s[1:])
	}
	if s == "" {
		return false
	}
	if end := strings.IndexByte(p, ']'); p[0] == '[' && end > 0 {
		return strings.IndexByte(p[1:end], s[0]) >= 0 && wild(p[end+1:], s[1:])
	}
	return (p[0] == '?' || p[0] == s[0]) && wild(p[1:], s[1:])
}
