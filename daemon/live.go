// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/state"
)

func (d *daemon) writePidFile() error {
	if d.opt.pidFile == "" {
		return nil
	}
	if d.opt.dryRun {
		d.log.debugf("Skipping pidfile creation in dry-run")
		return nil
	}
	if err := os.WriteFile(d.opt.pidFile, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		d.silent = true
		return &failure{form: plain, text: fmt.Sprintf("Could not write pid to pidfile %s. Exiting.", d.opt.pidFile), hint: err.Error(), code: exitPidFile}
	}
	return nil
}

func (d *daemon) selectCalls() error {
	if d.cfg.Engine.Kind == config.KindKmod {
		bytes, err := ringBytes(d.cfg.Engine.BufSizePreset)
		if err != nil {
			return err
		}
		d.log.infof("The chosen syscall buffer dimension is: %d bytes (%d MBs)", bytes, bytes>>20)
		if d.cfg.Engine.DropFailed {
			d.log.infof("Failed syscall exit events are dropped in the kernel driver")
		}
	}
	d.calls = selectCalls(d.log, d.stderr, d.cfg, rulesCalls(d.set))
	return nil
}

func (d *daemon) endDryRun() error {
	if d.opt.dryRun {
		for _, what := range []string{"event processing", "unregistering signal handlers"} {
			d.log.debugf("Skipping %s in dry-run", what)
		}
		d.log.debugf("closing inspectors")
		return errDone
	}
	return nil
}

// ringBytes returns the size of one CPU's ring: 1 MiB for preset 1, twice as
// much for each further one.
func ringBytes(preset int) (int, error) {
	if preset < 1 || preset > 10 {
		return 0, &failure{form: block, text: "The 'buf_size_preset' value must be between '1' and '10'"}
	}
	return 1 << 20 << (preset - 1), nil
}

// openSource opens where events come from. Nothing flows yet. At the end, after
// the last event, stands the ledger.
func (d *daemon) openSource() error {
	d.log.infof("Loaded event sources: %s", syscallSource)
	d.log.infof("Enabled event sources: %s", syscallSource)
	switch d.cfg.Engine.Kind {
	case config.KindNone:
		d.log.infof("Enabled event source '%s' will be opened with no driver, no event will be produced", syscallSource)
		d.log.infof("Opening '%s' source with no driver", syscallSource)
		d.pipe.source = withoutDriver()
	case config.KindReplay:
		d.log.infof("Replaying events from the capture file: %s", d.cfg.Engine.CaptureFile)
		r, err := openReplay(d.cfg.Engine.CaptureFile, d.stop)
		if err != nil {
			return err
		}
		r.bound(d.opt.seconds)
		d.pipe.source = r
	default:
		d.log.infof("Opening '%s' source with Kernel module", syscallSource)
		bytes, err := ringBytes(d.cfg.Engine.BufSizePreset)
		if err != nil {
			return err
		}
		k, err := d.openKmod(driver.Path, driver.Config{RingBytes: bytes, Snaplen: d.cfg.Engine.Snaplen})
		if err != nil {
			d.log.errorf("An error occurred in an event source, forcing termination...")
			return err
		}
		k.gap = d.drops.gap
		d.pipe.source = k
	}
	began := time.Now()
	d.atEnd(func() {
		l, err := d.pipe.source.Ledger()
		if err != nil {
			d.log.errorf("read the books of the kernel module: %v", err)
		}
		if err := d.pipe.source.Close(); err != nil {
			d.log.errorf("close the source of events: %v", err)
		}
		if d.opt.verbose {
			if d.cfg.Engine.Kind != config.KindReplay {
				fmt.Fprintf(d.stderr, "Driver Events:%d\nDriver Drops:%d\n(%s) ", l.Seen, l.Lost.Total(), syscallSource)
			}
			seconds := time.Since(began).Seconds()
			fmt.Fprintf(d.stderr, "Elapsed time: %.3f, Captured Events: %d, %.2f eps\n", seconds, d.pipe.shown, float64(d.pipe.shown)/seconds)
		}
		d.drops.summary(d.stderr, l, d.pipe.early.lost)
	})
	return nil
}

// watch lets events flow, and turns until the end.
func (d *daemon) watch() error {
	p := &d.pipe
	p.swap(d.set)
	p.stop, p.mail, p.early.limit = d.stop, d.mail, backlogBytes
	var mem keeper
	p.clock = d.clocked
	p.tick = func(now time.Time) {
		d.publish()
		d.countQuiet(now)
		l, err := p.source.Ledger()
		if err == nil {
			d.drops.check(now, l)
			d.tellGaps(now)
		}
		if c := d.health.canary.Load(); c != nil {
			c.reached.Store(p.lastTS)
			c.through.Store(l.Delivered)
		} else {
			notifyAlive()
		}
		mem.tick(p.state.Stats().Bytes)
	}
	r, replays := p.source.(*replay)
	begin := d.beginLive
	if replays {
		begin = func() error { return d.beginReplay(r) }
	}
	if err := begin(); err != nil {
		return err
	}
	mem.bound(p.state.Limits().Bytes)
	if !replays {
		d.publish()
		d.tellMetricsLive()
	}
	written := d.writeEvents()
	err := d.runCapturing(max(d.cfg.OutputTimeout, 2*time.Second))
	written()
	if replays {
		err = d.endReplay(r, err)
	}
	d.log.debugf("state: %+v", p.state.Stats())
	if err == nil {
		d.failOnce.Do(func() {}) // whoever comes now is late, and whoever came has written
		err = d.failed
	}
	return err
}

// beginLive lets events flow and has everything read that was there before them.
func (d *daemon) beginLive() error {
	p := &d.pipe
	if d.opt.seconds != 0 {
		t := time.AfterFunc(time.Duration(max(d.opt.seconds, 0))*time.Second, d.end)
		d.atEnd(func() { t.Stop() })
	}
	proc, err := procfs.New(os.Getenv("HOST_ROOT") + "/proc")
	if err != nil {
		return err
	}
	proc.SetBoot(uint64(driver.EpochOffset())) // of the clock that events are stamped with
	options, err := d.stateOptions(proc)
	if err != nil {
		return err
	}
	p.state = state.New(options)
	d.watchUsers()
	d.resolveHosts()
	k, live := p.source.(*kmod)
	if !live {
		d.ready()
		return nil
	}
	d.serveState()
	d.keepCanary(k)
	if err := k.start(d.calls, d.cfg.Engine.DropFailed, d.set.Reads(field.Realpath)); err != nil {
		return err
	}
	if k.canary == nil && d.health.canary.Swap(nil) != nil {
		d.log.warnf("no canary: the module is older than this daemon; that nothing is seen any more would not be noticed")
	}
	seeds := make(chan func(), 64)
	p.seeds = seeds
	go d.readProc(proc, seeds)
	return nil
}

// ready is called once, when whatever happens from now on is seen. The line and
// the READY=1 are what a harness or a service manager waits for.
func (d *daemon) ready() {
	d.log.infof("Falco is watching")
	notify(notifyReady)
	if c := d.health.canary.Load(); c != nil {
		c.begin <- struct{}{}
	}
	if d.told != nil {
		d.told.Write([]byte{1})
		d.told.Close()
	}
}
