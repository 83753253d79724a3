// SPDX-License-Identifier: Apache-2.0

package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Many is one engine for all runtimes of a kind: a machine may have containerd for
// docker and another one for k3s, and a podman for each of its users. What serves a
// socket is found when it comes, and tried again when it has broken.
//
// A socket below /run/user/UID belongs to somebody who may say what he likes. He is
// asked for containers in his own cgroups alone, and what he tells unasked does not
// count.
type Many struct {
	name   string
	paths  []string // patterns
	create func(socket string) Engine

	mu   sync.Mutex
	subs []*sub // that are being watched, in the order of paths
}

// sub is the engine of one socket.
type sub struct {
	Engine
	path string
	rank int
	user string // whose it is, "" if root's
	up   bool
	shut time.Time // until when it is not asked, for it has not answered
}

// NewMany makes an engine for all sockets that fit the patterns; create makes that of
// one.
func NewMany(name string, patterns []string, create func(socket string) Engine) *Many {
	return &Many{name: name, paths: patterns, create: create}
}

// Name implements Engine.
func (m *Many) Name() string { return m.name }

const (
	maxSockets = 64 // of a kind
	searchWait = 5 * time.Second
	retryFirst = 50 * time.Millisecond
	userWait   = 250 * time.Millisecond // for an answer of somebody who is not root
)

var userSocket = regexp.MustCompile(`/run/user/([0-9]+)/`)

// Find returns the sockets that fit the patterns and are there, each once.
func Find(patterns []string) []string {
	var out []string
	var seen []os.FileInfo
	for _, p := range patterns {
		paths, err := filepath.Glob(p)
		if err != nil {
			paths = []string{p} // a name like any other
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil || len(out) == maxSockets || slices.ContainsFunc(seen, func(i os.FileInfo) bool { return os.SameFile(i, info) }) {
				continue
			}
			seen, out = append(seen, info), append(out, path)
		}
	}
	return out
}

// Watch implements Engine. It is ready when the first socket is, and ends when none
// is left.
func (m *Many) Watch(ctx context.Context, tell func(Change)) error {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	type end struct {
		s   *sub
		err error
	}
	ends := make(chan end)
	ready := sync.OnceFunc(func() { tell(Change{What: Ready}) })
	start := func(path string, rank int) {
		s := &sub{Engine: m.create(path), path: path, rank: rank}
		if u := userSocket.FindStringSubmatch(path); u != nil {
			s.user = u[1]
		}
		m.mu.Lock()
		m.subs = append(m.subs, s)
		slices.SortFunc(m.subs, func(a, b *sub) int { return a.rank - b.rank })
		m.mu.Unlock()
		wait.Add(1)
		go func() {
			defer wait.Done()
			err := s.Watch(ctx, func(c Change) {
				switch {
				case c.What == Ready:
					m.set(s, true)
					ready()
				case s.user == "":
					tell(c)
				}
			})
			select {
			case ends <- end{s, err}:
			case <-ctx.Done():
			}
		}()
	}
	defer func() {
		m.mu.Lock()
		m.subs = nil
		m.mu.Unlock()
	}()
	pauses, due := map[string]time.Duration{}, map[string]time.Time{}
	running := map[string]bool{}
	why := ErrNobody
	for {
		next := searchWait
		for rank, path := range Find(m.paths) {
			now := time.Now()
			switch until := due[path].Sub(now); {
			case running[path]:
			case until > 0:
				next = min(next, until)
			default:
				running[path] = true
				start(path, rank)
			}
		}
		if len(running) == 0 {
			return why
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-ends:
			delete(running, e.s.path)
			if m.drop(e.s) { // it was up
				pauses[e.s.path] = 0
			}
			if e.err != nil && !errors.Is(e.err, ErrNobody) {
				why = e.err
			}
			if len(running) == 0 {
				return why
			}
			p := min(max(2*pauses[e.s.path], retryFirst), searchWait)
			pauses[e.s.path], due[e.s.path] = p, time.Now().Add(p)
		case <-time.After(next):
		}
	}
}

func (m *Many) set(s *sub, up bool) {
	m.mu.Lock()
	s.up = up
	m.mu.Unlock()
}

// drop forgets s and reports whether it was up.
func (m *Many) drop(s *sub) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subs = slices.DeleteFunc(slices.Clone(m.subs), func(x *sub) bool { return x == s })
	return s.up
}

// ask returns those who may know of a container, in order.
func (m *Many) ask(of Match) (out []*sub) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, s := range m.subs {
		if s.up && (s.user == "" || s.user == of.User && !now.Before(s.shut)) {
			out = append(out, s)
		}
	}
	return out
}

// Get implements Engine.
func (m *Many) Get(ctx context.Context, of Match) (*Info, error) {
	why := ErrDown
	var part *Info
	for _, s := range m.ask(of) {
		i, err := m.get(ctx, s, of)
		switch {
		case err == nil && i != nil && i.Partial:
			if part == nil || i.Late {
				part = i
			}
		case err == nil && i != nil:
			return i, nil
		case why == ErrDown || !errors.Is(err, ErrNotFound):
			why = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if part != nil {
		return part, nil
	}
	return nil, why
}

// get asks s.
func (m *Many) get(ctx context.Context, s *sub, of Match) (*Info, error) {
	if s.user == "" {
		return s.Get(ctx, of)
	}
	call, cancel := context.WithTimeout(ctx, userWait)
	defer cancel()
	i, err := s.Get(call, of)
	switch {
	case call.Err() != nil && ctx.Err() == nil: // nobody else is to wait for it
		m.mu.Lock()
		s.shut = time.Now().Add(4 * userWait)
		m.mu.Unlock()
		return nil, fmt.Errorf("%s: %w", s.path, errSilent)
	case err == nil && (i == nil || i.FullID != of.FullID):
		return nil, ErrNotFound
	}
	return i, err
}
