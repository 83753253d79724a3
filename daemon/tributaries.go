// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/state"
)

// What does not come out of the rings: whoever waits for files or for other
// machines does so in a goroutine of its own, and sends what it found to the
// loop, which takes it in between two events.

const (
	lookEvery = time.Second           // the files that name users are not looked at more often
	lookAgain = time.Minute           // how long a change of them can stay unseen if folders cannot be watched
	findWait  = 50 * time.Millisecond // how long the loop waits for one process in /proc
)

// stateOptions asks what can be asked of this machine at once.
func (d *daemon) stateOptions(proc *procfs.FS) (state.Options, error) {
	machine, err := state.ThisMachine(os.Getenv("HOST_ROOT"), proc.Boot())
	machine.SelfPid = int64(selfPid())
	d.deferRules(false)
	return state.Options{
		Machine: machine, Limits: state.Limits{Threads: d.cfg.ThreadTableSize}, ClassicContainers: d.cfg.ClassicFields,
		Source: procfs.NewFinder(proc, findWait), Ask: askers(d.readAside(proc), d.askContainers()),
	}, err
}

// selfPid returns our process id as the kernel's events have it: in the pid
// namespace of the host's /proc, which in a container is not our own.
func selfPid() int {
	if link, err := os.Readlink(os.Getenv("HOST_ROOT") + "/proc/self"); err == nil {
		if pid, err := strconv.Atoi(link); err == nil {
			return pid
		}
	}
	return os.Getpid()
}

// watchUsers tells the state who the host's users are, now, and again when the
// files change, until the run ends. Their folder is watched; what happens there
// in one second is one change.
func (d *daemon) watchUsers() {
	files := state.NewUserFiles(os.Getenv("HOST_ROOT"))
	w := watchFolder(files.Folder()) // before the first look: nothing happens between
	if passwd, group, changed := files.Read(); changed {
		d.pipe.state.SetHostUsers(passwd, group)
	}
	go func() {
		defer func() { w.Close() }()
		for {
			select {
			case <-d.stop:
				return
			case _, there := <-w.C:
				if !there { // the folder itself has been replaced
					w.Close()
					w = watchFolder(files.Folder())
				}
				if !d.pause(lookEvery) {
					return
				}
			case <-time.After(lookAgain):
				if w.C == nil {
					w = watchFolder(files.Folder())
				}
			}
			passwd, group, changed := files.Read()
			if !changed {
				continue
			}
			select {
			case d.mail <- func() { d.pipe.state.SetHostUsers(passwd, group) }:
			case <-d.stop:
				return
			}
		}
	}()
}

// watchFolder returns a watch that never wakes if the folder cannot be watched.
func watchFolder(name string) *procfs.FolderWatch {
	w, err := procfs.WatchFolder(name)
	if err != nil {
		return new(procfs.FolderWatch)
	}
	return w
}

// pause waits; false means that the run has ended.
func (d *daemon) pause(t time.Duration) bool {
	select {
	case <-d.stop:
		return false
	case <-time.After(t):
		return true
	}
}

// resolveHosts asks for the host names that rules compare addresses with, until
// the run ends.
func (d *daemon) resolveHosts() {
	ctx, cancel := context.WithCancel(context.Background())
	go field.Hosts.Run(ctx)
	go func() {
		<-d.stop
		cancel()
	}()
}

// readProc reads what was there before the first event.
func (d *daemon) readProc(proc *procfs.FS, seeds chan<- func()) {
	defer close(seeds)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := time.Now()
	send := func(f func()) {
		select {
		case seeds <- f:
		case <-d.stop:
			cancel()
		}
	}
	stats, err := proc.Scan(ctx, func(t *procfs.Task) {
		send(func() { d.pipe.state.Seed(t) })
	})
	if err != nil && ctx.Err() == nil {
		d.log.warnf("read /proc: %v; what was running already is known by what it does from now on", err)
	}
	send(func() {
		d.pipe.state.Seeded()
		d.log.debugf("/proc: %d tasks and %d descriptors were there before, %d gone, %d stuck; read in %v with %d system calls",
			stats.Tasks, stats.FDs, stats.Gone, stats.Stuck, time.Since(began).Round(time.Millisecond), stats.Calls)
		d.ready()
	})
}
