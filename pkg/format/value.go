// SPDX-License-Identifier: Apache-2.0

package format

import (
	"encoding/base64"
	"math"
	"strings"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/schema"
)

const missing = "<NA>"

// Field is an entry of output_fields. Value is nil (no value), bool, int64,
// uint64, float64, string, or []any of these.
type Field struct {
	Key   string
	Value any
}

// AppendFields appends the plain fields of t and their values in the scene of env.
func (t *Template) AppendFields(out []Field, env *filter.Env) []Field {
	for i := range t.fields {
		f := &t.fields[i]
		out = append(out, Field{f.Token, t.value(&f.Getter, env)})
	}
	return out
}

// Raw returns the value of a template that is a single field, with its type.
func (t *Template) Raw(env *filter.Env) any {
	if len(t.parts) != 1 || !t.parts[0].value {
		return string(t.Append(nil, env))
	}
	return t.value(&t.parts[0].get, env)
}

// hidden returns what stands for a field that outputs do not show.
func hidden(g *filter.Getter) (string, bool) {
	r, ok := g.Ref()
	if !ok || !r.Def.Has(field.FilterOnly) {
		return "", false
	}
	if r.Def.Name == "fd.cnet" || r.Def.Name == "fd.snet" {
		return "<IPNET>", true
	}
	return missing, true
}

// Whole reports whether nothing is missing of what the text of t shows in the scene
// of env.
func (t *Template) Whole(env *filter.Env) bool {
	for i := range t.parts {
		p := &t.parts[i]
		if !p.value {
			continue
		}
		text, hide := hidden(&p.get)
		if hide && text == missing || len(p.get.Values(env)) == 0 || t.garbled(&p.get) {
			return false
		}
	}
	return true
}

func (t *Template) appendValue(b []byte, g *filter.Getter, env *filter.Env) []byte {
	vals := g.Values(env)
	text, hide := hidden(g)
	switch {
	case len(vals) == 0 || t.garbled(g):
		return append(b, missing...)
	case hide:
		return append(b, text...)
	case g.List():
		b = append(b, '(')
		for i := range vals {
			if i > 0 {
				b = append(b, ',')
			}
			b = t.appendOne(b, &vals[i], g)
		}
		return append(b, ')')
	}
	for i := range vals {
		if i > 0 {
			b = append(b, ' ')
		}
		b = t.appendOne(b, &vals[i], g)
	}
	return b
}

// garbled reports what the original cannot print: the length of a text (QUIRK 10).
func (t *Template) garbled(g *filter.Getter) bool {
	_, plain := g.Ref()
	return t.opts.Strict && !plain && g.Type() == field.Uint64
}

func (t *Template) appendOne(b []byte, v *field.Value, g *filter.Getter) []byte {
	if g.Type() == field.Bytes {
		return t.appendBytes(b, v.Str)
	}
	return field.AppendValue(b, g.Type(), g.Fmt(), v)
}

func (t *Template) appendBytes(b []byte, s string) []byte {
	if t.opts.Base64 {
		return base64.StdEncoding.AppendEncode(b, []byte(s))
	}
	return field.AppendPrintable(b, s)
}

// value returns what JSON shows.
func (t *Template) value(g *filter.Getter, env *filter.Env) any {
	vals := g.Values(env)
	text, hide := hidden(g)
	r, plain := g.Ref()
	switch {
	case hide && text == missing, len(vals) == 0:
		return nil
	case hide:
		return text
	case plain && printsTime(r.Def):
		return env.Scene().Event.TS
	case g.List():
		out := make([]any, len(vals))
		for i := range vals {
			out[i] = t.one(&vals[i], g)
		}
		return out
	case len(vals) > 1:
		return string(t.appendValue(nil, g, env))
	}
	return t.one(&vals[0], g)
}

// printsTime reports whether d is the event's time as text; JSON has it as ns.
func printsTime(d *field.Def) bool {
	return d.Type == field.String && (strings.HasPrefix(d.Name, "evt.time") || strings.HasPrefix(d.Name, "evt.datetime"))
}

func (t *Template) one(v *field.Value, g *filter.Getter) any {
	switch typ := g.Type(); typ {
	case field.Bool:
		return v.Num != 0
	case field.Double:
		return math.Float64frombits(v.Num)
	case field.String, field.Path, field.Bytes, field.IP, field.IPNet:
	default:
		switch {
		case g.Fmt() == schema.FormatHex || g.Fmt() == schema.FormatOct:
		case typ == field.Other && g.Fmt() == schema.FormatNA:
		case typ.Signed():
			return int64(v.Num)
		default:
			return v.Num
		}
	}
	return string(t.appendOne(nil, v, g))
}
