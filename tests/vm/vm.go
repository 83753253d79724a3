// SPDX-License-Identifier: Apache-2.0

// Package vm boots a stock Debian kernel in QEMU, with our module and our daemon, and runs a script in it. It is the base
// of the Makefile's vm, shell and demo (tests/vm/run) and of every test that needs a kernel (Run).
//
//	kernel.go apt.go cache.go   which kernel; fetched how; kept where
//	build.go tools.go           module, daemon, init; what they need of the host
//	initramfs.go rootfs.go      the guest's files, in one cpio
//	qemu.go accel.go            the machine
//	init/                       PID 1 of the guest, which tells the story of a run
//	wire/                       what host and init say to each other
//	result.go splat.go ledger.go    what comes back
//
// Everything a guest needs is in its initramfs, and everything that it gives comes through virtio ports, live: there is no
// disk, no network and nothing to mount.
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/falco-go/falco/tests/vm/wire"
)

// Config says what shall run. The zero value boots the default kernel with the stock rules and does nothing there.
type Config struct {
	Kernel string // as in kernels.txt

	Rules     []string // files or folders of the host, given to the daemon with -r in this order; none means the stock rules
	Act       string   // the script, a file of the host
	Script    string   // or its text
	Files     []string // copied to /files with their modes, folders with all below them
	FalcoArgs []string // more arguments of the daemon
	Text      bool     // alerts as text; else the daemon runs with json_output
	Env       []string // for daemon and act

	Daemon       string // a static binary of the host instead of ./daemon
	Module       string // a falco.ko of the host instead of driver/
	ModuleParams string // as insmod takes them
	DebugModule  bool   // driver/ with self-tests at load
	NoDaemon     bool   // the act runs unwatched
	NoModule     bool

	CPUs       int           // 2
	MemoryMB   int           // 768, and more where the files need it
	Timeout    time.Duration // for all that happens in the guest; 2 minutes
	Accel      string        // "kvm" or "tcg"; "" finds out
	KernelArgs []string      // more words of the kernel's command line
	QEMUArgs   []string      // more arguments of QEMU

	Terminal   bool   // the act is a shell on our terminal
	ConsoleLog string // with Terminal: a file for what is seen there
	Rows       uint16 // size of the terminal
	Columns    uint16

	Alerts   io.Writer // gets what the daemon prints while it prints it
	ActOut   io.Writer // gets what the script prints
	Progress *Progress
	Refresh  bool // ask the mirror for a newer kernel
}

const (
	defaultCPUs    = 2
	defaultMemory  = 768
	defaultTimeout = 2 * time.Minute
	// captured bounds what is kept of each port.
	captured = 256 << 20
)

// A Guest is all that is needed to boot, built and found.
type Guest struct {
	config Config
	kernel *Kernel
	init   string
	falco  string
	module string
	accel  string
}

// Prepare fetches the kernel, builds what is to be built and finds out how to run it. Guests may be run more than once.
func Prepare(config Config) (*Guest, error) {
	if config.Kernel == "" {
		config.Kernel = DefaultKernel
	}
	if config.CPUs == 0 {
		config.CPUs = defaultCPUs
	}
	if config.MemoryMB == 0 {
		config.MemoryMB = defaultMemory
	}
	if config.Timeout == 0 {
		config.Timeout = defaultTimeout
	}
	progress := config.Progress
	if _, err := FindRecipe(config.Kernel); err != nil {
		return nil, err
	}
	if err := needTools(bootTools, progress); err != nil {
		return nil, err
	}
	guest := &Guest{config: config, falco: config.Daemon, module: config.Module, accel: config.Accel}
	var err error
	if guest.kernel, err = GetKernel(config.Kernel, config.Refresh, progress); err != nil {
		return nil, err
	}
	if guest.module == "" && !config.NoModule {
		if guest.module, err = BuildModule(guest.kernel, config.DebugModule, progress); err != nil {
			return nil, err
		}
	}
	if guest.falco == "" && !config.NoDaemon {
		if guest.falco, err = BuildGo("./daemon", "falco", progress); err != nil {
			return nil, err
		}
	}
	if guest.init, err = BuildGo("./tests/vm/init", "init", progress); err != nil {
		return nil, err
	}
	if guest.accel == "" {
		if guest.accel, err = accelerator(guest.kernel, guest.init, progress); err != nil {
			return nil, err
		}
	}
	return guest, nil
}

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
		kernel: g.kernel.Image(), initrd: initrd, accel: g.accel, cpus: c.CPUs,
		// The archive and what is unpacked from it are in memory together for a moment.
		memoryMB: c.MemoryMB + int(2*info.Size()>>20), append: c.KernelArgs, args: c.QEMUArgs,
		terminal: c.Terminal, consoleTo: c.ConsoleLog,
	}
	if m.terminal && m.consoleTo == "" {
		m.consoleTo = os.DevNull
	}

	step := c.Progress.Step("boot", fmt.Sprintf("%s (%s, %d CPUs)", g.kernel.ABI, g.accel, c.CPUs))
	booted := false
	collector := &collector{start: time.Now()}
	collector.up = func() {
		booted = true
		step.Done("")
	}
	alerts := &keep{limit: captured, also: c.Alerts}
	act := &keep{limit: captured, also: c.ActOut}
	log, console := &keep{limit: captured}, &keep{limit: captured}
	limit := c.Timeout + bootLimit
	if c.Terminal {
		limit = 0
	}
	err = m.run(ctx, limit, map[string]io.Writer{
		wire.PortReport: &lineWriter{line: collector.reportLine},
		wire.PortAlerts: alerts,
		wire.PortLog:    log,
		wire.PortAct:    act,
		portConsole:     console,
	})
	if !booted {
		step.Fail()
	}
	result := &Result{AlertText: alerts.String(), Log: log.String(), Act: act.String(), Console: console.String()}
	result.Total = time.Since(collector.start)
	if c.Terminal {
		text, _ := os.ReadFile(m.consoleTo)
		result.Console = string(text)
	}
	collector.fill(result)
	if !c.Text {
		result.Alerts = readAlerts(result.AlertText)
	}
	result.Ledger = parseLedger(result.Log)
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

// writeInitramfs makes the guest's files.
func (g *Guest) writeInitramfs() (string, error) {
	root, err := g.root()
	if err != nil {
		return "", err
	}
	dir, err := cacheDir("tmp")
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(dir, "initramfs-*.cpio")
	if err != nil {
		return "", err
	}
	defer file.Close()
	if err := root.write(file); err != nil {
		os.Remove(file.Name())
		return "", fmt.Errorf("make the initramfs: %w", err)
	}
	return file.Name(), nil
}

// root says what goes where, and what init does with it.
func (g *Guest) root() (*guestRoot, error) {
	c := &g.config
	insmod, err := moduleOrder(g.kernel.Modules(), portModules)
	if err != nil {
		return nil, fmt.Errorf("find the guest's modules: %w", err)
	}
	plan := &wire.Plan{
		Env: append([]string{
			"PATH=" + guestPath, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "TERM=" + term(c), "LANG=C.UTF-8",
		}, c.Env...),
		Dir: "/root", Hostname: guestName, Terminal: c.Terminal, Rows: c.Rows, Columns: c.Columns,
		ModuleParams: c.ModuleParams,
		ReadyLimit:   c.Timeout / 2, ActLimit: c.Timeout, Settle: 300 * time.Millisecond, StopLimit: 20 * time.Second,
	}
	r := &guestRoot{kernel: g.kernel, init: g.init, insmod: insmod, plan: plan, files: map[string]string{}, texts: map[string]string{}}
	if !c.NoModule && g.module != "" {
		r.module = g.module
		plan.Module = path.Join("/lib/modules", g.kernel.ABI, "extra", filepath.Base(g.module))
	}
	if err := g.addDaemon(r); err != nil {
		return nil, err
	}
	switch {
	case c.Terminal:
		plan.Act, plan.ActLimit = []string{"/bin/sh", "-l"}, 0
	case c.Act != "":
		names, files, err := place("/root", []string{c.Act})
		if err != nil {
			return nil, err
		}
		for name, from := range files {
			r.files[name] = from
		}
		plan.Act = []string{"/bin/sh", names[0]}
	case c.Script != "":
		r.texts["/root/act.sh"] = c.Script
		plan.Act = []string{"/bin/sh", "/root/act.sh"}
	}
	_, files, err := place("/files", c.Files)
	if err != nil {
		return nil, err
	}
	for name, from := range files {
		r.files[name] = from
	}
	return r, nil
}

// addDaemon puts falco, its configuration and its rules where they belong, and says how it is called.
func (g *Guest) addDaemon(r *guestRoot) error {
	c := &g.config
	repo, err := repoRoot()
	if err != nil {
		return err
	}
	for _, name := range []string{"falco.yaml", "rules/falco_rules.yaml", "rules/falco_rules.local.yaml"} {
		from := filepath.Join(repo, name)
		if _, err := os.Stat(from); err == nil {
			r.files["/etc/falco/"+filepath.Base(name)] = from
		}
	}
	if g.falco == "" {
		return nil
	}
	r.falco = g.falco
	if c.NoDaemon {
		return nil
	}
	rules := []string{"/etc/falco/falco_rules.yaml"}
	if len(c.Rules) > 0 {
		names, files, err := place("/rules", c.Rules)
		if err != nil {
			return err
		}
		for name, from := range files {
			r.files[name] = from
		}
		rules = names
	}
	argv := []string{"/usr/bin/falco"}
	for _, name := range rules {
		argv = append(argv, "-r", name)
	}
	if !c.Text {
		argv = append(argv, "-o", "json_output=true")
	}
	r.plan.Daemon = append(argv, c.FalcoArgs...)
	return nil
}

func term(c *Config) string {
	if c.Terminal {
		return "linux"
	}
	return "dumb"
}
