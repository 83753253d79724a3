// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/merge"
	"github.com/falco-go/falco/pkg/metrics"
	"github.com/falco-go/falco/pkg/ring"
)

const (
	// watermarkTime bounds the age of events that stay below the watermark.
	watermarkTime = 20 * time.Millisecond
	// clockStep is how far the wall clock may move away from the rings' clock
	// before we follow; a step below it is noise of the reading.
	clockStep = int64(time.Millisecond)
)

// kmod is the source of live events: the module's rings, merged.
type kmod struct {
	dev    *driver.Device
	merge  *merge.Merge
	waiter *merge.Waiter
	rings  map[int]*ring.Ring
	cpus   int
	passed uint64                                  // records, since newRings was asked
	gap    func(cpu int, l ring.Lost, shift int64) // told of every gap; may be nil
	canary *canary                                 // nil if there is none
	hear   func(*event.Event)                      // what becomes of its events

	generation uint32
	ringBytes  uint64    // of one
	lag        uint64    // ns that the last look found us behind
	offset     int64     // wall clock minus the rings' clock, ns
	read       time.Time // when offset was read
	unread     uint64
}

// openKmod opens the device and makes it ready; nothing flows before Start. If
// the device is missing, the module is loaded once.
func (d *daemon) openKmod(path string, c driver.Config) (*kmod, error) {
	dev, err := driver.Open(path)
	if err != nil && os.IsNotExist(err) {
		d.log.infof("Trying to inject the Kernel module and opening the capture again...")
		if !modprobe() {
			d.log.errorf("Unable to load the driver")
		}
		dev, err = driver.Open(path)
	}
	if err != nil {
		return nil, deviceError(path, err)
	}
	k := &kmod{dev: dev, rings: make(map[int]*ring.Ring)}
	if err := k.prepare(c); err != nil {
		dev.Close()
		return nil, &failure{form: block, text: fmt.Sprintf("%s: %v", path, err), hint: "dmesg may know more"}
	}
	return k, nil
}

// deviceError says why the device cannot be opened, and what to do.
func deviceError(path string, err error) error {
	f := &failure{form: block}
	if pe, ok := err.(*os.PathError); ok {
		f.text = fmt.Sprintf("error opening device %s. Make sure you have root credentials and that the falco module is loaded: %v", path, pe.Err)
	} else {
		f.text = err.Error()
	}
	switch {
	case os.IsNotExist(err):
		f.hint = "load the module: modprobe falco, or insmod falco.ko"
	case os.IsPermission(err):
		f.hint = "run falco as root"
	}
	return f
}

// modprobe loads the module by the absolute paths alone.
func modprobe() bool {
	for _, path := range []string{"/usr/sbin/modprobe", "/sbin/modprobe"} {
		if exec.Command(path, "falco").Run() == nil {
			return true
		}
	}
	return false
}

func (k *kmod) prepare(c driver.Config) error {
	if err := k.dev.Configure(c); err != nil {
		return err
	}
	info, err := k.dev.Info()
	if err != nil {
		return err
	}
	k.cpus, k.generation = info.CPUs, info.Generation
	k.merge = merge.New(nil, driver.BootTime)
	if err := k.mapRings(); err != nil {
		return err
	}
	k.waiter = merge.NewWaiter(k.merge, k.dev.Wait, watermarkTime)
	k.setClock()
	return nil
}

// mapRings takes in the rings of CPUs that have none here yet.
func (k *kmod) mapRings() error {
	for cpu := range k.cpus {
		if k.rings[cpu] != nil {
			continue
		}
		m, ok, err := k.dev.Map(cpu)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		r, err := ring.New(cpu, m.Control, m.Data)
		if err != nil {
			return err
		}
		k.rings[cpu], k.ringBytes = r, uint64(len(m.Data)/2)
		k.merge.Add(r)
	}
	return nil
}

// setClock follows the wall clock when it is set.
func (k *kmod) setClock() {
	k.read = time.Now()
	if now := driver.EpochOffset(); now-k.offset > clockStep || k.offset-now > clockStep {
		k.offset = now
	}
}

// generationEvery is how many records pass before the rings are asked for new
// ones, when the loop never rests.
const generationEvery = 4096

// Next leaves out what is no event: gaps, which are told, and records that
// cannot be understood, which are counted.
func (k *kmod) Next(ev *event.Event) (bool, error) {
	for {
		f, ok := k.merge.Next()
		if !ok {
			k.lag = 0
			return false, k.merge.Err()
		}
		if f.Flags&ring.Gap != 0 {
			k.skip(f)
			continue
		}
		ev.CPU, ev.Flags = f.CPU, event.PrefixFlags(f.Flags)
		n, err := ev.Decode(f.Record)
		if err != nil {
			k.unread++
			continue
		}
		if uint32(ev.Flags)&ring.Ext != 0 {
			ev.SetExt(f.Record[n:])
		}
		if k.passed++; k.passed >= generationEvery {
			if err := k.lookUp(ev); err != nil {
				return false, err
			}
		}
		ev.TS += uint64(k.offset)
		if c := k.canary; c != nil && c.sang(ev) {
			k.hear(ev)
			continue
		}
		return true, nil
	}
}

// skip takes in a gap record.
func (k *kmod) skip(f *ring.Frame) {
	if l, err := ring.ParseGap(f.Record); err == nil && k.gap != nil {
		k.gap(f.CPU, l, k.offset)
	}
}

// lookUp takes in new rings and says how far behind ev, whose time is that of the rings,
// finds us.
func (k *kmod) lookUp(ev *event.Event) error {
	now := driver.BootTime()
	k.lag = now - min(now, ev.TS)
	return k.newRings()
}

// Arm also looks after what can wait for a dry moment: the wall clock.
func (k *kmod) Arm() (bool, time.Duration) {
	if time.Since(k.read) > time.Second {
		k.setClock()
	}
	if k.merge.Pending() { // too young to go out; nobody has to wake us for it
		return true, merge.Hold
	}
	return k.waiter.Arm(), 0
}

func (k *kmod) C() <-chan struct{} { return k.waiter.C }

// Woken also takes in new rings.
func (k *kmod) Woken() error {
	k.waiter.Woken()
	if err := k.waiter.Err(); err != nil {
		return fmt.Errorf("wait for %s: %w", driver.Path, err)
	}
	return k.newRings()
}

// newRings takes in the rings of CPUs that came up meanwhile.
func (k *kmod) newRings() error {
	k.passed = 0
	for _, r := range k.rings { // any of them tells: the word is in every control page
		if r.Generation() == k.generation {
			return nil
		}
		info, err := k.dev.Info()
		if err != nil {
			return err
		}
		k.generation = info.Generation
		return k.mapRings()
	}
	return nil
}

func (k *kmod) Stop() error {
	err := k.dev.Stop()
	k.merge.Drain()
	return err
}

// Ledger reads the module's books of all CPUs.
func (k *kmod) Ledger() (ledger, error) {
	var sum driver.Stats
	for cpu := range k.cpus {
		s, err := k.dev.Stats(cpu)
		if err != nil {
			return ledger{}, err
		}
		sum.Add(s)
	}
	return ledger{Seen: sum.Produced, Delivered: k.merge.Stats().Events, Lost: sum.Lost, Unread: k.unread}, nil
}

func (k *kmod) Close() error {
	k.waiter.Close()
	return k.dev.Close()
}

// start says what is wanted and lets it flow. The module leaves nobody out, not
// even us: whoever does something in our name shall be seen. What costs extra,
// the paths of opened files, is asked for only where a rule reads it.
func (k *kmod) start(c calls, successOnly, realpath bool) error {
	err := k.choose(c, successOnly, realpath)
	if k.canary != nil && errors.Is(err, syscall.EINVAL) { // a module from before canaries
		k.canary = nil
		err = k.choose(c, successOnly, realpath)
	}
	if err == nil {
		err = k.dev.Start()
	}
	if err != nil {
		return &failure{form: block, text: fmt.Sprintf("%s: %v", driver.Path, err), hint: "dmesg may know more"}
	}
	return nil
}

// choose says which events are wanted from now on.
func (k *kmod) choose(c calls, successOnly, realpath bool) error {
	// Our own calls are not told: every alert would be the cause of the next.
	f := driver.Filter{SuccessOnly: successOnly, Enter: true, Realpath: realpath, IgnoredTgids: []int{selfPid()}}
	if k.canary != nil {
		k.canary.alone = !c[canaryCode]
		c[canaryCode] = true
		f.HeardTid = k.canary.tid
	}
	f.Syscalls = c.codes()
	return k.dev.SetFilter(f)
}

// counted returns how many events the module has made and lost. Unlike Ledger it
// may be called from anywhere.
func (k *kmod) counted() (produced, lost uint64) {
	for cpu := range k.cpus {
		if s, err := k.dev.Stats(cpu); err == nil {
			produced, lost = produced+s.Produced, lost+s.Lost.Total()
		}
	}
	return produced, lost
}

// perCPU returns what the module has counted.
func (k *kmod) perCPU() (out []metrics.CPU) {
	for cpu := range k.cpus {
		if s, err := k.dev.Stats(cpu); err == nil {
			c := metrics.CPU{ID: cpu, Events: s.Produced, Drops: s.Lost.Total()}
			if r := k.rings[cpu]; r != nil {
				c.HasRingFill, c.RingSize, c.RingUsed = true, k.ringBytes, uint64(r.Fill()*float64(k.ringBytes))
			}
			out = append(out, c)
		}
	}
	return out
}
