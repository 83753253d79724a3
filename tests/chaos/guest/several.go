// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/schema"
)

// several lets two and five consumers with different filters listen at a time. Beside the load somebody makes calls that
// nobody else makes: each consumer's books have exactly those that it wants.
func several(s *stage) error {
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	cpus, err := possibleCPUs()
	if err != nil {
		return err
	}
	codes := func(wanted ...schema.SyscallCode) driver.Filter { return driver.Filter{Syscalls: wanted} }
	filters := []struct {
		filter driver.Filter
		want   [3]uint64 // setns, memfd_create, inotify_init1, out of rare
		only   bool      // nothing but these
	}{
		{driver.Filter{Syscalls: allCalls(), Enter: true}, [3]uint64{1, 1, 1}, false},
		{codes(schema.ScSetns), [3]uint64{1, 0, 0}, true},
		{driver.Filter{Syscalls: []schema.SyscallCode{schema.ScSetns, schema.ScMemfdCreate, schema.ScInotifyInit1}, SuccessOnly: true}, [3]uint64{0, 1, 1}, true},
		{driver.Filter{Syscalls: allCalls(), IgnoredTgids: []int{os.Getpid()}}, [3]uint64{0, 0, 0}, false},
		{codes(schema.ScInotifyInit1, schema.ScMemfdCreate), [3]uint64{0, 1, 1}, true},
	}
	var sum books
	rounds := s.count(2, 40)
	for i := range rounds {
		n := []int{2, 5}[i%2]
		order := s.rng.Perm(len(filters))[:n]
		readers := make([]*reader, n)
		until := make(chan struct{})
		var group sync.WaitGroup
		faults := make([]error, n)
		tallies := make([]*tally, n) // which are memfds
		for j := range tallies {
			if tallies[j], err = newTally(cpus); err != nil {
				return err
			}
		}
		for j, k := range order {
			r, err := newReader(options{ringBytes: 4 << 20, filter: filters[k].filter}, tallies[j])
			if err != nil {
				return err
			}
			defer r.close()
			readers[j] = r
			group.Go(func() { faults[j] = r.follow(until) })
		}
		rare := uint64(100 + s.rng.IntN(300))
		err := makeRare(int(rare))
		close(until)
		group.Wait()
		if err := errors.Join(append(faults, err)...); err != nil {
			return err
		}
		for j, k := range order {
			var got [3]uint64
			for cpu := range readers[j].lanes {
				types, err := readers[j].dev.TypeStats(cpu)
				if err != nil {
					return err
				}
				for m, kind := range []schema.EventType{schema.SetnsX, schema.MemfdCreateX, schema.InotifyInit1X} {
					got[m] += types[kind].Produced
				}
			}
			b, err := readers[j].finish()
			if err != nil {
				return fmt.Errorf("round %d, consumer %d: %w", i, k, err)
			}
			for m := range got {
				if want := rare * filters[k].want[m]; got[m] != want {
					return fmt.Errorf("round %d, consumer %d: %v rare calls, want %d times %v", i, k, got, rare, filters[k].want)
				}
			}
			if total := got[0] + got[1] + got[2]; filters[k].only && b.produced != total {
				return fmt.Errorf("round %d, consumer %d: produced %d, wanted %d", i, k, b.produced, total)
			}
			sum.add(b)
		}
	}
	s.say("rounds=%d", rounds)
	s.tell(sum)
	return nil
}

// makeRare makes n of each call that the load does not make: one that fails, two that do not.
func makeRare(n int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range n {
		if err := unix.Setns(-1, 0); !errors.Is(err, unix.EBADF) {
			return fmt.Errorf("setns: %w", err)
		}
		for _, open := range []func() (int, error){
			func() (int, error) { return unix.MemfdCreate("rare", 0) },
			func() (int, error) { return unix.InotifyInit1(0) },
		} {
			fd, err := open()
			if err != nil {
				return err
			}
			unix.Close(fd)
		}
	}
	return nil
}

// storm fills the rings of all CPUs faster than anybody reads them.
func storm(s *stage) error {
	stop, err := s.startLoad("storm", 1)
	if err != nil {
		return err
	}
	defer stop()
	var sum books
	rounds := s.count(4, 40)
	for i := range rounds {
		size := 64 << 10 << s.rng.IntN(6)
		if i == 0 {
			size = 64 << 10
		}
		r, err := newReader(options{ringBytes: size}, nil)
		if err != nil {
			return err
		}
		if i == 0 { // there is a storm, however slow the machine
			nap := func() error { time.Sleep(10 * time.Millisecond); return nil }
			if err := untilLoss(r.dev, nap); err != nil {
				r.close()
				return err
			}
		}
		// Fill, read some, fill: gaps of every kind. Whoever reads slowly leaves the kernel little room.
		for range 5 {
			time.Sleep(time.Duration(s.rng.IntN(100)) * time.Millisecond)
			for _, l := range r.lanes {
				if l != nil {
					if err := l.sip(s.rng.IntN(200)); err != nil {
						r.close()
						return err
					}
				}
			}
			if _, err := r.turn(); err != nil {
				r.close()
				return err
			}
		}
		time.Sleep(100 * time.Millisecond)
		b, err := r.finish()
		if err != nil {
			return fmt.Errorf("round %d, rings of %d: %w", i, size, err)
		}
		for cause, n := range b.causes {
			if cause != schema.ABILostFull && n > 0 {
				return fmt.Errorf("lost %v", b.causes)
			}
		}
		sum.add(b)
	}
	if sum.lost == 0 || sum.gaps == 0 {
		return errors.New("nothing was lost: no storm")
	}
	s.say("rounds=%d", rounds)
	s.tell(sum)
	return nil
}

// nested has events in the midst of others: everything is wanted, of big calls that a profiler's timer interrupts, and whose
// reads of our memory fault there. Numbers, times and books are as if each had come alone.
func nested(s *stage) error {
	var everything []schema.SyscallCode
	for i := range schema.Syscalls {
		everything = append(everything, schema.Syscalls[i].Code)
	}
	stop, err := s.startLoad("nested", 1)
	if err != nil {
		return err
	}
	defer stop()
	const long = 65000
	r, err := newReader(options{ringBytes: 8 << 20, snaplen: long,
		filter: driver.Filter{Syscalls: everything, Enter: true, Realpath: true, IgnoredTgids: []int{os.Getpid()}}}, nil)
	if err != nil {
		return err
	}
	for end := time.Now().Add(2 * time.Minute); ; {
		if err := r.followFor(time.Duration(s.count(3, 60)) * time.Second); err != nil {
			r.close()
			return err
		}
		if r.nested() > 0 || time.Now().After(end) { // where time is scarce an interrupt has to wait for its chance
			break
		}
	}
	b, err := r.finish()
	if err != nil {
		return err
	}
	if b.nested == 0 {
		return errors.New("no event came while another was being made")
	}
	for _, kind := range []schema.EventType{schema.PageFaultE, schema.SwitchE, schema.WritevX, schema.WriteX, schema.ExecveX} {
		if b.byType[kind] == 0 {
			return fmt.Errorf("no %s", schema.Events[kind].ID)
		}
	}
	s.say("nested=%d", b.nested)
	s.tell(b)
	return nil
}

// nested is how many events were read that came while another was being made.
func (r *reader) nested() (n uint64) {
	for _, l := range r.lanes {
		if l != nil {
			n += l.now.Nested
		}
	}
	return n
}

// untilLoss waits until rings that nobody reads are full: does something for a moment, again and again.
func untilLoss(dev *driver.Device, do func() error) error {
	const limit = 2 * time.Minute // where a tenth of a second would do elsewhere
	info, err := dev.Info()
	if err != nil {
		return err
	}
	for end := time.Now().Add(limit); time.Now().Before(end); {
		for cpu := range info.CPUs {
			st, err := dev.Stats(cpu)
			if err != nil || st.Lost.Total() > 0 {
				return err
			}
		}
		if err := do(); err != nil {
			return err
		}
	}
	return fmt.Errorf("nothing was lost in %v", limit)
}

// sip reads n records one by one, and gives each back at once.
func (l *lane) sip(n int) error {
	l.ring.Refill()
	for range n {
		f, ok := l.ring.Peek()
		if !ok {
			break
		}
		if err := l.now.take(f); err != nil {
			return err
		}
		l.ring.Next()
		l.release()
	}
	return l.ring.Err()
}

// forked is a process that holds rings and forks, and mappings in every wrong form, both in C.
func forked(s *stage) error {
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	return s.hostile(s.count(2, 50), "inheritance")
}

func mappings(s *stage) error {
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	return s.hostile(s.count(2, 50), "mappings")
}

// online are the CPUs that are up.
func online() []int {
	var cpus []int
	var set unix.CPUSet
	unix.SchedGetaffinity(0, &set)
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return slices.Clip(cpus)
}
