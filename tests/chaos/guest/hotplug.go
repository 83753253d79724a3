// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/driver"
)

func setCPU(cpu int, up bool) error {
	text := "0"
	if up {
		text = "1"
	}
	return os.WriteFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/online", cpu), []byte(text), 0)
}

// hotplug takes CPU 1 away and brings it back, under load, with consumers that came before, in between and after. One of
// them came while the CPU was away: it has a ring there from the moment when the CPU comes up.
func hotplug(s *stage) error {
	if len(online()) < 2 {
		return errors.New("needs two CPUs")
	}
	stop, err := s.startLoad("mixed", 2)
	if err != nil {
		return err
	}
	defer stop()
	defer setCPU(1, true)
	first, err := newReader(options{ringBytes: 4 << 20}, nil)
	if err != nil {
		return err
	}
	until, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- first.follow(until) }()
	var sum books
	rounds := s.count(10, 200)
	onNew := uint64(0)
	for i := range rounds {
		if err := setCPU(1, false); err != nil {
			return fmt.Errorf("round %d: CPU 1 down: %w", i, err)
		}
		// Made while the CPU is away.
		r, err := newReader(options{}, nil)
		if err != nil {
			return err
		}
		info, err := r.dev.Info()
		if err != nil {
			return err
		}
		if r.lanes[1] != nil {
			return errors.New("a ring for a CPU that is not there")
		}
		if err := r.followFor(time.Duration(s.rng.IntN(20)) * time.Millisecond); err != nil {
			return err
		}
		if err := setCPU(1, true); err != nil {
			return fmt.Errorf("round %d: CPU 1 up: %w", i, err)
		}
		if err := r.followFor(time.Duration(30+s.rng.IntN(30)) * time.Millisecond); err != nil {
			return err
		}
		now, err := r.dev.Info()
		if err != nil {
			return err
		}
		if now.Generation == info.Generation || r.lanes[1] == nil {
			return fmt.Errorf("round %d: the ring of CPU 1 was not seen: generation %d, then %d", i, info.Generation, now.Generation)
		}
		b, err := r.finish()
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if b.causes[4] > 0 {
			return fmt.Errorf("round %d: %d events without a ring", i, b.causes[4])
		}
		onNew += r.lanes[1].now.Seq
		sum.add(b)
	}
	close(until)
	err = <-ended
	b, err2 := first.finish()
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if onNew == 0 {
		return errors.New("CPU 1 has never produced an event")
	}
	sum.add(b)
	s.say("rounds=%d events-on-new-rings=%d", rounds, onNew)
	s.tell(sum)
	return nil
}

const alarm = "/sys/class/rtc/rtc0/wakealarm"

// suspend sends the machine to sleep, to memory, and lets the clock wake it; QEMU's clock wakes from nothing else. A consumer
// sleeps with it.
func suspend(s *stage) error {
	err := os.WriteFile("/sys/power/mem_sleep", []byte("deep"), 0)
	if err == nil {
		err = os.WriteFile(alarm, []byte("0"), 0)
	}
	if err != nil {
		s.say("skipped: %v", err)
		return nil
	}
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	r, err := newReader(options{ringBytes: 4 << 20}, nil)
	if err != nil {
		return err
	}
	c, err := spawn(1 << 20)
	if err != nil {
		r.close()
		return err
	}
	defer c.sock.Close()
	if err := c.waitStarted(); err != nil {
		r.close()
		return err
	}
	until, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- r.follow(until) }()
	slept := 0
	var failed error
	for range s.count(2, 20) {
		if failed = sleepUntilWoken("mem"); failed != nil {
			break
		}
		slept++
		time.Sleep(200 * time.Millisecond)
	}
	close(until)
	err = <-ended
	b, err2 := r.finish()
	c.end(syscall.SIGTERM)
	theirs, err3 := c.settle()
	if err := errors.Join(failed, err, err2, err3); err != nil {
		return err
	}
	b.add(theirs)
	s.say("slept=%d", slept)
	s.tell(b)
	return nil
}

// nap is the first sleep of a machine, in which its firmware and drivers take memory for good.
func nap(s *stage) error {
	if err := os.WriteFile("/sys/power/mem_sleep", []byte("deep"), 0); err != nil {
		s.say("skipped: %v", err)
		return nil
	}
	return sleepUntilWoken("mem")
}

// sleepUntilWoken is away for two seconds.
func sleepUntilWoken(state string) error {
	before := driver.BootTime()
	for _, text := range []string{"0", "+2"} {
		if err := os.WriteFile(alarm, []byte(text), 0); err != nil {
			return err
		}
	}
	kmsg("sleeps: " + state)
	if err := os.WriteFile("/sys/power/state", []byte(state), 0); err != nil {
		return fmt.Errorf("%s: %w", state, err)
	}
	if away := driver.BootTime() - before; away < uint64(time.Second) {
		return fmt.Errorf("%s: away for %d ns", state, away)
	}
	return nil
}
