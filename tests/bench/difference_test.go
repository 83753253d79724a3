// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"testing"

	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/filter/filtertest"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// tried reports whether a rule is filed under the event (rules-language.md §7.2).
func tried(r *rules.Rule, s *state.Scene) bool {
	e := s.Event
	if e.Type == schema.GenericX {
		code, ok := e.Uint(0)
		return ok && r.Events.HasCall(schema.SyscallCode(code))
	}
	return r.Events.HasType(e.Type) || e.Type == schema.AsynceventE
}

// TestSetsAgainstWalker matches real rules, and variations of them, with real
// events, and walks the trees of their conditions beside it: all that match, and
// the first.
func TestSetsAgainstWalker(t *testing.T) {
	springs := map[string]func() spring{"scripted": func() spring { return newDay() }}
	for _, name := range []string{"libs0254-a-shell", "libs0254-adaptive", "sysdig029-b-files", "sysdig029-d-net"} {
		if r, err := openRecording(name); err == nil {
			springs[name] = func() spring { return r }
		}
	}
	files := map[string]rules.File{"literals": generate(t, 150, literals), "all": generate(t, 250, all)}
	for name, open := range springs {
		for kind, f := range files {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				sets := [2]*rules.Set{}
				for i := range sets {
					var results []rules.Result
					if sets[i], results = rules.Load([]rules.File{f}, rules.Options{Priority: rules.Debug, All: i == 1}); sets[i] == nil {
						t.Fatal(results[0].Text(true))
					}
				}
				w := filtertest.Walker{Fields: filter.Catalogue{}}
				step, n, pairs, matches := 1, 0, 0, 0
				if name == "libs0254-adaptive" || testing.Short() {
					step = 101
				}
				err := open().round(func(_ *state.State, s *state.Scene) {
					if n++; n%step != 0 || t.Failed() {
						return
					}
					var want []string
					for _, r := range sets[0].Rules {
						if sets[0].Runs(r) && tried(r, s) {
							pairs++
							if w.Match(r.Expr, s) {
								want = append(want, r.Name)
							}
						}
					}
					matches += len(want)
					got := []string{}
					for _, r := range sets[1].Match(s, nil) {
						got = append(got, r.Name)
					}
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("event %d (%s) of %s: matches %q, want %q", s.Event.Num, s.Event.Info.ID, name, got, want)
					}
					first := sets[0].Match(s, nil)
					if len(first) != min(1, len(want)) || len(first) == 1 && first[0].Name != want[0] {
						t.Errorf("event %d (%s) of %s: first match %v, want %q", s.Event.Num, s.Event.Info.ID, name, first, want)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if pairs*step < 10_000 {
					t.Errorf("only %d pairs were compared", pairs)
				}
				t.Logf("%d pairs, %d match", pairs, matches)
			})
		}
	}
}
