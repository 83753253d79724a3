// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"google.golang.org/protobuf/proto"

	apievents "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/events/v1"

	"github.com/falco-go/falco/pkg/container"
)

// What is listened to. A pod's address becomes known after its sandbox has been
// created: containerd tells that as an update.
var topics = []string{
	`topic=="/containers/create"`,
	`topic=="/containers/update"`,
	`topic=="/tasks/start"`,
	`topic=="/containers/delete"`,
}

const (
	readers     = 4    // that read what has changed, at the same time
	maxUnread   = 1024 // changes that may wait for each of them; more are dropped, and looked up when somebody asks
	subscribing = "listen to events"
)

// change is what an event says.
type change struct {
	namespace, id string
	gone          bool
}

// Watch implements container.Engine. What is there is listed while events are
// already being listened to, so that nothing falls in between.
func (e *Engine) Watch(ctx context.Context, tell func(container.Change)) error {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()

	stream, err := c.events.Subscribe(ctx, &events.SubscribeRequest{Filters: topics})
	if err != nil {
		return fmt.Errorf("%s: %w", subscribing, why(err))
	}
	e.hold(c)
	defer e.hold(nil)

	var queues [readers]chan change
	for i := range queues {
		queues[i] = make(chan change, maxUnread)
		wait.Add(1)
		go func() {
			defer wait.Done()
			c.follow(ctx, queues[i], tell)
		}()
	}
	broken := make(chan error, 1)
	wait.Add(1)
	go func() {
		defer wait.Done()
		broken <- listen(stream, queues[:])
	}()
	listed := make(chan error, 1)
	wait.Add(1)
	go func() {
		defer wait.Done()
		listed <- c.list(ctx, tell)
	}()
	for {
		select {
		case err := <-listed:
			if err != nil {
				return fmt.Errorf("list containers: %w", err)
			}
			tell(container.Change{What: container.Ready})
		case err := <-broken:
			return fmt.Errorf("%s: %w", subscribing, why(err))
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

var seed = maphash.MakeSeed()

// listen hands on what the stream tells, each container to one reader, so that its
// end does not overtake its beginning.
func listen(stream events.Events_SubscribeClient, queues []chan change) error {
	for {
		ev, err := stream.Recv()
		if err != nil {
			return err
		}
		ch, ok := changeOf(ev.GetNamespace(), ev.GetTopic(), ev.GetEvent().GetValue())
		if !ok {
			continue
		}
		select {
		case queues[maphash.String(seed, ch.id)%uint64(len(queues))] <- ch:
		default:
		}
	}
}

// changeOf reads an event.
func changeOf(namespace, topic string, body []byte) (change, bool) {
	ch := change{namespace: namespace}
	var err error
	switch topic {
	case "/containers/create":
		var e apievents.ContainerCreate
		err = proto.Unmarshal(body, &e)
		ch.id = e.GetID()
	case "/containers/update":
		var e apievents.ContainerUpdate
		err = proto.Unmarshal(body, &e)
		ch.id = e.GetID()
	case "/tasks/start":
		var e apievents.TaskStart
		err = proto.Unmarshal(body, &e)
		ch.id = e.GetContainerID()
	case "/containers/delete":
		var e apievents.ContainerDelete
		err = proto.Unmarshal(body, &e)
		ch.id, ch.gone = e.GetID(), true
	}
	return ch, err == nil && ch.id != "" && namespace != ""
}

// follow reads what has changed.
func (c *conn) follow(ctx context.Context, queue <-chan change, tell func(container.Change)) {
	for {
		select {
		case <-ctx.Done():
			return
		case ch := <-queue:
			if ch.gone {
				tell(container.Change{What: container.Gone, Info: &container.Info{ID: shown(ch.id), FullID: ch.id}})
				continue
			}
			c.reread(ctx, ch, tell)
		}
	}
}

// readTries is how often a container that has changed is read while there is no time
// for all of it.
const readTries = 3

// reread reads a container that has changed.
func (c *conn) reread(ctx context.Context, ch change, tell func(container.Change)) {
	for range readTries {
		call, cancel := context.WithTimeout(ctx, readWait)
		info, err := c.get(call, ch.namespace, ch.id)
		late := call.Err() != nil
		cancel()
		if err == nil {
			tell(container.Change{What: container.Known, Info: info, Namespace: ch.namespace})
		}
		if !late || ctx.Err() != nil {
			return
		}
	}
}

// list tells of all that is there. What is wrong with one namespace does not hide
// the others.
func (c *conn) list(ctx context.Context, tell func(container.Change)) error {
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	spaces, err := c.listNamespaces(ctx)
	if err != nil {
		return why(err)
	}
	var all []error
	for _, ns := range spaces {
		ctx := in(ctx, ns)
		answer, err := c.containers.List(ctx, &containers.ListContainersRequest{})
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", ns, why(err)))
			continue
		}
		for _, from := range answer.GetContainers() {
			if ctx.Err() != nil {
				return nil // what is left is looked up when somebody asks
			}
			if from.GetID() != "" {
				tell(container.Change{What: container.Known, Info: c.info(ctx, ns, from), Namespace: ns})
			}
		}
	}
	if len(all) == len(spaces) {
		return errors.Join(all...)
	}
	return nil
}
