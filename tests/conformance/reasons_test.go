// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"regexp"
	"strings"
	"testing"
)

// The reasons of golden_test.go are claims about who is right. What the kernel has
// written into the same captures decides them.

// groups: what we say of a thread's process group is what the kernel says when it
// next tells, at an exec or a clone.
func TestConformanceGroups(t *testing.T) {
	for capture, decides := range map[string]bool{"libs0254-a-shell": true, "libs0254-b-files": false, "libs0254-d-net": false, "libs0254-f-build": false} {
		t.Run(capture, func(t *testing.T) {
			t.Parallel()
			var golden map[string]string
			if decides {
				golden = goldenEvents(t, shared(t, "data/captures/golden/"+capture+".events.txt.gz"))
			}
			out := string(falco(t, "read", shared(t, "data/captures/"+capture+".scap"),
				"-p", "*%thread.tid %evt.num %evt.type %evt.res %proc.pgid %evt.rawarg.pgid"))
			type last struct{ ours, theirs string }
			lasts := map[string]last{}
			told, decided := 0, 0
			for line := range strings.Lines(out) {
				f := strings.Fields(line)
				if len(f) != 6 {
					t.Fatalf("%q", line)
				}
				tid, num, typ, res, group, kernel := f[0], f[1], f[2], f[3], f[4], f[5]
				before, known := lasts[tid]
				known = known && before.ours != "<NA>" // the kernel's own helpers begin with an exec
				if known && res != "<NA>" && kernel != "<NA>" && (typ == "execve" || typ == "clone") {
					told++
					if before.ours != kernel {
						t.Errorf("event %s: the group of thread %s was %s, the kernel says %s", num, tid, before.ours, kernel)
					}
					if before.theirs != "" && before.theirs != kernel {
						decided++
					}
				}
				_, theirs, _ := strings.Cut(golden[num], " pg=")
				theirs, _, _ = strings.Cut(theirs, " ")
				lasts[tid] = last{group, theirs}
			}
			if told < 20 || decides && decided == 0 {
				t.Errorf("the kernel told a group %d times; %d times it was not the original's", told, decided)
			}
		})
	}
}

var (
	dupUnknown = regexp.MustCompile(`^(?s)\d+ .* < dup[23]? \[.*\] fd=\d+:o: res=SUCCESS `)
	datagram   = regexp.MustCompile(`(?s)< recvfrom .*tuple=(\S+) fd=\d+\(<[46]u>([^)]*)\)`)
)

// replaced: it is said of no descriptor before one that nobody knows was duplicated,
// in no capture in which that does not happen.
//
// ends: what the kernel gives as the ends of a datagram is what we say of its
// socket. The original says that, too, for IPv4.
//
// userEvents: the numbers that the original's list leaves out are those of them.
func TestConformanceReasons(t *testing.T) {
	for _, capture := range []string{"sysdig029-a-shell", "sysdig029-d-net", "libs0254-a-shell", "libs0254-d-net", "libs0254-f-build"} {
		t.Run(capture, func(t *testing.T) {
			t.Parallel()
			golden := goldenEvents(t, shared(t, "data/captures/golden/"+capture+".events.txt.gz"))
			duplicated, tuples := false, reasons{}
			for _, ours := range readEvents(t, shared(t, "data/captures/"+capture+".scap")) {
				num, _, _ := strings.Cut(ours, " ")
				theirs, ok := golden[num]
				users := strings.Contains(ours, "> useradded [") || strings.Contains(ours, "> groupadded [")
				if users == ok {
					t.Errorf("ours %q, original %q", ours, theirs)
				}
				duplicated = duplicated || dupUnknown.MatchString(ours)
				seen := reasons{}
				if ok {
					sameEvent(ours, theirs, seen) // TestConformanceEvents looks at what it returns
				}
				if seen[replaced] > 0 && !duplicated {
					t.Errorf("nothing unknown was duplicated before %q", ours)
				}
				if m := datagram.FindStringSubmatch(ours); m != nil && m[1] != "NULL" {
					if m[1] != m[2] {
						t.Errorf("the socket is %s, the datagram %s: %q", m[2], m[1], ours)
					}
					o := datagram.FindStringSubmatch(theirs)
					switch agrees := o[1] == o[2]; {
					case agrees && strings.Contains(o[1], "::1:"):
						tuples["six agrees"]++
					case agrees:
						tuples["four agrees"]++
					case strings.Contains(o[1], "::1:"):
						tuples["six does not"]++
					default:
						t.Errorf("the original does not agree with itself: %q", theirs)
					}
				}
			}
			if strings.HasSuffix(capture, "d-net") {
				tuples.check(t, reasons{"four agrees": 201, "six does not": 200})
			}
		})
	}
}
