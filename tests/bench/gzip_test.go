// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// A packed replay inflates in one goroutine, and looks at the events where that has put them in another. It is bound by the
// inflater alone: whoever inflates hardly ever waits for somebody to take what is ready, and all the rest, start-up included,
// takes less than inflating does. The first is what the daemon counts, of all that it has inflated; the second is CPU time,
// taken where both share one processor, so that neither waits for memory that the other's holds.
const (
	mostWaits  = 0.1 // of the chunks that were inflated
	mostBeside = 1.0 // times what inflating alone takes
)

func TestGzipBound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	var rows []replay
	for _, r := range replays {
		if r.capture == large && r.rules == stock1 && r.packed {
			rows = append(rows, r)
		}
	}
	if len(rows) != 1 {
		t.Fatalf("%d replays of %s", len(rows), large)
	}
	command := append(newRace(t, rows).command[0], "-o", "log_level=debug")
	waits, beside := 1.0, 100.0
	for n := 0; n < 2 || n < 6 && (beside > mostBeside || waits > mostWaits); n++ {
		stderr := new(strings.Builder)
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stderr = stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		var waited, chunks float64
		_, told, _ := strings.Cut(stderr.String(), "reading ahead waited ")
		if _, err := fmt.Sscanf(told, "%f of %f times", &waited, &chunks); err != nil || chunks < 1000 {
			t.Fatalf("it waited %q: %v\n%s", told, err, stderr)
		}
		alone := inflate(t, large)
		one, err := try(false, append([]string{"taskset", "-c", firstCPU(t)}, command...)...)
		if err != nil {
			t.Fatal(err)
		}
		waits, beside = min(waits, waited/chunks), min(beside, (one.cpu-alone).Seconds()/alone.Seconds())
		t.Logf("round %d: %.0f of %.0f chunks waited; inflating takes %.2f s of a processor, the replay on one %.2f s", n+1, waited, chunks, alone.Seconds(), one.cpu.Seconds())
	}
	if waits > mostWaits {
		t.Errorf("the inflater waits for %.0f %% of what it has inflated", 100*waits)
	}
	if beside > mostBeside {
		t.Errorf("what is not inflating takes %.2f times what inflating does", beside)
	}
	t.Logf("the inflater waits for %.1f %%, the rest takes %.2f times as much", 100*waits, beside)
}

// firstCPU is one that we may use, as taskset writes it.
func firstCPU(t *testing.T) string {
	out, err := exec.Command("sh", "-c", "taskset -cp $$").Output()
	_, list, _ := strings.Cut(string(out), ": ")
	end := strings.IndexFunc(list, func(r rune) bool { return r < '0' || r > '9' })
	if err != nil || end <= 0 {
		t.Fatalf("taskset: %q, %v", out, err)
	}
	return list[:end]
}
