// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/output"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

const deferRules1 = `
- rule: By image
  desc: d
  condition: evt.type in (open, openat) and container.image.repository = nginx and fd.name startswith /etc
  output: "image %evt.num %fd.name %proc.name %container.name %container.id (%evt.metadata)"
  priority: NOTICE
- rule: Shadow
  desc: d
  condition: evt.type in (open, openat) and fd.name = /etc/shadow
  output: shadow %evt.num %container.id
  priority: NOTICE
- rule: Group
  desc: d
  condition: evt.type in (open, openat) and fd.name = /etc/group and not container.name = calm
  output: group %evt.num %container.name (%evt.metadata)
  priority: NOTICE
- rule: Motd
  desc: d
  condition: evt.type in (open, openat) and fd.name = /etc/motd
  output: motd %evt.num %container.name
  priority: NOTICE
- rule: Lower
  desc: d
  condition: evt.type in (open, openat) and tolower(container.name) = web and (fd.name endswith s or container.privileged = true)
  output: lower %evt.num %toupper(container.name)
  priority: NOTICE
- rule: Last
  desc: d
  condition: evt.type in (open, openat) and fd.name = /etc/motd and container.name = WEB
  output: last %evt.num
  priority: NOTICE
`

// deferring is a pipeline whose containers the test tells of.
type deferring struct {
	*testing.T
	*pipeline
	sink *lines
	ts   uint64
}

// lines is a sink that keeps what it gets up to a mark.
type lines struct {
	got  []string
	mark chan struct{}
}

func (l *lines) Name() string { return "test" }
func (l *lines) Write(_ context.Context, line output.Line) error {
	_, text, _ := strings.Cut(strings.TrimSuffix(string(line.Text), "\n"), ": Notice ")
	if text == "" {
		l.mark <- struct{}{}
	} else {
		l.got = append(l.got, text)
	}
	return nil
}
func (l *lines) Reopen() error { return nil }
func (l *lines) Close() error  { return nil }

// got returns what has left so far.
func (d *deferring) got() []string {
	d.outputs[0].Send(&alert.Alert{Severity: alert.Severity(rules.Debug)})
	<-d.sink.mark
	return slices.Clone(d.sink.got)
}

func loadSet(t testing.TB, text string, all bool) *rules.Set {
	t.Helper()
	set, results := rules.Load([]rules.File{{Name: "d.yaml", Content: []byte(text)}}, rules.Options{Priority: rules.Debug, All: all})
	for i := range results {
		if !results[i].Successful() {
			t.Fatal(results[i].Text(true))
		}
	}
	return set
}

func newDeferring(t *testing.T, set *rules.Set) *deferring {
	d := &deferring{T: t, ts: 1000 * second, sink: &lines{mark: make(chan struct{})}}
	q := output.Start(d.sink, output.Options{Style: alert.Style{Location: time.UTC}, Wait: make(chan struct{})})
	t.Cleanup(func() { q.Close(time.Minute) })
	d.pipeline = &pipeline{source: nothing{}, rules: set, counts: make([]uint64, len(set.Rules)), outputs: []*output.Queue{q},
		state: state.New(state.Options{Ask: func(state.Ask) bool { return true }})}
	d.later.wait = time.Hour
	d.state.Seed(task(1, "init"))
	return d
}

func cid(n int) string { return fmt.Sprintf("%064x", n+1) }

// cinfo is what there is to know of container n. Its id is long enough to be cut.
func cinfo(n int, name, image string) *container.Info {
	i := &container.Info{ID: container.ShortID(cid(n)), FullID: cid(n), Name: name, Type: container.TypeContainerd}
	i.SetImage(image)
	i.Seal()
	return i
}

// enter makes a thread of container n; all ids differ in their last digits alone,
// which are not among those that are shown: threads know their containers by these.
func (d *deferring) enter(n int) {
	tid := int64(100 + n)
	d.state.Seed(task(tid, fmt.Sprint("p", n)))
	d.turnOf(eventtest.New(schema.ExecveX).Tid(tid).TS(d.ts).Set("res", 0).Set("exe", "p").Set("tid", tid).Set("pid", tid).
		Set("comm", fmt.Sprint("p", n)).Set("cgroups", []string{"cpu=/docker/" + longID(n)}))
}

func longID(n int) string { return fmt.Sprintf("%012x", n+1) + strings.Repeat("0", 52) }

func (d *deferring) turnOf(b *eventtest.Builder) {
	d.Helper()
	if _, err := d.ev.Decode(b.Bytes()); err != nil {
		d.Fatal(err)
	}
	d.ev.Num = 0
	d.turn(&d.ev)
	d.ts += 1000
}

// open has a thread of container n, or for -1 of the host, open a file.
func (d *deferring) open(n int, path string) {
	d.turnOf(openat(int64(max(100+n, 1)*b2i(n >= 0)+b2i(n < 0)), d.ts, path, schema.ORdonly))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// know tells of container n.
func (d *deferring) know(n int, name, image string) {
	i := cinfo(n, name, image)
	i.ID, i.FullID = longID(n)[:12], longID(n)
	d.state.PutContainer(i)
	d.look(d.ev.TS)
}

func (d *deferring) want(lines ...string) {
	d.Helper()
	if diff := cmp.Diff(append([]string(nil), lines...), d.got()); diff != "" {
		d.Errorf("(-want +got)\n%s", diff)
	}
}

// A rule that looks at the image matches the first event, though the runtime tells
// of it later; what else is found meanwhile leaves behind it.
func TestDeferral(t *testing.T) {
	d := newDeferring(t, loadSet(t, deferRules1, true))
	d.enter(0)
	d.open(0, "/etc/passwd") // 2: By image, if it is nginx
	d.open(-1, "/etc/shadow")
	d.open(0, "/etc/shadow") // 4: By image, and Shadow for sure
	d.open(0, "/tmp/x")      // 5: Lower, perhaps
	d.open(-1, "/etc/group")
	d.open(0, "/etc/motd") // 7: sure, but its output is not
	if got := d.got(); len(got) != 0 || d.later.stats.Deferred != 4 || d.later.stats.Behind != 2 {
		t.Fatalf("left at once: %q; %+v", got, d.later.stats)
	}
	d.know(0, "web", "nginx:1")
	short := longID(0)[:12]
	d.want(
		"image 2 /etc/passwd p0 web "+short+" (known)",
		"shadow 3 host",
		"image 4 /etc/shadow p0 web "+short+" (known)", "shadow 4 "+short,
		"group 6 host (<NA>)",
		"image 7 /etc/motd p0 web "+short+" (known)", "motd 7 web",
	)
	if s := d.later.stats; s.Known != 4 || s.Late+s.Missing+s.Overflow != 0 || d.later.rows != 0 || d.later.bytes != 0 {
		t.Errorf("%+v, %d rows, %d bytes", s, d.later.rows, d.later.bytes)
	}
	if d.counts[0] != 3 || d.counts[1] != 2 {
		t.Errorf("counts %v", d.counts)
	}
	d.open(0, "/etc/hosts") // known by now
	if d.later.stats.Deferred != 4 {
		t.Error("it waits although everything is known")
	}
}

// What is decided without the runtime leaves at once, as far as nothing older waits.
func TestDeferNotAtAll(t *testing.T) {
	d := newDeferring(t, loadSet(t, `
- rule: Id
  desc: d
  condition: evt.type in (open, openat) and container.id != host and not container.start_ts > 0 and fd.name startswith /etc
  output: id %container.id %container.duration
  priority: NOTICE
- rule: Decided
  desc: d
  condition: evt.type in (open, openat) and fd.name = /tmp/x and (proc.name = p0 or container.name = web)
  output: decided %evt.num
  priority: NOTICE
- rule: Impossible
  desc: d
  condition: evt.type in (open, openat) and fd.name = /tmp/y and container.name = web
  output: no
  priority: NOTICE
`, true))
	d.enter(0)
	d.open(0, "/etc/passwd")
	d.open(0, "/tmp/x")
	d.open(0, "/tmp/z")
	if s := d.later.stats; s != (deferStats{}) {
		t.Errorf("%+v", s)
	}
	d.want("id "+longID(0)[:12]+" <NA>", "decided 3")
}

// Where the first rule that matches counts, an earlier one that is not decided holds
// up a later one that is, and not the other way round.
func TestDeferFirst(t *testing.T) {
	for image, want := range map[string][]string{
		"nginx": {"image 2 /etc/shadow p0 web " + longID(0)[:12] + " (known)", "lower 3 WEB", "motd 4 web"},
		"redis": {"shadow 2 " + longID(0)[:12], "lower 3 WEB", "motd 4 web"},
	} {
		d := newDeferring(t, loadSet(t, strings.Replace(deferRules1, "startswith /etc", "= /etc/shadow", 1), false))
		d.enter(0)
		d.open(0, "/etc/shadow")
		d.open(0, "/etc/hosts")
		d.open(0, "/etc/motd") // Lower stands behind Motd
		d.know(0, "web", image)
		d.want(want...)
	}
}

// Answers may come in any order; alerts leave in that of events.
func TestDeferOrder(t *testing.T) {
	d := newDeferring(t, loadSet(t, deferRules1, true))
	for n := range 3 {
		d.enter(n)
	}
	for n := range 3 {
		d.open(n, "/etc/motd") // 4, 5, 6
	}
	d.know(2, "c", "x")
	d.know(1, "b", "x")
	d.want()
	d.know(0, "a", "x")
	d.want("motd 4 a", "motd 5 b", "motd 6 c")
}

// What is not told in time is decided with what is known, and evt.metadata says why.
func TestDeferLate(t *testing.T) {
	d := newDeferring(t, loadSet(t, deferRules1, true))
	d.enter(0)
	d.enter(1)
	d.open(0, "/etc/group") // 3
	d.open(1, "/etc/group") // 4
	d.open(1, "/etc/group") // 5
	d.expire()
	if len(d.later.queue) != 3 {
		t.Fatal("it is not late yet")
	}
	d.later.queue[0].since = d.later.queue[0].since.Add(-time.Hour)
	d.expire()
	d.want("group 3 <NA> (pending)")
	d.state.FailContainer(longID(1)[:12], errors.New("docker: permission denied"))
	d.look(d.ev.TS)
	d.want("group 3 <NA> (pending)", "group 4 <NA> (missing: docker: permission denied)", "group 5 <NA> (missing: docker: permission denied)")
	if s := d.later.stats; s.Late != 1 || s.Missing != 2 || s.Known != 0 || s.Longest < time.Hour {
		t.Errorf("%+v", s)
	}
	if due := d.later.due(); due != 0 {
		t.Errorf("there is nothing to wait for, but in %v", due)
	}
	d.open(0, "/etc/group") // 6, still pending
	if due := d.later.due(); due <= 0 || due > time.Hour {
		t.Errorf("due in %v", due)
	}
	d.flush()
	if len(d.later.queue) != 0 {
		t.Error("something is left at the end")
	}
}

// More than fits is decided at once, and in order.
func TestDeferOverflow(t *testing.T) {
	d := newDeferring(t, loadSet(t, deferRules1, true))
	d.enter(0)
	for range deferRows + 10 {
		d.open(0, "/etc/motd")
	}
	s := d.later.stats
	if s.Deferred != deferRows || s.Overflow != 10 || s.Behind != 10 || d.later.rows != deferRows {
		t.Errorf("%+v, %d rows", s, d.later.rows)
	}
	for range 2 * deferRows {
		d.open(-1, "/etc/motd")
	}
	if n := len(d.later.queue); n > 2*deferRows+1 {
		t.Errorf("%d wait", n)
	}
	d.know(0, "web", "x")
	got, last := d.got(), 0
	for _, line := range got {
		var num int
		if _, err := fmt.Sscanf(line, "motd %d", &num); err != nil || num < last {
			t.Fatalf("%q after event %d", line, last)
		}
		last = num
	}
	if want := 3*deferRows + 10; len(got) < want {
		t.Errorf("%d alerts, want %d", len(got), want)
	}

	// A few rows with long texts are as much as many with short ones.
	d = newDeferring(t, loadSet(t, deferRules1, true))
	d.enter(0)
	long := "/etc/" + strings.Repeat("x", 4000)
	for range deferRows {
		d.open(0, long)
	}
	if d.later.bytes > deferBytes+1<<20 {
		t.Errorf("%d bytes", d.later.bytes)
	}
	d.know(0, "web", "x")
	if d.later.bytes != 0 || len(d.later.spare) > deferSpare {
		t.Errorf("%d bytes and %d rows are kept", d.later.bytes, len(d.later.spare))
	}
}

// Rows of before a reload are decided by the rules of then.
func TestDeferReload(t *testing.T) {
	d := newDeferring(t, loadSet(t, deferRules1, true))
	d.enter(0)
	d.open(0, "/etc/motd")
	before := d.tallies()
	d.swap(loadSet(t, strings.ReplaceAll(deferRules1, "output: motd", "output: new motd"), true))
	d.carry(before)
	d.open(0, "/etc/motd")
	d.know(0, "web", "x")
	d.want("motd 2 web", "new motd 3 web")
	if d.counts[3] != 2 {
		t.Errorf("counts %v", d.counts)
	}
}

// In a replay the stream itself tells, and its own time is what counts.
func TestDeferReplay(t *testing.T) {
	d := newDeferring(t, loadSet(t, deferRules1, true))
	d.state = state.New(state.Options{Patience: 100 * time.Millisecond})
	d.later.replay, d.later.wait = true, 100*time.Millisecond
	d.state.Seed(task(1, "init"))
	for n := range 3 {
		d.enter(n)
	}
	d.open(0, "/etc/motd") // 4
	d.open(1, "/etc/motd") // 5
	d.expire()             // the clock on the wall says nothing
	var told event.Event
	tell := func(n int, name string) {
		i := cinfo(n, name, "x")
		i.ID, i.FullID = longID(n)[:12], longID(n)
		if _, err := told.Decode(appendAsync(nil, d.ts, "container", i.JSON())); err != nil {
			t.Fatal(err)
		}
		d.turn(&told) // 6 and 7
	}
	d.ts += 50e6
	tell(0, "a")
	d.want("motd 4 a")
	d.ts += 60e6
	tell(1, "b")           // too late
	d.open(2, "/etc/motd") // 8: its time was over before
	d.open(1, "/etc/group")
	d.want("motd 4 a", "motd 5 <NA>", "motd 8 <NA>", "group 9 b (known)")
	d.open(2, "/etc/group")
	d.want("motd 4 a", "motd 5 <NA>", "motd 8 <NA>", "group 9 b (known)", "group 10 <NA> (missing: nothing in the capture tells of it)")
}

// lateTapes notes what it is told.
type lateTapes struct {
	tapeFunc
	told []string
}

func (l *lateTapes) late(ev *event.Event, matched []*rules.Rule) {
	for _, r := range matched {
		name, _ := ev.Str(2)
		l.told = append(l.told, fmt.Sprint(r.Name, " ", ev.Num, " ", name))
	}
}

// Those who write captures are told of what has matched after all, with the event.
func TestDeferTapes(t *testing.T) {
	d := newDeferring(t, loadSet(t, deferRules1, true))
	tape1 := &lateTapes{tapeFunc: func(*event.Event, *state.Scene) {}}
	d.tapes = []tape{tape1}
	d.enter(0)
	d.open(0, "/etc/group")
	d.open(0, "/etc/passwd")
	d.know(0, "calm", "nginx")
	if diff := cmp.Diff([]string{"By image 2 /etc/group", "By image 3 /etc/passwd"}, tape1.told); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A file that begins with what was found late has that event in it; one that is open
// has it already.
func TestCaptureLate(t *testing.T) {
	prefix := t.TempDir() + "/x"
	c := &captures{cfg: config.Capture{Enabled: true, All: true, Duration: time.Hour, PathPrefix: prefix},
		log: newLogger(io.Discard), state: state.New(state.Options{}), waits: true, send: func(*alert.Alert) {}}
	ev := openat(100, 5, "/etc/motd", schema.ORdonly).Event()
	c.event(ev, nil, nil)
	c.late(ev, []*rules.Rule{{}})
	c.event(ev, nil, nil)
	c.late(ev, []*rules.Rule{{}})
	c.finish(time.Minute)
	files, _ := filepath.Glob(prefix + "*")
	if len(files) != 1 {
		t.Fatalf("files %q", files)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if n := eventsIn(t, data); n != 2 {
		t.Errorf("%d events, want the late one and the one after it", n)
	}
}

// TestDeferOracle: whatever is told when, the alerts are those of somebody who knew
// everything from the beginning.
func TestDeferOracle(t *testing.T) {
	names, images := []string{"web", "WEB", "calm", "db"}, []string{"nginx:1", "redis", "docker.io/library/nginx"}
	files := []string{"/etc/shadow", "/etc/group", "/etc/motd", "/etc/passwd", "/tmp/x", "/tmp/s"}
	const containers = 6
	deferred := uint64(0)
	for seed := range int64(60) {
		rng := rand.New(rand.NewSource(seed))
		type step struct {
			who  int
			path string
			know int // container that is told of before, or -1
		}
		var steps []step
		untold := rng.Perm(containers)
		for range 200 {
			s := step{rng.Intn(containers+1) - 1, files[rng.Intn(len(files))], -1}
			if len(untold) > 0 && rng.Intn(20) == 0 {
				s.know, untold = untold[0], untold[1:]
			}
			steps = append(steps, s)
		}
		var of [containers][2]string
		for n := range of {
			of[n] = [2]string{names[rng.Intn(len(names))], images[rng.Intn(len(images))]}
		}
		run := func(oracle bool) []string {
			d := newDeferring(t, loadSet(t, deferRules1, seed%2 == 0))
			for n := range containers {
				d.enter(n)
				if oracle {
					d.know(n, of[n][0], of[n][1])
				}
			}
			for _, s := range steps {
				if s.know >= 0 && !oracle {
					d.know(s.know, of[s.know][0], of[s.know][1])
				}
				d.open(s.who, s.path)
			}
			for _, n := range untold {
				d.know(n, of[n][0], of[n][1])
			}
			if !oracle {
				deferred += d.later.stats.Deferred
			} else if d.later.stats.Deferred > 0 {
				t.Error("the oracle has to wait")
			}
			return d.got()
		}
		if diff := cmp.Diff(run(true), run(false)); diff != "" {
			t.Fatalf("seed %d (-oracle +got)\n%s", seed, diff)
		}
	}
	if deferred < 1000 {
		t.Errorf("only %d events had to wait", deferred)
	}
}

// TestNoDeferralCost: where nothing is pending, nothing is allocated.
func TestNoDeferralCost(t *testing.T) {
	d := newDeferring(t, loadSet(t, deferRules1, true))
	d.enter(0)
	d.know(0, "other", "x")
	rec := openat(100, d.ts, "/tmp/x", schema.ORdonly).Bytes()
	run := func() {
		if _, err := d.ev.Decode(rec); err != nil {
			t.Fatal(err)
		}
		d.turn(&d.ev)
	}
	run()
	if n := testing.AllocsPerRun(1000, run); n != 0 || d.later.stats != (deferStats{}) {
		t.Errorf("%v allocations, %+v", n, d.later.stats)
	}
}
