// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/event"

// Scene is what a rule can look at: one event, and the world right after it.
// It is a view and lives for one turn of the loop, between Apply and Settle.
type Scene struct {
	Event  *event.Event
	Thread *Thread // the thread that the event is about; nil if nobody knows it
	FD     *FD     // the descriptor that the event is about; nil if there is none or it is unknown
	FDNum  int64   // its number, -1 if the event has none
	State  *State  // the tables, for look-ups

	NameChanged bool   // the event gave FD another name (fd.name_changed)
	ExecTime    uint64 // switch events: ns since the last switch on that CPU, else 0
}
