// SPDX-License-Identifier: Apache-2.0

package main

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// guests are the connections of the web server, so many at the most. Whoever comes
// when all places are taken gets that of the one that has waited longest without a
// request: so nobody keeps others out by connecting and saying nothing.
type guests struct {
	max int

	mu      sync.Mutex
	places  map[net.Conn]*list.Element // of waiting; nil while a request is served
	waiting *list.List                 // of net.Conn, the first has waited longest
}

func newGuests(max int) *guests {
	return &guests{max: max, places: map[net.Conn]*list.Element{}, waiting: list.New()}
}

// enter takes c in, or reports that there is no place.
func (g *guests) enter(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.places) >= g.max {
		oldest := g.waiting.Front()
		if oldest == nil {
			return false
		}
		g.forget(oldest.Value.(net.Conn)).Close()
	}
	g.places[c] = g.waiting.PushBack(c)
	return true
}

// forget gives the place of c free.
func (g *guests) forget(c net.Conn) net.Conn {
	if e := g.places[c]; e != nil {
		g.waiting.Remove(e)
	}
	delete(g.places, c)
	return c
}

// moved is told by the server what a connection is about.
func (g *guests) moved(c net.Conn, s http.ConnState) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // of TLS
		c = t.NetConn()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e, here := g.places[c]
	if !here {
		return
	}
	switch s {
	case http.StateActive:
		if e != nil {
			g.waiting.Remove(e)
		}
		g.places[c] = nil
	case http.StateIdle:
		if e == nil {
			g.places[c] = g.waiting.PushBack(c)
		}
	case http.StateClosed, http.StateHijacked:
		g.forget(c)
	}
}

// counted is a listener whose connections are guests.
type counted struct {
	net.Listener
	guests *guests
}

// Accept returns the next connection that has a place.
func (l *counted) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.guests.enter(c) {
			return c, err
		}
		c.Close()
	}
}
