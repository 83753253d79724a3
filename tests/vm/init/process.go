// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/falco-go/falco/tests/vm/wire"
)

// process is a child whose end we want to know. PID 1 inherits every orphan, so one goroutine waits for all (reap), and
// tells those who are known.
type process struct {
	pid    int
	status syscall.WaitStatus
	ended  chan struct{}
}

var children = struct {
	sync.Mutex
	byPid map[int]*process
}{byPid: map[int]*process{}}

// start makes a child in a session of its own. Its descriptors are files, in that order.
func start(argv []string, env []string, dir string, files []uintptr, terminal bool) *process {
	children.Lock()
	defer children.Unlock()
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir:   dir,
		Env:   env,
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: terminal, Ctty: 0},
	})
	check("start "+argv[0], err)
	p := &process{pid: pid, ended: make(chan struct{})}
	children.byPid[pid] = p
	return p
}

// reap waits for every child for ever.
func reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			// Nobody to wait for: before the first child only, and after the last.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		children.Lock()
		if p := children.byPid[pid]; p != nil {
			delete(children.byPid, pid)
			p.status = status
			close(p.ended)
		}
		children.Unlock()
	}
}

// waitFor is whether p ended in time; no limit means for ever.
func (p *process) waitFor(limit time.Duration) bool {
	var over <-chan time.Time
	if limit > 0 {
		over = time.After(limit)
	}
	select {
	case <-p.ended:
		return true
	case <-over:
		return false
	}
}

// verdict is how p ended, as shells count: a signal is 128 and its number.
func (p *process) verdict(kind string) wire.Report {
	if p.status.Signaled() {
		return wire.Report{Kind: kind, Code: 128 + int(p.status.Signal()), Signal: p.status.Signal().String()}
	}
	return wire.Report{Kind: kind, Code: p.status.ExitStatus()}
}

// pipeTo gives a descriptor to write to for a child, and moves what comes to the port. done is closed when nobody can
// write any more. Everybody may open it again by its name: /dev/stderr works for nobody, too.
func pipeTo(name string) (write *os.File, done chan struct{}) {
	read, write, err := os.Pipe()
	check("make a pipe", err)
	write.Chmod(0o666)
	done = make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(ports[name], read)
	}()
	return write, done
}

func devNull() *os.File {
	file, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	check("open /dev/null", err)
	return file
}
