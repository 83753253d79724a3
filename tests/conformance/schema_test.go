// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/schema"
)

// shared returns the path of a file of the given material, or skips.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("FALCO_SHARED not found")
	}
	return path
}

// Our tables say what the public schema says: codes, names, parameters, types,
// formats, flag names and values, system call numbers.
func TestSchemaIsTheirs(t *testing.T) {
	text, err := os.ReadFile(shared(t, "spec/events.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Events []struct {
			Code   int
			ID     string
			Name   string
			Flags  int `yaml:"flags_raw"`
			Params []struct{ Name, Type, Fmt, Set, Dyn string }
		}
		FlagSets map[string][][2]any `yaml:"flag_sets"`
		Syscalls []struct {
			SC          int
			Name        string
			X86         *int16 `yaml:"x86_64"`
			AArch64     *int16
			Enter, Exit string
		}
	}
	if err := yaml.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	byID := map[string]schema.EventType{}
	if len(spec.Events) != schema.NumEvents {
		t.Fatalf("%d events, we have %d", len(spec.Events), schema.NumEvents)
	}
	for _, e := range spec.Events {
		byID[e.ID] = schema.EventType(e.Code)
		ours := schema.EventType(e.Code).Info()
		if ours.Name != e.Name || int(ours.Flags) != e.Flags || len(ours.Params) != len(e.Params) {
			t.Errorf("event %d: %s, flags %d, %d parameters; ours: %s, %d, %d", e.Code, e.Name, e.Flags, len(e.Params),
				ours.Name, ours.Flags, len(ours.Params))
			continue
		}
		for i, p := range e.Params {
			o := ours.Params[i]
			typ := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(p.Type, "PT_")), "_", "")
			set, dyn := "", ""
			if o.Set != nil {
				set = o.Set.Name
			}
			if o.Dyn != nil {
				dyn = o.Dyn.Name
			}
			if o.Name != p.Name || o.Type.String() != typ || set != p.Set || dyn != p.Dyn {
				t.Errorf("%s.%s: %s set=%s dyn=%s; ours: %s %s set=%s dyn=%s", e.ID, p.Name, typ, p.Set, p.Dyn, o.Name, o.Type, set, dyn)
			}
		}
	}
	for _, s := range schema.FlagSets {
		want := spec.FlagSets[s.Name]
		got := make([][2]any, len(s.Values))
		for i, v := range s.Values {
			got[i] = [2]any{v.Name, int(v.Value)}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v; ours: %v", s.Name, want, got)
		}
	}
	if len(spec.FlagSets) != len(schema.FlagSets) {
		t.Errorf("%d flag sets, we have %d", len(spec.FlagSets), len(schema.FlagSets))
	}
	for _, s := range spec.Syscalls {
		ours := schema.SyscallCode(s.SC).Info()
		if ours == nil || ours.Name != s.Name || ours.X8664 != number(s.X86) || ours.AArch64 != number(s.AArch64) {
			t.Errorf("system call %d %s: %+v", s.SC, s.Name, ours)
			continue
		}
		if s.Exit != "" && (ours.Exit != byID[s.Exit] || ours.Enter != byID[s.Enter]) {
			t.Errorf("%s: events %s, %s; ours: %s, %s", s.Name, s.Enter, s.Exit, ours.Enter, ours.Exit)
		}
	}
}

func number(n *int16) int16 {
	if n == nil {
		return -1
	}
	return *n
}
