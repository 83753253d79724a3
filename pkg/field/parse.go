// SPDX-License-Identifier: Apache-2.0

package field

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// UnknownError says that a token names no field. Rules files may ask to skip
// rules with such tokens, so callers look for it with errors.As.
type UnknownError struct{ Token string }

func (e *UnknownError) Error() string {
	return "filter_check called with nonexistent field " + e.Token
}

// byName holds the catalogue in the order of names.
var byName = func() []*Def {
	out := append([]*Def(nil), Catalogue...)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}()

// Lookup returns the field called name, without an argument.
func Lookup(name string) (*Def, bool) {
	i := sort.Search(len(byName), func(i int) bool { return byName[i].Name >= name })
	if i < len(byName) && byName[i].Name == name {
		return byName[i], true
	}
	return nil, false
}

// Parse reads token, a field with or without its argument: "proc.aname[2]",
// "evt.arg.flags". The whole token must be used up.
func Parse(token string) (*Ref, error) {
	def := longestName(token, len(token))
	if def == nil {
		return nil, &UnknownError{token}
	}
	r, n, err := def.parse(token)
	if err != nil {
		return nil, err
	}
	if n != len(token) {
		return nil, &UnknownError{token}
	}
	return r, nil
}

// Longest returns the longest prefix of text that is a valid field, with its
// argument, and the bytes that it takes: what follows a % in an output. A bracket
// that is no argument is left for the text behind the field.
func Longest(text string) (ref *Ref, n int, ok bool) {
	for limit := len(text); limit > 0; {
		def := longestName(text, limit)
		if def == nil {
			return nil, 0, false
		}
		r, n, err := def.parse(text)
		if err != nil && def.Args&ArgRequired == 0 {
			r, n, err = def.parse(def.Name) // what looks like an argument is literal text
		}
		if err == nil {
			return r, n, true
		}
		limit = len(def.Name) - 1 // a shorter name may still fit: evt.type of "evt.type.isx"
	}
	return nil, 0, false
}

// longestName returns the field with the longest name that text starts with
// and that has at most limit bytes.
func longestName(text string, limit int) *Def {
	if n := len(text); limit > n {
		limit = n
	}
	for n := min(limit, longest); n > 0; n-- {
		if d, ok := Lookup(text[:n]); ok {
			return d
		}
	}
	return nil
}

// longest is the length of the longest name in the catalogue.
var longest = func() (n int) {
	for _, d := range Catalogue {
		n = max(n, len(d.Name))
	}
	return n
}()

// parse reads the argument that follows d's name in text, as far as d takes
// one, and returns the bytes used. What follows is the caller's business.
func (d *Def) parse(text string) (*Ref, int, error) {
	r := &Ref{Def: d, Type: d.Type, Fmt: d.Fmt, Arg: Arg{Index: -1}}
	n := len(d.Name)
	rest := text[n:]
	var end int
	switch {
	case strings.HasPrefix(rest, "[") && d.Args&(ArgIndex|ArgKey) != 0:
		if end = strings.IndexByte(rest, ']'); end < 0 {
			if d.Args&ArgRequired != 0 {
				return nil, 0, d.missing(text)
			}
			return nil, 0, &UnknownError{text}
		}
		r.Arg.Given, r.Arg.Text = true, unquote(rest[1:end])
		n += end + 1
		if err := d.index(r, text[:n]); err != nil {
			return nil, 0, err
		}
	case strings.HasPrefix(rest, "[") && d.Args&ArgDot != 0:
		return nil, 0, d.bracket(text)
	case strings.HasPrefix(rest, ".") && d.Args&ArgDot != 0:
		name := dotName(rest[1:], d.Args&ArgKey != 0)
		if d.dots != nil {
			var err error
			if name, err = d.dots(name); err != nil {
				if d.Args&ArgRequired != 0 {
					return nil, 0, err
				}
				name = ""
			}
		}
		if name != "" {
			r.Arg.Given, r.Arg.Text = true, name
			n += 1 + len(name)
		}
	}
	if !r.Arg.Given && d.Args&ArgRequired != 0 {
		return nil, 0, d.missing(text)
	}
	r.Token = text[:n]
	if d.Bind != nil {
		if err := d.Bind(r); err != nil {
			return nil, 0, err
		}
	}
	return r, n, nil
}

// index fills Arg.Index if the argument is a number, and refuses it if it must
// be one and is not.
func (d *Def) index(r *Ref, token string) error {
	if d.Args&ArgIndex == 0 {
		return nil
	}
	n, err := strconv.ParseUint(r.Arg.Text, 10, 31)
	switch {
	case err == nil:
		r.Arg.Index = int(n)
	case d.Args&ArgKey != 0: // either will do
	case d.Name == "evt.arg" || d.Name == "fd.types" || d.Name == "evt.around":
		if n, err := strconv.ParseUint(r.Arg.Text, 10, 64); err == nil && d.Name == "evt.around" {
			r.Arg.Data = n
			return nil
		}
		return fmt.Errorf("%s is not a valid number", r.Arg.Text)
	default:
		return &UnknownError{token}
	}
	return nil
}

// missing is the error for a required argument that is not there.
func (d *Def) missing(text string) error {
	return fmt.Errorf("filter syntax error: %s", text)
}

// bracket is the error for [x] on a field whose argument is a .name.
func (d *Def) bracket(text string) error {
	if d.Name == "evt.rawarg" {
		return fmt.Errorf("evt.arg fields must be expressed explicitly")
	}
	return fmt.Errorf("filter syntax error: %s", text)
}

// dotName returns the leading bytes of text that can belong to a .name. The key
// of a label may have dots, dashes and slashes inside.
func dotName(text string, label bool) string {
	i := 0
	for ; i < len(text); i++ {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			continue
		}
		if !label || c != '.' && c != '-' && c != '/' {
			break
		}
	}
	if label {
		return strings.TrimRight(text[:i], ".-/")
	}
	return text[:i]
}

// unquote removes the quotes around an argument, if it has some.
func unquote(s string) string {
	if n := len(s); n >= 2 && (s[0] == '\'' || s[0] == '"') && s[n-1] == s[0] {
		return s[1 : n-1]
	}
	return s
}

// Suggest returns the name in the catalogue that is nearest to token, for a
// hint; ok is false if none is near.
func Suggest(token string) (name string, ok bool) {
	if i := strings.IndexByte(token, '['); i >= 0 {
		token = token[:i]
	}
	var names []string
	for _, d := range Catalogue {
		if !d.Has(Deprecated) && !d.Has(Hidden) {
			names = append(names, d.Name)
		}
	}
	return Nearest(token, names)
}

// Nearest returns the first of the names that is nearest to word; ok is false if
// none is near.
func Nearest(word string, names []string) (name string, ok bool) {
	best := 1 + max(1, len(word)/5)
	if len(word) > 2*longest {
		return "", false
	}
	for _, n := range names {
		if len(n)-len(word) >= best || len(word)-len(n) >= best {
			continue
		}
		if d := distance(word, n, best); d < best {
			name, best, ok = n, d, true
		}
	}
	return name, ok
}

// distance is the number of changed, added, removed or swapped bytes between a and b,
// or at least most.
func distance(a, b string, most int) int {
	var space [3 * 64]int
	rows := space[:]
	width := len(b) + 1
	if 3*width > len(rows) {
		rows = make([]int, 3*width)
	}
	prev2, prev, cur := rows[:width], rows[width:2*width], rows[2*width:3*width]
	for j := range prev {
		prev[j] = j
	}
	above := 0 // the least of the row before
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, prev2[j-2]+1)
			}
			cur[j] = d
			least = min(least, d)
		}
		if least >= most && above >= most { // and so are all below, which come from these two
			return most
		}
		prev2, prev, cur, above = prev, cur, prev2, least
	}
	return prev[len(b)]
}
