// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// falco record: everything that the module tells, or another capture does, goes
// into a file. There are no rules and no configuration.

func recordFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "w", Aliases: []string{"write"}, Usage: "write this `FILE`, - for standard output"},
		&cli.StringFlag{Name: "e", Aliases: []string{"read"}, Usage: "take events from this `FILE` instead of the kernel module"},
		&cli.StringFlag{Name: "filter", Usage: "record what this `CONDITION` is true for, and what else has to be known of who did it"},
		&cli.StringFlag{Name: "duration", Usage: "stop after this `TIME`, as in 30s or 5m"},
		&cli.StringFlag{Name: "n", Aliases: []string{"count"}, Usage: "stop after this `NUMBER` of events"},
		&cli.StringFlag{Name: "max-size", Usage: "stop when the file has this many `MB`"},
		&cli.BoolFlag{Name: "z", Aliases: []string{"gzip"}, Usage: "compress"},
		&cli.BoolFlag{Name: "legacy", Usage: "write for readers of 2022, such as the sysdig of Debian 12"},
		&cli.StringFlag{Name: "s", Aliases: []string{"snaplen"}, Usage: "take at most this many `BYTES` of I/O data into an event"},
	}
}

// recorder is the tape of falco record.
type recorder struct {
	path    string
	opt     recordOptions
	machine capture.Machine
	state   *state.State
	end     func() // asks the run to end

	match    filter.Program
	env      *filter.Env // nil: no filter
	duration uint64      // ns of the events' time, 0 for any
	count    uint64      // events that match, 0 for any
	snaplen  int         // 0: the module's default

	rec             *recording
	began           uint64
	matched, others uint64 // events handed to rec; others for the state alone
	over            bool   // what comes now is not wanted any more
}

// runRecord is falco record.
func runRecord(c *cli.Context, d *daemon) error {
	r, err := newRecorder(c)
	if err != nil {
		return err
	}
	d.opt, d.cfg = &opts{}, &config.Config{ThreadTableSize: 262144, Containers: config.DefaultContainers()}
	d.cfg.Log.Stderr, d.cfg.Log.Level = true, config.Warning
	d.log.configure(d.cfg)
	d.stop, d.mail = make(chan struct{}), make(chan func(), 16)
	defer d.unwind()
	if err := d.handleSignals(); err != nil {
		return err
	}
	p := &d.pipe
	p.stop, p.mail, p.early.limit = d.stop, d.mail, backlogBytes
	r.end = d.end

	begin := d.beginLive
	if name := c.String("read"); name != "" {
		from, err := openReplay(name, d.stop)
		if err != nil {
			return err
		}
		p.source, r.opt.waits = from, true
		begin = func() error { return d.beginReplay(from) }
	} else {
		for i := range schema.Syscalls {
			if schema.Syscalls[i].Name != "" {
				d.calls[schema.Syscalls[i].Code] = true
			}
		}
		bytes, err := ringBytes(4)
		if err != nil {
			return err
		}
		k, err := d.openKmod(driver.Path, driver.Config{RingBytes: bytes, Snaplen: r.snaplen})
		if err != nil {
			return err
		}
		p.source = k
		if r.duration > 0 {
			t := time.AfterFunc(time.Duration(r.duration), d.end)
			defer t.Stop()
		}
	}
	d.atEnd(func() { p.source.Close() })
	if err := begin(); err != nil {
		return err
	}
	r.state, r.machine = p.state, machineOf(p.source)
	p.tapes = []tape{r}
	err = p.run(2 * time.Second)
	if from, ok := p.source.(*replay); ok {
		err = d.endReplay(from, err)
	}
	if e := r.finish(); e != nil {
		err = e
	}
	r.tell(d)
	return err
}

func newRecorder(c *cli.Context) (*recorder, error) {
	wrong := func(format string, args ...any) error {
		return &failure{form: plain, text: "record: " + fmt.Sprintf(format, args...), hint: "falco record --help lists the options"}
	}
	number := func(name string, most int) (n int, err error) {
		if text := c.String(name); text != "" {
			if n, err = strconv.Atoi(text); err != nil || n < 1 || n > most {
				err = wrong("--%s is from 1 to %d", name, most)
			}
		}
		return n, err
	}
	r := &recorder{path: c.String("write"), opt: recordOptions{compress: c.Bool("gzip"), legacy: c.Bool("legacy")}}
	if r.path == "" {
		return nil, wrong("-w says which file to write, and is missing")
	}
	n, err := number("count", math.MaxInt32)
	if err != nil {
		return nil, err
	}
	mb, err := number("max-size", 1<<20)
	if err != nil {
		return nil, err
	}
	if r.snaplen, err = number("snaplen", schema.ABISnaplenMax); err != nil {
		return nil, err
	}
	r.count, r.opt.limit = uint64(n), int64(mb)<<20
	if text := c.String("duration"); text != "" {
		t, err := time.ParseDuration(text)
		if err != nil || t <= 0 {
			return nil, wrong("%q is no duration; 30s and 5m are", text)
		}
		r.duration = uint64(t)
	}
	if text := c.String("filter"); text != "" {
		if err := r.compile(text); err != nil {
			return nil, conditionFailure(err)
		}
	}
	return r, nil
}

// compile makes the filter ready.
func (r *recorder) compile(text string) error {
	tree, err := (filter.Syntax{}).Parse(&filter.Source{Text: text})
	if err != nil {
		return err
	}
	c := filter.Compiler{Fields: filter.Catalogue{}}
	if r.match, err = c.Compile(tree); err != nil {
		return err
	}
	r.env = c.NewEnv()
	return nil
}

// stateful are the properties of events that whoever reads has to know of, also
// if the filter leaves them out.
const stateful = schema.CreatesFD | schema.DestroysFD | schema.ModifiesState

// event implements tape.
func (r *recorder) event(ev *event.Event, scene *state.Scene, _ []*rules.Rule) {
	if r.over {
		return
	}
	if r.rec == nil {
		r.begin()
		r.began = ev.TS
	}
	hidden := ev.StateOnly
	if r.env != nil && !hidden {
		if scene != nil {
			r.env.Begin(scene)
			hidden = !r.match.Match(r.env)
		} else {
			hidden = true
		}
		if hidden && ev.Info.Flags&stateful == 0 {
			return
		}
	}
	if r.duration > 0 && ev.TS > r.began+r.duration {
		r.ended()
		return
	}
	r.rec.event(ev, hidden)
	if hidden {
		r.others++
		return
	}
	r.matched++
	if r.matched == r.count || r.rec.ended() != recordRuns {
		r.ended()
	}
}

func (r *recorder) ended() {
	r.over = true
	r.end()
}

func (r *recorder) begin() {
	open := anyFile(r.path)
	if r.path == "-" {
		open = func() (io.WriteCloser, error) { return unclosed{os.Stdout}, nil }
	}
	r.rec = record(r.path, open, r.state, r.machine, r.opt)
}

// unclosed is a file that others go on using.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

func (r *recorder) tick() {
	if r.rec != nil {
		r.rec.flush()
	}
}

// failed implements tape: a disk that takes nothing any more ends the run.
func (r *recorder) failed() error {
	if r.rec == nil {
		return nil
	}
	if s := r.rec.ended(); s == recordFailed || s == recordShut {
		return &failure{form: plain, text: "record: " + r.rec.err.Error()}
	}
	return nil
}

// lastWait is how long the disk may take for the end of the file.
const lastWait = time.Minute

// finish makes the file whole. One without events holds the tables.
func (r *recorder) finish() error {
	if r.rec == nil {
		r.begin()
	}
	r.rec.close()
	if !r.rec.wait(lastWait) {
		return &failure{form: plain, text: fmt.Sprintf("record: write %s: the disk takes nothing for %v; the end of the file is missing", r.path, lastWait)}
	}
	return r.failed()
}

// tell prints what has become of everything.
func (r *recorder) tell(d *daemon) {
	s, taken := r.rec.w.Stats(), r.rec.taken.Load()
	switch r.rec.ended() {
	case recordFull:
		fmt.Fprintf(d.stderr, "Size limit reached\nEvents recorded: at least %d", taken)
	case recordFailed:
		fmt.Fprintf(d.stderr, "Events recorded: at least %d", taken)
	default:
		fmt.Fprintf(d.stderr, "Events recorded: %d", taken)
	}
	if r.others > 0 {
		fmt.Fprintf(d.stderr, ", of these %d for the state alone", r.others)
	}
	fmt.Fprintf(d.stderr, "; %d bytes in %s\n", r.rec.bytes.Load(), r.path)
	for _, c := range []struct {
		what string
		n    uint64
	}{
		{"for the disk was too slow", r.rec.lost},
		{"for they are too big for the format", s.TooBig}, {"for readers of 2022 do not know them", s.Unknown},
		{"while /proc was read", d.pipe.early.lost},
	} {
		if c.n > 0 {
			fmt.Fprintf(d.stderr, "Not recorded: %d events, %s\n", c.n, c.what)
		}
	}
	if _, live := d.pipe.source.(*kmod); live {
		if l, err := d.pipe.source.Ledger(); err == nil {
			fmt.Fprintln(d.stderr, l)
		}
	}
}
