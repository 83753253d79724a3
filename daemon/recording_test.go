// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// slowDisk takes nothing until it is let go, and then so many bytes.
type slowDisk struct {
	letGo chan struct{}
	room  int

	mu   sync.Mutex
	data bytes.Buffer
}

func (d *slowDisk) Write(p []byte) (int, error) {
	<-d.letGo
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(p), d.room-d.data.Len())
	d.data.Write(p[:n])
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *slowDisk) Truncate(size int64) error { d.data.Truncate(int(size)); return nil }
func (d *slowDisk) Close() error              { return nil }

func (d *slowDisk) open() (io.WriteCloser, error) { return d, nil }

// bigWrite is an event of about 4 kB.
func bigWrite() *event.Event {
	return eventtest.New(schema.WriteX).Tid(7).TS(5).Int(4000).Raw(make([]byte, 4000)).Int(1).Uint(4000).Event()
}

func eventsIn(t *testing.T, data []byte) (n uint64) {
	t.Helper()
	r, err := capture.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		switch _, err := r.Next(); {
		case errors.Is(err, io.EOF):
			return n
		case err != nil:
			t.Fatalf("after %d events: %v", n, err)
		}
		n++
	}
}

// A disk that hangs does not hang the loop: what does not fit is counted, and
// the file is good.
func TestSlowDisk(t *testing.T) {
	d := &slowDisk{letGo: make(chan struct{}), room: 1 << 30}
	r := record("x", d.open, state.New(state.Options{}), capture.Machine{}, recordOptions{})
	ev := bigWrite()
	const total = 2 * maxWaiting / 4000
	for range total {
		r.event(ev, false) // would hang here
	}
	close(d.letGo)
	r.close()
	<-r.done
	got := eventsIn(t, d.data.Bytes())
	if r.lost == 0 || got != total-r.lost || got != r.taken.Load() {
		t.Errorf("%d events in the file, %d lost, %d taken, of %d", got, r.lost, r.taken.Load(), total)
	}
	if n := d.data.Len(); n < maxWaiting/2 || n > maxWaiting+1<<20 {
		t.Errorf("%d bytes were kept, the bound is %d", n, maxWaiting)
	}
}

// A replay waits for the disk instead.
func TestReplayWaitsForDisk(t *testing.T) {
	d := &slowDisk{letGo: make(chan struct{}), room: 1 << 30}
	ev := bigWrite()
	const total = 2 * maxWaiting / 4000
	var r *recording
	done := make(chan struct{})
	go func() {
		defer close(done)
		r = record("x", d.open, state.New(state.Options{}), capture.Machine{}, recordOptions{waits: true})
		for range total {
			r.event(ev, false)
		}
		r.close()
	}()
	close(d.letGo)
	<-done
	if got := eventsIn(t, d.data.Bytes()); got != total || r.lost != 0 {
		t.Errorf("%d events of %d, %d lost", got, total, r.lost)
	}
}

// A full disk ends a capture, with a word in the log, and nothing else.
func TestCaptureOnFullDisk(t *testing.T) {
	var out strings.Builder
	log := newLogger(&out)
	cfg := &config.Config{}
	cfg.Log.Stderr, cfg.Log.Level = true, config.Info
	log.configure(cfg)
	d := &slowDisk{letGo: make(chan struct{}), room: 600_000}
	close(d.letGo)
	c := &captures{cfg: config.Capture{Enabled: true, All: true, Duration: time.Hour}, log: log, state: state.New(state.Options{}),
		waits: true, send: func(*alert.Alert) {}}
	c.open = record("x.scap", d.open, c.state, capture.Machine{}, recordOptions{waits: true})
	c.deadline = 1 << 62
	ev := bigWrite()
	for range 1000 {
		c.event(ev, nil, nil)
	}
	if c.open != nil || c.failed() != nil {
		t.Errorf("still open, or %v", c.failed())
	}
	c.event(ev, nil, []*rules.Rule{{}}) // at once again: no
	c.finish(time.Minute)
	if c.refused != 1 || !strings.Contains(out.String(), "capture: write x.scap: no space left on device; what is there of it can be read") {
		t.Errorf("%d refused; the log:\n%s", c.refused, &out)
	}
	if n := eventsIn(t, d.data.Bytes()); n < 100 {
		t.Errorf("only %d events can be read", n)
	}
}

// A file that has its size ends, and an alert says so; the next match begins another.
func TestCaptureSizeLimit(t *testing.T) {
	var sent []*alert.Alert
	c := &captures{cfg: config.Capture{Enabled: true, All: true, Duration: time.Hour, MaxBytes: 1 << 20, PathPrefix: t.TempDir() + "/x"},
		log: newLogger(io.Discard), state: state.New(state.Options{}), waits: true, send: func(a *alert.Alert) { sent = append(sent, a) }}
	ev := eventtest.New(schema.WriteX).Tid(7).TS(5).Int(60000).Raw(noise(60000)).Int(1).Uint(60000).Event()
	c.event(ev, nil, []*rules.Rule{{}})
	for range 20 {
		c.event(ev, nil, nil)
	}
	ev.Num = 1
	c.event(ev, nil, []*rules.Rule{{}})
	c.finish(time.Minute)
	if len(sent) != 1 || sent[0].Rule != "Falco internal: capture size limit reached" || c.files != 2 {
		t.Errorf("alerts %v, %d files, %v", sent, c.files, c.err)
	}
}

// noise returns n bytes that cannot be compressed, the next n neither if n is more
// than the window of gzip.
func noise(n int) []byte {
	b, x := make([]byte, n), uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}
