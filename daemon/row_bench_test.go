// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/merge"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/ring/ringtest"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// rowRules are those of tests/cost: calls that no rule names are not even asked for.
const rowRules = `
- rule: all
  desc: wants every call of the rows
  condition: evt.type in (getpid, read, write, newfstatat) and proc.name=nobody
  output: x
  priority: INFO
`

// benchRows are the rows of tests/cost that need one process: what the module tells of one.
var benchRows = []struct {
	name   string
	events []*eventtest.Builder
}{
	{"getpid", []*eventtest.Builder{eventtest.New(schema.GenericX).Set("ID", int(schema.ScGetpid)).Set("nativeID", 39)}},
	{"read", []*eventtest.Builder{eventtest.New(schema.ReadX).Set("res", 1).Set("data", []byte{0}).Set("fd", 3).Set("size", 1)}},
	{"write", []*eventtest.Builder{eventtest.New(schema.WriteX).Set("res", 1).Set("data", []byte{0}).Set("fd", 4).Set("size", 1)}},
	{"dup+close", []*eventtest.Builder{
		eventtest.New(schema.DupX).Set("res", 7).Set("oldfd", 3),
		eventtest.New(schema.CloseX).Set("res", 0).Set("fd", 7),
	}},
	{"open+close", []*eventtest.Builder{
		eventtest.New(schema.OpenatE).Set("dirfd", -100).Set("name", "/tmp/file").Set("flags", schema.ORdonly).Set("mode", 0),
		eventtest.New(schema.OpenatX).Set("fd", 7).Set("dirfd", -100).Set("name", "/tmp/file").Set("flags", schema.ORdonly).Set("mode", 0).Set("dev", 8).Set("ino", 77),
		eventtest.New(schema.CloseX).Set("res", 0).Set("fd", 7),
	}},
	{"open-enoent", []*eventtest.Builder{
		eventtest.New(schema.OpenatE).Set("dirfd", -100).Set("name", "/tmp/nothing").Set("flags", schema.ORdonly).Set("mode", 0),
		eventtest.New(schema.OpenatX).Set("fd", -2).Set("dirfd", -100).Set("name", "/tmp/nothing").Set("flags", schema.ORdonly).Set("mode", 0).Set("dev", 0).Set("ino", 0),
	}},
	{"fstatat", []*eventtest.Builder{eventtest.New(schema.GenericX).Set("ID", int(schema.ScNewfstatat)).Set("nativeID", 262)}},
	{"send+recv", []*eventtest.Builder{
		eventtest.New(schema.SendtoX).Set("res", 1).Set("data", []byte{0}).Set("fd", 5).Set("size", 1),
		eventtest.New(schema.RecvfromX).Set("res", 1).Set("data", []byte{0}).Set("fd", 6).Set("size", 1),
	}},
}

// rower is the way of an event from a ring of the module to the rules, as it is in a run.
type rower struct {
	cpu  *ringtest.Producer
	pipe pipeline
	kmod *kmod
	ts   uint64
}

func newRower(b testing.TB) *rower {
	text, err := os.ReadFile(given(b, "data/rules/falco_rules-5.1.0.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	set, results := rules.Load([]rules.File{{Name: "stock", Content: text}, {Name: "all", Content: []byte(rowRules)}}, rules.Options{Priority: rules.Debug})
	if set == nil {
		b.Fatal(results[0].Text(true))
	}
	t := &rower{cpu: ringtest.New(8 << 20), ts: 1_700_000_000_000_000_000}
	r, err := ring.New(0, t.cpu.Control, t.cpu.Data)
	if err != nil {
		b.Fatal(err)
	}
	t.kmod = &kmod{merge: merge.New([]*ring.Ring{r}, func() uint64 { return t.ts }), rings: map[int]*ring.Ring{0: r}, canary: &canary{tid: 4}}
	p := &t.pipe
	p.source, p.rules = t.kmod, set
	p.state = state.New(state.Options{Machine: state.Machine{Hostname: "bench", BootTime: t.ts - 3600e9}})
	p.clock = func(ts uint64) uint64 { return ts + 1e9 }
	task := func(tid, parent int64, comm string, fds int64) {
		k := &procfs.Task{ReadAt: 1, Tid: tid, Pid: tid, PPid: parent, NSTid: tid, NSPid: tid, NSPgid: tid, Pgid: tid, Sid: 1, Threads: 1, Comm: comm,
			Exe: "/files/" + comm, ExePath: "/files/" + comm, Cwd: "/", Root: "/", LoginUID: 1<<32 - 1, FDLimit: 1024, Start: t.ts - 60e9, Cgroups: []string{"cpu=/"}}
		p.state.Seed(k)
		for _, n := range []int64{0, 1, 2, 3, 4, 5, 6, 9}[:fds] {
			p.event(b, eventtest.New(schema.OpenatX).Set("fd", n).Set("dirfd", -100).Set("name", "/dev/zero").Set("flags", schema.ORdwr).Set("mode", 0).Set("dev", 8).Set("ino", 7).Tid(tid).TS(t.ts))
		}
	}
	task(1, 0, "init", 3)
	task(20, 1, "sh", 3)
	task(21, 20, "cost", 8)
	p.state.Seeded()
	return t
}

func (p *pipeline) event(b testing.TB, e *eventtest.Builder) {
	ev := e.Event()
	p.turn(ev)
}

// publish puts n rounds of a row into the ring.
func (t *rower) publish(b testing.TB, row []*eventtest.Builder, n int) {
	var records [][]byte
	for _, e := range row {
		records = append(records, e.Tid(21).Bytes())
	}
	for range n {
		for _, rec := range records {
			t.ts += 1000
			for i := range 8 {
				rec[i] = byte(t.ts >> (8 * i))
			}
			if !t.cpu.Record(rec, 0) {
				b.Fatal("the ring is full")
			}
		}
	}
}

// drain turns all that there is.
//
//go:noinline
func (t *rower) drain(b testing.TB) {
	for {
		dry, err := t.pipe.batch()
		if err != nil {
			b.Fatal(err)
		}
		if dry {
			return
		}
	}
}

// One iteration is what the daemon has to do for one row of tests/cost. For instructions by function:
//
//	go test -c -o /tmp/daemon.test ./daemon
//	GODEBUG=asyncpreemptoff=1 GOMAXPROCS=1 GOGC=off valgrind --tool=callgrind \
//	  --toggle-collect='github.com/falco-go/falco/daemon.(*rower).drain' /tmp/daemon.test -test.run NONE -test.bench Row/read$ -test.benchtime 2000x
func BenchmarkRow(b *testing.B) {
	for _, row := range benchRows {
		b.Run(row.name, func(b *testing.B) {
			t := newRower(b)
			const many = 10000
			for left := b.N; left > 0; left -= many {
				b.StopTimer()
				t.publish(b, row.events, min(left, many))
				b.StartTimer()
				t.drain(b)
			}
			if t.pipe.num == 0 {
				b.Fatal("nothing was turned")
			}
		})
	}
}
