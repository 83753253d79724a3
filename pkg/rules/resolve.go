// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/falco-go/falco/pkg/filter"
)

// Lists are put into conditions as text, before anything is parsed; macros are
// put into the parsed tree, so that they keep together.

// resolveLists computes what each list stands for.
func (c *collection) resolveLists() {
	for _, l := range c.lists.all {
		l.used = false
	}
	for _, l := range c.lists.all {
		l.expanded = nil
		if c.opts.StrictUpstream {
			c.expandRaw(l)
		} else {
			c.expandDeep(l, l, map[*listItem]bool{l: true})
		}
	}
}

// expandRaw replaces the names of lists by their items as written, and only of
// those defined earlier (QUIRK 3).
func (c *collection) expandRaw(l *listItem) {
	for _, item := range l.items {
		if o := c.lists.find(item); o != nil && o.first < l.last {
			o.used = true
			l.expanded = append(l.expanded, o.items...)
		} else {
			l.expanded = append(l.expanded, item)
		}
	}
}

// Lists of lists of lists can grow beyond measure: these are the bounds.
const (
	maxItems = 1 << 17 // of one list
	maxText  = 1 << 24 // of one condition
)

// expandDeep appends the items of from to l. A list that is within itself counts
// once.
func (c *collection) expandDeep(l, from *listItem, path map[*listItem]bool) {
	for _, item := range from.items {
		o := c.lists.find(item)
		switch {
		case len(l.expanded) >= maxItems:
			return
		case o == nil:
			l.expanded = append(l.expanded, item)
		case path[o]:
			o.used = o.used || o != l
		default:
			o.used = true
			path[o] = true
			c.expandDeep(l, o, path)
			delete(path, o)
		}
	}
}

func listDelimiter(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', '(', ')', ',', '=':
		return true
	}
	return false
}

// lists are all lists that have been defined.
type lists struct {
	shelf[listItem]
	words   int   // how many have been looked at for strange names
	strange []int // those with delimiters in their names
}

// putLists replaces the names of lists in a condition by their items.
func (c *collection) putLists(cond string) string {
	return c.lists.put(cond, func(l *listItem) { l.used = true })
}

// put replaces the names of lists, one list after the other: what one has put
// in can hold the name of one that was defined later. The lists that are in cond
// are told to found.
func (s *lists) put(cond string, found func(*listItem)) string {
	for i := s.next(cond, 0); i >= 0; i = s.next(cond, i+1) {
		out, ok := s.all[i].put(cond)
		if ok {
			cond = out
			found(s.all[i])
		}
	}
	return cond
}

// next returns the first list from place from on whose name may be in cond, -1
// if there is none.
func (s *lists) next(cond string, from int) int {
	best := -1
	take := func(i int) {
		if i >= from && (best < 0 || i < best) {
			best = i
		}
	}
	for start := 0; start < len(cond); {
		end := start
		for end < len(cond) && !listDelimiter(cond[end]) {
			end++
		}
		if i, ok := s.at[cond[start:end]]; ok && end > start {
			take(i)
		}
		start = end + 1
	}
	for _, i := range s.odd() {
		take(i)
	}
	return best
}

// odd returns the lists whose names are not one word: the language allows them.
func (s *lists) odd() []int {
	if s.words == len(s.all) {
		return s.strange
	}
	for ; s.words < len(s.all); s.words++ {
		if strings.ContainsFunc(s.all[s.words].name, func(r rune) bool { return r < 0x80 && listDelimiter(byte(r)) }) {
			s.strange = append(s.strange, s.words)
		}
	}
	return s.strange
}

// put replaces each occurrence of l's name that stands between delimiters. It
// does not know about syntax, nor quotes.
func (l *listItem) put(cond string) (out string, found bool) {
	const blanks = " \t\n\r"
	var b strings.Builder
	rest := cond
	for at := 0; ; {
		i := strings.Index(rest[at:], l.name)
		if i < 0 || l.name == "" {
			break
		}
		i += at
		end := i + len(l.name)
		if i > 0 && !listDelimiter(rest[i-1]) || end < len(rest) && !listDelimiter(rest[end]) {
			at = i + 1
			continue
		}
		if b.Len() > maxText {
			break
		}
		found = true
		left, right := strings.TrimRight(rest[:i], blanks), strings.TrimLeft(rest[end:], blanks)
		if len(l.expanded) == 0 {
			if strings.HasSuffix(left, ",") {
				left = left[:len(left)-1]
			} else if strings.HasPrefix(right, ",") {
				right = right[1:]
			}
		}
		b.WriteString(left)
		b.WriteByte(' ')
		for n, item := range l.expanded {
			if n > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quoteBlanks(item))
		}
		rest, at = " "+right, 1
	}
	return b.String() + rest, found
}

// macroError is an error in the resolution of macros.
type macroError struct {
	at   *filter.Ident
	msg  string
	name string
}

func (e *macroError) Error() string { return e.msg }

// macroTree is the parsed condition of a macro.
type macroTree struct {
	*macroItem
	expr filter.Expr // nil as long as it has not been parsed
	done bool        // macros within have been replaced
	size int
}

// maxNodes bounds what macros of macros can grow to.
const maxNodes = 1 << 18

// resolver replaces macros in trees.
type resolver struct {
	trees []*macroTree
	index map[string]*macroTree
	path  map[*macroTree]bool
	nodes int
}

// expand replaces the macros in e. Only those that visible accepts are seen.
func (r *resolver) expand(e filter.Expr, visible func(*macroTree) bool) (filter.Expr, error) {
	filter.Walk(e, func(filter.Expr) { r.nodes++ })
	return filter.Expand(e, func(id *filter.Ident) (filter.Expr, error) {
		m := r.index[id.Name]
		if m == nil || !visible(m) {
			return nil, &macroError{id, fmt.Sprintf("Undefined macro '%s' used in filter.", id.Name), id.Name}
		}
		if r.path[m] {
			return nil, &macroError{id, fmt.Sprintf("reference loop in macro '%s'", id.Name), id.Name}
		}
		m.used = true
		if m.done {
			r.nodes += m.size
		}
		if r.nodes > maxNodes {
			return nil, &macroError{id, "the condition is too large once macros have been put in", id.Name}
		}
		if m.done {
			return m.expr, nil
		}
		r.path[m] = true
		out, err := r.expand(m.expr, visible)
		delete(r.path, m)
		return out, err
	})
}

// run is expand from the top; it returns the size of the result as well.
func (r *resolver) run(e filter.Expr, visible func(*macroTree) bool) (filter.Expr, int, error) {
	r.nodes, r.path = 0, map[*macroTree]bool{}
	out, err := r.expand(e, visible)
	return out, r.nodes, err
}

// macroTrees parses all macros and replaces the macros within them.
func (c *compiler) macroTrees() (*resolver, error) {
	r := &resolver{index: map[string]*macroTree{}}
	for _, m := range c.macros.all {
		m.used = false
		text := c.putLists(m.cond)
		src := &filter.Source{Text: text, Name: m.name}
		src.Place = func(offset int) (string, int) { return placeOf(text, offset, m.pieces, m.ctx) }
		e, err := c.syntax.Parse(src)
		if err != nil {
			return nil, c.filterError(err, m.cctx, text, text)
		}
		c.fc.Warnings = nil
		c.fc.CheckMacro(e)
		c.strayWords(e)
		for _, w := range c.fc.Warnings {
			c.warn(WarnCondition, m.cctx.expression(w.Pos, text), "%s", w.Msg)
		}
		t := &macroTree{macroItem: m, expr: e}
		r.trees = append(r.trees, t)
		r.index[m.name] = t
	}
	for _, t := range r.trees {
		e, size, err := r.run(t.expr, func(m *macroTree) bool { return m.first < t.last })
		if err != nil {
			return nil, c.macroError(err, t.ctx, t.cond)
		}
		t.expr, t.done, t.size = e, true, size
	}
	return r, nil
}

// macroError reports what expand says.
func (c *compiler) macroError(err error, ctx *context, cond string) error {
	var m *macroError
	if !errors.As(err, &m) {
		return err
	}
	stop := c.fail(ErrValidate, ctx.expression(m.at.Pos, cond), "%s", m.msg)
	issue := c.res.Errors[len(c.res.Errors)-1]
	if strings.HasPrefix(m.msg, "Undefined") {
		if l := c.lists.find(m.name); l != nil {
			issue.Hint = notMacro(m.name)
		} else if old := c.macros.find(m.name); old != nil {
			issue.Hint = fmt.Sprintf("macro %q is defined further down: a macro sees only those above it", m.name)
		} else {
			issue.Hint = suggest(m.name, c.macros.names())
		}
	}
	return stop
}
