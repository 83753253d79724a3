// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/output"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// script is a source that plays records: first those of live, one at a time,
// and after Stop those of rest.
type script struct {
	live, rest [][]byte
	c          chan struct{}
	dry        func() // called when the loop goes to sleep
	err        error  // ends the stream behind live
	stopped    bool
	sleeps     int
}

func (s *script) Next(ev *event.Event) (bool, error) {
	from := &s.live
	if s.stopped {
		from = &s.rest
	}
	if len(*from) == 0 {
		return false, s.err
	}
	_, err := ev.Decode((*from)[0])
	*from = (*from)[1:]
	return err == nil, err
}

func (s *script) Arm() (bool, time.Duration) {
	s.sleeps++
	if s.dry != nil {
		s.dry()
	}
	return len(s.live) == 0, 0
}
func (s *script) C() <-chan struct{}      { return s.c }
func (s *script) Woken() error            { return nil }
func (s *script) Stop() error             { s.stopped = true; return nil }
func (s *script) Ledger() (ledger, error) { return ledger{}, nil }
func (s *script) Close() error            { return nil }

const testRules = `
- list: sensitive
  items: [/etc/shadow, /etc/sudoers]
- macro: open_read
  condition: evt.type in (open, openat, openat2) and evt.is_open_read = true
- rule: Sensitive file
  desc: d
  condition: open_read and fd.name in (sensitive) and not proc.name in (sshd, sudo)
  output: "read %fd.name (by=%proc.name parent=%proc.pname num=%evt.num)"
  priority: WARNING
  tags: [b, a]
- rule: Shell
  desc: d
  condition: evt.type in (execve, execveat) and proc.name in (bash, sh) and proc.pname startswith nginx
  output: shell %proc.cmdline
  priority: ERROR
- rule: Written below etc
  desc: d
  condition: evt.type in (open, openat) and evt.is_open_write = true and fd.name startswith /etc/ and not proc.aname[2] in (apt, dpkg)
  output: write %fd.name
  priority: ERROR
- rule: Outbound
  desc: d
  condition: evt.type = connect and fd.sport in (4444, 31337) and fd.name contains "10.0"
  output: connect %fd.name
  priority: NOTICE
- rule: Everything of nobody
  desc: d
  condition: user.uid = 65534 and proc.cmdline contains "forbidden"
  output: nobody %evt.type
  priority: DEBUG
  warn_evttypes: false
`

// newPipeline returns a pipeline with real state and rules, and the text that
// its alerts make.
func newPipeline(t testing.TB, src source) (*pipeline, func() string) {
	t.Helper()
	set, results := rules.Load([]rules.File{{Name: "test.yaml", Content: []byte(testRules)}}, rules.Options{Priority: rules.Debug})
	for i := range results {
		if !results[i].Successful() {
			t.Fatal(results[i].Text(true))
		}
	}
	var out bytes.Buffer
	q := output.Start(output.NewStdout(&out, true), output.Options{Style: alert.Style{Location: time.UTC}})
	p := &pipeline{source: src, state: state.New(state.Options{}), rules: set, outputs: []*output.Queue{q}, counts: make([]uint64, len(set.Rules))}
	p.early.limit = backlogBytes
	return p, func() string {
		q.Close(time.Minute)
		return out.String()
	}
}

func task(tid int64, name string) *procfs.Task {
	return &procfs.Task{ReadAt: 1, Tid: tid, Pid: tid, PPid: 1, NSTid: tid, NSPid: tid, Comm: name, Exe: name, Args: nil, ExePath: "/bin/" + name, Cwd: "/root", Root: "/", FDLimit: -1}
}

const second = uint64(time.Second)

func openat(tid int64, ts uint64, path string, flags uint64) *eventtest.Builder {
	return eventtest.New(schema.OpenatX).Tid(tid).TS(ts).Set("fd", 3).Set("dirfd", -100).Set("name", path).Set("flags", flags).
		Set("mode", 0).Set("dev", 0).Set("ino", uint64(1))
}

func closeFD(tid int64, ts uint64) *eventtest.Builder {
	return eventtest.New(schema.CloseX).Tid(tid).TS(ts).Set("res", 0).Set("fd", 3)
}

// From a record to a line, and what comes after the stop is turned as well.
func TestPipeline(t *testing.T) {
	stop := make(chan struct{})
	src := &script{
		live: [][]byte{
			openat(100, 1*second, "/etc/passwd", schema.ORdonly).Bytes(),
			openat(100, 2*second, "/etc/shadow", schema.ORdonly).Bytes(),
			closeFD(100, 3*second).Bytes(),
		},
		rest: [][]byte{openat(101, 4*second, "/etc/sudoers", schema.ORdonly).Bytes()},
	}
	src.dry = sync.OnceFunc(func() { close(stop) })
	p, text := newPipeline(t, src)
	p.stop = stop
	p.state.Seed(task(100, "cat"))
	p.state.Seed(task(101, "vi\n\"x"))
	p.state.Seeded()
	if err := p.run(time.Minute); err != nil {
		t.Fatal(err)
	}
	want := `00:00:02.000000000: Warning read /etc/shadow (by=cat parent=<NA> num=2)
00:00:04.000000000: Warning read /etc/sudoers (by=vi\n\"x parent=<NA> num=4)
`
	if got := text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p.num != 4 || p.counts[0] != 2 || p.counts[1] != 0 {
		t.Errorf("%d events, counts %v", p.num, p.counts)
	}
}

// A stream that breaks ends the run with its error; what came before is told.
func TestPipelineError(t *testing.T) {
	broken := errors.New("corrupt ring")
	src := &script{live: [][]byte{openat(100, second, "/etc/shadow", schema.ORdonly).Bytes()}, err: broken}
	p, text := newPipeline(t, src)
	p.state.Seed(task(100, "cat"))
	if err := p.run(time.Minute); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if !src.stopped {
		t.Error("the source was not stopped")
	}
	if !strings.Contains(text(), "/etc/shadow") {
		t.Error("the alert before the error is missing")
	}
}

// Events that come while /proc is being read are looked at when their processes
// are known, in order and before those that come later.
func TestSeed(t *testing.T) {
	stop, seeds := make(chan struct{}), make(chan func(), 4)
	src := &script{live: [][]byte{openat(100, 1*second, "/etc/shadow", schema.ORdonly).Bytes()}}
	for i := range 3 * keepSize {
		src.live = append(src.live, openat(100, uint64(i)+1*second, fmt.Sprint("/tmp/", i), schema.ORdonly).Bytes())
	}
	src.live = append(src.live, openat(100, 2*second, "/etc/sudoers", schema.ORdonly).Bytes())
	p, text := newPipeline(t, src)
	p.stop, p.seeds = stop, seeds
	first, end := true, sync.OnceFunc(func() { close(stop) })
	src.dry = func() {
		if first {
			first = false
			src.live = append(src.live, openat(100, 3*second, "/etc/shadow", schema.ORdonly).Bytes())
			return
		}
		end()
	}
	seeds <- func() {
		if p.num != 0 {
			t.Error("events were turned before the state was seeded")
		}
		p.state.Seed(task(100, "cat"))
	}
	seeds <- p.state.Seeded
	close(seeds)
	if err := p.run(time.Minute); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`00:00:01.000000000: Warning read /etc/shadow (by=cat parent=<NA> num=1)
00:00:02.000000000: Warning read /etc/sudoers (by=cat parent=<NA> num=%d)
00:00:03.000000000: Warning read /etc/shadow (by=cat parent=<NA> num=%d)
`, 3*keepSize+2, 3*keepSize+3)
	if got := text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A run can be ended while /proc is still being read.
func TestStopWhileSeeding(t *testing.T) {
	stop := make(chan struct{})
	src := &script{}
	p, text := newPipeline(t, src)
	p.stop, p.seeds = stop, make(chan func())
	close(stop)
	if err := p.run(time.Minute); err != nil {
		t.Fatal(err)
	}
	text()
}

// Messages and wake-ups are taken in while the loop sleeps.
func TestMail(t *testing.T) {
	stop, mail := make(chan struct{}), make(chan func(), 1)
	src := &script{c: make(chan struct{}, 1)}
	p, text := newPipeline(t, src)
	p.stop, p.mail = stop, mail
	p.state.Seed(task(100, "cat"))
	mail <- func() {
		src.live = append(src.live, openat(100, second, "/etc/shadow", schema.ORdonly).Bytes())
		src.c <- struct{}{}
		end := sync.OnceFunc(func() { close(stop) })
		src.dry = func() {
			if p.num == 1 {
				end()
			}
		}
	}
	if err := p.run(time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := text(); strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestBacklog(t *testing.T) {
	b := backlog{limit: 2 * chunkBytes}
	var ev event.Event
	rec := eventtest.New(schema.WriteX).Tid(7).Set("res", 1).Set("data", bytes.Repeat([]byte("x"), 10_000)).Set("fd", 1).Set("size", 1).Bytes()
	ext := []byte("\x01\x00\x05\x00/etc\x00")
	pushed := 0
	for ; b.lost < 3; pushed++ {
		if _, err := ev.Decode(rec); err != nil {
			t.Fatal(err)
		}
		ev.TS, ev.CPU, ev.Flags = uint64(pushed), pushed%4, event.PrefixFlags(pushed%3)
		if pushed%2 == 1 {
			ev.SetExt(ext)
		}
		b.push(&ev)
	}
	kept := pushed - 3
	if kept < 2*chunkBytes/len(rec)-4 || kept > 2*chunkBytes/len(rec) {
		t.Errorf("%d records of %d bytes were kept", kept, len(rec))
	}
	for i := range kept {
		if !b.pop(&ev) || ev.TS != uint64(i) || ev.CPU != i%4 || ev.Flags != event.PrefixFlags(i%3) || ev.Tid != 7 || !bytes.Equal(ev.Raw(), rec) || (i%2 == 1) != bytes.Equal(ev.Ext(), ext) {
			t.Fatalf("record %d came back as %+v", i, ev)
		}
	}
	if b.pop(&ev) || b.size != 0 || len(b.chunks) != 0 {
		t.Errorf("something is left: %d bytes", b.size)
	}
	b.push(&ev)
	if !b.pop(&ev) {
		t.Error("an empty backlog takes nothing in any more")
	}
}

// quiet is a second in the life of a machine that breaks no rule.
func quiet() (records [][]byte) {
	add := func(b ...*eventtest.Builder) {
		for _, b := range b {
			records = append(records, b.Bytes())
		}
	}
	ts := second
	for i := range 16 {
		ts += 1000
		name := fmt.Sprintf("/usr/lib/x86_64-linux-gnu/lib%d.so", i)
		add(openat(100, ts, name, schema.ORdonly), closeFD(100, ts+1),
			openat(100, ts+2, "relative/path", schema.OWronly), closeFD(100, ts+3),
			eventtest.New(schema.GenericX).Tid(100).TS(ts+4).Set("ID", int(schema.ScGetpid)).Set("nativeID", 39),
			eventtest.New(schema.ChdirX).Tid(100).TS(ts+5).Set("res", 0).Set("path", "/root"))
	}
	return records
}

// The event path allocates nothing as long as no rule matches.
func TestAllocations(t *testing.T) {
	p, done := newPipeline(t, &script{})
	defer done()
	p.state.Seed(task(1, "init"))
	p.state.Seed(task(100, "cat"))
	p.state.Seeded()
	records := quiet()
	round := func() {
		for _, r := range records {
			if _, err := p.ev.Decode(r); err != nil {
				t.Fatal(err)
			}
			p.turn(&p.ev)
		}
	}
	round() // paths and descriptors have been seen once
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations for %d events", n, len(records))
	}
	for i, n := range p.counts {
		if n != 0 {
			t.Errorf("%s matched", p.rules.Rules[i].Name)
		}
	}
}

func BenchmarkTurn(b *testing.B) {
	p, done := newPipeline(b, &script{})
	defer done()
	p.state.Seed(task(1, "init"))
	p.state.Seed(task(100, "cat"))
	p.state.Seeded()
	records := quiet()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := p.ev.Decode(records[i%len(records)]); err != nil {
			b.Fatal(err)
		}
		p.turn(&p.ev)
	}
}

// An event that no rule and no table wants costs one look for its thread, and nothing else.
func TestUnwanted(t *testing.T) {
	p, done := newPipeline(t, &script{})
	defer done()
	set, results := rules.Load([]rules.File{{Name: "one", Content: []byte("- {rule: one, desc: x, condition: evt.type=execve, output: x, priority: INFO}")}},
		rules.Options{Priority: rules.Debug})
	if set == nil {
		t.Fatal(results[0].Text(true))
	}
	p.swap(set)
	p.state.Seed(task(100, "cat"))
	p.state.Seeded()
	turn := func(b *eventtest.Builder) {
		t.Helper()
		if _, err := p.ev.Decode(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		p.ev.Num = 0
		p.turn(&p.ev)
	}
	ts := 5 * second
	turn(openat(100, ts, "/etc/hosts", schema.ORdonly))
	before, num, shown := p.state.Stats(), p.num, p.shown
	for i, b := range []*eventtest.Builder{
		eventtest.New(schema.LseekX).Set("res", 7).Set("fd", 3),
		eventtest.New(schema.FstatX).Set("res", 0).Set("fd", 3),
		eventtest.New(schema.IoctlX).Set("res", 0).Set("fd", 3),
		eventtest.New(schema.GenericX).Set("ID", int(schema.ScGetpid)).Set("nativeID", 39),
		eventtest.New(schema.MkdirX).Set("res", 0).Set("path", "/tmp/x"),
	} {
		if turn(b.Tid(100).TS(ts + uint64(i))); p.ev.Num != num+uint64(i)+1 {
			t.Errorf("event %d has the number %d", i, p.ev.Num)
		}
	}
	want := before
	want.ThreadHits += 5
	if diff := cmp.Diff(want, p.state.Stats()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if p.num != num+5 || p.shown != shown+5 {
		t.Errorf("%d events, %d shown", p.num-num, p.shown-shown)
	}

	// What a table wants, and who nobody knows, goes the long way.
	turn(closeFD(100, ts+10))
	turn(eventtest.New(schema.LseekX).Set("res", 7).Set("fd", 3).Tid(101).TS(ts + 11))
	if s := p.state.Stats(); s.FDs != before.FDs-1 || s.Fakes != before.Fakes+1 {
		t.Errorf("%d descriptors of %d, %d place holders", s.FDs, before.FDs, s.Fakes)
	}
}

// hung is a stdout that nobody reads.
type hung struct{ c chan struct{} }

func (h hung) Write(b []byte) (int, error) { <-h.c; return len(b), nil }

// A stdout that takes nothing any more does not keep the program from ending.
func TestHungStdout(t *testing.T) {
	out := hung{make(chan struct{})}
	defer close(out.c)
	var stderr bytes.Buffer
	p, done := newPipeline(t, &script{})
	done()
	log := newLogger(&stderr)
	log.to.SetOutput(&stderr)
	q := output.Start(output.NewStdout(out, false), output.Options{})
	q.Send(&alert.Alert{Message: "x"})
	d := &daemon{stdout: out, log: log, set: p.rules, cfg: &config.Config{OutputTimeout: time.Millisecond}}
	d.pipe.outputs = []*output.Queue{q}
	d.closeOutputs()
	if !strings.Contains(stderr.String(), "output channels still blocked, discarding all remaining notifications") {
		t.Errorf("told %q", stderr.String())
	}
}
