// SPDX-License-Identifier: Apache-2.0

// Package docker asks dockerd, or podman, over HTTP on its socket. What both answer
// is nearly the same; record.go makes of it what the fields read.
package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/falco-go/falco/pkg/container"
)

// Flavour is whose API it is.
type Flavour struct {
	Name    string
	Type    container.Type
	Sockets []string // the usual ones; a pattern stands for all that fit
	prefix  string   // of all paths
}

// The two there are. Podman from 4.0 on takes this version's paths.
var (
	Docker = Flavour{"docker", container.TypeDocker, []string{"/run/docker.sock", "/var/run/docker.sock"}, ""}
	Podman = Flavour{"podman", container.TypePodman, []string{"/run/podman/podman.sock", "/run/user/*/podman/podman.sock"}, "/v4.0.0/libpod"}
)

const (
	dialWait  = 5 * time.Second // podman's socket starts its service
	readWait  = 3 * time.Second // for one that has changed ...
	readTries = 3               // ... and again
	readers   = 4               // that read what has changed, at the same time
	maxUnread = 1024            // changes that may wait for each of them; more are looked up when somebody asks
	listWait  = 5 * time.Second
	maxImages = 1024 // that are remembered
	maxList   = 1 << 14
)

// Engine is a container.Engine for the first of its sockets that somebody answers on.
type Engine struct {
	flavour Flavour
	sockets []string

	mu   sync.Mutex
	conn *conn // while Watch holds it
}

// New makes an engine that tries sockets in this order.
func New(f Flavour, sockets []string) *Engine { return &Engine{flavour: f, sockets: sockets} }

// Name implements container.Engine.
func (e *Engine) Name() string { return e.flavour.Name }

// conn is a client of one socket.
type conn struct {
	http.Client
	flavour Flavour

	mu     sync.Mutex
	images map[string]*image
}

func (e *Engine) dial(ctx context.Context) (*conn, error) {
	last := container.ErrNobody
	for _, pattern := range e.sockets {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			if info, err := os.Stat(path); err != nil || info.Mode()&fs.ModeSocket == 0 {
				continue
			}
			c := &conn{flavour: e.flavour, images: map[string]*image{}}
			c.Transport = &http.Transport{MaxIdleConns: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					d := net.Dialer{Timeout: dialWait}
					return d.DialContext(ctx, "unix", path)
				}}
			call, cancel := context.WithTimeout(ctx, dialWait)
			err := c.get(call, "/_ping", nil, nil)
			cancel()
			if err == nil {
				return c, nil
			}
			c.CloseIdleConnections()
			last = fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil, last
}

// request sends a request; the caller closes the body.
func (c *conn) request(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	if path != "/_ping" {
		path = c.flavour.prefix + path
	}
	u := url.URL{Scheme: "http", Host: "localhost", Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	switch answer.StatusCode {
	case http.StatusOK:
		return answer, nil
	case http.StatusNotFound:
		err = container.ErrNotFound
	default:
		err = fmt.Errorf("%s", answer.Status)
	}
	answer.Body.Close()
	return nil, err
}

// get reads an answer into v; a nil v wants none.
func (c *conn) get(ctx context.Context, path string, query url.Values, v any) error {
	answer, err := c.request(ctx, path, query)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 16*container.MaxJSON))
	if err != nil || v == nil {
		return err
	}
	return lenient(json.Unmarshal(text, v))
}

// Get implements container.Engine.
func (e *Engine) Get(ctx context.Context, m container.Match) (*container.Info, error) {
	e.mu.Lock()
	c := e.conn
	e.mu.Unlock()
	if c == nil {
		return nil, container.ErrDown
	}
	return c.inspect(ctx, m.FullID)
}

// inspect reads one container, its image, and whose network it shares.
func (c *conn) inspect(ctx context.Context, id string) (*container.Info, error) {
	r := record{}
	if err := c.get(ctx, "/containers/"+id+"/json", nil, &r); err != nil {
		return nil, err
	}
	if r.ID != id {
		return nil, container.ErrNonsense
	}
	img, err := c.image(ctx, r.Image)
	if peer := r.peer(); peer != "" && r.address() == "" {
		other := record{}
		if c.get(ctx, "/containers/"+peer+"/json", nil, &other) == nil {
			r.NetworkSettings = other.NetworkSettings
		}
	}
	i := r.info(c.flavour.Type, img)
	i.Late = err != nil && ctx.Err() != nil // the image
	i.Partial = i.Late
	return i, nil
}

// image returns what is known of an image, never nil.
func (c *conn) image(ctx context.Context, id string) (*image, error) {
	c.mu.Lock()
	i := c.images[id]
	c.mu.Unlock()
	if i != nil {
		return i, nil
	}
	i = new(image)
	if id == "" {
		return i, nil
	}
	if err := c.get(ctx, "/images/"+id+"/json", nil, i); err != nil {
		return new(image), err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.images) >= maxImages {
		clear(c.images)
	}
	c.images[id] = i
	return i, nil
}

// Watch implements container.Engine.
func (e *Engine) Watch(ctx context.Context, tell func(container.Change)) error {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	var queues [readers]chan change
	for i := range queues {
		queues[i] = make(chan change, maxUnread)
		wait.Go(func() { c.follow(ctx, queues[i], tell) })
	}
	// The answer to this begins with the first event, with some servers: it is waited
	// for on the side.
	broken := make(chan error, 1)
	wait.Go(func() { broken <- c.listen(ctx, queues[:]) })
	e.hold(c)
	defer e.hold(nil)
	listed := make(chan error, 1)
	wait.Go(func() { listed <- c.list(ctx, tell) })
	for {
		select {
		case err := <-listed:
			if err != nil {
				return fmt.Errorf("list containers: %w", err)
			}
			tell(container.Change{What: container.Ready})
		case err := <-broken:
			return fmt.Errorf("listen to events: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *Engine) hold(c *conn) {
	e.mu.Lock()
	e.conn = c
	e.mu.Unlock()
}

// list tells of all that is there.
func (c *conn) list(ctx context.Context, tell func(container.Change)) error {
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	var all []struct{ ID string }
	if err := c.get(ctx, "/containers/json", url.Values{"all": {"true"}}, &all); err != nil {
		return err
	}
	for _, one := range all[:min(len(all), maxList)] {
		if ctx.Err() != nil {
			return nil // what is left is looked up when somebody asks
		}
		if i, err := c.inspect(ctx, one.ID); err == nil {
			tell(container.Change{What: container.Known, Info: i})
		}
	}
	return nil
}

var seed = maphash.MakeSeed()

// change is what an event says.
type change struct {
	id   string
	gone bool
}

// listen reads the events, which are objects one after the other, and hands on what they
// tell: each container to one reader, so that its end does not overtake its beginning.
func (c *conn) listen(ctx context.Context, queues []chan change) error {
	answer, err := c.request(ctx, "/events", url.Values{"stream": {"true"}, "filters": {`{"type":["container"]}`}})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	limit := &io.LimitedReader{R: answer.Body}
	for d := json.NewDecoder(limit); ; {
		limit.N = container.MaxJSON // one event is not longer than that
		var ev struct {
			Type, Action, Status string
			Actor                struct{ ID string }
		}
		if err := d.Decode(&ev); err != nil {
			return err
		}
		if ev.Type != "container" || ev.Actor.ID == "" {
			continue
		}
		ch := change{id: ev.Actor.ID}
		switch cmp.Or(ev.Action, ev.Status) {
		case "create", "start", "init":
		case "destroy", "remove":
			ch.gone = true
		default:
			continue
		}
		select {
		case queues[maphash.String(seed, ch.id)%uint64(len(queues))] <- ch:
		default:
		}
	}
}

// follow reads what has changed.
func (c *conn) follow(ctx context.Context, queue <-chan change, tell func(container.Change)) {
	for {
		select {
		case <-ctx.Done():
			return
		case ch := <-queue:
			if ch.gone {
				tell(container.Change{What: container.Gone, Info: &container.Info{ID: container.ShortID(ch.id), FullID: ch.id}})
				continue
			}
			c.reread(ctx, ch.id, tell)
		}
	}
}

// reread reads a container that has changed, again while there is no time for all of
// it: podman does not answer while it makes or starts that container.
func (c *conn) reread(ctx context.Context, id string, tell func(container.Change)) {
	for range readTries {
		call, cancel := context.WithTimeout(ctx, readWait)
		i, err := c.inspect(call, id)
		late := call.Err() != nil
		cancel()
		if err == nil {
			tell(container.Change{What: container.Known, Info: i})
		}
		if !late || ctx.Err() != nil {
			return
		}
	}
}
