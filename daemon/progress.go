// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/driver"
)

// progress is the line that shows on a terminal how far a replay has come:
//
//	shell.scap  [=========>          ]  45%  2,286,000 events  3.1 M/s  ETA 2s
//
// It is the last line of the terminal, always: whatever else goes there is written
// in its place, and the line comes again below it.
type progress struct {
	mu      sync.Mutex
	to      io.Writer // the terminal
	columns func() int
	shown   bool // the line is there
	stopped bool

	name  string
	size  uint64 // of the file, 0 if nobody knows
	began time.Time
	seen  func() (events, bytes uint64)
	quit  chan struct{}
	once  sync.Once
}

const (
	drawEvery = 200 * time.Millisecond
	barWidth  = 20
	eraseLine = "\r\x1b[K"
)

// showProgress makes room for the line if stderr is a terminal. What goes to
// stdout and stderr passes by it from now on.
func (d *daemon) showProgress() error {
	f, ok := d.stderr.(*os.File)
	if d.cfg.Engine.Kind != config.KindReplay || d.opt.dryRun || !ok {
		return nil
	}
	if _, ok = driver.TerminalWidth(f); !ok {
		return nil
	}
	d.bar = &progress{to: f, quit: make(chan struct{}), columns: func() int {
		columns, _ := driver.TerminalWidth(f)
		return columns
	}}
	d.stdout, d.stderr = &past{d.bar, d.stdout}, &past{d.bar, d.stderr}
	d.log.stderr = d.stderr
	if d.cfg.Log.Stderr {
		d.log.to.SetOutput(d.stderr)
	}
	d.atEnd(d.bar.stop)
	return nil
}

// watch lets the line follow r. It does nothing if there is no terminal.
func (p *progress) watch(r *replay) {
	if p == nil {
		return
	}
	p.name, p.size, p.began = filepath.Base(r.name), uint64(r.size), time.Now()
	p.seen = func() (uint64, uint64) { return r.events.Load(), r.place.Load() }
	go func() {
		t := time.NewTicker(drawEvery)
		defer t.Stop()
		for {
			select {
			case now := <-t.C:
				p.draw(now)
			case <-p.quit:
				return
			}
		}
	}()
}

// stop takes the line away for good.
func (p *progress) stop() {
	if p == nil {
		return
	}
	p.once.Do(func() { close(p.quit) })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.stopped = true
}

func (p *progress) draw(now time.Time) {
	events, bytes := p.seen()
	line := progressLine(p.name, events, bytes, p.size, now.Sub(p.began), p.columns())
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		io.WriteString(p.to, eraseLine+line)
		p.shown = true
	}
}

func (p *progress) erase() {
	if p.shown {
		io.WriteString(p.to, eraseLine)
		p.shown = false
	}
}

// progressLine is the line; it has fewer than columns characters, for the cursor
// stands behind it. columns is 0 if nobody knows how wide the terminal is.
func progressLine(name string, events, bytes, size uint64, took time.Duration, columns int) string {
	seconds := took.Seconds()
	rate := 0.0
	if seconds > 0 {
		rate = float64(events) / seconds
	}
	line := strings.Map(func(r rune) rune { // a file's name must not steer the terminal
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, name)
	if size > 0 {
		done := min(float64(bytes)/float64(size), 1)
		full := int(done * barWidth)
		line += fmt.Sprintf("  [%-*s] %3.0f%%", barWidth, strings.Repeat("=", full)+">"[:min(1, barWidth-full)], done*100)
	}
	line += fmt.Sprintf("  %s events  %s/s", thousands(events), short(rate))
	if size > bytes && bytes > 0 {
		left := time.Duration(seconds * float64(size-bytes) / float64(bytes) * float64(time.Second))
		line += "  ETA " + max(left.Round(time.Second), time.Second).String()
	}
	if r := []rune(line); columns > 0 && len(r) >= columns {
		line = string(r[:columns-1])
	}
	return line
}

// thousands writes n as 1,234,567.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short writes a rate as people say it: 830, 41 k, 3.1 M.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.1f M", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.0f k", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}

// past is a writer whose text goes where the line was.
type past struct {
	p *progress
	w io.Writer
}

// Write implements io.Writer.
func (w *past) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.p.erase()
	return w.w.Write(b)
}
