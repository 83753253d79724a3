// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/falco-go/falco/pkg/rules"
)

// TestStockCost prints what an event costs under our stock file and under the one of the original, in one run on the same
// events. Ours holds more rules and looks at more calls; it may not cost half as much more on any of the days. The figures
// are worth something on a quiet machine alone.
func TestStockCost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	read := func(path string) rules.File {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			t.Skip("SKIP 1 cases: FALCO_SHARED not found")
		}
		if err != nil {
			t.Fatal(err)
		}
		return rules.File{Name: path, Content: text}
	}
	ours := read("../../rules/falco_rules.yaml")
	theirs := read(filepath.Join(shared(), "data/rules/falco_rules-5.1.0.yaml"))
	springs := map[string]spring{"scripted": newDay()}
	names, rounds := []string{"libs0254-d-net"}, 3
	if os.Getenv("FALCO_LONG") != "" {
		names, rounds = []string{"libs0254-adaptive", "libs0254-d-net", "libs0254-b-files"}, 10
	}
	for _, name := range names {
		if r, err := openRecording(name); err == nil {
			springs[name] = r
		}
	}
	for name, d := range springs {
		a, b := newMeter(t, d, ours), newMeter(t, d, theirs)
		dear := true
		for n := 0; n < rounds && dear; n++ { // a busy machine needs more rounds for a quiet one
			a.measure(t)
			b.measure(t)
			dear = a.match() > 1.1*b.match()
		}
		t.Logf("%s: %.0f ns an event for the rules of ours, %.0f of theirs; %.0f and %.0f in all", name, a.match(), b.match(), a.event, b.event)
		if a.match() > 1.5*b.match()+20 {
			t.Errorf("%s: ours cost %.0f ns an event, theirs %.0f", name, a.match(), b.match())
		}
	}
}
