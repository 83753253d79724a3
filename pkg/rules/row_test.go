// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

const rowID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// inContainer is a scene of a process in a container that is pending.
func inContainer(t testing.TB, typ schema.EventType) *state.Scene {
	t.Helper()
	st := state.New(state.Options{Ask: func(state.Ask) bool { return true }})
	st.Seed(&procfs.Task{ReadAt: 1, Tid: 7, Pid: 7, PPid: 1, NSTid: 7, NSPid: 7, Comm: "cat", Exe: "cat", ExePath: "/bin/cat", Cwd: "/", Root: "/", FDLimit: -1,
		Cgroups: []string{"cpu=/docker/" + rowID}})
	scene := sceneOf(typ, nil)
	scene.State, scene.Thread = st, st.Lookup(7)
	if !scene.Thread.Container().Pending() {
		t.Fatal("the container is not pending")
	}
	return scene
}

// TestWeigh: a rule is sure, open or out before its container is known; exceptions
// and macros count, and what is left open is decided later.
func TestWeigh(t *testing.T) {
	var b strings.Builder
	rule := func(name, cond string, more ...string) {
		fmt.Fprintf(&b, "- rule: %s\n  desc: d\n  condition: evt.type=open and %s\n  output: \"%s %%proc.name\"\n  priority: INFO\n%s", name, cond, name, strings.Join(more, ""))
	}
	b.WriteString("- macro: nginx\n  condition: (container.image.repository = nginx)\n- macro: in_container\n  condition: (container.id != host)\n")
	rule("sure", "in_container and proc.name = cat")
	rule("out", "in_container and proc.name = dog and nginx")
	rule("either", "(proc.name = cat or nginx)")
	rule("not-out", "not (proc.name = cat or nginx)")
	rule("open", "nginx")
	rule("not-open", "not nginx")
	rule("never", "(nginx and container.image.repository = redis)")
	rule("excepted", "proc.name = cat", "  exceptions:\n  - name: images\n    fields: [container.image.repository, proc.name]\n    comps: [=, =]\n    values: [[nginx, cat]]\n")
	rule("not-excepted", "proc.name = cat", "  exceptions:\n  - name: images\n    fields: [container.image.repository, proc.name]\n    comps: [=, =]\n    values: [[nginx, dog]]\n")
	rule("list", "container.image.repository in (a, b)", "  exceptions:\n  - name: n\n    fields: proc.name\n    comps: in\n    values: [cat]\n")
	rule("exists", "container.name exists")
	rule("compared", "proc.name = val(container.name)")
	b.WriteString("- rule: shown\n  desc: d\n  condition: evt.type=open\n  output: \"%toupper(container.name) %evt.time\"\n  priority: INFO\n")
	set, results := Load([]File{{"w.yaml", []byte(b.String())}}, Options{Priority: Debug, All: true})
	if set == nil {
		t.Fatal(results[0].Text(true))
	}
	scene := inContainer(t, schema.OpenX)
	scene.Event.TS = 77e9
	verdicts := set.Weigh(scene, nil)
	var got []string
	for _, v := range verdicts {
		word := v.Rule.Name
		if !v.Sure {
			word += "?"
		}
		if v.Late {
			word += " (late)"
		}
		got = append(got, word)
	}
	want := []string{"sure", "either", "open?", "not-open?", "excepted?", "not-excepted", "exists?", "compared?", "shown (late)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var row Row
	set.Keep(&row, verdicts, scene.Thread.Container())
	for image, want := range map[string]string{
		"nginx": "sure cat, either cat, open cat, not-excepted cat, exists cat, compared cat, CAT",
		"redis": "sure cat, either cat, not-open cat, excepted cat, not-excepted cat, exists cat, compared cat, CAT",
	} {
		i := &container.Info{ID: rowID[:12], FullID: rowID, Name: "cat"}
		i.SetImage(image)
		scene.State.PutContainer(i)
		set.Match(sceneOf(schema.CloseX, nil), nil) // others came by meanwhile
		var texts []string
		for _, r := range row.Decide(nil) {
			text := string(set.Text(r, nil))
			if r.Name == "shown" {
				text, _, _ = strings.Cut(text, " ") // the time's text depends on the zone
				if fields := set.Fields(r, nil); fields[len(fields)-1].Value != uint64(77e9) {
					t.Errorf("fields %v", fields)
				}
			}
			texts = append(texts, text)
		}
		if got := strings.Join(texts, ", "); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", image, got, want)
		}
	}
	if n := row.Size(); n == 0 {
		t.Error("a row has no size")
	}
	row.Free(1 << 20)
	if row.Set() != nil {
		t.Error("a row that is free holds its rules")
	}
}

// BenchmarkWeigh is BenchmarkMatch for a process whose container is pending, and
// BenchmarkKeep what it costs to put its event aside for all rules that ask.
func BenchmarkWeigh(b *testing.B) {
	set, _ := mustLoad(b, given(b, "rules", "falco_rules-1.0.1.yaml"))
	scene := inContainer(b, schema.OpenX)
	var verdicts []Verdict
	b.ReportAllocs()
	for b.Loop() {
		verdicts = set.Weigh(scene, verdicts[:0])
	}
}

// Whether a process is the health check of its container is said of what it was when
// the event happened, not of what has become of it when the runtime answers.
func TestRowLineage(t *testing.T) {
	set, results := Load([]File{{"p.yaml", []byte(`
- rule: check
  desc: d
  condition: evt.type=open and proc.is_container_healthcheck=true
  output: check %proc.is_container_liveness_probe
  priority: INFO
- rule: other
  desc: d
  condition: evt.type=open and proc.is_container_healthcheck=false
  output: other
  priority: INFO
`)}}, Options{Priority: Debug, All: true})
	if set == nil {
		t.Fatal(results[0].Text(true))
	}
	var row Row
	for _, c := range []struct {
		exe  string
		vpid int64
		want string
	}{{"curl", 8, "check false"}, {"wget", 8, "other"}, {"curl", 1, "other"}} {
		scene := inContainer(t, schema.OpenX)
		scene.Thread.Exe, scene.Thread.Args, scene.Thread.Vpid = c.exe, []string{"x"}, c.vpid
		verdicts := set.Weigh(scene, nil)
		if len(verdicts) != 2 || verdicts[0].Sure || verdicts[1].Sure {
			t.Fatalf("%+v", verdicts)
		}
		set.Keep(&row, verdicts, scene.Thread.Container())
		if row.Size() < len(c.exe)+1 {
			t.Error("what it holds is not counted")
		}
		scene.State.PutContainer(&container.Info{ID: rowID[:12], FullID: rowID, Healthcheck: &container.Probe{Exe: "curl", Args: []string{"x"}}})
		scene.Thread.Exe, scene.Thread.Vpid = "sh", 9
		set.Match(sceneOf(schema.CloseX, nil), nil)
		var texts []string
		for _, r := range row.Decide(nil) {
			texts = append(texts, string(set.Text(r, nil)))
		}
		if got := strings.Join(texts, ", "); got != c.want {
			t.Errorf("%s, %d: got %s, want %s", c.exe, c.vpid, got, c.want)
		}
		row.Free(1 << 20)
	}
	if row.shared != 0 {
		t.Errorf("%d bytes are still counted", row.shared)
	}
}

func BenchmarkKeep(b *testing.B) {
	set, _ := mustLoad(b, given(b, "rules", "falco_rules-1.0.1.yaml"))
	scene := inContainer(b, schema.OpenX)
	set.Weigh(scene, nil)
	verdicts := []Verdict{{Rule: set.Rules[0]}, {Rule: set.Rules[1]}, {Rule: set.Rules[2]}}
	var row Row
	b.ReportAllocs()
	for b.Loop() {
		set.Weigh(scene, nil) // values are void after each turn
		set.Keep(&row, verdicts, scene.Thread.Container())
	}
}
