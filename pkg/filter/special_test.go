// SPDX-License-Identifier: Apache-2.0

package filter_test

import (
	"context"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
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
