// SPDX-License-Identifier: Apache-2.0

package container

import (
	"context"
	"errors"
)

// Engine is a connection to one runtime: to whoever listens on its sockets. All
// methods may be called from any goroutine, and come back soon after their context
// has ended, whatever the other end does.
type Engine interface {
	// Name is what the log calls it.
	Name() string

	// Watch connects, tells of all containers that are there, then Ready, then of
	// every change, until something breaks: the error says what. tell does not
	// block. Watch is not called again before it has returned.
	Watch(ctx context.Context, tell func(Change)) error

	// Get asks for one container over the connection that Watch holds. The error
	// is ErrNotFound where the runtime does not know it, ErrDown where there is no
	// connection, ErrNonsense where it tells of something else.
	Get(ctx context.Context, m Match) (*Info, error)
}

// Errors of Get.
var (
	ErrNotFound = errors.New("no such container")
	ErrDown     = errors.New("not connected")
	ErrNonsense = errors.New("another answer than to what was asked")
	ErrNobody   = errors.New("nobody listens") // the error of a Watch where there is no such runtime
)

// Change is what became known of a container.
type Change struct {
	What What
	Info *Info // Gone and Failed: at least its ids
	Why  error // Failed: what the engines have said

	Namespace string // Known: of containerd, "" for all others
}

// What is the kind of a Change.
type What uint8

// Values of What.
const (
	Known  What = iota // what there is to know
	Gone               // the runtime has deleted it
	Ready              // an engine has told all that was there; no Info
	Failed             // nobody knows it so far; it may still become Known
)

// kindTypes are the types of containers that no engine has to be asked for.
var kindTypes = map[Kind]Type{LXC: TypeLXC, LibvirtLXC: TypeLibvirtLXC, BPM: TypeBPM}

// Complete returns the record of a container of which there is nothing more to
// know than its cgroup says, nil for all others.
func (m Match) Complete() *Info {
	t, ok := kindTypes[m.Kind]
	if !ok {
		return nil
	}
	return &Info{ID: m.ID, FullID: m.FullID, Type: t}
}
