// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
)

// captures writes a capture around what rules find (capture: in falco.yaml). A
// match of a rule that asks for it, or of any, starts a file, with the event
// that matched in it; every further match while it runs makes it go on for longer.
type captures struct {
	cfg     config.Capture
	log     *logger
	state   *state.State
	machine capture.Machine
	waits   bool // in a replay: the source waits for the disk
	send    func(*alert.Alert)

	open     *recording
	deadline uint64       // of open, in time of events
	ending   []*recording // that are still being written
	pause    uint64       // no file is begun before this time, for the disk did not take the last one
	err      error        // a file could not be opened: the end of the run

	files, events, lost, refused uint64
}

// maxEnding is how many files may be waiting for a slow disk before no new one
// is begun.
const maxEnding = 4

// pauseAfter is how long no file is begun after one that the disk did not take.
const pauseAfter = 10 * time.Second

// event takes in an event and the rules that it matched.
func (c *captures) event(ev *event.Event, _ *state.Scene, matched []*rules.Rule) {
	c.matched(ev, matched)
	c.write(ev)
}

// late takes in what an earlier event has matched after all: a file that begins now
// begins with that event.
func (c *captures) late(ev *event.Event, matched []*rules.Rule) {
	open := c.open
	if c.matched(ev, matched); c.open != open {
		c.write(ev)
	}
}

// matched begins a file, or has it go on for longer, where rules ask for it.
func (c *captures) matched(ev *event.Event, matched []*rules.Rule) {
	for _, r := range matched {
		if c.open == nil && c.cfg.Enabled && (c.cfg.All || r.Capture) {
			c.begin(ev)
		}
		if c.open != nil {
			length := uint64(c.cfg.Duration)
			if r.CaptureDuration > 0 {
				length = uint64(r.CaptureDuration) * uint64(time.Millisecond)
			}
			c.deadline = max(c.deadline, ev.TS+length)
		}
	}
}

// write puts ev into the file that is open.
func (c *captures) write(ev *event.Event) {
	if c.open == nil {
		return
	}
	c.open.event(ev, false)
	switch {
	case ev.TS >= c.deadline, c.cfg.MaxEvents > 0 && c.open.events() >= uint64(c.cfg.MaxEvents):
		c.end()
	case c.open.ended() == recordFull:
		c.full(ev.TS)
	case c.open.ended() != recordRuns:
		c.pause = ev.TS + uint64(pauseAfter)
		c.end()
	}
}

// failed returns why the run has to end, nil if it has not.
func (c *captures) failed() error {
	if c.err != nil {
		return &failure{form: block, text: c.err.Error(), hint: "capture.path_prefix is the beginning of the names; its folder has to be there"}
	}
	return nil
}

// begin starts a file at ev.
func (c *captures) begin(ev *event.Event) {
	c.look()
	if len(c.ending) >= maxEnding || ev.TS < c.pause || c.err != nil {
		c.refused++
		return
	}
	path := fmt.Sprintf("%s_%020d_%020d.scap", c.cfg.PathPrefix, ev.TS, ev.Num)
	makeFolder(path)
	c.open = record(path, newFile(path), c.state, c.machine,
		recordOptions{compress: true, limit: c.cfg.MaxBytes, waits: c.waits})
	c.deadline = 0
	c.files++
}

// end ends the file. In a replay it is whole when end returns.
func (c *captures) end() {
	r := c.open
	c.open = nil
	r.close()
	c.lost += r.lost
	if r.lost > 0 {
		c.log.warnf("capture %s: %d events are missing, for the disk was too slow", r.path, r.lost)
	}
	c.ending = append(c.ending, r)
	c.look()
}

// full ends a file that has reached its size.
func (c *captures) full(now uint64) {
	written := c.open.bytes.Load()
	c.open.told = true
	c.end()
	const rule = "Falco internal: capture size limit reached"
	limit := c.cfg.MaxBytes >> 20
	c.send(&alert.Alert{TimeNs: now, Rule: rule, Source: alert.Internal, Severity: alert.Severity(config.Info),
		Message: fmt.Sprintf("%s. Maximum file size: %d MB, written: %d bytes", rule, limit, written),
		Fields:  []alert.Field{{Key: "max_file_size_mb", Value: limit}, {Key: "written_bytes", Value: written}}})
}

// look lets go of files that are whole, and notes why others are not.
func (c *captures) look() {
	kept := c.ending[:0]
	for _, r := range c.ending {
		select {
		case <-r.done:
			c.events += r.taken.Load()
			switch r.ended() {
			case recordShut:
				c.err = r.err
			case recordFailed:
				c.log.errorf("capture: %v", r.err)
			case recordFull:
				if !r.told {
					c.log.warnf("capture %s: the size limit was reached in its last events", r.path)
				}
			}
		default:
			kept = append(kept, r)
		}
	}
	clear(c.ending[len(kept):])
	c.ending = kept
}

// tick is called about once a second.
func (c *captures) tick() {
	if c.open != nil {
		c.open.flush()
		if s := c.open.ended(); s == recordFailed || s == recordShut {
			c.end()
		}
	}
	c.look()
}

// finish ends what is open and waits for the disk, for at most limit.
func (c *captures) finish(limit time.Duration) {
	if c.open != nil {
		c.end()
	}
	for _, r := range c.ending {
		if !r.wait(limit) {
			c.log.warnf("capture %s: the disk is too slow, the end of the file is missing", r.path)
			limit = 0
		}
	}
	c.look()
	if c.files > 0 || c.refused > 0 {
		c.log.infof("Captures: %d files, %d events, %d lost, %d not begun", c.files, c.events, c.lost, c.refused)
	}
}

// runCapturing runs the loop, and writes the captures that capture: asks for.
func (d *daemon) runCapturing(limit time.Duration) error {
	d.useCaptures(&d.cfg.Capture)
	err := d.pipe.run(limit)
	if c := d.caps; c != nil {
		c.finish(limit)
		if e := c.failed(); e != nil {
			err = e
		}
	}
	return err
}

// useCaptures has captures written as c says from now on. A file that is open is
// written to its end.
func (d *daemon) useCaptures(c *config.Capture) {
	if c.Enabled && (d.caps == nil || d.caps.cfg != *c) {
		mode := "rules"
		if c.All {
			mode = "all_rules"
		}
		d.log.infof("Capture is enabled in mode '%s'. Capturing events to %s", mode, c.PathPrefix)
	}
	if c.Enabled && d.caps == nil {
		_, live := d.pipe.source.(*kmod)
		d.caps = &captures{log: d.log, state: d.pipe.state, machine: machineOf(d.pipe.source), waits: !live, send: d.pipe.emit}
		d.pipe.tapes = append(d.pipe.tapes, d.caps)
	}
	if d.caps != nil {
		d.caps.cfg = *c
	}
}

// machineOf returns the machine that events come from: that of a recording, or ours.
func machineOf(s source) capture.Machine {
	if r, ok := s.(interface{ Machine() capture.Machine }); ok {
		return r.Machine()
	}
	return capture.Machine{CPUs: uint32(runtime.NumCPU()), Memory: memory()}
}

// memory returns the bytes of memory that this machine has, 0 if it does not tell.
func memory() (bytes uint64) {
	if _, err := fmt.Sscanf(firstLine("/proc/meminfo"), "MemTotal: %d kB", &bytes); err != nil {
		return 0
	}
	return bytes << 10
}
