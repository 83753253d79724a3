// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/field"
)

// call looks up a transformer and its arguments. Values that a transformer
// makes live in its slot; a missing input makes the result missing.
func (c *Compiler) call(o *Call) (*operand, error) {
	fail := func(format string, args ...any) (*operand, error) {
		return nil, &Error{Pos: o.Pos, Msg: fmt.Sprintf(format, args...), At: o.Fn}
	}
	if o.HasArg && o.Fn != "getopt" {
		return fail("'%s' does not take an argument in brackets", o.Fn)
	}
	switch o.Fn {
	case "join", "getopt", "concat":
		if len(o.Args) == 1 {
			return fail("unknown field transfomer '%s'", o.Fn)
		}
		return c.multiCall(o, fail)
	}
	if len(o.Args) != 1 {
		return fail("unknown multivalue transformer")
	}
	v, err := c.operand(o.Args[0], true)
	if err != nil {
		return nil, err
	}
	if err := c.transformable(o.Fn, v); err != nil {
		return fail("%s", err)
	}
	out := operand{typ: v.typ, fmt: v.fmt, list: v.list, cost: v.cost + callCost, name: o.String(), refs: v.refs}
	in := v.slot
	switch o.Fn {
	case "tolower":
		return c.addSlot(out, mapText(in, appendLower)), nil
	case "toupper":
		return c.addSlot(out, mapText(in, appendUpper)), nil
	case "basename":
		return c.addSlot(out, func(env *Env, s *slot) {
			for _, v := range env.get(in) {
				s.vals = append(s.vals, field.Value{Str: v.Str[strings.LastIndexByte(v.Str, '/')+1:]})
			}
		}), nil
	case "b64":
		return c.addSlot(out, func(env *Env, s *slot) {
			for _, v := range env.get(in) {
				if text, ok := s.base64(v.Str); ok {
					s.vals = append(s.vals, field.Value{Str: text})
				}
			}
		}), nil
	}
	out.typ, out.fmt, out.list = field.Uint64, 0, false // len
	if v.list {
		return c.addSlot(out, func(env *Env, s *slot) {
			if vals := env.get(in); len(vals) > 0 {
				s.vals = append(s.vals, field.Value{Num: uint64(len(vals))})
			}
		}), nil
	}
	return c.addSlot(out, func(env *Env, s *slot) {
		for _, v := range env.get(in) {
			s.vals = append(s.vals, field.Value{Num: uint64(len(v.Str))})
		}
	}), nil
}

// transformable checks the type of a single argument.
func (c *Compiler) transformable(fn string, v *operand) error {
	cl := classOf(v.typ)
	ok := cl == classText
	switch fn {
	case "b64":
		ok = (ok || cl == classBytes) && !v.list
	case "basename":
		ok = ok && !v.list
	case "len":
		ok = (ok || cl == classBytes || v.list) && !(c.Strict && v.list && v.ref == nil) // QUIRK 11
	}
	if !ok {
		return fmt.Errorf("can't add field transformer: type '%s' is not supported by '%s' transformer applied on field '%s'",
			v.typ.SchemaName(), fn, v.name)
	}
	return nil
}

func mapText(in int, f func(b []byte, s string) []byte) filler {
	return func(env *Env, s *slot) {
		s.buf = s.buf[:0]
		for _, v := range env.get(in) {
			start := len(s.buf)
			s.buf = f(s.buf, v.Str)
			s.vals = append(s.vals, field.Value{Str: event.View(s.buf[start:])})
		}
	}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func appendLower(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		b = append(b, lower(s[i]))
	}
	return b
}

func appendUpper(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// base64 decodes text, with or without padding, in the memory of s.
func (s *slot) base64(text string) (string, bool) {
	for i := 0; i < 2 && strings.HasSuffix(text, "="); i++ {
		text = text[:len(text)-1]
	}
	if strings.ContainsAny(text, "\r\n") { // Go skips them
		return "", false
	}
	s.buf = append(s.buf[:0], text...)
	var err error
	s.buf, err = base64.RawStdEncoding.AppendDecode(s.buf, s.buf)
	return event.View(s.buf[len(text):]), err == nil
}

// multiCall looks up join, concat or getopt.
func (c *Compiler) multiCall(o *Call, fail func(string, ...any) (*operand, error)) (*operand, error) {
	out := operand{typ: field.String, cost: 4 * callCost, name: o.String()}
	switch o.Fn {
	case "concat":
		if len(o.Args) < 2 {
			return fail("concat() requires at least 2 arguments")
		}
		var slots []int
		for _, a := range o.Args {
			if _, ok := a.(*Tuple); ok {
				return fail("concat() arguments must be strings")
			}
			v, err := c.operand(a, true)
			if err != nil {
				return nil, err
			}
			if classOf(v.typ) != classText || v.list {
				return fail("concat() arguments must be strings")
			}
			slots = append(slots, v.slot)
			out.refs = append(out.refs, v.refs...)
		}
		return c.addSlot(out, func(env *Env, s *slot) {
			s.buf = s.buf[:0]
			for _, i := range slots {
				vals := env.get(i)
				if len(vals) == 0 {
					return
				}
				s.buf = append(s.buf, vals[0].Str...)
			}
			s.vals = append(s.vals, field.Value{Str: event.View(s.buf)})
		}), nil
	case "join":
		if len(o.Args) != 2 {
			return fail("join() requires exactly 2 arguments: separator and list")
		}
		if _, ok := o.Args[0].(*Tuple); ok {
			return fail("join() first argument (separator) must be a single value, not a list")
		}
		sep, err := c.operand(o.Args[0], true)
		if err != nil {
			return nil, err
		}
		if sep.list {
			return fail("join() first argument (separator) must be a single value, not a list")
		}
		items, err := c.elements(o.Args[1])
		if err != nil {
			return nil, err
		}
		if items == nil {
			return fail("join() second argument must be a list")
		}
		for _, v := range items {
			if cl := classOf(v.typ); cl == classOther || cl == classNet || v.typ == field.Double {
				return fail("can't add field transformer: type '%s' is not supported by '%s' transformer applied on field '%s'",
					v.typ.SchemaName(), o.Fn, v.name)
			}
			out.refs = append(out.refs, v.refs...)
		}
		out.refs = append(out.refs, sep.refs...)
		return c.addSlot(out, join(sep.slot, items)), nil
	}
	return c.getopt(o, out, fail)
}

// elements looks up an argument that must be a list: a literal one, a list field
// or the result of getopt(). It returns nil if it is none.
func (c *Compiler) elements(o Operand) ([]*operand, error) {
	t, ok := o.(*Tuple)
	if !ok {
		v, err := c.operand(o, true)
		if err != nil || !v.list {
			return nil, err
		}
		return []*operand{v}, nil
	}
	out := []*operand{}
	for _, a := range t.Items {
		v, err := c.operand(a, true)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func join(sep int, items []*operand) filler {
	return func(env *Env, s *slot) {
		s.buf = s.buf[:0]
		between := env.get(sep)
		if len(between) == 0 {
			return
		}
		n := 0
		for _, it := range items {
			vals := env.get(it.slot)
			if len(vals) == 0 {
				return
			}
			for i := range vals {
				if n > 0 {
					s.buf = append(s.buf, between[0].Str...)
				}
				n++
				s.buf = appendPlain(s.buf, &vals[i], it.typ)
			}
		}
		s.vals = append(s.vals, field.Value{Str: event.View(s.buf)})
	}
}

func appendPlain(b []byte, v *field.Value, t field.Type) []byte {
	switch classOf(t) {
	case classText, classBytes:
		return append(b, v.Str...)
	case classAddress:
		return v.IP.AppendTo(b)
	case classBool:
		return strconv.AppendBool(b, v.Num != 0)
	}
	if _, signed := width(t); signed {
		return strconv.AppendInt(b, int64(v.Num), 10)
	}
	return strconv.AppendUint(b, v.Num, 10)
}

func (c *Compiler) getopt(o *Call, out operand, fail func(string, ...any) (*operand, error)) (*operand, error) {
	if len(o.Args) != 2 {
		return fail("getopt() requires exactly 2 arguments: args list and optstring")
	}
	items, err := c.elements(o.Args[0])
	if err != nil {
		return nil, err
	}
	if items == nil {
		return fail("getopt() first argument must be a list")
	}
	for _, v := range items {
		if classOf(v.typ) != classText {
			return fail("can't add field transformer: type '%s' is not supported by '%s' transformer applied on field '%s'",
				v.typ.SchemaName(), o.Fn, v.name)
		}
		out.refs = append(out.refs, v.refs...)
	}
	if _, ok := o.Args[1].(*Tuple); ok {
		return fail("getopt() requires exactly 2 arguments: args list and optstring")
	}
	spec, err := c.operand(o.Args[1], true)
	if err != nil {
		return nil, err
	}
	out.refs = append(out.refs, spec.refs...)
	if o.HasArg && len(o.Arg) != 1 {
		return fail("getopt() field argument must be a single option character")
	}
	out.list = !o.HasArg
	g := &getopt{items: items, spec: spec.slot}
	if o.HasArg {
		g.want = o.Arg[0]
	}
	return c.addSlot(out, g.fill), nil
}

// getopt reads short options as getopt(3) does: it stops at the first word that
// is none, or at "--", and passes over long ones.
type getopt struct {
	items []*operand
	spec  int
	want  byte // the option asked for, 0: all
}

func (g *getopt) fill(env *Env, s *slot) {
	specs := env.get(g.spec)
	if len(specs) == 0 {
		return
	}
	s.words = s.words[:0]
	for _, it := range g.items {
		vals := env.get(it.slot)
		if len(vals) == 0 {
			return
		}
		for _, v := range vals {
			s.words = append(s.words, v.Str)
		}
	}
	emit := func(option byte, known bool, arg string, takes bool) {
		switch {
		case g.want != 0:
			if known && option == g.want { // the last one counts
				s.vals = append(s.vals[:0], field.Value{Str: arg})
			}
		case !known:
			s.vals = append(s.vals, field.Value{Str: "?"})
		default:
			s.vals = append(s.vals, field.Value{Str: letters[int(option) : int(option)+1]})
			if takes {
				s.vals = append(s.vals, field.Value{Str: arg})
			}
		}
	}
	scanOptions(s.words, specs[0].Str, emit)
}

// letters has each byte at its own index, so that an option is a string without
// an allocation.
var letters = func() string {
	var b [256]byte
	for i := range b {
		b[i] = byte(i)
	}
	return string(b[:])
}()

func scanOptions(words []string, spec string, emit func(option byte, known bool, arg string, takes bool)) {
	for i := 0; i < len(words); i++ {
		w := words[i]
		if len(w) < 2 || w[0] != '-' || w == "--" {
			return
		}
		if w[1] == '-' {
			continue
		}
		for j := 1; j < len(w); j++ {
			at := strings.IndexByte(spec, w[j])
			if at < 0 || w[j] == ':' {
				emit(w[j], false, "", false)
				continue
			}
			if at+1 >= len(spec) || spec[at+1] != ':' {
				emit(w[j], true, "", false)
				continue
			}
			arg := w[j+1:]
			if arg == "" && i+1 < len(words) {
				i++
				arg = words[i]
			}
			emit(w[j], true, arg, true)
			break
		}
	}
}
