// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/output"
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
	made  string
}

// makeOutputs returns a channel for each output that c names, and takes those of old
// that were made from the same settings: they go on as they are, but for how
// alerts look. What is left of old is no longer wanted.
func (d *daemon) makeOutputs(c *config.Config, old []channel) (now, left []channel, err error) {
	o := output.Options{
		Style: alert.Style{JSON: c.JSON, ISO8601: c.ISO8601, Output: c.JSONOutput, Message: c.JSONMessage,
			Fields: c.JSONFields, Tags: c.JSONTags, Hostname: d.hostname},
		Capacity: c.QueueCapacity,
		Empty:    c.QueueRecovery == config.RecoverEmpty,
		Timeout:  c.OutputTimeout,
		Report:   d.report(c.QueueRecovery == config.RecoverExit),
	}
	if c.Engine.Kind == config.KindReplay && c.QueueCapacity == 0 { // nothing of a capture gets lost, unless that is asked for
		o.Wait = d.stop
	}
	left = slices.Clone(old)
	add := func(on bool, settings any, sink func() (output.Sink, error)) {
		if !on || err != nil {
			return
		}
		made := fmt.Sprintf("%T %+v %d %s %v", settings, settings, c.QueueCapacity, c.QueueRecovery, c.OutputTimeout)
		if i := slices.IndexFunc(left, func(ch channel) bool { return ch.made == made }); i >= 0 {
			left[i].queue.SetStyle(o.Style)
			now, left = append(now, left[i]), slices.Delete(left, i, i+1)
			return
		}
		s, e := sink()
		if e != nil {
			err = e
			return
		}
		now = append(now, channel{output.Start(s, o), made})
	}
	type toStdout struct{ buffered bool }
	type toSyslog struct{}
	type toFile struct {
		config.FileOutput
		buffered bool
	}
	type toProgram struct {
		config.ProgramOutput
		buffered bool
	}
	type toServer struct {
		config.HTTPOutput
		json bool
	}
	add(c.File.Enabled, toFile{c.File, c.Buffered}, func() (output.Sink, error) {
		return output.NewFile(c.File.Name, c.File.KeepAlive, c.Buffered), nil
	})
	add(c.Stdout, toStdout{c.Buffered}, func() (output.Sink, error) { return output.NewStdout(d.stdout, c.Buffered), nil })
	add(c.Syslog, toSyslog{}, func() (output.Sink, error) { return output.NewSyslog(syslogSocket, "falco"), nil })
	add(c.Program.Enabled, toProgram{c.Program, c.Buffered}, func() (output.Sink, error) {
		return output.NewProgram(c.Program.Command, c.Program.KeepAlive, c.Buffered), nil
	})
	add(c.HTTP.Enabled, toServer{c.HTTP, c.JSON}, func() (output.Sink, error) {
		opt := httpOutput(c)
		if c.HTTP.Echo {
			opt.Echo = d.stdout
		}
		return output.NewHTTP(opt)
	})
	return now, left, err
}

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
		Compress: h.Compress, KeepAlive: h.KeepAlive, MaxTimeouts: h.MaxTimeouts}
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
		if s := q.Stats(); s.Dropped > 0 || s.Failed > 0 {
			d.log.warnf("Alerts: %s delivered %d, dropped %d, failed to deliver %d", s.Name, s.Sent, s.Dropped, s.Failed)
		}
	}
	return blocked
}

// closeOutputs lets the queues run empty, and prints the statistics behind the
// last alert. A stdout that takes nothing any more must not keep us from ending.
func (d *daemon) closeOutputs() {
	limit := max(d.cfg.OutputTimeout, time.Second)
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
		if p == output.Blocked {
			level = config.Critical
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
