// SPDX-License-Identifier: Apache-2.0

// Package containertest is an engine in memory, for tests.
package containertest

import (
	"context"
	"errors"
	"sync"

	"github.com/falco-go/falco/pkg/container"
)

// Engine is a container.Engine over containers that the test puts in.
type Engine struct {
	Called string

	mu       sync.Mutex
	all      map[string]*container.Info // by full id
	tell     func(container.Change)     // while somebody watches
	broken   chan error                 // ends the watch
	down     error
	silent   chan struct{} // not nil: Get does not answer before it is closed
	gets     int
	watching int
	times    int
}

// New makes an engine that answers.
func New(name string) *Engine {
	return &Engine{Called: name, all: map[string]*container.Info{}}
}

// Name implements container.Engine.
func (e *Engine) Name() string { return e.Called }

// ErrBroken is why a watch ends.
var ErrBroken = errors.New("broken by the test")

// Watch implements container.Engine.
func (e *Engine) Watch(ctx context.Context, tell func(container.Change)) error {
	e.mu.Lock()
	if err := e.down; err != nil {
		e.mu.Unlock()
		return err
	}
	broken := make(chan error, 1)
	e.tell, e.broken = tell, broken
	e.watching++
	e.times++
	for _, i := range e.all {
		tell(container.Change{What: container.Known, Info: i})
	}
	tell(container.Change{What: container.Ready})
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.tell = nil
		e.watching--
		e.mu.Unlock()
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-broken:
		return err
	}
}

// Get implements container.Engine.
func (e *Engine) Get(ctx context.Context, m container.Match) (*container.Info, error) {
	e.mu.Lock()
	e.gets++
	i, silent, down := e.all[m.FullID], e.silent, e.down
	e.mu.Unlock()
	if silent != nil {
		select {
		case <-silent:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	switch {
	case down != nil:
		return nil, container.ErrDown
	case i == nil:
		return nil, container.ErrNotFound
	}
	return i, nil
}

// Put makes a container known; quietly does not tell of it.
func (e *Engine) Put(i *container.Info, quietly bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all[i.FullID] = i
	if e.tell != nil && !quietly {
		e.tell(container.Change{What: container.Known, Info: i})
	}
}

// Delete ends one.
func (e *Engine) Delete(fullID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := e.all[fullID]; i != nil && e.tell != nil {
		e.tell(container.Change{What: container.Gone, Info: &container.Info{ID: i.ID, FullID: fullID}})
	}
	delete(e.all, fullID)
}

// Break ends the watch; no other begins before Mend if why is not nil.
func (e *Engine) Break(why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = why
	if e.tell != nil {
		e.broken <- ErrBroken
		e.tell = nil
	}
}

// Mend lets watches begin again.
func (e *Engine) Mend() { e.mu.Lock(); e.down = nil; e.mu.Unlock() }

// Silence makes Get wait until the test calls what is returned.
func (e *Engine) Silence() (speak func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ch := make(chan struct{})
	e.silent = ch
	return func() {
		e.mu.Lock()
		e.silent = nil
		e.mu.Unlock()
		close(ch)
	}
}

// Counts returns how often Get was called, how many watch, and how often a watch began.
func (e *Engine) Counts() (gets, watching, times int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gets, e.watching, e.times
}
