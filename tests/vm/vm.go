// SPDX-License-Identifier: Apache-2.0

// Package vm boots a stock Debian kernel in QEMU, with our module and our daemon, and runs a script in it. It is the base
// of the Makefile's vm, shell and demo (tests/vm/run) and of every test that needs a kernel (Run).
//
//	kernel.go apt.go cache.go   which kernel; fetched how; kept where
//	build.go builder.go tools.go    module, daemon, init; with which compiler; what they need of the host
//	initramfs.go rootfs.go      the guest's files, in one cpio
//	debian.go debian_*.go       a whole Debian on a disk, for what needs one
//	plan.go                     what init shall do, and with which files
//	boot.go qemu.go accel.go    the machine
//	init/                       PID 1 of the guest, which tells the story of a run
//	wire/                       what host and init say to each other
//	result.go splat.go ledger.go    what comes back
//
// Everything a guest needs is in its initramfs, and everything that it gives comes through virtio ports, live: there is no
// network and, unless a Debian was asked for, no disk and nothing to mount.
package vm

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Config says what shall run. The zero value boots the default kernel with the stock rules and does nothing there.
type Config struct {
	Kernel string // as in kernels.txt

	Rules     []string // files or folders of the host, given to the daemon with -r in this order; none means the stock rules
	Act       string   // the script, a file of the host
	Script    string   // or its text
	Setup     string   // text of a script that has to end well before module and daemon come; what it starts goes on
	Files     []string // copied to /files with their modes, folders with all below them
	FalcoArgs []string // more arguments of the daemon
	Text      bool     // alerts as text; else the daemon runs with json_output
	Capture   bool     // the daemon writes all that it sees to Result.Capture
	Env       []string // for daemon and act

	Daemon       string // a static binary of the host instead of ./daemon
	Module       string // a falco.ko of the host instead of driver/
	ModuleParams string // as insmod takes them
	DebugModule  bool   // driver/ with self-tests at load
	NoDaemon     bool   // the act runs unwatched
	NoModule     bool

	Debian   *Debian // a whole Debian (debian.go); nil is busybox in the initramfs
	Root     *Root   // a changed one, instead
	CgroupV1 bool    // the guest has version 1 of control groups
	// WatchBoot has the daemon start among the first services of a Debian with systemd, and the act beside the others.
	WatchBoot bool

	CPUs       int           // 2
	MemoryMB   int           // 768, and more where the files need it; 2048 with a Debian
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
	debianMemory   = 2048
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
	disk   string // "" for none
}

// Prepare fetches the kernel, builds what is to be built and finds out how to run it. Guests may be run more than once.
func Prepare(config Config) (*Guest, error) {
	if err := config.chooseDebian(); err != nil {
		return nil, err
	}
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
	recipe, err := FindRecipe(config.Kernel)
	if err != nil {
		return nil, err
	}
	if !recipe.Boots() {
		return nil, fmt.Errorf("kernel %s: there is no image of it, only what modules are built with", recipe.Name)
	}
	if err := needTools([]tool{recipe.machine().qemu}, progress); err != nil {
		return nil, err
	}
	config.Timeout *= recipe.patience()
	if recipe.Debug() {
		// With five levels of page tables KASAN asks a CPU feature where its shadow begins, and an interrupt that comes while
		// the kernel looks the features up for the second time finds it missing: false reports, before init.
		config.KernelArgs = append(slices.Clip(config.KernelArgs), "no5lvl")
	}
	guest := &Guest{config: config, falco: config.Daemon, module: config.Module, accel: config.Accel}
	if guest.kernel, err = GetKernel(config.Kernel, config.Refresh, progress); err != nil {
		return nil, err
	}
	if config.Debian != nil {
		if guest.disk, err = config.debianDisk(guest.kernel); err != nil {
			return nil, err
		}
	}
	if guest.module == "" && !config.NoModule {
		if guest.module, err = BuildModule(guest.kernel, config.DebugModule, progress); err != nil {
			return nil, err
		}
	}
	if guest.falco == "" && !config.NoDaemon {
		if guest.falco, err = BuildGoFor(recipe.Arch, "./daemon", "falco", progress); err != nil {
			return nil, err
		}
	}
	if guest.init, err = BuildGoFor(recipe.Arch, "./tests/vm/init", "init", progress); err != nil {
		return nil, err
	}
	if guest.accel == "" {
		if guest.accel, err = accelerator(guest.kernel, guest.init, progress); err != nil {
			return nil, err
		}
	}
	return guest, nil
}
