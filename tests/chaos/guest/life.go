// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-go/falco/pkg/driver"
)

// openClose lets consumers come and go under load: half of them stop and settle, the others just close.
func openClose(s *stage) error {
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	var sum books
	rounds := s.count(40, 1000)
	for i := range rounds {
		r, err := newReader(options{ringBytes: 64 << 10 << s.rng.IntN(4)}, nil)
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if s.rng.IntN(2) == 0 {
			if _, err := r.turn(); err != nil {
				r.close()
				return err
			}
		}
		if i%2 == 1 {
			r.close()
			continue
		}
		b, err := r.finish()
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		sum.add(b)
	}
	s.say("rounds=%d", rounds)
	s.tell(sum)
	return nil
}

// kill lets consumers be killed whenever it hits them: while they open, configure, start or read.
func kill(s *stage) error {
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	var sum books
	rounds, started := s.count(8, 200), 0
	for i := range rounds {
		c, err := spawn(256 << 10)
		if err != nil {
			return err
		}
		if i%4 != 0 { // most of them shall have come far
			if err := c.waitStarted(); err != nil {
				c.end(syscall.SIGKILL)
				return err
			}
			started++
		}
		time.Sleep(time.Duration(s.rng.IntN(100)) * time.Millisecond)
		c.end(syscall.SIGKILL)
		if c.dev == nil {
			if err := c.adopt(); err != nil {
				return err
			}
		}
		b, err := c.settle()
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		sum.add(b)
	}
	s.say("rounds=%d started=%d", rounds, started)
	s.tell(sum)
	return nil
}

// stopped lets a consumer stand still while another goes on.
func stopped(s *stage) error {
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	other, err := newReader(options{ringBytes: 8 << 20}, nil)
	if err != nil {
		return err
	}
	c, err := spawn(256 << 10)
	if err != nil {
		other.close()
		return err
	}
	if err := c.waitStarted(); err != nil {
		other.close()
		return err
	}
	c.cmd.Process.Signal(syscall.SIGSTOP)
	seconds := s.count(3, 60)
	err = other.followFor(time.Duration(seconds) * time.Second)
	if err == nil {
		err = untilLoss(c.dev, func() error { return other.followFor(100 * time.Millisecond) })
	}
	c.cmd.Process.Signal(syscall.SIGCONT)
	err = errors.Join(err, other.followFor(300*time.Millisecond))
	c.end(syscall.SIGTERM)
	stop()
	theirs, err2 := c.settle()
	ours, err3 := other.finish()
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	if theirs.lost == 0 || theirs.causes[0] != theirs.lost || theirs.gaps == 0 {
		return fmt.Errorf("a consumer that stood still has lost %v, with %d gap records", theirs.causes, theirs.gaps)
	}
	s.say("stopped=%ds", seconds)
	s.tell(theirs)
	s.say("other: produced=%d lost=%d", ours.produced, ours.lost)
	return nil
}

// crash lets consumers die of what they do themselves, with rings mapped. What they leave for a debugger has no rings in it.
func crash(s *stage) error {
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	const ringBytes = 4 << 20
	os.WriteFile("/proc/sys/kernel/core_pattern", []byte("/tmp/core.%p"), 0)
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unlimited); err != nil {
		return err
	}
	var sum books
	rounds := s.count(2, 20)
	left := 0
	for i := range rounds {
		c, err := spawn(ringBytes, "GOTRACEBACK=crash", "CRASH="+[]string{"segv", "bus"}[i%2])
		if err != nil {
			return err
		}
		if err := c.waitStarted(); err != nil {
			return err
		}
		<-c.ended
		if status := c.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.CoreDump() {
			return fmt.Errorf("round %d: no core: %v", i, c.cmd.ProcessState)
		}
		b, err := c.settle()
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		sum.add(b)
		cores, _ := filepath.Glob("/tmp/core.*")
		for _, name := range cores {
			n, err := ringsInCore(name)
			if err != nil {
				return err
			}
			left += n
			os.Remove(name)
		}
	}
	if left < 2*rounds { // one CPU has two mappings
		return fmt.Errorf("%d mappings in %d processes", left, rounds)
	}
	s.say("rounds=%d mappings-left-out-of-cores=%d", rounds, left)
	s.tell(sum)
	return nil
}

// ringsInCore counts the mappings of the device that a core names. It has nothing of what was in them.
func ringsInCore(name string) (n int, err error) {
	f, err := elf.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	ours := map[uint64]bool{}
	for _, p := range f.Progs {
		if p.Type == elf.PT_NOTE {
			notes, err := io.ReadAll(p.Open())
			if err != nil {
				return 0, err
			}
			mappedFrom(notes, driver.Path, ours)
		}
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || !ours[p.Vaddr] {
			continue
		}
		if p.Filesz > 0 {
			return n, fmt.Errorf("a ring is in %s", name)
		}
		n++
	}
	return n, nil
}

// mappedFrom notes where the mappings of a file begin: {count, page size, {start, end, offset} each}, then the names.
func mappedFrom(notes []byte, file string, into map[uint64]bool) {
	const ntFile = 0x46494c45
	pad := func(n uint32) int { return int(n+3) &^ 3 }
	for len(notes) >= 12 {
		nameSize, size, kind := binary.LittleEndian.Uint32(notes), binary.LittleEndian.Uint32(notes[4:]), binary.LittleEndian.Uint32(notes[8:])
		desc := notes[12+pad(nameSize):]
		notes = desc[pad(size):]
		if kind != ntFile {
			continue
		}
		n := int(binary.LittleEndian.Uint64(desc))
		names := bytes.Split(desc[16+24*n:size], []byte{0})
		for i := range n {
			if string(names[i]) == file {
				into[binary.LittleEndian.Uint64(desc[16+24*i:])] = true
			}
		}
	}
}

// resize makes rings of other sizes: STOP, unmap, CONFIG, map, START. The books begin anew with each.
func resize(s *stage) error {
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	r, err := newReader(options{}, nil)
	if err != nil {
		return err
	}
	defer func() { r.close() }()
	var sum books
	rounds := s.count(10, 200)
	for i := range rounds {
		if err := r.followFor(time.Duration(s.rng.IntN(30)) * time.Millisecond); err != nil {
			return err
		}
		if err := r.dev.Configure(driver.Config{RingBytes: 1 << 20}); !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("CONFIG while started: %v", err)
		}
		if err := r.dev.Stop(); err != nil {
			return err
		}
		if err := r.dev.Configure(driver.Config{RingBytes: 1 << 20}); !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("CONFIG while mapped: %v", err)
		}
		if _, err := r.turn(); err != nil {
			return err
		}
		b, err := r.audit()
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		sum.add(b)
		if err := r.dev.Unmap(); err != nil {
			return err
		}
		r.tally.close()
		r.tally, r.lanes = nil, nil
		want := 64 << 10 << s.rng.IntN(7)
		if err := r.start(options{ringBytes: want}); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if info, err := r.dev.Info(); err != nil || info.RingBytes != want || !info.Started {
			return fmt.Errorf("round %d: wanted %d bytes: %+v, %v", i, want, info, err)
		}
	}
	s.say("rounds=%d", rounds)
	s.tell(sum)
	return nil
}
