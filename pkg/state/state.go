// SPDX-License-Identifier: Apache-2.0

// Package state rebuilds, from the stream of events, what the kernel knew when
// each event happened: threads and their kin, their descriptors, users.
//
// The loop hands in one event at a time:
//
//	scene := st.Apply(ev)   // adds and changes
//	if scene != nil {
//		… rules look …  // a closing descriptor, a dying thread are still there
//	}
//	st.Settle()             // removes
//
// One goroutine owns a State: there is no lock in this package. An Event and
// the Scene are views that live for one turn; what a record keeps, it owns.
package state

import (
	"net/netip"
	"time"

	"github.com/falco-go/falco/pkg/event"
)

// Machine is what the tables know about the host as a whole.
type Machine struct {
	Hostname string
	BootTime uint64         // ns since the epoch
	Addrs    []netip.Prefix // of the host's interfaces, as of start
	HostRoot string         // where the host's root file system is mounted, "" if it is ours
	SelfPid  int64          // our own process, which is never evicted; 0 in a replay
}

// Limits bound the tables. Zero values mean the defaults.
type Limits struct {
	Threads int // records of threads, 262,144
	FDs     int // descriptors of one process, 4,096
	AllFDs  int // descriptors of all processes, 4,194,304
}

// Options are what a State is made from.
type Options struct {
	Machine Machine
	Limits  Limits
	Now     func() time.Time // for the look-ups' budget; time.Now if nil
}

// State holds the tables.
type State struct {
	Machine Machine

	threads map[int64]*Thread
	recent  [1024]*Thread // threads by tid modulo its length, before the map is asked
	groups  map[int64]*Group
	users   users
	firstTS uint64
	scene   Scene
}

// New returns empty tables.
func New(o Options) *State {
	return &State{Machine: o.Machine, threads: make(map[int64]*Thread), groups: make(map[int64]*Group)}
}

// Apply takes ev into the tables and returns what rules can look at. It returns
// nil if no rule is to see the event: enter events only note what the exit
// event is compared with.
func (s *State) Apply(ev *event.Event) *Scene {
	s.scene = Scene{Event: ev, FDNum: -1, State: s}
	return &s.scene
}

// Settle removes what the last event ended: closed descriptors, exited threads.
func (s *State) Settle() {}

type pending struct{}
