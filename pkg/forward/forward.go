// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falco-go/falco/pkg/forward/consume"
	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/settings"
	"github.com/falco-go/falco/pkg/spool"
)

// Options are what a Forwarder needs beside its settings.
type Options struct {
	Log     Logger           // nil: silence
	Now     func() time.Time // nil: time.Now
	Version string
	// Outcome, if set, is told what has become of events at an output, at once and by many
	// goroutines: it must not block.
	Outcome func([]Outcome)
}

// Outcome is what has become of an event at an output.
type Outcome struct {
	UUID, Output string
	Attempts     int
	Err          error // why it is a dead letter; nil: delivered
	At           time.Time
}

// Forwarder is a forwarder at work.
type Forwarder struct {
	log     Logger
	now     func() time.Time
	version string
	metrics *metrics
	outcome func([]Outcome)

	sp      *spool.Spool
	dir     string
	memory  string // a folder to be removed at the end
	recent  recent
	known   lockedSeen // UUIDs that came in
	started time.Time

	live atomic.Pointer[running]

	mu      sync.Mutex // held while outputs come and go
	ledgers map[string]*ledger
	born    map[string]time.Time
	closed  bool

	requests inputs
	consumed []*inputs   // from elsewhere
	refusing atomic.Bool // the spool has refused, and taken nothing since
}

// running is what a reload replaces at once.
type running struct {
	cfg    *Config
	enrich *enricher
	outs   []*delivery // in the order of the settings
	meters []*meter

	consumers []*consume.Consumer
}

// meter is an output that is told counts.
type meter struct {
	output.Meter
	inst *Instance
	sig  string
}

// saveEach is how old what is written down of deliveries may be: that much is sent again after a crash.
const saveEach = 100 * time.Millisecond

// outputNames is the file in which the names of outputs are kept: what has begun when, and who
// is gone.
const outputNames = "outputs.json"

// New opens the spool and makes all outputs; nothing runs yet. Its error may be several,
// joined.
func New(cfg *Config, opt Options) (*Forwarder, error) {
	f := &Forwarder{log: opt.Log, now: opt.Now, version: opt.Version, outcome: opt.Outcome, ledgers: map[string]*ledger{}, born: map[string]time.Time{},
		known: lockedSeen{s: newSeen(maxKeys)}, dir: cfg.StateDir, started: time.Now(), requests: inputs{name: "requests"}, consumed: []*inputs{{name: "nats"}, {name: "kafka"}}}
	if f.log == nil {
		f.log = silent{}
	}
	if f.now == nil {
		f.now = time.Now
	}
	f.metrics = newMetrics(cfg, f)
	run, err := f.make(cfg, nil)
	if err != nil {
		return nil, err
	}
	if err := f.openSpool(cfg, run); err != nil {
		f.discard(run)
		return nil, err
	}
	if err := f.attach(run); err != nil {
		f.discard(run)
		return nil, errors.Join(err, f.sp.Close())
	}
	if err := f.remember(); err != nil {
		f.log.Warnf("spool: %v; an event that was here before may come twice", err)
	}
	f.live.Store(run)
	return f, nil
}

// Validate makes all outputs and throws them away.
func Validate(cfg *Config) error {
	f := &Forwarder{log: silent{}, now: time.Now, dir: cfg.StateDir}
	run, err := f.make(cfg, nil)
	if err == nil {
		f.discard(run)
	}
	return err
}

func (f *Forwarder) openSpool(cfg *Config, run *running) error {
	s := &cfg.Spool
	opt := spool.Options{Save: saveEach, Segment: s.Segment, Max: s.MaxBytes, Full: spool.DropOrdinary, Keep: event.Critical.Class(),
		Report: func(err error) { f.log.Errorf("spool: %v", err) }}
	switch s.OnOverflow {
	case "drop_oldest":
		opt.Full = spool.DropOldest
	case "block":
		opt.Full = spool.Refuse
	}
	dir := filepath.Join(cfg.StateDir, "spool")
	switch s.Sync {
	case "always":
		opt.Sync = spool.Always
	case "interval":
		opt.Sync = max(s.Interval, time.Millisecond)
	case "memory":
		opt.Sync = time.Hour
		where := "/dev/shm"
		if _, err := os.Stat(where); err != nil {
			where = ""
		}
		tmp, err := os.MkdirTemp(where, "falcosidekick-")
		if err != nil {
			return err
		}
		f.memory, f.dir = tmp, tmp
		dir = filepath.Join(tmp, "spool")
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	for _, d := range run.outs {
		opt.Readers = append(opt.Readers, d.inst.ID)
	}
	names := f.loadNames()
	for name := range names { // those who are gone count until they are forgotten
		if !slices.Contains(opt.Readers, name) {
			opt.Readers = append(opt.Readers, name)
		}
	}
	sp, err := spool.Open(dir, opt)
	if err != nil {
		return err
	}
	f.sp, f.born = sp, names
	return nil
}

func (f *Forwarder) loadNames() map[string]time.Time {
	names := map[string]time.Time{}
	text, err := os.ReadFile(filepath.Join(f.dir, outputNames))
	if err == nil {
		err = json.Unmarshal(text, &names)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.log.Warnf("%s: %v; outputs that are new begin with the oldest event there is", outputNames, err)
	}
	for n := range names {
		if !validID(n) {
			delete(names, n)
		}
	}
	return names
}

func (f *Forwarder) saveNames() error {
	text, err := json.Marshal(f.born)
	if err != nil {
		return err
	}
	name := filepath.Join(f.dir, outputNames)
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// make makes the outputs of cfg; those that are in old with the same settings go on.
func (f *Forwarder) make(cfg *Config, old *running) (*running, error) {
	run := &running{cfg: cfg, enrich: newEnricher(cfg, f.log)}
	var errs []error
	for _, inst := range cfg.Instances {
		sig := f.signature(cfg, inst, run.enrich)
		if d, m := old.find(inst.ID, sig); d != nil {
			run.outs = append(run.outs, d)
			continue
		} else if m != nil {
			run.meters = append(run.meters, m)
			continue
		}
		out, err := open(inst, f.env(cfg, inst, run.enrich))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", inst.Title(), err))
			continue
		}
		if m, ok := out.(output.Meter); ok {
			run.meters = append(run.meters, &meter{m, inst, sig})
			continue
		}
		d := &delivery{f: f, inst: inst, out: out, sig: sig}
		d.adjust()
		run.outs = append(run.outs, d)
	}
	if err := f.consumers(cfg, run, old); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		f.discard(run)
		return nil, errors.Join(errs...)
	}
	return run, nil
}

// open makes an output, whatever its constructor does.
func open(inst *Instance, env *output.Env) (out output.Output, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return inst.Kind.New(inst.Config, env)
}

func (f *Forwarder) env(cfg *Config, inst *Instance, x *enricher) *output.Env {
	e := &output.Env{
		Name: inst.ID, Title: inst.Title(), Version: f.version, StateDir: filepath.Join(cfg.StateDir, "outputs", inst.ID), Log: f.log, Now: f.now,
		Labels: x.labels(), Enabled: func() []string { return titles(cfg) }, Bracket: cfg.Bracket,
		TLS: output.TLS{FilesPath: cfg.MutualTLSFilesPath, CertFile: cfg.MutualTLSClient.CertFile, KeyFile: cfg.MutualTLSClient.KeyFile,
			CACertFile: cfg.MutualTLSClient.CACertFile, ExtraCA: cfg.TLSClient.CACertFile},
	}
	return e
}

// titles are the names of all outputs, as the log has them.
func titles(cfg *Config) []string {
	out := []string{}
	for _, i := range cfg.Instances {
		out = append(out, i.Title())
	}
	return out
}

// signature tells whether an output has to be made anew.
func (f *Forwarder) signature(cfg *Config, inst *Instance, x *enricher) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %v %v %v %q %q", inst.Kind.Name, inst.Minimum, cfg.MutualTLSClient, cfg.TLSClient, cfg.MutualTLSFilesPath, x.labels())
	fmt.Fprint(h, settings.Signature(inst.Config), settings.Signature(&inst.Delivery), inst.routeText, titles(cfg))
	return string(h.Sum(nil))
}

func (r *running) find(id, sig string) (*delivery, *meter) {
	if r == nil {
		return nil, nil
	}
	for _, d := range r.outs {
		if d.inst.ID == id && d.sig == sig {
			return d, nil
		}
	}
	for _, m := range r.meters {
		if m.inst.ID == id && m.sig == sig {
			return nil, m
		}
	}
	return nil, nil
}

// discard closes outputs that have never run.
func (f *Forwarder) discard(run *running) {
	for _, d := range run.outs {
		if d.done == nil {
			d.closeOutput()
		}
	}
	for _, m := range run.meters {
		m.Close()
	}
}

// attach gives each new output its place in the spool, its books and its dead letters.
func (f *Forwarder) attach(run *running) error {
	for _, d := range run.outs {
		if d.r != nil {
			continue
		}
		id := d.inst.ID
		r, err := f.sp.Reader(id)
		if err != nil {
			return err
		}
		if d.dead, err = openDead(filepath.Join(f.dir, "dlq", id), d.inst.Delivery.DeadBytes); err != nil {
			return err
		}
		d.r = r
		if d.ledger = f.ledgers[id]; d.ledger == nil {
			d.ledger = newLedger()
			d.ledger.b.Started = r.Stats().Pending
			f.ledgers[id] = d.ledger
		}
		if _, ok := f.born[id]; !ok {
			f.born[id] = f.now()
		}
		d.born = f.born[id]
	}
	for name := range f.born {
		if !slices.ContainsFunc(run.outs, func(d *delivery) bool { return d.inst.ID == name }) {
			if r, err := f.sp.Reader(name); err == nil {
				if n := r.Stats().Pending; n > 0 {
					f.log.Warnf("%s: is not configured any more; %d events that waited for it are dropped", name, n)
				}
			}
			if err := f.sp.Forget(name); err != nil {
				f.log.Warnf("%s: %v", name, err)
				continue
			}
			delete(f.born, name)
			delete(f.ledgers, name)
		}
	}
	return f.saveNames()
}

// Start lets the outputs run.
func (f *Forwarder) Start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	run := f.live.Load()
	f.log.Infof("Enabled Outputs : %v", titles(run.cfg))
	for _, i := range run.cfg.Instances {
		if i.Kind.Gone != "" {
			f.log.Warnf("%s %s", i.Title(), i.Kind.Gone)
		}
	}
	for _, d := range run.outs {
		d.start()
	}
	for _, c := range run.consumers {
		c.Start()
	}
}

// Drain waits until all that was accepted is dealt with, or ctx is done. It returns how many events
// still wait, for the output that has the most.
func (f *Forwarder) Drain(ctx context.Context) (left uint64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left = 0
		for _, d := range f.live.Load().outs {
			left = max(left, d.r.Stats().Pending)
		}
		if left == 0 {
			return 0
		}
		select {
		case <-ctx.Done():
			return left
		case <-tick.C:
		}
	}
}

// Close ends the outputs, and closes the spool. What is not delivered stays in it.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	run := f.live.Load()
	stopConsumers(run)
	var wg sync.WaitGroup
	for _, d := range run.outs {
		if d.done != nil {
			wg.Go(d.stop)
		} else {
			d.closeOutput()
		}
	}
	wg.Wait()
	for _, m := range run.meters {
		m.Close()
	}
	err := f.sp.Close()
	if f.memory != "" {
		err = errors.Join(err, os.RemoveAll(f.memory))
	}
	return err
}

// count tells the meters.
func (f *Forwarder) count(name string, n int, tags ...output.Tag) {
	if run := f.live.Load(); run != nil {
		for _, m := range run.meters {
			m.Count(name, n, tags...)
		}
	}
}
