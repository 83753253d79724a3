// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/output"
	"github.com/falco-go/falco/pkg/spool"
)

// startOutputs makes the queues; at the end they are emptied, and then the
// statistics follow the last alert.
func (d *daemon) startOutputs() error {
	if err := checkOutputs(d.cfg); err != nil {
		return err
	}
	d.hostname, _ = os.Hostname()
	for _, name := range []string{"FALCO_HOSTNAME", "FALCO_GRPC_HOSTNAME"} {
		if h := os.Getenv(name); h != "" {
			d.hostname = h
			d.log.infof("Hostname value has been overridden via environment variable to: %s", h)
			break
		}
	}
	if d.opt.dryRun {
		d.log.debugf("Skipping outputs initialization in dry-run")
		return nil
	}
	list, _, err := d.makeOutputs(d.cfg, nil)
	if err != nil {
		return err
	}
	d.useOutputs(list)
	d.pipe.limit = newLimiter(d.cfg, d.log)
	d.atEnd(d.closeOutputs)
	return nil
}

func checkOutputs(c *config.Config) error {
	if !c.Stdout && !c.Syslog && !c.File.Enabled && !c.Program.Enabled && !c.HTTP.Enabled {
		return &failure{form: block, text: "No output configured, please make sure at least one output is configured and enabled.",
			hint: "stdout_output.enabled: true"}
	}
	if c.HTTP.Enabled {
		if _, err := output.NewHTTP(httpOutput(c)); err != nil {
			return &failure{form: block, text: "http_output.url: " + err.Error()}
		}
	}
	return nil
}

// channel is an output with the settings that it was made from.
type channel struct {
	queue *output.Queue
	name  string
	made  string
	spool bool
}

// wanted is an output that a configuration names.
type wanted struct {
	name     string
	spool    bool
	settings any
	sink     func() (output.Sink, error)
}

// wantedOutputs lists them, in their order. With a spool nothing is buffered: what is
// not delivered yet must not count as that.
func (d *daemon) wantedOutputs(c *config.Config) (list []wanted) {
	add := func(on bool, w wanted) {
		if on {
			list = append(list, w)
		}
	}
	buffered := func(spool bool) bool { return c.Buffered && !spool }
	add(c.File.Enabled, wanted{"file", c.File.Spool, []any{c.File, c.Buffered}, func() (output.Sink, error) {
		return output.NewFile(c.File.Name, c.File.KeepAlive, buffered(c.File.Spool)), nil
	}})
	add(c.Stdout, wanted{"stdout", c.StdoutSpool, c.Buffered, func() (output.Sink, error) {
		return output.NewStdout(d.stdout, buffered(c.StdoutSpool)), nil
	}})
	add(c.Syslog, wanted{"syslog", c.SyslogSpool, nil, func() (output.Sink, error) { return output.NewSyslog(syslogSocket, "falco"), nil }})
	add(c.Program.Enabled, wanted{"program", c.Program.Spool, []any{c.Program, c.Buffered}, func() (output.Sink, error) {
		return output.NewProgram(c.Program.Command, c.Program.KeepAlive, buffered(c.Program.Spool), c.Program.Spool), nil
	}})
	add(c.HTTP.Enabled, wanted{"http", c.HTTP.Spool, []any{c.HTTP, c.JSON}, func() (output.Sink, error) {
		opt := httpOutput(c)
		if c.HTTP.Echo {
			opt.Echo = d.stdout
		}
		return output.NewHTTP(opt)
	}})
	return list
}

// makeOutputs returns a channel for each output that c names. Those of old that
// stay go on: as they are, or with another sink behind what they have in their queue. What
// is left of old is no longer wanted.
func (d *daemon) makeOutputs(c *config.Config, old []channel) (now, left []channel, err error) {
	o := output.Options{
		Style: alert.Style{JSON: c.JSON, ISO8601: c.ISO8601, Output: c.JSONOutput, Message: c.JSONMessage,
			Fields: c.JSONFields, Tags: c.JSONTags, UUID: c.JSONUUID, Hostname: d.hostname},
		Capacity: c.QueueCapacity,
		Empty:    c.QueueRecovery == config.RecoverEmpty,
		Timeout:  c.OutputTimeout,
		Report:   d.report(c.QueueRecovery == config.RecoverExit),
	}
	if c.Engine.Kind == config.KindReplay && c.QueueCapacity == 0 { // nothing of a capture gets lost, unless that is asked for
		o.Wait = d.stop
	}
	type step struct {
		wanted
		made string
		sink output.Sink
		old  *channel
	}
	left = slices.Clone(old)
	var steps []step
	for _, w := range d.wantedOutputs(c) { // what can fail comes first
		s := step{wanted: w, made: fmt.Sprintf("%+v %d %s %v", w.settings, c.QueueCapacity, c.QueueRecovery, c.OutputTimeout)}
		if i := slices.IndexFunc(left, func(ch channel) bool { return ch.name == w.name && ch.spool == w.spool }); i >= 0 {
			ch := left[i]
			s.old, left = &ch, slices.Delete(left, i, i+1)
		}
		if s.old == nil || s.old.made != s.made {
			if s.sink, err = w.sink(); err != nil {
				return nil, nil, err
			}
		}
		steps = append(steps, s)
	}
	for _, s := range steps {
		opt := o
		if s.spool {
			opt.Style.UUID = true
			opt.MaxAge = c.Spool.MaxAge
			if opt.Spool, err = d.spoolOf(c, s.name, old == nil); err != nil {
				for _, ch := range now {
					ch.queue.Close(0)
				}
				return nil, nil, err
			}
		}
		if opt.Style.UUID && d.pipe.ids == nil {
			d.pipe.ids = alert.NewIDs()
		}
		ch := channel{name: s.name, made: s.made, spool: s.spool}
		switch {
		case s.old == nil:
			ch.queue = output.Start(s.sink, opt)
		case s.sink != nil:
			ch.queue = s.old.queue
			ch.queue.Replace(s.sink, opt, closeLimit(c))
		default:
			ch.queue = s.old.queue
			ch.queue.SetStyle(opt.Style)
		}
		now = append(now, ch)
	}
	return now, left, nil
}

// spoolOf returns what opens the spool of an output. At the start it is open
// already: then an error is one of the start.
func (d *daemon) spoolOf(c *config.Config, name string, start bool) (func() (*spool.Spool, error), error) {
	dir := filepath.Join(c.Spool.Path, name)
	opt := output.SpoolOptions(spool.Options{
		Max: int64(c.Spool.Megabytes) << 20, MaxAge: c.Spool.MaxAge, Sync: time.Duration(c.Spool.SyncMs) * time.Millisecond,
		Report: func(err error) { d.log.errorf("%s: %v", name, err) },
	})
	if c.Spool.SyncMs == 0 {
		opt.Sync = spool.Always
	}
	if !start {
		return func() (*spool.Spool, error) { return spool.Open(dir, opt) }, nil
	}
	s, err := spool.Open(dir, opt)
	if err != nil {
		return nil, &failure{form: block, text: fmt.Sprintf("%s_output.spool: %v", name, err), hint: "outputs_spool.path names the folder"}
	}
	if n := output.Waiting(s); n > 0 {
		d.log.infof("%s: %d alerts of an earlier run wait in %s, and go first", name, n, dir)
	}
	return func() (*spool.Spool, error) { return s, nil }, nil
}

// spools reports whether alerts wait on disk.
func spools(c *config.Config) bool {
	return c.Stdout && c.StdoutSpool || c.Syslog && c.SyslogSpool || c.File.Enabled && c.File.Spool || c.Program.Enabled && c.Program.Spool ||
		c.HTTP.Enabled && c.HTTP.Spool
}

func closeLimit(c *config.Config) time.Duration { return max(c.OutputTimeout, time.Second) }

// replayLimit is for how long an output may take nothing at the end of a capture,
// if nobody has asked us to end: the machine may be busy with other things.
const replayLimit = 10 * time.Second

// useOutputs makes the loop send to these.
func (d *daemon) useOutputs(list []channel) {
	d.channels = list
	queues := make([]*output.Queue, len(list))
	for i, ch := range list {
		queues[i] = ch.queue
	}
	d.pipe.outputs = queues
}

func httpOutput(c *config.Config) output.HTTP {
	h := &c.HTTP
	kind := "text/plain"
	if c.JSON {
		kind = "application/json"
	}
	return output.HTTP{URL: h.URL, UserAgent: h.UserAgent, ContentType: kind, Insecure: h.Insecure,
		CAFile: h.CACert, CABundle: h.CABundle, CADir: h.CAPath, MTLS: h.MTLS, CertFile: h.ClientCert, KeyFile: h.ClientKey,
		Compress: h.Compress, KeepAlive: h.KeepAlive, MaxTimeouts: h.MaxTimeouts, Answers: h.Spool}
}

// closeQueues lets queues run empty, all of them at the same time. It reports
// whether one of them is blocked.
func (d *daemon) closeQueues(queues []*output.Queue, limit time.Duration) (blocked bool) {
	done := make(chan bool, len(queues))
	for _, q := range queues {
		go func() { done <- q.Close(limit) }()
	}
	for range queues {
		if !<-done {
			blocked = true
		}
	}
	if blocked {
		d.log.noticef("output channels still blocked, discarding all remaining notifications")
	}
	for _, q := range queues {
		d.tellBooks(q.Stats())
	}
	return blocked
}

// tellBooks says what has become of the alerts for an output, if not all of them
// are delivered.
func (d *daemon) tellBooks(s output.Stats) {
	if lost := s.Capped + s.Aged + s.Damaged; s.Dropped > 0 || s.Failed > 0 || lost > 0 {
		text := fmt.Sprintf("Alerts: %s delivered %d, dropped %d, failed to deliver %d", s.Name, s.Sent, s.Dropped, s.Failed)
		if s.HasSpool {
			text += fmt.Sprintf("; of the spool %d had no room, %d were too old, %d could not be read", s.Capped, s.Aged, s.Damaged)
		}
		d.log.warnf("%s", text)
	}
	if s.Spooled > 0 {
		d.log.noticef("%s: %d alerts stay in the spool, for the next run", s.Name, s.Spooled)
	}
}

// closeOutputs lets the queues run empty, and prints the statistics behind the
// last alert. A stdout that takes nothing any more must not keep us from ending.
func (d *daemon) closeOutputs() {
	limit := closeLimit(d.cfg)
	if d.cfg.Engine.Kind == config.KindReplay && !d.asked.Load() { // a capture has time, and signals end us from here on
		limit = max(limit, replayLimit)
		for _, q := range d.pipe.outputs {
			if q.Stats().Name == "stdout" {
				q.Close(math.MaxInt64) // the reader may be a pager
			}
		}
	}
	d.closeQueues(d.pipe.outputs, limit)
	d.closing.Wait() // those that a reload has replaced; each has its own limit
	d.log.debugf("closing inspectors")
	if d.silent {
		return
	}
	for _, q := range d.pipe.outputs {
		if s := q.Stats(); s.Name == "stdout" && s.Stuck {
			return
		}
	}
	var list []tally
	if d.pipe.rules != nil {
		list = d.pipe.tallies()
	}
	printStatistics(d.stdout, append(list, d.retired...))
}

// report returns what puts into the log what an output has to say. A full queue
// may be the end.
func (d *daemon) report(exit bool) func(output.Problem, string) {
	return func(p output.Problem, text string) {
		level := config.ErrorLevel
		switch p {
		case output.Blocked:
			level = config.Critical
		case output.Works:
			level = config.Info
		}
		d.log.say(level, "%s", text)
		if p == output.Full && exit {
			d.fail(&failure{form: block, text: "Outputs queue out of memory", hint: "outputs_queue.recovery: continue drops and counts instead"})
		}
	}
}

// limiter drops alerts beyond a rate (outputs.rate).
type limiter struct {
	bucket  bucket
	log     *logger
	dropped uint64
}

func newLimiter(c *config.Config, log *logger) *limiter {
	if !(c.Rate.PerSecond > 0) {
		return nil
	}
	return &limiter{bucket: bucket{rate: c.Rate.PerSecond, size: c.Rate.Burst}, log: log}
}

func (l *limiter) take(a *alert.Alert) bool {
	if l.bucket.take(a.TimeNs) {
		return true
	}
	l.dropped++
	l.log.debugf("Skipping rate-limited notification for rule %s", a.Rule)
	return false
}

// bucket is a token bucket in whatever time it is given. It begins full.
type bucket struct {
	rate, size float64 // tokens a second, and at most
	tokens     float64
	last       uint64 // ns, 0 before the first call
}

func (b *bucket) take(now uint64) bool {
	switch {
	case b.last == 0:
		b.tokens = b.size
	case now > b.last:
		b.tokens = min(b.size, b.tokens+b.rate*float64(now-b.last)/1e9)
	}
	b.last = max(b.last, now, 1)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
