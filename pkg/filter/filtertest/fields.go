// SPDX-License-Identifier: Apache-2.0

// Package filtertest is a catalogue of fields whose values come from a map: for
// tests of what reads fields, without events and without state.
package filtertest

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// Facts maps tokens to values in printed form: string, bool, number or a list
// of strings; nil is no value.
type Facts map[string]any

// Fields implements filter.Fields over the facts that Set was given last.
type Fields struct {
	facts Facts
	cache map[*field.Arg][]field.Value // so that tests of allocations see those of the reader alone
}

// Set makes f read the facts.
func (f *Fields) Set(facts Facts) {
	f.facts = facts
	f.cache = map[*field.Arg][]field.Value{}
}

type def struct {
	typ    field.Type
	args   field.ArgPolicy
	traits field.Traits
	fmt    schema.Format
}

const (
	ancestor = field.Multi | field.NoRHS | field.NoTransform
	either   = field.Multi | field.FilterOnly | field.NoRHS | field.NoTransform
	network  = field.FilterOnly | field.NoRHS | field.NoTransform
)

var defs = map[string]def{
	"evt.num":      {typ: field.Uint64, fmt: schema.FormatID},
	"evt.cpu":      {typ: field.Int16, fmt: schema.FormatDec},
	"evt.rawtime":  {typ: field.AbsTime, fmt: schema.FormatDec},
	"evt.rawres":   {typ: field.Int64, fmt: schema.FormatDec},
	"evt.failed":   {typ: field.Bool},
	"evt.buffer":   {typ: field.Bytes},
	"evt.buflen":   {typ: field.Uint64, fmt: schema.FormatDec},
	"evt.around":   {typ: field.Uint64, args: field.ArgIndex | field.ArgRequired, traits: network},
	"evt.type.is":  {typ: field.Uint32, args: field.ArgDot | field.ArgRequired},
	"evt.arg":      {typ: field.String, args: field.ArgDot | field.ArgIndex | field.ArgRequired},
	"evt.rawarg":   {args: field.ArgDot | field.ArgRequired, traits: field.NoRHS | field.NoTransform},
	"evt.dir":      {typ: field.String, traits: field.Deprecated},
	"evt.latency":  {typ: field.RelTime, traits: field.Deprecated},
	"fd.num":       {typ: field.Int64, fmt: schema.FormatDec},
	"fd.ip":        {typ: field.IP, traits: either},
	"fd.net":       {typ: field.IPNet, traits: either},
	"fd.port":      {typ: field.Port, traits: either, fmt: schema.FormatDec},
	"fd.cnet":      {typ: field.IPNet, traits: network},
	"fd.snet":      {typ: field.IPNet, traits: network},
	"fd.types":     {typ: field.String, args: field.ArgIndex, traits: field.List | field.NoRHS},
	"fd.dev":       {typ: field.Int32, fmt: schema.FormatHex},
	"proc.aname":   {typ: field.String, args: field.ArgIndex, traits: ancestor},
	"proc.apid":    {typ: field.Int64, args: field.ArgIndex, traits: ancestor, fmt: schema.FormatID},
	"proc.env":     {typ: field.String, args: field.ArgKey},
	"proc.args":    {typ: field.String, args: field.ArgIndex},
	"user.uid":     {typ: field.Uint32, fmt: schema.FormatID},
	"group.gid":    {typ: field.Uint32, fmt: schema.FormatID},
	"proc.tty":     {typ: field.Uint32, fmt: schema.FormatID},
	"proc.usage":   {typ: field.Double},
	"proc.address": {typ: field.Other},
}

func init() {
	add := func(d def, names string) {
		for _, n := range strings.Fields(names) {
			defs[n] = d
		}
	}
	add(def{typ: field.Bool}, "evt.is_open_read evt.is_open_write evt.is_open_exec evt.is_io_write fd.connected fd.is_server")
	add(def{typ: field.String}, "evt.type syscall.type evt.time evt.time.s evt.time.iso8601 evt.datetime evt.args evt.res evt.category "+
		"evt.io_dir evt.source fd.name fd.type fd.typechar fd.directory fd.filename fd.l4proto proc.name proc.pname proc.exe "+
		"proc.exepath proc.cmdline user.name container.id container.name container.image.repository k8s.ns.name k8s.pod.name")
	add(def{typ: field.IP}, "fd.sip fd.cip fd.lip fd.rip")
	add(def{typ: field.Port, fmt: schema.FormatDec}, "fd.sport fd.cport fd.lport fd.rport")
	add(def{typ: field.Int64, fmt: schema.FormatID}, "proc.pid proc.ppid user.loginuid")
	add(def{typ: field.RelTime, fmt: schema.FormatDec}, "proc.duration")
	add(def{typ: field.String, traits: field.Deprecated}, "evt.latency.human")
	add(def{typ: field.RelTime, traits: field.Deprecated}, "evt.latency.s evt.latency.ns evt.wait_latency")
}

var rawArgs = map[string]def{
	"fd":    {typ: field.FD, fmt: schema.FormatDec},
	"flags": {typ: field.Flags, fmt: schema.FormatHex},
	"mode":  {typ: field.Mode, fmt: schema.FormatOct},
	"uid":   {typ: field.Uint32, fmt: schema.FormatDec},
}

var argNames = map[string]bool{"fd": true, "flags": true, "mode": true, "uid": true, "name": true, "filename": true}

// Parse implements filter.Fields.
func (f *Fields) Parse(token string) (*field.Ref, error) {
	r, n, err := f.prefix(token)
	if err != nil {
		return nil, err
	}
	if n != len(token) {
		return nil, &field.UnknownError{Token: token}
	}
	return r, nil
}

// Longest implements filter.Fields.
func (f *Fields) Longest(text string) (*field.Ref, int, bool) {
	r, n, err := f.prefix(text)
	return r, n, err == nil
}

func (f *Fields) prefix(text string) (*field.Ref, int, error) {
	name := ""
	for n := range defs {
		if len(n) > len(name) && strings.HasPrefix(text, n) {
			name = n
		}
	}
	d, ok := defs[name]
	if !ok {
		return nil, 0, &field.UnknownError{Token: text}
	}
	r := &field.Ref{Type: d.typ, Fmt: d.fmt, Arg: field.Arg{Index: -1}}
	n := len(name)
	rest := text[n:]
	switch {
	case strings.HasPrefix(rest, "[") && d.args&(field.ArgIndex|field.ArgKey) != 0:
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			break
		}
		r.Arg.Text, r.Arg.Given = rest[1:end], true
		n += end + 1
		if d.args&field.ArgIndex != 0 {
			i, err := strconv.Atoi(r.Arg.Text)
			if err != nil {
				return nil, 0, fmt.Errorf("%s is not a valid number", r.Arg.Text)
			}
			r.Arg.Index = i
		}
	case strings.HasPrefix(rest, ".") && d.args&field.ArgDot != 0:
		end := 1
		for end < len(rest) && (rest[end] == '_' || rest[end] >= 'a' && rest[end] <= 'z') {
			end++
		}
		r.Arg.Text, r.Arg.Given = rest[1:end], true
		n += end
		switch name {
		case "evt.arg":
			if !argNames[r.Arg.Text] {
				return nil, 0, fmt.Errorf("unknown event argument %s", r.Arg.Text)
			}
		case "evt.rawarg":
			raw, ok := rawArgs[r.Arg.Text]
			if !ok {
				return nil, 0, fmt.Errorf("unknown event argument %s", r.Arg.Text)
			}
			r.Type, r.Fmt = raw.typ, raw.fmt
		}
	}
	if d.args&field.ArgRequired != 0 && !r.Arg.Given {
		return nil, 0, fmt.Errorf("filter syntax error: %s", text)
	}
	r.Token = text[:n]
	r.Def = &field.Def{Name: name, Type: d.typ, Fmt: d.fmt, Args: d.args, Traits: d.traits, Get: f.get(r)}
	return r, n, nil
}

// Real is the catalogue of package field with values from facts.
type Real struct{ Fields }

// Parse implements filter.Fields.
func (f *Real) Parse(token string) (*field.Ref, error) {
	r, err := field.Parse(token)
	if err == nil {
		f.fake(r)
	}
	return r, err
}

// Longest implements filter.Fields.
func (f *Real) Longest(text string) (*field.Ref, int, bool) {
	r, n, ok := field.Longest(text)
	if ok {
		f.fake(r)
	}
	return r, n, ok
}

// fake makes r read the facts.
func (f *Real) fake(r *field.Ref) {
	d := *r.Def
	d.Get = f.get(r)
	r.Def = &d
}

// get returns the getter of r.
func (f *Fields) get(r *field.Ref) func(*state.Scene, *field.Arg, []field.Value) []field.Value {
	return func(_ *state.Scene, a *field.Arg, out []field.Value) []field.Value {
		vals, ok := f.cache[a]
		if !ok && f.cache != nil {
			vals = f.values(r)
			f.cache[a] = vals
		}
		return append(out, vals...)
	}
}

func (f *Fields) values(r *field.Ref) []field.Value {
	var out []field.Value
	add := func(tokens ...string) {
		for _, t := range tokens {
			if v, ok := f.facts[t]; ok && v != nil {
				out = append(out, value(v, r))
			}
		}
	}
	switch r.Token {
	case "proc.aname":
		for i := 1; i < 10; i++ {
			add(fmt.Sprintf("proc.aname[%d]", i))
		}
	case "proc.apid":
		for i := 1; i < 10; i++ {
			add(fmt.Sprintf("proc.apid[%d]", i))
		}
	case "fd.ip", "fd.net":
		add("fd.cip", "fd.sip")
	case "fd.port":
		add("fd.cport", "fd.sport")
	case "fd.cnet":
		add("fd.cip")
	case "fd.snet":
		add("fd.sip")
	case "fd.types":
		list, _ := f.facts["fd.types"].([]any)
		for _, v := range list {
			out = append(out, value(v, r))
		}
	case "evt.buffer":
		if text, ok := f.facts[r.Token].(string); ok {
			out = append(out, field.Value{Str: strings.Replace(text, "...", "\x00\x01\xff", 1)})
		}
	default:
		add(r.Token)
	}
	if out != nil {
		return out
	}
	if name, ok := strings.CutPrefix(r.Token, "evt.type.is."); ok && f.facts["evt.type"] == name {
		return []field.Value{{Num: 1}}
	}
	if r.Def.Name == "evt.arg" && r.Arg.Index >= 0 {
		words := strings.Fields(fmt.Sprint(f.facts["evt.args"]))
		if r.Arg.Index < len(words) {
			_, text, _ := strings.Cut(words[r.Arg.Index], "=")
			return []field.Value{{Str: text}}
		}
	}
	return nil
}

func value(v any, r *field.Ref) (out field.Value) {
	switch v := v.(type) {
	case bool:
		if v {
			out.Num = 1
		}
	case int:
		out.Num = uint64(v)
	case int64:
		out.Num = uint64(v)
	case uint64:
		out.Num = v
	case string:
		base := 10
		switch r.Type {
		case field.IP, field.IPNet:
			out.IP = netip.MustParseAddr(v)
			return out
		case field.String, field.Path, field.Bytes:
			out.Str = v
			return out
		}
		switch r.Fmt {
		case schema.FormatHex:
			base = 16
		case schema.FormatOct:
			base = 8
		}
		out.Num, _ = strconv.ParseUint(v, base, 64)
	}
	return out
}
