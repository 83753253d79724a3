// SPDX-License-Identifier: Apache-2.0

// Package web keeps alerts and shows them: a store (store.go; on SQLite or on
// PostgreSQL), an API (api.go) and a page in a browser that uses nothing but the
// API (page/). The forwarder serves it.
//
// An event comes in once, by Ingest or over HTTP, and is in the store before
// anybody says that it is. From there it goes to those who watch live (live.go);
// whoever has missed something reads it again. Counts are kept beside the events,
// so that a picture of a month does not read a month of events.
//
// What is in an event was written by those whom Falco watches. It is data
// everywhere: bound to statements, quoted in exports, and text in the page.
package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how a Server behaves. Database and the zero value of the rest are
// a good start.
type Config struct {
	// Database is the path of an SQLite file, "memory", or the URL of a PostgreSQL
	// database (postgres://…).
	Database  string
	Retention Retention // the zero value means DefaultRetention

	BasePath string // where a proxy has the page, such as "/falco/"; "" is "/"
	Secure   bool   // it is reached over TLS: cookies are for that only

	// Who may do what. Without users, OIDC and proxy, everybody who reaches a
	// loopback address may read, and nobody may change anything (Loopback).
	Users           []User
	Tokens          []Token
	OIDC            *OIDC
	Proxy           *Proxy
	AnonymousRead   bool // reading needs no log-in, as the original has it with disabled authentication
	AnonymousIngest bool // posting events needs no token from anywhere

	Outputs Outputs  // of the forwarder; nil if there is none
	Sensors []string // URLs of the metrics of daemons

	// Remote says that others than this machine's reach the address at which it
	// listens: somebody must be able to log in then.
	Remote bool

	Version string
	Log     func(format string, args ...any) // may be nil
}

// User is somebody who logs in with a password: either in clear or as Hash makes it.
type User struct {
	Name, Password, Hash string
	Role                 Role
}

// Token is for programs.
type Token struct {
	Name, Token string
	Role        Role
}

// Proxy says which servers in front of this one may name the user.
type Proxy struct {
	From       []netip.Prefix
	UserHeader string          // "X-Forwarded-User" if empty
	RoleHeader string          // its groups, comma separated: "X-Forwarded-Groups" if empty
	Roles      map[string]Role // of groups; "*" is everybody
}

// Outputs are the forwarder's.
type Outputs interface {
	Outputs() []Output
	// Do carries out one of "test", "pause", "resume", "replay".
	Do(ctx context.Context, output, action string) error
	DeadLetters(output string, limit int) ([]DeadLetter, error)
}

// Output is the state of one.
type Output struct {
	Name      string `json:"name"`
	State     string `json:"state"` // "ok", "failing", "paused" or "idle"
	Backlog   int64  `json:"backlog"`
	Bytes     int64  `json:"bytes"`
	Oldest    int64  `json:"oldest"` // of the backlog, microseconds
	Sent      int64  `json:"sent"`
	Failed    int64  `json:"failed"`
	Dropped   int64  `json:"dropped"`
	Retried   int64  `json:"retried"`
	Dead      int64  `json:"dead"`
	LastError string `json:"last_error,omitempty"`
	ErrorTime int64  `json:"error_time,omitempty"`
}

// DeadLetter is an event that an output has given up.
type DeadLetter struct {
	UUID  string `json:"uuid"`
	Rule  string `json:"rule"`
	Time  int64  `json:"time"`
	Error string `json:"error"`
}

// Server is the page's.
type Server struct {
	live    atomic.Pointer[settings]
	base    string
	store   Store
	hub     *hub
	auth    *auth
	sensors *sensors
	assets  *assets
	handler http.Handler
	began   time.Time

	queryTime time.Duration // of an answer; tests have less

	stop context.CancelFunc
	busy sync.WaitGroup

	mu      sync.Mutex
	trouble string // of the store, shown in the page
	last    []string
	taken   int64
	refused int64
}

// New opens the store and starts what keeps it in order.
func New(ctx context.Context, cfg Config) (*Server, error) {
	set, err := newSettings(cfg)
	if err != nil {
		return nil, err
	}
	base := "/" + strings.Trim(cfg.BasePath, "/") + "/"
	if base == "//" {
		base = "/"
	}
	if strings.ContainsAny(base, `"'<>&?#\ `) {
		return nil, fmt.Errorf("webui.base_path: %q is no path", cfg.BasePath)
	}
	s := &Server{base: base, began: time.Now(), queryTime: queryTime}
	s.live.Store(set)
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.store, err = openStore(ctx, cfg.Database); err != nil {
		return nil, err
	}
	if s.auth, err = newAuth(ctx, s); err == nil {
		err = s.admit(ctx, set)
	}
	if err != nil {
		s.store.Close()
		return nil, err
	}
	last, err := s.store.Last(ctx)
	if err != nil {
		s.store.Close()
		return nil, err
	}
	s.hub = newHub(last)
	s.sensors = newSensors(s)
	s.handler = s.routes()
	run, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.busy.Go(func() { s.watch(run, last) })
	s.busy.Go(func() { s.prune(run) })
	s.busy.Go(func() { s.sensors.run(run) })
	return s, nil
}

func openStore(ctx context.Context, name string) (Store, error) {
	switch {
	case name == "":
		return nil, errors.New("webui.database: a path, memory or postgres://… is missing")
	case name == "memory":
		return OpenSQLite(ctx, "")
	case strings.HasPrefix(name, "postgres://"), strings.HasPrefix(name, "postgresql://"), strings.Contains(name, "dbname="):
		return OpenPostgres(ctx, name)
	}
	return OpenSQLite(ctx, name)
}

// Handler serves the page and the API.
func (s *Server) Handler() http.Handler { return s.handler }

// Close ends it: live streams first, then the store.
func (s *Server) Close() error {
	s.stop()
	s.hub.close()
	s.busy.Wait()
	return s.store.Close()
}

// Loopback reports that nobody can log in yet, for which reason the page must be
// reachable from this machine alone.
func (s *Server) Loopback() bool { return s.auth.loopback() }

// SetupPath is the path, after the address, at which the first user can be made.
// It is "" if there are users. It works once.
func (s *Server) SetupPath() string {
	if code := s.auth.setupCode(); code != "" {
		return s.base + "#/setup/" + code
	}
	return ""
}

// Ingest keeps events of the wire format. When it returns, those without an error
// are on disk. The error beside them is that of the store: nothing was kept.
func (s *Server) Ingest(ctx context.Context, texts [][]byte) ([]error, error) {
	errs := make([]error, len(texts))
	var events []*Event
	for i, text := range texts {
		e, err := ParseEvent(text)
		if errs[i] = err; err == nil {
			e.Received = now()
			events = append(events, e)
		}
	}
	_, err := s.append(ctx, events)
	return errs, err
}

func (s *Server) append(ctx context.Context, events []*Event) ([]Appended, error) {
	if len(events) == 0 {
		return nil, nil
	}
	out, err := s.store.Append(ctx, events)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, ErrFull):
		s.trouble = "disk_full"
		s.refused += int64(len(events))
	case err != nil:
		s.refused += int64(len(events))
	default:
		s.trouble = ""
		s.taken += int64(len(events))
	}
	return out, err
}

// Deliver writes down what became of events at outputs.
func (s *Server) Deliver(ctx context.Context, list []Delivery) error {
	return s.store.Deliver(ctx, list)
}

// watch hands what comes to the store on to those who look on.
func (s *Server) watch(ctx context.Context, last int64) {
	for ctx.Err() == nil {
		err := s.store.Watch(ctx, last, func(events []*Event) {
			last = events[len(events)-1].ID
			s.hub.publish(events)
			s.sensors.take(events)
		})
		if ctx.Err() != nil {
			return
		}
		s.conf().Log("watch the store: %v", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// pruneAtOnce is how many events go in one round, so that what comes in has its turn.
const pruneAtOnce = 5000

func (s *Server) prune(ctx context.Context) {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		for {
			n, err := s.store.Prune(ctx, &s.conf().Retention, time.Now(), pruneAtOnce)
			if err != nil && ctx.Err() == nil {
				s.conf().Log("prune the store: %v", err)
			}
			if err != nil || n < pruneAtOnce {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// secret makes a text that nobody guesses.
func secret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
