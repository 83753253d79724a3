// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/schema"
)

// A tally is what a reader has read, in memory that outlives it. Each CPU has two slots, which are written in turn: first the
// numbers of all records up to a position, then that position to the ring's control page. Whenever the reader is killed, the
// slot whose Pos stands in the control page is right, and so the books are exact to the event.
type tally struct {
	cpus []cpuTally
	mem  []byte
	file *os.File
}

type cpuTally [2]slot

type slot struct {
	Pos    uint64 // consumer position that the rest is about
	Seq    uint64 // of the next event
	NS     uint64 // time of the last event
	Gaps   uint64
	Nested uint64                       // events that came while another was being made
	Lost   [schema.ABILostCauses]uint64 // as gap records tell
	Events [schema.NumEvents]uint64
}

func tallyBytes(cpus int) int { return cpus * int(unsafe.Sizeof(cpuTally{})) }

// newTally makes a tally in memory of its own.
func newTally(cpus int) (*tally, error) {
	fd, err := unix.MemfdCreate("tally", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "tally")
	if err := f.Truncate(int64(tallyBytes(cpus))); err != nil {
		return nil, err
	}
	return mapTally(f)
}

// mapTally maps one that another process has made.
func mapTally(f *os.File) (*tally, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	n := len(mem) / int(unsafe.Sizeof(cpuTally{}))
	return &tally{unsafe.Slice((*cpuTally)(unsafe.Pointer(unsafe.SliceData(mem))), n), mem, f}, nil
}

func (t *tally) close() {
	unix.Munmap(t.mem)
	t.file.Close()
}

// reader is a consumer that checks all that it reads.
type reader struct {
	dev        *driver.Device
	tally      *tally
	lanes      []*lane // by CPU; nil without a ring
	generation uint32
}

// lane is a ring and the numbers of what was read from it.
type lane struct {
	ring    *ring.Ring
	control []byte
	now     slot
	slots   *cpuTally
	next    int // slot to write
}

// options of a reader; the zero value wants all system calls and tracepoints.
type options struct {
	ringBytes int
	snaplen   int
	filter    driver.Filter
}

const smallRing = 1 << 20

// allCalls are all system calls, and the tracepoints that belong to them.
func allCalls() []schema.SyscallCode {
	var codes []schema.SyscallCode
	for i := range schema.Syscalls {
		switch sc := &schema.Syscalls[i]; sc.Name {
		case "sched_switch", "page_fault_user", "page_fault_kernel", "signal_deliver":
		default:
			codes = append(codes, sc.Code)
		}
	}
	return codes
}

// newReader opens a consumer and starts it. tally may be nil.
func newReader(o options, t *tally) (*reader, error) {
	dev, err := driver.Open(driver.Path)
	if err != nil {
		return nil, err
	}
	r := &reader{dev: dev, tally: t}
	if err := r.start(o); err != nil {
		dev.Close()
		return nil, err
	}
	return r, nil
}

func (r *reader) start(o options) error {
	if o.ringBytes == 0 {
		o.ringBytes = smallRing
	}
	if o.filter.Syscalls == nil {
		o.filter.Syscalls = allCalls()
		o.filter.Enter = true
		o.filter.IgnoredTgids = append(o.filter.IgnoredTgids, os.Getpid())
	}
	if err := r.dev.Configure(driver.Config{RingBytes: o.ringBytes, Snaplen: o.snaplen}); err != nil {
		return err
	}
	if err := r.mapRings(); err != nil {
		return err
	}
	if err := r.dev.SetFilter(o.filter); err != nil {
		return err
	}
	return r.dev.Start()
}

// mapRings takes in the rings that are not here yet.
func (r *reader) mapRings() error {
	info, err := r.dev.Info()
	if err != nil {
		return err
	}
	r.generation = info.Generation
	if r.tally == nil {
		if r.tally, err = newTally(info.CPUs); err != nil {
			return err
		}
	}
	if r.lanes == nil {
		r.lanes = make([]*lane, info.CPUs)
	}
	for cpu := range r.lanes {
		if r.lanes[cpu] != nil {
			continue
		}
		m, ok, err := r.dev.Map(cpu)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if r.lanes[cpu], err = newLane(cpu, m, &r.tally.cpus[cpu]); err != nil {
			return err
		}
	}
	return nil
}

// newLane goes on where the reader before has stopped.
func newLane(cpu int, m driver.Mapping, slots *cpuTally) (*lane, error) {
	r, err := ring.New(cpu, m.Control, m.Data)
	if err != nil {
		return nil, err
	}
	l := &lane{ring: r, control: m.Control, slots: slots}
	pos := l.consumerPos()
	for i := range slots {
		if slots[i].Pos == pos {
			l.now, l.next = slots[i], 1-i
			return l, nil
		}
	}
	return nil, fmt.Errorf("CPU %d: nobody has counted up to %d, but up to %d and %d", cpu, pos, slots[0].Pos, slots[1].Pos)
}

func (l *lane) consumerPos() uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(unsafe.SliceData(l.control))))
}

// turn reads what there is, and returns how many records that was.
func (r *reader) turn() (n int, err error) {
	for cpu, l := range r.lanes {
		if l == nil {
			continue
		}
		if l.ring.Generation() != r.generation {
			if err := r.mapRings(); err != nil {
				return n, err
			}
		}
		m, err := l.drain()
		n += m
		if err != nil {
			return n, fmt.Errorf("CPU %d: %w", cpu, err)
		}
	}
	return n, nil
}

func (l *lane) drain() (n int, err error) {
	for l.ring.Refill(); ; l.ring.Next() {
		if l.ring.Held() >= 64<<10 {
			l.release()
		}
		f, ok := l.ring.Peek()
		if !ok {
			break
		}
		if err := l.now.take(f); err != nil {
			return n, err
		}
		n++
	}
	l.release()
	return n, l.ring.Err()
}

func (l *lane) release() {
	if l.ring.Held() == 0 {
		return
	}
	l.now.Pos = l.consumerPos() + l.ring.Held()
	l.slots[l.next] = l.now
	l.next = 1 - l.next
	l.ring.Release() // an atomic store: the slot is written before
}

// take counts one record, which must be the next.
func (s *slot) take(f *ring.Frame) error {
	if f.Flags&ring.Gap != 0 {
		gap, err := ring.ParseGap(f.Record)
		if err != nil {
			return err
		}
		if gap.From != s.Seq || gap.To < gap.From || gap.Count() != gap.To-gap.From+1 {
			return fmt.Errorf("a gap of %d from %d to %d, and %d is next", gap.Count(), gap.From, gap.To, s.Seq)
		}
		if gap.FirstNs < s.NS || gap.LastNs < gap.FirstNs {
			return fmt.Errorf("a gap from %d ns to %d ns, after %d ns", gap.FirstNs, gap.LastNs, s.NS)
		}
		for i, n := range gap.Causes {
			s.Lost[i] += n
		}
		s.Gaps++
		s.Seq, s.NS = gap.To+1, gap.LastNs
		return nil
	}
	if f.Seq != s.Seq {
		return fmt.Errorf("event %d, and %d is next", f.Seq, s.Seq)
	}
	s.Seq++
	rec := f.Record
	if len(rec) < 26 {
		return fmt.Errorf("event %d has %d bytes", f.Seq, len(rec))
	}
	ts := binary.LittleEndian.Uint64(rec)
	length := binary.LittleEndian.Uint32(rec[16:])
	kind := binary.LittleEndian.Uint16(rec[20:])
	params := binary.LittleEndian.Uint32(rec[22:])
	if ts < s.NS || kind >= schema.NumEvents || int(length) > len(rec) || uint64(26)+2*uint64(params) > uint64(length) {
		return fmt.Errorf("event %d makes no sense: type %d, %d parameters, %d of %d bytes, %d ns after %d ns", f.Seq, kind, params, length, len(rec), ts, s.NS)
	}
	s.NS = ts
	s.Events[kind]++
	if f.Flags&ring.Nested != 0 {
		s.Nested++
	}
	return nil
}

// follow reads until until is closed, and then what is left. It sleeps as the daemon does.
func (r *reader) follow(until <-chan struct{}) error {
	for {
		n, err := r.turn()
		if err != nil {
			return err
		}
		select {
		case <-until:
			return nil
		default:
		}
		if n > 0 {
			continue
		}
		ready := false
		for _, l := range r.lanes {
			if l != nil && l.ring.Arm() {
				ready = true
			}
		}
		if !ready {
			if err := r.dev.Wait(20 * time.Millisecond); err != nil {
				return err
			}
		}
	}
}

// followFor reads for a while.
func (r *reader) followFor(d time.Duration) error {
	until := make(chan struct{})
	t := time.AfterFunc(d, func() { close(until) })
	defer t.Stop()
	return r.follow(until)
}

// finish stops the consumer, reads the rest, closes it, and compares what was read with the module's books.
func (r *reader) finish() (books, error) {
	defer r.close()
	if err := r.dev.Stop(); err != nil {
		return books{}, err
	}
	if _, err := r.turn(); err != nil {
		return books{}, err
	}
	return r.audit()
}

func (r *reader) close() {
	r.dev.Close()
	if r.tally != nil {
		r.tally.close()
		r.tally = nil
	}
}
