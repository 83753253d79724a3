// SPDX-License-Identifier: Apache-2.0

// Package containerd asks containerd, from 1.6 to 2.x, for its containers, in all of
// its namespaces, and listens to what it tells of them: a container is known when it
// has been created, and so before its first process executes anything.
//
// client.go, watch.go and read.go talk to it, through the stubs of its own client
// library; what is made of the answers needs no connection (record.go, cri.go,
// oci.go).
package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/content/v1"
	"github.com/containerd/containerd/api/services/events/v1"
	"github.com/containerd/containerd/api/services/images/v1"
	"github.com/containerd/containerd/api/services/namespaces/v1"
	"github.com/containerd/containerd/api/services/sandbox/v1"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/wire"
)

// Sockets are the places where containerd usually listens.
var Sockets = []string{
	"/run/containerd/containerd.sock",
	"/run/k3s/containerd/containerd.sock", // k3s, rke2
	"/var/snap/microk8s/common/run/containerd.sock",
	"/run/host-containerd/containerd.sock", // Bottlerocket
	"/run/docker/containerd/containerd.sock",
}

// Limits of what is taken from the other end.
const (
	maxNamespaces = 256
	maxImages     = 1024 // configuration digests that are remembered
)

// Periods within which an answer must have come.
const (
	dialWait = 2 * time.Second
	callWait = time.Second
	readWait = 3 * time.Second // of a container that has changed: nobody asks for what is missing of it
	listWait = 5 * time.Second
)

// Engine is a container.Engine for the first of its sockets that somebody listens on.
type Engine struct {
	sockets []string

	mu   sync.Mutex
	conn *conn // while Watch holds it
}

// New makes an engine that tries sockets in this order.
func New(sockets []string) *Engine { return &Engine{sockets: sockets} }

// Name implements container.Engine.
func (e *Engine) Name() string { return "containerd" }

// conn is one connection.
type conn struct {
	*grpc.ClientConn
	socket     string
	namespaces namespaces.NamespacesClient
	containers containers.ContainersClient
	images     images.ImagesClient
	content    content.ContentClient
	sandboxes  sandbox.StoreClient
	events     events.EventsClient

	mu      sync.Mutex
	spaces  []string          // that were there when somebody looked last
	configs map[string]string // digests of configurations, by target
}

// dial connects to the first socket behind which somebody answers.
func (e *Engine) dial(ctx context.Context) (*conn, error) {
	var last error
	for _, path := range e.sockets {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			last = err
			continue
		case info.Mode()&fs.ModeSocket == 0:
			last = fmt.Errorf("%s is no socket", path)
			continue
		}
		c, err := connect(ctx, path)
		if err == nil {
			return c, nil
		}
		last = fmt.Errorf("%s: %w", path, err)
	}
	if last == nil {
		last = container.ErrNobody
	}
	return nil, last
}

// connect returns a connection to somebody who has answered once.
func connect(ctx context.Context, path string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	g, err := wire.Connect(ctx, path)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, err
	}
	c := &conn{ClientConn: g, socket: path, configs: map[string]string{},
		namespaces: namespaces.NewNamespacesClient(g), containers: containers.NewContainersClient(g), images: images.NewImagesClient(g),
		content: content.NewContentClient(g), sandboxes: sandbox.NewStoreClient(g), events: events.NewEventsClient(g)}
	if _, err := c.listNamespaces(ctx); err != nil {
		g.Close()
		return nil, why(err)
	}
	return c, nil
}

// Get implements container.Engine.
func (e *Engine) Get(ctx context.Context, m container.Match) (*container.Info, error) {
	e.mu.Lock()
	c := e.conn
	e.mu.Unlock()
	if c == nil {
		return nil, container.ErrDown
	}
	c.mu.Lock()
	known := c.spaces
	c.mu.Unlock()
	info, err := c.find(ctx, known, m)
	if !errors.Is(err, container.ErrNotFound) {
		return info, err
	}
	now, err := c.listNamespaces(ctx) // there may be a new one
	if err != nil {
		return nil, why(err)
	}
	var fresh []string
	for _, n := range now {
		if !slices.Contains(known, n) {
			fresh = append(fresh, n)
		}
	}
	return c.find(ctx, fresh, m)
}

// find looks for m in some namespaces.
func (c *conn) find(ctx context.Context, spaces []string, m container.Match) (*container.Info, error) {
	for _, ns := range spaces {
		info, err := c.get(ctx, ns, m.FullID)
		if err == nil {
			return info, nil
		}
		if !errors.Is(err, container.ErrNotFound) {
			return nil, err
		}
	}
	return nil, container.ErrNotFound
}
