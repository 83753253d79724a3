// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"github.com/falco-go/falco/tests/vm/wire"
)

// holdArg makes this program hold the place of the act: it waits for a byte on descriptor 3 and becomes the rest of its
// arguments. So the session and the process of the act are older than the daemon, and between "ready" and the first
// command of the script there is one execve.
const holdArg = "hold"

func hold() {
	gate := os.NewFile(3, "gate")
	if n, _ := gate.Read(make([]byte, 1)); n != 1 {
		os.Exit(127)
	}
	gate.Close()
	path := os.Args[2]
	argv := append([]string{filepath.Base(path)}, os.Args[3:]...)
	err := syscall.Exec(path, argv, os.Environ())
	os.Stderr.WriteString("init: " + path + ": " + err.Error() + "\n")
	os.Exit(127)
}

// setUp runs what prepares the guest, to its end.
func setUp(plan *wire.Plan) {
	if len(plan.Setup) == 0 {
		return
	}
	in := devNull()
	out, _ := pipeTo(wire.PortSetup)
	env := append(os.Environ(), "PWD="+plan.Dir)
	p := start(plan.Setup, env, plan.Dir, []uintptr{in.Fd(), out.Fd(), out.Fd()}, false)
	in.Close()
	out.Close()
	if !p.waitFor(plan.SetupLimit) {
		check("set up", fmt.Errorf("not over within %v", plan.SetupLimit))
	}
	verdict := p.verdict(wire.KindSetup)
	report(verdict)
	if verdict.Code != 0 {
		check("set up", fmt.Errorf("exit code %d", verdict.Code))
	}
}

// performance is the act: held, released, over.
type performance struct {
	*process
	gate *os.File
	done chan struct{}
}

// holdPlace starts the process that will become the act.
func holdPlace(plan *wire.Plan) *performance {
	if len(plan.Act) == 0 {
		return nil
	}
	read, write, err := os.Pipe()
	check("make the act's gate", err)
	act := &performance{gate: write}
	var in, out *os.File
	if plan.Terminal {
		in = openTerminal(plan)
		out = in
	} else {
		in = devNull()
		out, act.done = pipeTo(wire.PortAct)
	}
	argv := append([]string{"/init", holdArg}, plan.Act...)
	env := append(os.Environ(), "PWD="+plan.Dir)
	act.process = start(argv, env, plan.Dir, []uintptr{in.Fd(), out.Fd(), out.Fd(), read.Fd()}, plan.Terminal)
	read.Close()
	out.Close()
	in.Close()
	return act
}

// openTerminal is the serial console, as a login would find it.
func openTerminal(plan *wire.Plan) *os.File {
	file, err := os.OpenFile("/dev/ttyS0", os.O_RDWR|syscall.O_NOCTTY, 0)
	check("open the terminal", err)
	if plan.Rows > 0 {
		size := [4]uint16{plan.Rows, plan.Columns}
		syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size)))
	}
	return file
}

func (act *performance) release() {
	if act != nil {
		act.gate.Write([]byte{1})
	}
}

// wait is until the script has ended; what it has left running may go on, and is not waited for.
func (act *performance) wait(limit time.Duration) {
	if act == nil {
		return
	}
	if !act.waitFor(limit) {
		report(wire.Report{Kind: wire.KindActEnd, Limit: true})
		return
	}
	if act.done != nil {
		// What is in the pipe belongs to the log, and a child of the script may hold the pipe for ever.
		select {
		case <-act.done:
		case <-time.After(200 * time.Millisecond):
		}
	}
	report(act.verdict(wire.KindActEnd))
}
