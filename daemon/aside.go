// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"time"

	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/state"
)

// The tables ask for what no event can wait for (state.Ask). One goroutine reads
// it, one question at a time, and sends the answers to the loop.

const (
	asideWaiting = 256             // questions that may wait; more are lost, and counted by the tables
	asideWait    = 2 * time.Second // how long one may take
	asideShare   = 3               // after each, we rest this many times as long as it took
)

// readAside begins to answer, until the run ends, and returns how to ask.
func (d *daemon) readAside(proc *procfs.FS) func(state.Ask) bool {
	asks := make(chan state.Ask, asideWaiting)
	go func() {
		find := procfs.NewFinder(proc.Apart(), asideWait)
		defer find.Close()
		rest := time.NewTimer(0)
		defer rest.Stop()
		for {
			select {
			case <-d.stop:
				return
			case <-rest.C:
			}
			select {
			case <-d.stop:
				return
			case a := <-asks:
				began := time.Now()
				if tell := answer(find, a); tell != nil {
					select {
					case d.mail <- func() { tell(d.pipe.state) }:
					case <-d.stop:
						return
					}
				}
				rest.Reset(asideShare * time.Since(began))
			}
		}
	}()
	return func(a state.Ask) bool {
		select {
		case asks <- a:
			return true
		default:
			return false
		}
	}
}

// answer reads what a asks for, and returns how to tell it to the tables; nil if
// there is nothing to tell.
func answer(find *procfs.Finder, a state.Ask) func(*state.State) {
	switch a.Kind {
	case state.AskTask:
		if t, err := find.Whole(a.Tid); err == nil {
			return func(s *state.State) { s.TakeTask(t) }
		}
	case state.AskFD:
		fd, err := find.Descriptor(a.Tid, a.FD)
		at := uint64(time.Now().UnixNano())
		switch {
		case err == nil:
			return func(s *state.State) { s.TakeDescriptor(a.Tid, a.FD, a.Num, &fd, at) }
		case errors.Is(err, procfs.ErrLate):
			return func(s *state.State) { s.MissDescriptor(a.Num) }
		default:
			return func(s *state.State) { s.TakeDescriptor(a.Tid, a.FD, a.Num, nil, at) }
		}
	case state.AskSockets:
		fds, _ := find.Sockets(a.Tid)
		return func(s *state.State) { s.TakeSockets(a.Tid, fds) }
	case state.AskUsers:
		passwd, group, _ := find.Users(a.Tid)
		return func(s *state.State) { s.SetUsers(a.Container, passwd, group) }
	}
	return nil
}
