// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/loader"
)

// falco doctor looks at everything that could keep this machine from being watched,
// and says of each thing that does what mends it. It changes nothing.

// finding is what a look at something has found.
type finding struct {
	how  ailment
	text string
	mend string // a command, or what to do
}

type ailment uint8

const (
	isFine ailment = iota
	isDoubtful
	isBroken
)

var ailmentNames = [...]string{"ok", "look", "BAD"}

// doctor is one visit.
type doctor struct {
	*daemon
	loader *loader.Loader
	read   func(name string) string // a file of /sys or /proc, "" if it is not there
}

// looks are what it looks at, in the order in which things depend on each other.
var looks = []struct {
	name string
	look func(*doctor) finding
}{
	{"user", (*doctor).user},
	{"kernel", (*doctor).kernel},
	{"lockdown", (*doctor).lockdown},
	{"headers", (*doctor).headers},
	{"module", (*doctor).module},
	{"device", (*doctor).device},
	{"configuration", (*doctor).configuration},
	{"rules", (*doctor).rulesFiles},
	{"memory", (*doctor).memory},
	{"outputs", (*doctor).outputs},
	{"containers", (*doctor).containers},
	{"daemon", (*doctor).running},
}

func doctorFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "c", Usage: "look at this configuration `FILE`"},
		&cli.StringFlag{Name: "config", Value: config.FalcoctlPath, Hidden: true},
	}
}

// runDoctor is falco doctor. Its exit code is 1 if something is broken.
func runDoctor(c *cli.Context, d *daemon) error {
	d.opt = &opts{config: c.String("c")}
	d.log = newLogger(io.Discard)
	l, err := newLoader(c, d)
	if err != nil {
		return fmt.Errorf("doctor: %w", err)
	}
	l.Say = func(string, ...any) {}
	doc := &doctor{daemon: d, loader: l, read: func(name string) string {
		text, _ := os.ReadFile(hostPath(name)) // not there: does not apply
		return strings.TrimSpace(string(text))
	}}
	return doc.visit()
}

// visit looks at everything and prints what it finds.
func (doc *doctor) visit() error {
	broken, doubtful := 0, 0
	for _, l := range looks {
		f := l.look(doc)
		fmt.Fprintf(doc.stdout, "%-4s  %-13s  %s\n", ailmentNames[f.how], l.name, f.text)
		if f.mend != "" && f.how != isFine {
			fmt.Fprintf(doc.stdout, "      %-13s  -> %s\n", "", f.mend)
		}
		switch f.how {
		case isBroken:
			broken++
		case isDoubtful:
			doubtful++
		}
	}
	switch {
	case broken > 0:
		fmt.Fprintf(doc.stdout, "\nThis machine cannot be watched as it should: %d to mend.\n", broken)
		return errBroken
	case doubtful > 0:
		fmt.Fprintf(doc.stdout, "\nNothing keeps this machine from being watched; %d to look at.\n", doubtful)
	default:
		fmt.Fprint(doc.stdout, "\nNothing keeps this machine from being watched.\n")
	}
	return nil
}

// errBroken ends a visit that has said everything already.
var errBroken = &failure{form: silent}

func fineWith(format string, args ...any) finding {
	return finding{text: fmt.Sprintf(format, args...)}
}

func doubtful(mend, format string, args ...any) finding {
	return finding{isDoubtful, fmt.Sprintf(format, args...), mend}
}

func broken(mend, format string, args ...any) finding {
	return finding{isBroken, fmt.Sprintf(format, args...), mend}
}

// brokenBy takes the words of an error, and what it says mends it.
func brokenBy(err error) finding {
	mend := ""
	var p *loader.Problem
	var f *failure
	var c *config.Error
	switch {
	case errors.As(err, &p):
		mend = p.Mend
	case errors.As(err, &f):
		mend = f.hint
	case errors.As(err, &c):
		if mend = c.Hint; mend == "" && c.At.File != "" {
			mend = "see " + c.At.String()
		}
	}
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return broken(mend, "%s", line)
}

func (doc *doctor) user() finding {
	if os.Geteuid() != 0 {
		return broken("sudo falco doctor", "only root may use the kernel module; what stands below may be wrong for that reason")
	}
	return fineWith("root")
}

func (doc *doctor) kernel() finding {
	t := &doc.loader.Target
	if err := doc.loader.Supported(); err != nil {
		return brokenBy(err)
	}
	if doc.read("/sys/kernel/realtime") == "1" {
		return broken("boot a kernel without PREEMPT_RT", "%s is a real-time kernel, which the module refuses", t.Release)
	}
	return fineWith("%s %s", t.Release, t.Arch)
}

func (doc *doctor) lockdown() finding {
	loaded := doc.loader.Loaded() != nil
	_, mode, _ := strings.Cut(doc.read("/sys/kernel/security/lockdown"), "[")
	mode, _, _ = strings.Cut(mode, "]")
	switch {
	case mode == "confidentiality":
		return broken("boot without lockdown=confidentiality", "the kernel lets nobody look (lockdown: confidentiality)")
	case (mode == "integrity" || doc.read("/sys/module/module/parameters/sig_enforce") == "Y") && !loaded:
		return doubtful(doc.loader.Enrol(), "the kernel takes signed modules only (Secure Boot)")
	case doc.read("/proc/sys/kernel/modules_disabled") == "1" && !loaded:
		return broken("remove kernel.modules_disabled from /etc/sysctl.d, and reboot", "the kernel loads no modules any more")
	case mode == "" || mode == "none":
		return fineWith("none")
	}
	return fineWith("%s, and the module is loaded", mode)
}

func (doc *doctor) headers() finding {
	dir, err := doc.loader.HeadersOf(doc.loader.Target.Release)
	switch {
	case err == nil:
		return fineWith("%s", dir)
	case doc.loader.Loaded() != nil: // needed again for the next kernel only
		f := brokenBy(err)
		f.how = isDoubtful
		return f
	}
	return brokenBy(err)
}

func (doc *doctor) module() finding {
	loaded := doc.loader.Loaded()
	if loaded == nil {
		return broken("falco driver install", "%s is not loaded", doc.loader.Name)
	}
	return fineWith("%s %s is loaded, users: %d", doc.loader.Name, loaded.Version, loaded.Users)
}

func (doc *doctor) device() finding {
	dev, err := driver.Open(driver.Path)
	if err != nil {
		mend := "falco driver load"
		switch {
		case os.IsPermission(err) && os.Geteuid() != 0:
			mend = "sudo falco doctor"
		case os.IsPermission(err):
			mend = "give the container or unit this device, or boot without lockdown=confidentiality"
		}
		return broken(mend, "%v", err)
	}
	defer dev.Close()
	return fineWith("%s opens, and speaks our version", driver.Path)
}

// configuration and what follows do what a start does, up to where it would begin.
func (doc *doctor) configuration() finding {
	var err error
	if doc.path, err = config.Find(doc.opt.config); err == nil && doc.path == "" {
		return broken("falco doctor -c FILE, or install one there", "there is no %s", config.DefaultPath)
	}
	if err == nil {
		err = doc.loadConfig()
	}
	if err != nil {
		doc.cfg = nil
		return brokenBy(err)
	}
	if n := len(doc.cfg.Warnings); n > 0 {
		return doubtful(doc.cfg.Warnings[0], "%s, warnings: %d", doc.path, n)
	}
	return fineWith("%s", doc.path)
}

func (doc *doctor) rulesFiles() finding {
	if doc.cfg == nil {
		return doubtful("mend the configuration first", "not looked at")
	}
	if err := doc.loadRules(); err != nil {
		f := brokenBy(err)
		if f.mend == "" {
			f.mend = "falco -V FILE, for each of rules_files in " + doc.path
		}
		return f
	}
	if len(doc.set.Rules) == 0 {
		return broken("rules_files in "+doc.path, "there is not one rule: nothing will ever be told")
	}
	return fineWith("%d rules", len(doc.set.Rules))
}

func (doc *doctor) memory() finding {
	if doc.cfg == nil {
		return doubtful("mend the configuration first", "not looked at")
	}
	bytes, err := ringBytes(doc.cfg.Engine.BufSizePreset)
	if err != nil {
		return brokenBy(err)
	}
	cpus, free := possibleCPUs(doc.read("/sys/devices/system/cpu/online")), uint64(0)
	procLines(hostPath("/proc/meminfo"), func(key, value string) {
		if key == "MemAvailable" {
			free = kib(value)
		}
	})
	need := uint64(bytes) * uint64(cpus)
	if doc.loader.Loaded() != nil && doc.loader.Loaded().Users > 0 {
		return fineWith("the rings are there already")
	}
	if need > free/2 {
		return broken("a smaller engine.kmod.buf_size_preset", "rings for %d CPUs take %d MiB, of %d that are available", cpus, need>>20, free>>20)
	}
	return fineWith("rings for %d CPUs take %d MiB, of %d that are available", cpus, need>>20, free>>20)
}

// possibleCPUs counts those of a list such as 0-3,8.
func possibleCPUs(list string) (n int) {
	for _, part := range strings.Split(list, ",") {
		var from, to int
		switch k, _ := fmt.Sscanf(part, "%d-%d", &from, &to); k {
		case 1:
			n++
		case 2:
			n += to - from + 1
		}
	}
	return max(n, 1)
}

func (doc *doctor) running() finding {
	socket := stateSocket
	if doc.cfg != nil && doc.cfg.StateSocket != "" {
		socket = doc.cfg.StateSocket
	}
	st, pid, err := askState(socket)
	if err != nil {
		return doubtful("systemctl start falco", "no daemon answers at %s", socket)
	}
	return fineWith("process %d watches, and knows %d threads", pid, st.Stats().Threads)
}

// doctorWait is how long something that may not answer is given.
const doctorWait = 3 * time.Second

func doctorContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), doctorWait)
}
