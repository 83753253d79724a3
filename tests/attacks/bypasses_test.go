// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

var writtenBypass = regexp.MustCompile(`(?m)^bypass (?:'([^']+)'|(\S+)) `)

// writtenBypasses are the names of bypasses.sh in order.
func writtenBypasses(t *testing.T) (names []string) {
	t.Helper()
	for _, m := range writtenBypass.FindAllStringSubmatch(read(t, "bypasses.sh"), -1) {
		names = append(names, strings.ReplaceAll(m[1]+m[2], "/", ":"))
	}
	return names
}

// argued are the bypasses that rules/README.md says still work, each with a reason.
func argued(t *testing.T) (names []string) {
	t.Helper()
	for _, name := range listed(t, "## Ways around that still work") {
		names = append(names, strings.ReplaceAll(name, "/", ":"))
	}
	return names
}

// bypassRules are loaded against bypasses: what is stable, what is on its way, and what asks the kernel for real paths.
var bypassRules = []string{stock, filepath.Join(rulesDir, "falco-incubating_rules.yaml"), filepath.Join(rulesDir, "falco_rules.extended.yaml")}

// Published ways around the rules are seen; those that are not are argued one by one.
func TestBypasses(t *testing.T) {
	for _, kernel := range kernels {
		t.Run(kernel, func(t *testing.T) {
			if kernel != kernels[0] && os.Getenv("FALCO_LONG") == "" {
				t.Skip("long: FALCO_LONG=1")
			}
			result := play(t, kernel, "bypasses.sh", bypassRules...)
			all, _ := scenes(result.Alerts)
			var seen, open []string
			for _, s := range all {
				name, rule, _ := strings.Cut(s.name, " = ")
				seen = append(seen, name)
				if !slices.ContainsFunc(s.fired, func(a vm.Alert) bool { return fileName(a.Rule) == rule }) {
					open = append(open, name)
				}
			}
			if written := writtenBypasses(t); !slices.Equal(seen, written) {
				t.Errorf("played %q\nwritten %q", seen, written)
			}
			for _, name := range open {
				t.Logf("still works: %s", name)
			}
			t.Logf("%s: %d ways around, %d still work", kernel, len(all), len(open))
			known := argued(t)
			slices.Sort(open)
			slices.Sort(known)
			if !slices.Equal(open, known) {
				t.Errorf("still work: %q\nargued in rules/README.md: %q", open, known)
			}
		})
	}
}

// What the README argues is played.
func TestArguedBypassesExist(t *testing.T) {
	written := writtenBypasses(t)
	if len(written) < 80 {
		t.Errorf("%d ways around: too few to be all", len(written))
	}
	for _, name := range argued(t) {
		if !slices.Contains(written, name) {
			t.Errorf("%q is argued and never played", name)
		}
	}
}
