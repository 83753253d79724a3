// SPDX-License-Identifier: Apache-2.0

package filter_test

import (
	"context"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// odd is a set of fields with values that the test chooses.
type odd map[string]*field.Def

func (o odd) Parse(token string) (*field.Ref, error) {
	name, _, _ := strings.Cut(token, "[")
	d := o[name]
	if d == nil {
		return nil, &field.UnknownError{Token: token}
	}
	return &field.Ref{Token: token, Def: d, Type: d.Type}, nil
}

func (odd) Longest(string) (*field.Ref, int, bool) { return nil, 0, false }

func fixed(vs ...field.Value) func(*state.Scene, *field.Arg, []field.Value) []field.Value {
	return func(_ *state.Scene, _ *field.Arg, out []field.Value) []field.Value { return append(out, vs...) }
}

func TestFieldsWithTheirOwnWay(t *testing.T) {
	old := field.Hosts
	defer func() { field.Hosts = old }()
	field.Hosts = field.NewHostTable(func(_ context.Context, name string) ([]netip.Addr, error) {
		if name == "example.com" {
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("10.0.0.2")}, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go field.Hosts.Run(ctx)
	for _, name := range []string{"example.com", "other"} {
		for set := field.Hosts.Watch(name); !set.Contains(netip.MustParseAddr("10.0.0.1")) && !set.Contains(netip.MustParseAddr("10.0.0.2")); {
			runtime.Gosched()
		}
	}

	fields := odd{
		"fd.sip.name": {Name: "fd.sip.name", Type: field.String, Traits: field.HostName, Get: fixed(field.Value{IP: netip.MustParseAddr("10.0.0.1")})},
		"fd.cip.name": {Name: "fd.cip.name", Type: field.String, Traits: field.HostName, Get: fixed()},
		"evt.around":  {Name: "evt.around", Type: field.Uint64, Traits: field.AtMost, Get: fixed(field.Value{Num: 10})},
	}
	for cond, want := range map[string]any{
		"fd.sip.name = example.com":                   true,
		"fd.sip.name = other":                         false,
		"fd.sip.name != other":                        true,
		"fd.sip.name != example.com":                  false,
		"fd.sip.name in (other, example.com)":         true,
		"fd.sip.name in (other)":                      false,
		"fd.sip.name in ()":                           false,
		"fd.sip.name intersects (other, example.com)": true,
		"fd.sip.name exists":                          true,
		"fd.cip.name = example.com":                   false,
		"fd.cip.name != example.com":                  false,
		"fd.cip.name exists":                          false,
		"evt.around[5] = 10":                          true,
		"evt.around[5] = 11":                          true,
		"evt.around[5] = 9":                           false,
		"evt.around[5] > 9":                           "filter error: '>' operator not supported for evt.around",
		"evt.around[5] = x":                           "x is not a valid number",
		"fd.sip.name startswith ex":                   "filter error: 'startswith' operator not supported for host names",
		"fd.sip.name = anyof (a, b)":                  "filter error: '=' operator not supported for host names",
	} {
		e, err := filter.Syntax{}.Parse(&filter.Source{Text: cond})
		if err != nil {
			t.Errorf("%s: %v", cond, err)
			continue
		}
		c := &filter.Compiler{Fields: fields}
		p, err := c.Compile(e)
		if msg, bad := want.(string); bad {
			if err == nil || !strings.Contains(err.Error(), msg) {
				t.Errorf("%s: %v, want %q", cond, err, msg)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", cond, err)
			continue
		}
		env := c.NewEnv()
		env.Begin(&state.Scene{})
		if got := p.Match(env); got != want {
			t.Errorf("%s is %v", cond, got)
		}
	}
}

// Each mention of a field that counts for itself has a count of its own, which
// goes up whenever the condition comes to it, and only then.
func TestStatefulFields(t *testing.T) {
	c := &filter.Compiler{Fields: filter.Catalogue{}}
	read := func(text, macro string) filter.Expr {
		e, err := filter.Syntax{}.Parse(&filter.Source{Text: text, Name: macro})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	macro := read("util.cnt > 1", "m")
	expand := func(*filter.Ident) (filter.Expr, error) { return macro, nil }
	var programs []filter.Ranked
	conds := []struct{ cond, matches string }{
		{"util.cnt = 2", "0100000"},
		{"util.cnt in (2, 4)", "0101000"},
		{"util.cnt > 1 and util.cnt > 1", "0011111"}, // the second begins to count when the first holds
		{"m and m", "0011111"},
		{"util.cnt > 3 or util.cnt = 2", "0101111"},
		{"not util.cnt < 6", "0000011"},
		{"util.cnt = 2", "0100000"},
	}
	for i, cc := range conds {
		e, err := filter.Expand(read(cc.cond, ""), expand)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Compile(e)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, filter.Ranked{Program: p, Rank: int32(i)})
	}
	choice := c.NewChoice(programs)
	env := c.NewEnv()
	got := make([]string, len(conds))
	for range 7 {
		env.Begin(new(state.Scene))
		ranks := choice.All(env, nil)
		for i := range got {
			got[i] += map[bool]string{false: "0", true: "1"}[slices.Contains(ranks, int32(i))]
		}
	}
	for i, cc := range conds {
		if got[i] != cc.matches {
			t.Errorf("%s matches %s, want %s", cc.cond, got[i], cc.matches)
		}
	}
}

// What the catalogue says of single fields reaches their checks.
func TestFieldsOfTheCatalogue(t *testing.T) {
	for cond, want := range map[string]string{
		"evt.outputtime exists":           "field 'evt.outputtime' can only be used in an output",
		"evt.outputtime = val(fd.name)":   "field 'evt.outputtime' can only be used in an output",
		"fd.name = val(evt.outputtime)":   "field 'evt.outputtime' can only be used in an output",
		"tolower(evt.outputtime) = x":     "field 'evt.outputtime' can only be used in an output",
		"fd.types = file":                 "filter error: '=' operator not supported list filters",
		"fd.types[5] = file":              "", // one element is no list
		"fd.types[5] in (file, pipe)":     "",
		"fd.types intersects (file)":      "",
		"fd.name = val(evt.arg.name)":     "",
		"tolower(evt.arg.name) = x":       "",
		"fd.name = val(evt.rawarg.name)":  "field 'evt.rawarg.name' can't be used as a right-hand side field",
		"tolower(evt.rawarg.name) = x":    "field 'evt.rawarg.name' does not support transformers",
		"tolower(fd.sip.name) = x":        "field 'fd.sip.name' does not support transformers",
		"fd.ip exists":                    "",
		"join(\",\",fd.types) = file":     "",
		"join(\",\",fd.types[5]) = file":  "join() second argument must be a list",
		"evt.around[0] = 5 and evt.num>0": "",
	} {
		c := &filter.Compiler{Fields: filter.Catalogue{}}
		e, err := filter.Syntax{}.Parse(&filter.Source{Text: cond})
		if err == nil {
			_, err = c.Compile(e)
		}
		if got := errorText(err); got != want {
			t.Errorf("%s\ngot  %q\nwant %q", cond, got, want)
		}
	}
}

// Every record of a descriptor has an IP as far as "exists" is concerned; no
// other check of it is true without a connection.
func TestIPExists(t *testing.T) {
	e := &event.Event{Type: schema.ReadX, Info: schema.ReadX.Info()}
	for fd, wants := range map[*state.FD]map[string]bool{
		nil:                  {"fd.ip exists": false, "fd.type exists": false},
		{Type: state.FDFile}: {"fd.ip exists": true, "fd.sip exists": false, "fd.ip != 10.0.0.1": false, "fd.type exists": true},
	} {
		for cond, want := range wants {
			c := &filter.Compiler{Fields: filter.Catalogue{}}
			p, err := c.Compile(parse(t, cond))
			if err != nil {
				t.Fatal(err)
			}
			env := c.NewEnv()
			env.Begin(&state.Scene{Event: e, FD: fd, FDNum: 5})
			if got := p.Match(env); got != want {
				t.Errorf("%s with %v is %v", cond, fd, got)
			}
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
