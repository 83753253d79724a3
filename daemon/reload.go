// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/output"
)

// A reload (SIGHUP, or a file that has changed) goes in two steps:
//
//	beside the loop   read configuration and rules anew, all of them, aside. An
//	                  error ends it: it is told, and what runs goes on.
//	in the loop       between two events: other rules, other outputs. Tables,
//	                  rings, captures, counts and outputs that did not change go on.
//
// Nothing is stopped in between, so no event is missed and none is seen twice.

// reloadQuiet is for how long nothing more must be heard of changes: editors and
// package managers write more than one file. reloadPatience is for how long a
// reload waits for whoever writes one of them: what is read of it may be half of it,
// or nothing at all.
const (
	reloadQuiet    = 100 * time.Millisecond
	reloadPatience = 10 * time.Second
)

// reloader is what a daemon needs for it.
type reloader struct {
	want  chan struct{}
	files *watcher // nil if files are not watched
}

// trigger asks for a reload; it may be called from anywhere.
func (r *reloader) trigger() {
	select {
	case r.want <- struct{}{}:
	default: // one is due already
	}
}

// watchFiles starts to look for changes.
func (d *daemon) watchFiles() error {
	if d.cfg.WatchFiles {
		w, err := newWatcher(d.reload.trigger, d.log)
		if err == nil {
			err = w.watch(d.watched(), d.readAt)
		}
		if err != nil {
			return &failure{form: block, text: err.Error(), hint: "watch_config_files: false does without"}
		}
		d.reload.files = w
		go w.run()
		d.atEnd(w.close)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.reloads()
	}()
	d.atEnd(func() { // it must not touch what is about to end
		d.end()
		<-done
	})
	return nil
}

// watched lists the files and folders that a reload would read.
func (d *daemon) watched() (paths []string) {
	if d.path != "" {
		paths = append(paths, d.path)
	}
	paths = append(paths, d.cfg.Includes...)
	if len(d.opt.rules) > 0 {
		return append(paths, d.opt.rules...)
	}
	return append(paths, d.cfg.RulesFiles...)
}

// reloads runs beside the loop.
func (d *daemon) reloads() {
	for {
		select {
		case <-d.stop:
			return
		case <-d.reload.want:
		}
		var next *daemon
		var err error
		began := time.Now()
		for quiet := false; !quiet; {
			if d.paused(reloadQuiet) {
				return
			}
			before := picture(d.watched())
			next, err = d.prepare()
			if d.paused(reloadQuiet) {
				return
			}
			select {
			case <-d.reload.want: // what has been read is not what is there now
			default:
				name, busy := writtenNow(d.watched())
				late := time.Since(began) > reloadPatience
				quiet = picture(d.watched()) == before && (!busy || late)
				switch {
				case busy && quiet:
					d.log.warnf("%s has been open for writing for %v, and is read as it is", name, reloadPatience)
				case busy:
					d.log.debugf("%s is being written: the reload waits", name)
				}
			}
		}
		if err != nil {
			d.refuse(err)
			continue
		}
		d.log.infof("SIGHUP received, restarting...")
		notifyReload()
		d.log.configure(next.cfg)
		d.log.release(next.log)
		done := make(chan struct{})
		select {
		case d.mail <- func() { d.adopt(next); close(done) }:
		case <-d.stop:
			return
		}
		select {
		case <-done:
		case <-d.stop: // the loop may have ended before it came to that
			return
		}
		notify(notifyReady)
	}
}

// paused waits and reports whether the run has ended meanwhile.
func (d *daemon) paused(t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-d.stop:
		return true
	case <-timer.C:
		return false
	}
}

// prepare reads everything anew, aside.
func (d *daemon) prepare() (*daemon, error) {
	var raw bytes.Buffer // of what goes to stderr past the log
	next := &daemon{opt: d.opt, stdout: d.stdout, stderr: &raw, log: d.log.hold(), path: d.path}
	for _, step := range []func(*daemon) error{(*daemon).loadConfig, (*daemon).checkSources, (*daemon).loadRules} {
		if err := step(next); err != nil {
			return nil, err
		}
	}
	if err := checkOutputs(next.cfg); err != nil {
		return nil, err
	}
	if _, err := metricsInterval(next.cfg); err != nil {
		return nil, err
	}
	next.calls = selectCalls(next.log, &raw, next.cfg, rulesCalls(next.set))
	if raw.Len() > 0 {
		next.log.warnf("%s", raw.String())
	}
	return next, nil
}

// refuse tells that what has been read cannot be used.
func (d *daemon) refuse(err error) {
	text := err.Error()
	d.health.refused.Add(1)
	d.log.errorf("the reload failed, and what was in force stays so: %s", text)
	const rule = "Falco internal: hot restart failure"
	a := &alert.Alert{TimeNs: uint64(time.Now().UnixNano()), Rule: rule, Source: alert.Internal, Severity: alert.Severity(config.Critical),
		Message: rule + ": " + text}
	select {
	case d.mail <- func() { d.pipe.emit(a) }:
	case <-d.stop:
	}
}

// adopt is the swap. It runs in the loop, between two events.
func (d *daemon) adopt(next *daemon) {
	list, left, err := d.makeOutputs(next.cfg, d.channels)
	if err != nil { // they have been checked
		d.log.errorf("the outputs stay as they were: %v", err)
	} else {
		d.useOutputs(list)
		d.retire(left)
	}
	d.tellFixed(next.cfg)
	tallies := d.pipe.tallies()
	d.pipe.swap(next.set)
	d.retired = append(d.retired, d.pipe.carry(tallies)...)
	if k, live := d.pipe.source.(*kmod); live {
		if err := k.choose(next.calls, d.cfg.Engine.DropFailed, next.set.Reads(field.Realpath)); err != nil {
			d.log.errorf("choose the system calls of the new rules: %v", err)
		}
	}
	d.useCaptures(&next.cfg.Capture)
	d.reloadWeb(next.cfg)
	if next.cfg.Rate != d.cfg.Rate {
		d.pipe.limit = newLimiter(next.cfg, d.log)
	}
	before := d.cfg
	next.cfg.Engine = before.Engine
	d.pipe.later.wait = time.Duration(next.cfg.Containers.MaxWaitMs) * time.Millisecond
	d.cfg, d.set, d.calls = next.cfg, next.set, next.calls
	d.health.reloaded(d, before)
	if d.reload.files != nil {
		if err := d.reload.files.watch(d.watched(), next.readAt); err != nil {
			d.log.errorf("%v", err)
		}
	}
}

// retire lets outputs deliver what they have, beside the loop.
func (d *daemon) retire(left []channel) {
	limit := closeLimit(d.cfg)
	for _, ch := range left {
		d.closing.Go(func() { d.closeQueues([]*output.Queue{ch.queue}, limit) })
	}
}

// tellFixed names what has changed and cannot change while we run.
func (d *daemon) tellFixed(next *config.Config) {
	now := d.cfg
	engine := next.Engine
	engine.Snaplen = now.Engine.Snaplen // its key stands elsewhere
	for _, k := range []struct {
		name    string
		changed bool
	}{
		{"engine", now.Engine != engine},
		{"falco_libs.snaplen", now.Engine.Snaplen != next.Engine.Snaplen},
		{"falco_libs.thread_table_size", now.ThreadTableSize != next.ThreadTableSize},
		{"containers.profile", now.ClassicFields != next.ClassicFields},
		{"containers", !now.Containers.Same(&next.Containers)},
		{"outputs_spool", spools(now) && now.Spool != next.Spool},
		{"state_socket", now.StateSocket != next.StateSocket},
		{"canary_interval", now.CanaryInterval != next.CanaryInterval},
		{"watch_config_files", now.WatchFiles != next.WatchFiles},
	} {
		if k.changed {
			d.log.warnf("%s has changed, which needs a restart of falco; it stays as it was", k.name)
		}
	}
}
