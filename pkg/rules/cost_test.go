// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// What is told of a rule's cost is about right, costs no memory, and changes nothing of what matches.
func TestCosts(t *testing.T) {
	long := strings.Repeat("x", 300)
	text := simple("cheap", "evt.type=openat and proc.name=none") +
		simple("dear", `evt.type in (openat, openat2) and (proc.name=none or proc.exe regex "(a|b|x)*z")`) +
		simple("elsewhere", "evt.type=connect and proc.name=none") +
		simple("generic", "evt.type=times and proc.name=none") +
		simple("counting", "evt.type=openat and util.cnt=3000") +
		simple("off", "evt.type=openat and proc.name=none", "  enabled: false\n")
	s, _ := mustLoad(t, File{"rules.yaml", []byte(text)})
	times, _ := schema.SyscallByName("times")
	open, uid := sceneOf(schema.OpenatX, nil), sceneOf(0, generic(times.Code))
	for _, scene := range []*state.Scene{open, uid} {
		scene.Thread = &state.Thread{Comm: "cat", Exe: long, ExePath: "/bin/cat", Tid: 7, Pid: 7}
		scene.State = new(state.State)
	}
	const opens, uids = 20000, 5000
	var found []int
	matched := make([]*Rule, 0, 4)
	for i := range opens {
		if matched = s.Match(open, matched[:0]); len(matched) > 0 {
			found = append(found, i)
		}
	}
	if n := testing.AllocsPerRun(uids-1, func() { matched = s.Match(uid, matched[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(found) != 1 || found[0] < 2998 || found[0] > 3000 {
		t.Errorf("the rule that counts has matched at %v", found)
	}
	costs := map[string]Cost{}
	for i, c := range s.Costs() {
		costs[s.Rules[i].Name] = c
	}
	about := func(name string, want float64) {
		t.Helper()
		if got := float64(costs[name].Events); got < want*3/4 || got > want*5/4 {
			t.Errorf("%s was asked about %v events, want %v", name, got, want)
		}
	}
	about("cheap", opens)
	about("dear", opens)
	about("generic", uids)
	for _, name := range []string{"elsewhere", "counting", "off"} {
		if c := costs[name]; c != (Cost{}) {
			t.Errorf("%s costs %v", name, c)
		}
	}
	if cheap, dear := costs["cheap"].Time, costs["dear"].Time; dear < 10*max(cheap, 1) {
		t.Errorf("the cheap one takes %v, the dear one %v", cheap, dear)
	}
}
