// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

const containerRules = `
- rule: Told
  desc: d
  condition: evt.type = container and container.image.repository = nginx
  output: told %container.name %evt.asynctype
  priority: NOTICE
- rule: Shell
  desc: d
  condition: evt.type = execve and container.name = web
  output: "%proc.name in %container.name (%container.image.repository:%container.image.tag)"
  priority: NOTICE
`

const webID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// A container that was told goes through the loop once: rules see it, captures keep
// it, and whoever executes something in it afterwards is known.
func TestTakeContainer(t *testing.T) {
	set, results := rules.Load([]rules.File{{Name: "c.yaml", Content: []byte(containerRules)}}, rules.Options{Priority: rules.Debug, All: true})
	for i := range results {
		if !results[i].Successful() {
			t.Fatal(results[i].Text(true))
		}
	}
	var asked []container.Match
	p, text := newPipeline(t, nothing{})
	p.rules, p.counts = set, make([]uint64, len(set.Rules))
	p.state = state.New(state.Options{Ask: askers(func(state.Ask) bool { return true },
		func(m container.Match) bool { asked = append(asked, m); return true })})
	p.state.Seed(task(100, "bash"))
	kept := 0
	p.tapes = []tape{tapeFunc(func(ev *event.Event, _ *state.Scene) {
		if ev.Type == schema.AsynceventE {
			kept++
		}
	})}
	turn := func(b *eventtest.Builder) {
		if _, err := p.ev.Decode(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		p.ev.Num = 0
		p.turn(&p.ev)
	}
	now := time.Unix(2000, 0)
	info := &container.Info{ID: webID[:12], FullID: webID, Name: "web", Image: "nginx:1", ImageRepo: "nginx", ImageTag: "1", Labels: container.Labels{"a": "b"}}
	partial := &container.Info{ID: webID[:12], FullID: webID, Name: webID[:12], Partial: true}
	for _, c := range []container.Change{
		{What: container.Ready}, {What: container.Known, Info: partial}, {What: container.Known, Info: info},
		{What: container.Known, Info: info}, {What: container.Known, Info: partial},
	} {
		p.takeContainer(c, now)
	}
	if kept != 2 {
		t.Errorf("told %d times, want one for what was known first and one for all", kept)
	}
	cgroups := []string{"cpu=/docker/" + webID}
	execve := func(ts uint64) *eventtest.Builder {
		return eventtest.New(schema.ExecveX).Tid(100).TS(ts).Set("res", 0).Set("exe", "sh").Set("tid", 100).Set("pid", 100).Set("comm", "sh").
			Set("cgroups", cgroups)
	}
	turn(execve(3000 * second))
	if len(p.matched) != 1 {
		t.Errorf("matched %v", p.matched)
	}
	p.takeContainer(container.Change{What: container.Gone, Info: &container.Info{ID: webID[:12], FullID: "another"}}, now)
	p.takeContainer(container.Change{What: container.Gone, Info: info}, now)
	if kept != 3 || !p.state.Ended(webID[:12]) || p.told.TS != 3000*second {
		t.Errorf("its end: told %d, ended %v, at %d", kept, p.state.Ended(webID[:12]), p.told.TS)
	}
	p.takeContainer(container.Change{What: container.Known, Info: info}, now)
	if kept != 4 || p.state.Ended(webID[:12]) {
		t.Errorf("it has begun again, and was told %d times", kept)
	}

	// Another one of which nothing is known.
	cgroups = []string{"cpu=/docker/" + strings.Repeat("f", 64)}
	turn(execve(3001 * second))
	if len(asked) != 1 || asked[0].FullID != strings.Repeat("f", 64) {
		t.Fatalf("asked %+v", asked)
	}
	c := p.state.Lookup(100).Container()
	if !c.Pending() {
		t.Error("it is not pending")
	}
	p.takeContainer(container.Change{What: container.Failed, Info: &container.Info{ID: c.ID}, Why: errors.New("nobody")}, now)
	if c.Pending() || c.Failed() == nil {
		t.Error("it is still pending")
	}
	if got := text(); strings.Count(got, "told web container") != 2 || !strings.Contains(got, "sh in web (nginx:1)") {
		t.Errorf("alerts:\n%s", got)
	}
}

func TestEngines(t *testing.T) {
	all := config.DefaultContainers()
	if got := engines(&all, "/host"); len(got) == 0 || got[0].Name() != "containerd" {
		t.Errorf("got %v", got)
	}
	if got := engines(&config.Containers{}, ""); len(got) != 0 {
		t.Errorf("none is asked for: %v", got)
	}
}
