// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	queued     = 256  // events that wait for a slow client before it is dropped
	perSecond  = 50   // events that a client is shown
	replayed   = 1000 // events that a client gets of what it has missed
	statsEach  = 2 * time.Second
	maxClients = 1024
)

// heartbeat is how often a silent stream gives a sign of life, and is asked for its
// right to go on. Tests are in a hurry.
var heartbeat = 15 * time.Second

// hub hands events to all who look on.
type hub struct {
	mu      sync.Mutex
	last    int64
	clients map[*client]bool
	closed  bool
}

// client is one who looks on. What it does not take in time it loses, and is told
// so by the end of its stream: it comes back and reads what it has missed.
type client struct {
	query  *Query
	events chan *Event
	slow   chan struct{}
	once   sync.Once
}

func newHub(last int64) *hub { return &hub{last: last, clients: map[*client]bool{}} }

func (h *hub) publish(events []*Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		h.last = max(h.last, e.ID)
		for c := range h.clients {
			if !c.query.Match(e) {
				continue
			}
			select {
			case c.events <- e:
			default:
				c.end()
				delete(h.clients, c)
			}
		}
	}
}

func (c *client) end() { c.once.Do(func() { close(c.slow) }) }

// join returns a new client and the id after which it hears of all events; nil if
// there are too many.
func (h *hub) join(q *Query) (*client, int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.clients) >= maxClients {
		return nil, 0
	}
	c := &client{query: q, events: make(chan *Event, queued), slow: make(chan struct{})}
	h.clients[c] = true
	return c, h.last
}

func (h *hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for c := range h.clients {
		c.end()
		delete(h.clients, c)
	}
}

// stream serves events as they come, and first those since the one that the client
// has seen last.
type stream struct {
	w    io.Writer
	ctl  *http.ResponseController
	last int64 // id of what was sent

	second  int64 // in which shown were sent
	shown   int
	skipped int
	counts  map[string]int // since the last stats
}

func (s *Server) stream(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	q.From, q.To = 0, 0
	since := int64(-1)
	if text := c.r.Header.Get("Last-Event-ID"); text != "" {
		since, err = strconv.ParseInt(text, 10, 64)
	} else if text := c.r.URL.Query().Get("after"); text != "" {
		since, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		return bad("the id of the last event: %v", err)
	}
	cl, from := s.hub.join(q)
	if cl == nil {
		return &apiError{Status: http.StatusServiceUnavailable, Message: "too many look on"}
	}
	defer s.hub.leave(cl)
	head := c.w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // for proxies that collect
	st := &stream{w: c.w, ctl: http.NewResponseController(c.w), last: from, counts: map[string]int{}}
	st.ctl.SetWriteDeadline(time.Time{})
	if since >= 0 && since < from {
		if err := s.replay(c.r.Context(), st, q, since, from); err != nil {
			return nil // the client is gone or the store is: it will come back
		}
	}
	if st.send("hello", st.last, map[string]int64{"last": st.last}) != nil {
		return nil
	}
	beat, stats := time.NewTicker(heartbeat), time.NewTicker(statsEach)
	defer beat.Stop()
	defer stats.Stop()
	for {
		var err error
		select {
		case <-c.r.Context().Done():
			return nil
		case <-cl.slow:
			return nil
		case e := <-cl.events:
			if e.ID > st.last {
				err = st.event(e)
			}
		case <-stats.C:
			err = st.stats()
		case <-beat.C:
			if id := s.auth.who(c.r); id.Role < RoleViewer {
				return nil // logged out meanwhile
			}
			_, err = io.WriteString(st.w, ": still here\n\n")
		}
		if err == nil && len(cl.events) == 0 {
			err = st.ctl.Flush()
		}
		if err != nil {
			return nil
		}
	}
}

// replay sends what is between two ids, or the beginning of it and the word that
// there is more.
func (s *Server) replay(ctx context.Context, st *stream, q *Query, since, to int64) error {
	st.last = since
	sent := 0
	for since < to {
		events, err := s.store.After(ctx, since, 500)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			if since = e.ID; since > to {
				break
			}
			if !q.Match(e) {
				continue
			}
			if sent == replayed {
				err := st.send("gap", to, map[string]int64{"from": e.ID, "to": to})
				st.last = to
				return err
			}
			if err := st.send("falco", e.ID, shown(e)); err != nil {
				return err
			}
			sent++
		}
	}
	st.last = to
	return nil
}

// event sends one, or counts it if the client has enough to look at.
func (st *stream) event(e *Event) error {
	st.last = e.ID
	st.counts[e.Priority.String()]++
	if sec := time.Now().Unix(); sec != st.second {
		st.second, st.shown = sec, 0
	}
	if st.shown++; st.shown > perSecond {
		st.skipped++
		return nil
	}
	return st.send("falco", e.ID, shown(e))
}

func (st *stream) stats() error {
	if st.skipped > 0 {
		if err := st.send("skipped", st.last, map[string]int{"n": st.skipped}); err != nil {
			return err
		}
	}
	err := st.send("stats", st.last, map[string]any{"counts": st.counts, "skipped": st.skipped, "time": now()})
	st.skipped = 0
	clear(st.counts)
	return err
}

func (st *stream) send(kind string, id int64, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(st.w, "event: %s\nid: %d\ndata: %s\n\n", kind, id, text); err != nil {
		return err
	}
	if kind != "falco" {
		return st.ctl.Flush()
	}
	return nil
}
