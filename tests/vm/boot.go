// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/falco-go/falco/tests/vm/wire"
)

// Run boots the guest and comes back when it is off. The error is that of the harness; what went wrong inside is in the
// Result, of which Err makes an error. A guest that was stopped has a Result, too.
func (g *Guest) Run(ctx context.Context) (*Result, error) {
	initrd, err := g.writeInitramfs()
	if err != nil {
		return nil, err
	}
	defer os.Remove(initrd)
	info, err := os.Stat(initrd)
	if err != nil {
		return nil, err
	}
	c := &g.config
	m := &machine{
		arch: g.kernel.machine(), kernel: g.kernel.Image(), initrd: initrd, accel: g.accel, cpus: c.CPUs,
		// The archive and what is unpacked from it are in memory together for a moment.
		memoryMB: c.MemoryMB + int(2*info.Size()>>20), append: slices.Concat(c.systemdArgs(), c.KernelArgs), args: c.QEMUArgs,
		terminal: c.Terminal, consoleTo: c.ConsoleLog, disk: g.disk,
	}
	if m.terminal && m.consoleTo == "" {
		m.consoleTo = os.DevNull
	}

	for attempt := 1; ; attempt++ {
		result, err := g.boot(ctx, m)
		if !errors.Is(err, errStalled) {
			return result, err
		}
		if attempt == bootAttempts {
			return result, fmt.Errorf("boot %s: %w %d times\n%s", g.kernel.ABI, err, attempt, tail(result.Console, 20))
		}
		c.Progress.Say("the guest stood still before init ran, after %q; once more", tail(result.Console, 1))
	}
}

// Once in many boots a guest under emulation stands still before init, with nothing of ours in it yet.
const bootAttempts = 3

// boot is one attempt. Its error is errStalled where another may help.
func (g *Guest) boot(ctx context.Context, m *machine) (*Result, error) {
	c := &g.config
	step := c.Progress.Step("boot", fmt.Sprintf("%s (%s, %d CPUs)", g.kernel.ABI, g.accel, c.CPUs))
	collector := &collector{start: time.Now()}
	collector.up = func() { step.Done("") }
	alerts, sums := &keep{limit: captured, also: c.Alerts}, &keep{limit: captured}
	stdout := newSieve(alerts, sums)
	act, capture := &keep{limit: captured, also: c.ActOut}, &keep{limit: captured}
	log, console := &keep{limit: captured}, &keep{limit: captured}
	setup := &keep{limit: captured}
	limit := c.Timeout + bootLimit*g.kernel.patience()
	if g.disk != "" {
		limit += debianLimit
	}
	if c.Terminal {
		limit = 0
	}
	watched, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if !c.Terminal {
		go watchBoot(watched, collector, console, stallLimit*g.kernel.patience(), stop)
	}
	err := m.run(watched, limit, map[string]io.Writer{
		wire.PortReport:  &lineWriter{line: collector.reportLine},
		wire.PortAlerts:  stdout,
		wire.PortLog:     log,
		wire.PortAct:     act,
		wire.PortCapture: capture,
		wire.PortSetup:   setup,
		portConsole:      console,
	})
	if !collector.isUp() {
		step.Fail()
	}
	stdout.flush()
	if capture.cut { // whoever wrote to it has ended
		c.Progress.Say("the capture ends early: %d MB of it are kept", captured>>20)
	}
	result := &Result{
		AlertText: alerts.String(), Sums: sums.String(), Log: log.String(), Act: act.String(), Setup: setup.String(), Console: console.String(),
		Capture: []byte(capture.String()),
	}
	result.Total = time.Since(collector.start)
	if c.Terminal {
		text, _ := os.ReadFile(m.consoleTo)
		result.Console = string(text)
	}
	collector.fill(result)
	for what, k := range map[string]*keep{"alerts": alerts, "sums": sums, "log": log, "act": act} {
		if k.cut {
			result.Trouble = append(result.Trouble, fmt.Sprintf("%s: more than the %d MB that are kept", what, captured>>20))
		}
	}
	if !c.Text {
		result.Alerts = readAlerts(result.AlertText)
	}
	result.Ledger = parseLedger(result.Log + result.Sums)
	result.Splats = findSplats(result.Console)
	if len(result.Splats) == 0 {
		result.Splats = findSplats(result.Dmesg)
	}
	switch {
	case errors.Is(err, errTimeLimit):
		result.Trouble = append(result.Trouble, fmt.Sprintf("the guest hung: not off after %v", limit))
		err = nil
	case err != nil && ctx.Err() == nil && result.Complete:
		err = nil // it said all; how QEMU ends then does not matter
	}
	return result, err
}

// bootLimit is what a guest gets beyond Config.Timeout, before it counts as hung.
const bootLimit = 60 * time.Second

// debianLimit is what a whole system gets beyond that, to boot.
const debianLimit = 5 * time.Minute

// errStalled is why a guest was stopped whose kernel has been silent for stallLimit, before init ran. A kernel that boots
// says something many times a second.
var errStalled = errors.New("the kernel stood still")

const stallLimit = 15 * time.Second

// late is how much longer a kernel may be silent before its first line: what it says is kept until it has a console, and that
// can be when all memory has been set up. 4.18 takes more than 20 seconds to it, under emulation.
const late = 6

// watchBoot looks after a guest until init runs.
func watchBoot(ctx context.Context, collector *collector, console *keep, limit time.Duration, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	said, silent := 0, time.Duration(0)
	for !collector.isUp() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if n := console.Len(); n != said {
			said, silent = n, 0
			continue
		}
		allowed := limit
		if said == 0 {
			allowed *= late
		}
		if silent += time.Second; silent >= allowed {
			stop(errStalled)
			return
		}
	}
}
