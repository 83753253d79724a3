// SPDX-License-Identifier: Apache-2.0

// Package spool keeps records on disk until everybody who wants them has them.
//
// A spool is a folder of segments, files that are only ever appended to
// (segment.go). Append puts records behind those that are there; each Reader goes
// through all of them in order, at its own pace, and says which it is done with
// (cursor.go). A segment goes when every reader is done with it, or when a cap is
// reached, and then what was in it is counted, exactly, for each reader (cap.go).
//
// Delivery is at least once. What Append has returned for survives the end of the
// process, however it ends; the end of the machine it survives from the next
// fsync on, which Options.Sync places. What a reader has acknowledged is written
// down at most a second later (Options.Save): after a crash it may get that much once more.
//
// A record is delivered whole or not at all: sums find what a crash has torn and
// what a disk has changed. A full disk is an error of Append, which leaves the
// spool as it was; the next one may find room.
//
// The folder is for its owner alone (0700, files 0600), links in it are not
// followed, and one process at a time has it open.
package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Defaults of Options.
const (
	DefaultSegment = 16 << 20
	DefaultMax     = 256 << 20
	minSegment     = 64 << 10
)

// Always as Options.Sync makes every Append wait for the disk. Several that wait
// share one fsync.
const Always time.Duration = -1

// Errors of Append.
var (
	ErrFull   = errors.New("the spool is full")
	ErrTooBig = errors.New("the record is too long")
	ErrClosed = os.ErrClosed
)

// Policy is what happens when a spool has reached its cap.
type Policy uint8

// Values of Policy.
const (
	DropOrdinary Policy = iota // the oldest whose class is above Options.Keep; the others last
	DropOldest
	Refuse // Append returns ErrFull
)

// Options say how a spool behaves. The zero value is a good one.
type Options struct {
	Readers []string      // who reads: segments wait for all of them
	Segment int64         // bytes of a file; 0 means DefaultSegment
	Max     int64         // bytes of all files; 0 means DefaultMax
	MaxAge  time.Duration // of a record; 0 means any
	Full    Policy
	Keep    uint8         // classes up to this one are dropped last (DropOrdinary)
	Sync    time.Duration // between two fsyncs; 0 means a second, Always before Append returns
	Report  func(error)   // is told what went wrong beside the calls; may be nil, must not call back
	Now     func() time.Time
	Save    time.Duration // between two writings of cursors; 0 means a second
}

// Entry is what Append takes.
type Entry struct {
	Class   uint8
	Payload []byte
}

// Stats are the counters of a spool.
type Stats struct {
	Bytes    int64
	Segments int
	Appended uint64
	Refused  uint64 // records that Append had an error for
	Damaged  uint64 // places where something stood that was no whole record
	Torn     int64  // bytes that were cut off at the end when the spool was opened
	Syncs    uint64
	SyncTime time.Duration // of all of them
	Failures uint64        // of the disk: errors of fsync, of writing cursors, of reading
}

// Spool is an open spool. Its methods may be called from anywhere.
type Spool struct {
	dir  string
	opt  Options
	lock *os.File // the folder, locked

	mu      sync.Mutex
	segs    []*segment // oldest first; the last is written to if f is open
	f       *os.File
	next    uint64 // number of the next record
	readers map[string]*Reader
	buf     []byte
	stats   Stats
	closed  bool

	lost     uint64 // records that were dropped and not told of
	lossTold time.Time

	syncing sync.Mutex // held by who is at it
	synced  uint64     // records up to this one are on the disk; under mu

	wake, done, ended chan struct{}
}

// segment is what is known of a file without reading it.
type segment struct {
	path        string
	salt        uint32
	first, last uint64 // first is where it began; last is 0 while it is empty
	size        int64
	n           int   // whole records
	ordinary    int   // of these, above Options.Keep
	light       int64 // bytes of those
	oldest      int64 // time of the first record, and of the last
	newest      int64
	sparse      bool // something was taken out of it
	damaged     bool
	gen         int  // counts the files that it was
	gone        bool // deleted
}

// Open opens the spool in folder dir, which is made if need be, and reads it once
// to see what is there.
func Open(dir string, opt Options) (*Spool, error) {
	opt.fill()
	lock, err := openFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &Spool{dir: dir, opt: opt, lock: lock, next: 1, readers: map[string]*Reader{},
		wake: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{})}
	if err := s.load(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("spool: %w", err)
	}
	for _, name := range opt.Readers {
		if _, err := s.reader(name); err != nil {
			s.release()
			return nil, fmt.Errorf("spool: %w", err)
		}
	}
	s.synced = s.next - 1
	s.trim()
	go s.tend()
	return s, nil
}

func (o *Options) fill() {
	if o.Max <= 0 {
		o.Max = DefaultMax
	}
	if o.Segment <= 0 {
		o.Segment = DefaultSegment
	}
	o.Segment = max(min(o.Segment, o.Max/8), minSegment)
	if o.Sync == 0 {
		o.Sync = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Save == 0 {
		o.Save = time.Second
	}
	report := o.Report
	o.Report = func(err error) {
		if report != nil && err != nil {
			report(err)
		}
	}
}

// openFolder makes and locks the folder.
func openFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
			err = fmt.Errorf("%s belongs to user %d, not to us", dir, st.Uid)
		} else if info.Mode().Perm() != 0o700 {
			err = f.Chmod(0o700)
		}
	}
	if err == nil {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			err = fmt.Errorf("%s is in use by another process: %w", dir, err)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openFile opens a file of the folder; anything but a plain file of ours is an error.
func openFile(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no plain file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (s *Spool) path(first uint64, suffix string) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016x.seg%s", first, suffix))
}

// failed counts an error.
func (s *Spool) failed(err error) error {
	if err == nil {
		return nil
	}
	s.stats.Failures++
	return fmt.Errorf("spool: %w", err)
}

// Reader returns the reader of that name. It begins with the first record that it has not
// acknowledged; one that is new, with the oldest there is.
func (s *Spool) Reader(name string) (*Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.reader(name)
}

// Forget ends a reader for good: nothing is kept for it any more.
func (s *Spool) Forget(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.readers[name]
	if r == nil {
		return nil
	}
	delete(s.readers, name)
	r.end()
	s.trim()
	return os.Remove(s.cursorPath(name))
}

// Stats returns the counters.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Bytes, st.Segments = s.bytes(), len(s.segs)
	return st
}

func (s *Spool) bytes() (n int64) {
	for _, seg := range s.segs {
		n += seg.size
	}
	return n
}
