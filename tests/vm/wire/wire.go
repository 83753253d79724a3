// SPDX-License-Identifier: Apache-2.0

// Package wire is what the host and the guest's init say to each other: one Plan goes in, as a file of the initramfs, and
// Reports come out, a JSON line each, through a port of their own.
//
//	host                                   guest
//	 Plan ──── /plan.json in the initramfs ──► init
//	 Report ◄── virtio port "report" ───────── init
//	 alerts ◄── virtio port "alerts" ───────── standard output of the daemon, untouched
//	 log    ◄── virtio port "log" ──────────── standard error of the daemon
//	 act    ◄── virtio port "act" ──────────── both outputs of the script
//	 setup  ◄── virtio port "setup" ────────── both outputs of what prepares the guest
//	 capture ◄─ virtio port "capture" ──────── all that the daemon saw, if it is to write that
//	 console ◄─ first serial line ──────────── the kernel
package wire

import "time"

// PlanPath is where init finds its Plan.
const PlanPath = "/plan.json"

// Names of the ports, in the order in which the host offers them.
const (
	PortReport  = "report"
	PortAlerts  = "alerts"
	PortLog     = "log"
	PortAct     = "act"
	PortCapture = "capture"
	PortSetup   = "setup"
)

// With a Disk, what the initramfs has below OverlayPath is added to its files. Where systemd boots, init is called again as
// its service, with ServiceArg, and finds its Plan in ServicePlanPath.
const (
	OverlayPath     = "/overlay"
	ServiceArg      = "service"
	ServicePlanPath = "/run/guest/plan.json"
)

// CapturePath is where the daemon finds PortCapture, which it opens itself.
const CapturePath = "/dev/capture"

// Ports lists them.
var Ports = []string{PortReport, PortAlerts, PortLog, PortAct, PortCapture, PortSetup}

// Plan says what init does between boot and power-off. Paths are the guest's.
type Plan struct {
	Insmod []string // the kernel's own modules, dependencies first, loaded before anything else
	Module string   // ours; "" means none
	Disk   *Disk    // whose files are the root's; nil: the initramfs stays

	CgroupV1 bool // instead of the one tree of version 2

	ModuleParams string // as insmod takes them

	Setup []string // argv of what must have ended well before our module is loaded; what it leaves running goes on

	Daemon []string // argv; empty means none. It says READY=1 to NOTIFY_SOCKET

	Act      []string // argv of the script; empty means that init stops at ready
	Env      []string // for daemon and act
	Dir      string   // working directory of the act
	Terminal bool     // the act owns the console, which is its terminal
	Rows     uint16   // size of that terminal
	Columns  uint16

	SetupLimit time.Duration // until Setup must have ended
	ReadyLimit time.Duration // until the daemon must be ready
	ActLimit   time.Duration // until the act must have ended; 0 means for ever
	Settle     time.Duration // between the end of the act and SIGTERM to the daemon
	StopLimit  time.Duration // until the daemon must have ended after SIGTERM

	Hostname string
	Debug    bool // the kernel is one that looks for bugs, and shall be asked
}

// Disk is a disk with a whole system.
type Disk struct {
	Device  string
	Systemd bool // it becomes PID 1
}

// Kinds of Report, in the order in which they come.
const (
	KindUp      = "up"      // init runs, its ports work
	KindBooted  = "booted"  // the disk's services run, where it has any
	KindSetup   = "setup"   // Setup has ended with Code or Signal
	KindReady   = "ready"   // the daemon is ready, Memory is how it was before the daemon started
	KindActEnd  = "act"     // the act has ended with Code or Signal
	KindFalco   = "falco"   // the daemon has ended with Code or Signal; Asked tells whether init wanted it
	KindUnload  = "unload"  // the module has been unloaded, or why it could not be
	KindMemory  = "memory"  // Memory at the end, without daemon and module
	KindDmesg   = "dmesg"   // Text is the kernel's log
	KindDone    = "done"    // nothing follows but power-off
	KindTrouble = "trouble" // Text says what did not work; the guest goes on to power off
)

// Report is one line from init.
type Report struct {
	Kind   string
	Text   string           `json:",omitempty"`
	Code   int              `json:",omitempty"`
	Signal string           `json:",omitempty"`
	Asked  bool             `json:",omitempty"`
	Limit  bool             `json:",omitempty"` // ended because its time was over
	Memory map[string]int64 `json:",omitempty"` // /proc/meminfo, bytes
}
