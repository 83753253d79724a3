// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

const (
	// sysdig 0.29 has no name for a call that is younger than it, or that it forgot.
	named = "a call has its name"
	// That event was named accept then.
	accept4 = "accept4 has its name"
)

// lineHead is what a line has beside the arguments: time, CPU, process, thread,
// direction, name. The number in front is another one there: their enter events are
// lines as well.
var lineHead = regexp.MustCompile(`(?m)^\d+ (\d\d:\d\d:\d\d\.\d{9} \d+ .*? \(\d+\) < )(\S+)`)

// falco read prints events as sysdig does, if nothing else is said.
func TestReadLooksLikeSysdig(t *testing.T) {
	for capture, differ := range map[string]reasons{
		"sysdig029-a-shell": {named: 189}, "sysdig029-b-files": {named: 1043}, "sysdig029-d-net": {named: 95, accept4: 402},
	} {
		if capture == "sysdig029-b-files" && os.Getenv("FALCO_LONG") == "" {
			continue // the same, for longer
		}
		t.Run(capture, func(t *testing.T) {
			t.Parallel()
			file := shared(t, "data/captures/"+capture+".scap")
			theirs, err := exec.Command(vm.Tool(t, "sysdig", "sysdig"), "-r", file, "evt.dir=<").Output()
			if err != nil {
				t.Fatal(err)
			}
			a := lineHead.FindAllSubmatch(falco(t, "read", file, "evt.dir=<"), -1)
			b := lineHead.FindAllSubmatch(theirs, -1)
			if len(a) != len(b) || len(a) < 10_000 {
				t.Fatalf("%d lines, sysdig %d", len(a), len(b))
			}
			seen := reasons{}
			for i := range a {
				head, name := string(a[i][1]), string(a[i][2])
				switch sysdigName := string(b[i][2]); {
				case head == string(b[i][1]) && name == sysdigName:
				case head == string(b[i][1]) && sysdigName == "<unknown>" && !strings.HasPrefix(name, "<"):
					seen[named]++
				case head == string(b[i][1]) && sysdigName == "accept" && name == "accept4":
					seen[accept4]++
				default:
					t.Fatalf("line %d: %q, sysdig %q", i+1, a[i][0], b[i][0])
				}
			}
			seen.check(t, differ)
		})
	}
}
