// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
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
	queues, err := d.makeOutputs(d.cfg)
	if err != nil {
		return err
	}
	d.pipe.outputs, d.pipe.limit = queues, newLimiter(d.cfg, d.log)
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

// makeOutputs starts a queue for each output that c names.
func (d *daemon) makeOutputs(c *config.Config) ([]*output.Queue, error) {
	var sinks []output.Sink
	if c.File.Enabled {
		sinks = append(sinks, output.NewFile(c.File.Name, c.File.KeepAlive, c.Buffered))
	}
	if c.Stdout {
		sinks = append(sinks, output.NewStdout(d.stdout, c.Buffered))
	}
	if c.Syslog {
		sinks = append(sinks, output.NewSyslog(syslogSocket, "falco"))
	}
	if c.Program.Enabled {
		sinks = append(sinks, output.NewProgram(c.Program.Command, c.Program.KeepAlive, c.Buffered))
	}
	if c.HTTP.Enabled {
		opt := httpOutput(c)
		if c.HTTP.Echo {
			opt.Echo = d.stdout
		}
		s, err := output.NewHTTP(opt)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, s)
	}
	o := output.Options{
		Style: alert.Style{JSON: c.JSON, ISO8601: c.ISO8601, Output: c.JSONOutput, Message: c.JSONMessage,
			Fields: c.JSONFields, Tags: c.JSONTags, Hostname: d.hostname},
		Capacity: c.QueueCapacity,
		Empty:    c.QueueRecovery == config.RecoverEmpty,
		Timeout:  c.OutputTimeout,
		Report:   d.report,
	}
	if c.Engine.Kind == config.KindReplay && c.QueueCapacity == 0 { // nothing of a capture gets lost, unless that is asked for
		o.Wait = d.stop
	}
	var queues []*output.Queue
	for _, s := range sinks {
		queues = append(queues, output.Start(s, o))
	}
	return queues, nil
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
	d.closeQueues(d.pipe.outputs, max(d.cfg.OutputTimeout, time.Second))
	d.log.debugf("closing inspectors")
	if d.silent {
		return
	}
	for _, q := range d.pipe.outputs {
		if s := q.Stats(); s.Name == "stdout" && s.Stuck {
			return
		}
	}
	printStatistics(d.stdout, d.set.Rules, d.pipe.counts)
}

// report puts what an output has to say into the log.
func (d *daemon) report(p output.Problem, text string) {
	level := config.ErrorLevel
	if p == output.Blocked {
		level = config.Critical
	}
	d.log.say(level, "%s", text)
	if p == output.Full && d.cfg.QueueRecovery == config.RecoverExit {
		d.fail(&failure{form: block, text: "Outputs queue out of memory", hint: "outputs_queue.recovery: continue drops and counts instead"})
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
