// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/event"
)

// Scene is what a rule can look at: one event, and the world right after it.
// It is a view and lives for one turn of the loop, between Apply and Settle.
type Scene struct {
	Event  *event.Event
	Thread *Thread // the thread that the event is about; nil if nobody knows it
	FD     *FD     // the descriptor that the event is about; nil if there is none or it is unknown
	FDNum  int64   // its number, -1 if the event has none
	State  *State  // the tables, for look-ups

	Container *Container // of events that tell of a container; see ContainerInfo for all others
	Lineage   []Command  // of an event that had to wait for its container, instead of Thread

	NameChanged bool   // the event gave FD another name (fd.name_changed)
	ExecTime    uint64 // switch events: ns since the last switch on that CPU, else 0
	Load        Load   // of load reports, which old captures have
}

// Load is what a thread has used of a CPU since the load report before, in percent
// of the time between two of them; 0 in its first one.
type Load struct{ User, System uint64 }

// ContainerInfo returns what is known of the container that the event is about:
// the one that it tells of, else its thread's. host says that there is none: it is
// a process of the host.
func (sc *Scene) ContainerInfo() (info *container.Info, host bool) {
	switch {
	case sc.Container != nil:
		return sc.Container.info, false
	case sc.Thread == nil:
		return nil, false
	case sc.Thread.ContainerID == "":
		return nil, true
	}
	return sc.Thread.container.Info(), false
}
