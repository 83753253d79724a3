// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

var failed = regexp.MustCompile(`(?m)^FAIL (DC-\w+)`)

// The given runner agrees with TestConformanceDaemon: it knows nothing of what has been decided since the cases were
// written, and so fails in those that follow that, and in no other.
func TestRunCases(t *testing.T) {
	if os.Getenv("FALCO_LONG") == "" {
		t.Skip("plays the cases a second time: FALCO_LONG=1")
	}
	runner, fixtures, page := shared(t, "tools/run-cases"), shared(t, "data/cases"), shared(t, "spec/daemon-cases.md")
	program := binary(t)
	run := func(more ...string) (ids []string, out string) {
		text, err := exec.Command("python3", append([]string{runner, program, fixtures, page}, more...)...).CombinedOutput()
		for _, m := range failed.FindAllSubmatch(text, -1) {
			ids = append(ids, string(m[1]))
		}
		if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() != 1 || len(ids) == 0) {
			t.Fatalf("%v\n%s", err, text)
		}
		return ids, string(text)
	}
	ids, out := run("--ours")
	var strangers, differ []string
	for _, id := range ids {
		if decided[id] == nil {
			strangers = append(strangers, id)
		} else {
			differ = append(differ, id)
		}
	}
	if len(strangers) > 0 { // four at a time, with limits in seconds: what fails on a busy machine has another chance alone
		if again, out := run(strangers...); len(again) > 0 {
			t.Errorf("%v\n%s", again, out)
		}
	}
	slices.Sort(differ)
	if want := slices.Sorted(maps.Keys(decided)); !slices.Equal(differ, want) {
		t.Errorf("it differs in %v, decided are %v\n%s", differ, want, out)
	}
}
