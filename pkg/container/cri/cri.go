// SPDX-License-Identifier: Apache-2.0

// Package cri asks runtimes by the protocol that kubelet speaks with them: CRI-O, and
// whoever else serves it. It is for those that no other engine knows, since it tells
// only of pods, and of changes only when it is asked.
package cri

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/wire"
)

// Sockets are the usual places of runtimes that only speak this protocol.
var Sockets = []string{"/run/crio/crio.sock", "/var/run/crio/crio.sock"}

const (
	dialWait  = 2 * time.Second
	callWait  = time.Second
	listWait  = 5 * time.Second
	lookEvery = time.Second // at what is there
)

// Engine is a container.Engine for the first of its sockets that somebody answers on.
type Engine struct {
	sockets []string
	every   time.Duration

	mu   sync.Mutex
	conn *conn // while Watch holds it
}

// New makes an engine that tries sockets in this order.
func New(sockets []string) *Engine { return &Engine{sockets: sockets, every: lookEvery} }

// Name implements container.Engine.
func (e *Engine) Name() string { return "cri" }

// conn is one connection.
type conn struct {
	*grpc.ClientConn
	runtime.RuntimeServiceClient
	typ container.Type
}

func (e *Engine) dial(ctx context.Context) (*conn, error) {
	last := container.ErrNobody
	for _, path := range e.sockets {
		if info, err := os.Stat(path); err != nil || info.Mode()&fs.ModeSocket == 0 {
			continue
		}
		c, err := connect(ctx, path)
		if err == nil {
			return c, nil
		}
		last = fmt.Errorf("%s: %w", path, err)
	}
	return nil, last
}

// connect returns a connection to somebody who has said what he is.
func connect(ctx context.Context, path string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	c, v, err := speak(ctx, path)
	if errors.Is(err, errVersion) {
		c, v, err = speak(ctx, path, Alpha()...)
	}
	if err != nil {
		return nil, err
	}
	switch v.GetRuntimeName() {
	case "containerd":
		c.typ = container.TypeContainerd
	case "cri-o":
		c.typ = container.TypeCRIO
	}
	return c, nil
}

// speak connects and asks who is there.
func speak(ctx context.Context, path string, options ...grpc.DialOption) (*conn, *runtime.VersionResponse, error) {
	g, err := wire.Connect(ctx, path, options...)
	if err != nil {
		return nil, nil, err
	}
	c := &conn{ClientConn: g, RuntimeServiceClient: runtime.NewRuntimeServiceClient(g), typ: container.TypeCRI}
	v, err := c.Version(ctx, &runtime.VersionRequest{})
	if err != nil {
		g.Close()
		return nil, nil, why(err)
	}
	return c, v, nil
}

// errVersion is why a runtime does not answer that is there.
var errVersion = errors.New("it does not serve CRI in our version")

// why returns an error of gRPC as one of ours.
func why(err error) error {
	return wire.Why(err, func(s *status.Status) error {
		if s.Code() == codes.Unimplemented {
			return fmt.Errorf("%w: %s", errVersion, s.Message())
		}
		return errors.New(s.Message())
	})
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

// inspect reads one container, or a pod's own, and its pod.
func (c *conn) inspect(ctx context.Context, id string) (*container.Info, error) {
	own, err := c.ContainerStatus(ctx, &runtime.ContainerStatusRequest{ContainerId: id, Verbose: true})
	if err != nil && !errors.Is(why(err), container.ErrNotFound) {
		return nil, why(err)
	}
	pod := id
	if err == nil {
		if own.GetStatus().GetId() != id {
			return nil, container.ErrNonsense
		}
		pod = sandboxOf(own.GetInfo())
	} else {
		own = nil
	}
	var of *runtime.PodSandboxStatusResponse
	late := false
	if pod != "" {
		of, err = c.PodSandboxStatus(ctx, &runtime.PodSandboxStatusRequest{PodSandboxId: pod, Verbose: true})
		if err != nil {
			of = nil
			if own == nil {
				return nil, why(err)
			}
			late = !errors.Is(why(err), container.ErrNotFound)
		}
	}
	if own == nil && of.GetStatus().GetId() != id {
		return nil, container.ErrNonsense
	}
	i := info(c.typ, own, of)
	i.Partial, i.Late = late, late
	return i, nil
}

// Watch implements container.Engine. What is there is listed again and again; where
// the runtime tells of changes, as CRI-O does, they need not wait for that.
func (e *Engine) Watch(ctx context.Context, tell func(container.Change)) error {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	e.hold(c)
	defer e.hold(nil)
	ctx, cancel := context.WithCancel(ctx)
	changed := make(chan string, maxChanged)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() { c.listen(ctx, changed) })
	known := map[string]bool{}
	look := func(id string) {
		call, cancel := context.WithTimeout(ctx, callWait)
		defer cancel()
		if i, err := c.inspect(call, id); err == nil {
			known[id] = !i.Partial
			tell(container.Change{What: container.Known, Info: i})
		}
	}
	for first := true; ; first = false {
		now, err := c.ids(ctx)
		if err != nil {
			return fmt.Errorf("list containers: %w", err)
		}
		for id := range known {
			if !now[id] {
				delete(known, id)
				tell(container.Change{What: container.Gone, Info: &container.Info{ID: container.ShortID(id), FullID: id}})
			}
		}
		end := time.Now().Add(listWait)
		for id := range now {
			if !known[id] && ctx.Err() == nil && time.Now().Before(end) {
				look(id)
			}
		}
		if first {
			tell(container.Change{What: container.Ready})
		}
		for again := time.After(e.every); again != nil; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case id := <-changed:
				look(id)
			case <-again:
				again = nil
			}
		}
	}
}

// maxChanged is how many changes may wait; more are found by the next list.
const maxChanged = 256

// listen hands on who has been made or started, if the runtime tells that at all.
func (c *conn) listen(ctx context.Context, changed chan<- string) {
	stream, err := c.GetContainerEvents(ctx, &runtime.GetEventsRequest{})
	if err != nil {
		return
	}
	for {
		ev, err := stream.Recv()
		if err != nil {
			return
		}
		switch ev.GetContainerEventType() {
		case runtime.ContainerEventType_CONTAINER_CREATED_EVENT, runtime.ContainerEventType_CONTAINER_STARTED_EVENT:
			if id := ev.GetContainerId(); id != "" {
				select {
				case changed <- id:
				default:
				}
			}
		}
	}
}

func (e *Engine) hold(c *conn) {
	e.mu.Lock()
	e.conn = c
	e.mu.Unlock()
}

// ids returns the containers and pods that are there.
func (c *conn) ids(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	all := map[string]bool{}
	list, err := c.ListContainers(ctx, &runtime.ListContainersRequest{})
	if err != nil {
		return nil, why(err)
	}
	for _, i := range list.GetContainers() {
		all[i.GetId()] = true
	}
	pods, err := c.ListPodSandbox(ctx, &runtime.ListPodSandboxRequest{})
	if err != nil {
		return nil, why(err)
	}
	for _, i := range pods.GetItems() {
		all[i.GetId()] = true
	}
	delete(all, "")
	return all, nil
}
