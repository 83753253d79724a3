// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/state"
)

// recording is a capture that is being written. The loop makes blocks in memory;
// a goroutine compresses them and knows the disk, which may be as slow as it
// likes: what waits for it is bounded, and events beyond that are counted. Where
// the source can wait, in a replay, it does.
//
// All methods are for the loop's goroutine.
type recording struct {
	w       *capture.Writer
	path    string
	waits   bool   // the source can wait
	options []byte // of the event at hand
	seen    uint64 // events when blocks were last handed over
	lost    uint64 // events that the disk was too slow for
	tables  bool   // blocks of tables are being written, which are always taken
	closed  bool

	state atomic.Uint32 // recordState
	bytes atomic.Int64  // on the disk
	taken atomic.Uint64 // events that are certainly on the disk
	err   error         // why it failed; to be read when state is recordFailed or recordShut
	told  bool          // somebody has been told how it ended
	done  chan struct{} // closed when the file is
	begun chan struct{} // closed when the file is open, or cannot be

	mu      sync.Mutex
	room    *sync.Cond // of waiting
	work    *sync.Cond
	waiting []piece
	size    int      // bytes of waiting, and of the piece that is being written
	spare   [][]byte // buffers for reuse
	last    bool     // nothing more will come
}

// piece is what waits for the disk: whole blocks.
type piece struct {
	blocks []byte
	events uint64
}

type recordState = uint32

const (
	recordRuns recordState = iota
	recordFull
	recordFailed
	recordShut // the file could not be opened
)

// maxWaiting bounds what waits for the disk, in bytes.
const maxWaiting = 16 << 20

// recordOptions say how a capture is written.
type recordOptions struct {
	compress, legacy bool
	limit            int64 // bytes of the file, 0 for any
	waits            bool  // the source can wait for the disk
}

// open is how the file of a recording comes into being, in its goroutine.
type opener func() (io.WriteCloser, error)

// newFile makes a file that nobody has prepared: not there before, and no link.
func newFile(path string) opener {
	return func() (io.WriteCloser, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	}
}

// anyFile makes a file, or empties the one that is there.
func anyFile(path string) opener {
	return func() (io.WriteCloser, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	}
}

// record begins a capture with what st holds now.
func record(path string, open opener, st *state.State, m capture.Machine, o recordOptions) *recording {
	r := &recording{path: path, waits: o.waits, tables: true, done: make(chan struct{}), begun: make(chan struct{})}
	r.room, r.work = sync.NewCond(&r.mu), sync.NewCond(&r.mu)
	go r.write(open, o)
	r.w = capture.NewWriter(r, o.legacy)
	st.Dump(r.w, m)
	var told []byte
	for _, i := range st.KnownContainers() { // the tables of a file have no place for them
		told = appendAsync(told[:0], st.Now(), "container", i.JSON())
		r.w.Event(st.Now(), 0, 0, told, nil)
	}
	r.w.Flush()
	r.tables = false
	if r.waits {
		<-r.begun
	}
	return r
}

// prefixKept are the flags of a record that mean something after the ring.
const prefixKept = ring.Fault | ring.Truncated | ring.Nested | ring.Compat

// event writes ev. One that is hidden, here or already where it comes from, is not
// shown by whoever reads.
func (r *recording) event(ev *event.Event, hidden bool) {
	var flags capture.RecordFlags
	if hidden || ev.StateOnly {
		flags = capture.StateOnly
	}
	r.options = capture.AppendOptions(r.options[:0], uint32(ev.Flags)&prefixKept, ev.Ext())
	r.w.Event(ev.TS, ev.CPU, flags, ev.Raw(), r.options) // its error is ours, in state
}

// flush hands over what has been made so far.
func (r *recording) flush() { r.w.Flush() }

// events returns how many were taken so far, on their way to the disk or there.
func (r *recording) events() uint64 { return r.w.Stats().Events - r.lost }

// ended reports whether there is nothing more to be written, and why.
func (r *recording) ended() recordState { return r.state.Load() }

// Write takes whole blocks from the Writer. It never fails: the Writer would stop
// for good, and the disk may only be slow.
func (r *recording) Write(blocks []byte) (int, error) {
	n := len(blocks)
	events := r.w.Stats().Events
	r.mu.Lock()
	defer r.mu.Unlock()
	more := events - r.seen
	r.seen = events
	if r.last {
		return n, nil // ended tells
	}
	if !r.tables && !r.waits && r.size+n > maxWaiting {
		r.lost += more
		return n, nil
	}
	var b []byte
	if k := len(r.spare); k > 0 {
		b, r.spare = r.spare[k-1], r.spare[:k-1]
	}
	r.waiting = append(r.waiting, piece{append(b[:0], blocks...), more})
	r.size += n
	r.work.Signal()
	for r.waits && r.size > 0 { // so that every replay of a file does the same
		r.room.Wait()
	}
	return n, nil
}

// close says that nothing more will come. The file is whole once done is closed.
func (r *recording) close() {
	if r.closed {
		return
	}
	r.closed = true
	r.w.Flush()
	r.mu.Lock()
	r.last = true
	r.work.Signal()
	r.mu.Unlock()
	if r.waits {
		<-r.done
	}
}

// wait waits until the file is whole, for at most limit.
func (r *recording) wait(limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-r.done:
		return true
	case <-t.C:
		return false
	}
}

// write is the goroutine: it opens the file and feeds it.
func (r *recording) write(open opener, o recordOptions) {
	defer close(r.done)
	to, err := open()
	if err != nil {
		r.err = fmt.Errorf("can't open %s: %w", r.path, plainly(err))
		r.stop(recordShut)
		close(r.begun)
		return
	}
	close(r.begun)
	f := capture.NewFile(to, o.compress, o.limit)
	for {
		p, ok := r.next()
		if !ok {
			break
		}
		if _, err := f.Write(p.blocks); err != nil {
			r.bytes.Store(f.Size())
			f.Close()
			if errors.Is(err, capture.ErrLimit) {
				r.stop(recordFull)
			} else {
				r.fail(fmt.Errorf("write %s: %w; what is there of it can be read", r.path, plainly(err)))
			}
			return
		}
		r.bytes.Store(f.Size())
		r.taken.Add(p.events)
		r.recycle(p.blocks)
	}
	if err := f.Close(); err != nil {
		r.fail(fmt.Errorf("close %s: %w", r.path, plainly(err)))
	}
}

// next returns the oldest piece; false if there will be none any more.
func (r *recording) next() (piece, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.waiting) == 0 {
		if r.last {
			return piece{}, false
		}
		r.work.Wait()
	}
	p := r.waiting[0]
	r.waiting[0], r.waiting = piece{}, r.waiting[1:]
	return p, true
}

// maxSpare is how many buffers are kept.
const maxSpare = 4

func (r *recording) recycle(b []byte) {
	r.mu.Lock()
	r.size -= len(b)
	if len(r.spare) < maxSpare {
		r.spare = append(r.spare, b)
	}
	r.room.Signal()
	r.mu.Unlock()
}

func (r *recording) fail(err error) {
	r.err = err
	r.stop(recordFailed)
}

// stop tells the loop that nothing more is taken.
func (r *recording) stop(s recordState) {
	r.state.Store(s) // first: whoever waits looks at it
	r.mu.Lock()
	r.last, r.waiting, r.size = true, nil, 0
	r.room.Signal()
	r.mu.Unlock()
}

// plainly leaves out what the message around err says already.
func plainly(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// ownFolder is where captures go if nothing else is said. It is made when it is
// missing; the folders of others are not.
const ownFolder = "/var/lib/falco/"

func makeFolder(path string) {
	if strings.HasPrefix(path, ownFolder) {
		os.MkdirAll(filepath.Dir(path), 0o700) // opening tells if that went wrong
	}
}
