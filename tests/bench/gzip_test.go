// SPDX-License-Identifier: Apache-2.0

package bench

import "testing"

// A packed replay inflates in one goroutine, and looks at the events where that has put them in another: it is bound by
// the inflater alone, for all the rest together, start-up included, takes less than that does, on a processor of its own.
// Held in CPU time, which a busy machine changes little.
const (
	mostBeside   = 1.0 // times what inflating alone takes: for start-up, reading, tables and rules
	mostHandover = 1.1 // times what inflating alone and the replay of the unpacked file take together
)

func TestGzipBound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	var pair []replay
	for _, r := range replays {
		if r.capture == large && r.rules == stock1 {
			r.byCPU = 1 // measured in each round
			pair = append(pair, r)
		}
	}
	if len(pair) != 2 || pair[0].packed == pair[1].packed {
		t.Fatalf("%d replays of %s", len(pair), large)
	}
	packed := 0
	if pair[1].packed {
		packed = 1
	}
	c := newRace(t, pair)
	var beside, handover float64
	for n := 0; n < 2 || n < 6 && (beside > mostBeside || handover > mostHandover); n++ {
		c.round(t, n == 0, true)
		alone := inflate(t, large).Seconds()
		all, raw := c.took[packed].cpu.Seconds(), c.took[1-packed].cpu.Seconds()
		beside, handover = (all-alone)/alone, all/(alone+raw)
		t.Logf("round %d: inflating takes %.2f s of a processor, the packed replay %.2f s, the other %.2f s; by the clock the packed one %.2f s", n+1, alone, all, raw,
			c.took[packed].wall.Seconds())
	}
	if beside > mostBeside {
		t.Errorf("what is not inflating takes %.2f times what inflating does", beside)
	}
	if handover > mostHandover {
		t.Errorf("the packed replay takes %.2f times what inflating and the unpacked one take together", handover)
	}
	t.Logf("beside inflating %.2f times as much, %.2f times the sum", beside, handover)
}
