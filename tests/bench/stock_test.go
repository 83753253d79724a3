// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/falco-go/falco/pkg/rules"
)

// TestStockCost prints what an event costs under our stock file and under the one of the original, in one run on the same
// events. Ours holds twice the rules; it may not cost much more on any of the days, which counts only on a quiet machine.
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
	for _, name := range []string{"libs0254-adaptive", "libs0254-d-net", "libs0254-b-files"} {
		if r, err := openRecording(name); err == nil {
			springs[name] = r
		}
	}
	for name, d := range springs {
		a, b := newMeter(t, d, ours), newMeter(t, d, theirs)
		dear := true
		for n := 0; n < 10 && dear; n++ { // a busy machine needs more rounds for a quiet one
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
