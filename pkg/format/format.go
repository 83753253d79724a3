// SPDX-License-Identifier: Apache-2.0

// Package format turns "%proc.name ran" into a template, and a template and a
// Scene into a text, or into the values that it names.
//
// What comes out owns its memory; a template allocates nothing but that.
package format

import (
	"errors"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
)

// Options of Parse.
type Options struct {
	Base64 bool // bytes as base64, not as text with dots
	Strict bool // as the original, with its QUIRKs
}

// Template is a compiled output text. It is read with the Env of the Compiler
// that it was made with.
type Template struct {
	Text string // as written

	parts  []part
	fields []Getter // the plain fields, also those inside calls, each once
	opts   Options
}

// part is literal text, or something with a value behind it.
type part struct {
	text  string
	get   filter.Getter
	value bool
	width int
}

// Getter is a plain field of a template.
type Getter struct {
	filter.Getter
	Token string
}

// errUnknown is complete: the original forgets to say after what.
var errUnknown = errors.New("unknown filter: unexpected token after '")

// Errors of Parse.
var (
	errEmpty  = errors.New("empty formatting token")
	errEnd    = errors.New("invalid formatting syntax: formatting cannot end with a %")
	errNumber = errors.New("invalid formatting syntax: formatting cannot end with a number")
)

// UnknownError says which text after a % names nothing.
type UnknownError struct {
	Token  string // up to the next blank
	Offset int    // of the %
}

func (e *UnknownError) Error() string { return errUnknown.Error() }

// Parse compiles text. After a % comes an optional width and the longest prefix
// of the rest that is a field or a call; there is no way to escape a %.
func Parse(text string, c *filter.Compiler, o Options) (*Template, error) {
	if text == "" {
		return nil, errEmpty
	}
	t := &Template{Text: text, opts: o}
	rest := strings.TrimPrefix(text, "*")
	for rest != "" {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			t.literal(rest)
			break
		}
		t.literal(rest[:i])
		rest = rest[i+1:]
		if rest == "" {
			return nil, errEnd
		}
		width := 0
		for rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			if width = width*10 + int(rest[0]-'0'); width > maxWidth {
				width = maxWidth
			}
			rest = rest[1:]
		}
		if rest == "" {
			return nil, errNumber
		}
		get, n, err := t.getter(rest, c)
		if err != nil {
			token, _, _ := strings.Cut(rest, " ")
			return nil, &UnknownError{token, len(text) - len(rest) - 1}
		}
		t.parts = append(t.parts, part{get: get, value: true, width: width})
		rest = rest[n:]
	}
	return t, nil
}

// maxWidth bounds the padding that a template can ask for.
const maxWidth = 4096

func (t *Template) literal(text string) {
	if text != "" {
		t.parts = append(t.parts, part{text: text})
	}
}

// getter reads what stands behind a %.
func (t *Template) getter(text string, c *filter.Compiler) (filter.Getter, int, error) {
	o, n, err := filter.Syntax{Strict: t.opts.Strict}.Operand(&filter.Source{Text: text})
	if call, ok := o.(*filter.Call); ok && call != nil {
		if err != nil {
			return filter.Getter{}, 0, err
		}
		get, err := c.Getter(call)
		if err != nil {
			return get, 0, err
		}
		for _, r := range get.Refs() {
			g, err := c.FieldGetter(r)
			if err != nil {
				return g, 0, err
			}
			t.addField(g, r.Token)
		}
		return get, n, nil
	}
	ref, n, ok := c.Fields.Longest(text)
	if !ok {
		return filter.Getter{}, 0, errUnknown
	}
	get, err := c.FieldGetter(ref)
	t.addField(get, ref.Token)
	return get, n, err
}

func (t *Template) addField(g filter.Getter, token string) {
	for _, f := range t.fields {
		if f.Token == token {
			return
		}
	}
	t.fields = append(t.fields, Getter{g, token})
}

// Tokens returns the plain fields that t names, in the order of the text.
func (t *Template) Tokens() []string {
	out := make([]string, len(t.fields))
	for i, f := range t.fields {
		out[i] = f.Token
	}
	return out
}

// Refs returns the plain fields that t reads.
func (t *Template) Refs() []*field.Ref {
	var out []*field.Ref
	for _, f := range t.fields {
		out = append(out, f.Refs()...)
	}
	return out
}

// AppendSlots appends what has to be kept of an event to print t later.
func (t *Template) AppendSlots(out []int32) []int32 {
	for i := range t.parts {
		if p := &t.parts[i]; p.value {
			out = p.get.AppendSlots(out)
		}
	}
	for i := range t.fields {
		out = t.fields[i].AppendSlots(out)
	}
	return out
}

// Late reports whether what a runtime tells of a container is in t.
func (t *Template) Late() bool {
	return slices.ContainsFunc(t.fields, func(g Getter) bool { return g.Late() })
}

// Append appends the text of t in the scene of env.
func (t *Template) Append(dst []byte, env *filter.Env) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		if !p.value {
			dst = append(dst, p.text...)
			continue
		}
		start := len(dst)
		dst = t.appendValue(dst, &p.get, env)
		if p.width > 0 {
			dst = pad(dst, start, p.width)
		}
	}
	return dst
}

func pad(dst []byte, start, width int) []byte {
	if len(dst)-start > width {
		return dst[:start+width]
	}
	for len(dst)-start < width {
		dst = append(dst, ' ')
	}
	return dst
}
