// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// detachedEnv marks the process that -d has started. Its third descriptor is a pipe
// into which it writes a byte when it is ready.
const (
	detachedEnv    = "FALCO_DETACHED"
	detachedFD     = 3
	detachTime     = 60 * time.Second
	defaultPidFile = "/var/run/falco.pid"
)

// detach is -d: everything has been checked, so the same command is started once
// more, with nothing of the terminal, and we end when it is ready. Where somebody
// looks after us already, the first process of a container or a unit of systemd,
// we stay.
func (d *daemon) detach() error {
	if !d.opt.detach {
		return nil
	}
	if d.opt.pidFile == "" {
		d.opt.pidFile = defaultPidFile
	}
	if d.opt.dryRun || os.Getpid() == 1 || os.Getenv("INVOCATION_ID") != "" {
		return nil
	}
	if os.Getenv(detachedEnv) != "" {
		os.Unsetenv(detachedEnv)
		syscall.CloseOnExec(detachedFD)
		d.told = os.NewFile(detachedFD, "parent")
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(self, d.opt.argv[1:]...)
	cmd.Args[0] = d.opt.argv[0]
	cmd.Env = append(os.Environ(), detachedEnv+"=1")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	r.SetReadDeadline(time.Now().Add(detachTime))
	if _, err := r.Read(make([]byte, 1)); err == io.EOF {
		return &failure{form: plain, text: "the process in the background has ended before it was ready", hint: "its log went to syslog; without -d it is here"}
	}
	return errDone
}
