// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/containerd"
	"github.com/falco-go/falco/pkg/container/cri"
	"github.com/falco-go/falco/pkg/container/docker"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// What runtimes tell of containers. They are asked, and listened to, by goroutines
// of pkg/container; what becomes known goes through the loop as an event of its own,
// between two others: rules see it, and captures keep it.

// askContainers begins to ask the runtimes, until the run ends, and returns how to
// ask for one container.
func (d *daemon) askContainers() func(container.Match) bool {
	r := container.Start(container.Options{
		Engines: engines(&d.cfg.Containers, os.Getenv("HOST_ROOT")),
		Report:  d.reportEngine,
		Times:   container.Times{Call: max(shortestCall, d.pipe.later.wait), Wait: d.pipe.later.wait},
		Tell: func(all []container.Change) {
			take := func() {
				for _, c := range all {
					d.pipe.takeContainer(c, time.Now())
				}
			}
			select {
			case d.mail <- take:
			case <-d.stop:
			}
		},
	})
	d.atEnd(func() {
		d.end() // nobody takes mail any more
		r.Close()
		d.log.debugf("containers: %+v", r.Stats())
	})
	return r.Ask
}

// shortestCall is how long an answer may take at least; else as long as events wait for
// it: podman answers when it has started a container, and not before.
const shortestCall = time.Second

// deferRules says how long events may wait for what is told of their containers.
func (d *daemon) deferRules(replay bool) {
	container.LimitLabels(d.cfg.Containers.LabelMax)
	d.pipe.later.wait, d.pipe.later.replay = time.Duration(d.cfg.Containers.MaxWaitMs)*time.Millisecond, replay
	d.atEnd(func() {
		if s := d.pipe.later.stats; s.Deferred+s.Overflow > 0 {
			d.log.debugf("events that waited for their containers: %+v", s)
		}
	})
}

// asked is a kind of runtime, and where its sockets may be.
type asked struct {
	name   string
	paths  []string // patterns
	create func(sockets []string) container.Engine
}

// whoIsAsked returns what the configuration asks for, in the order in which they are
// asked. Sockets are those of the machine whose root is given.
func whoIsAsked(c *config.Containers, root string) []asked {
	of := func(e config.ContainerEngine, usual []string) []string {
		if len(e.Sockets) == 0 {
			return usual
		}
		return e.Sockets
	}
	own, kubelet := of(c.Containerd, containerd.Sockets), of(c.CRI, cri.Sockets)
	switch {
	case c.Containerd.Enabled && c.CRI.Enabled:
		// Those of containerd are asked in its own way, which tells more, and sooner:
		// the original's configuration lists most of them as CRI's.
		var theirs []string
		for _, p := range kubelet {
			if !ofContainerd(p) {
				theirs = append(theirs, p)
			} else if !slices.Contains(own, p) {
				own = append(slices.Clip(own), p)
			}
		}
		kubelet = theirs
	case len(c.CRI.Sockets) == 0:
		kubelet = append(slices.Clone(kubelet), containerd.Sockets...)
	}
	var all []asked
	add := func(e config.ContainerEngine, a asked) {
		if !e.Enabled || len(a.paths) == 0 {
			return
		}
		a.paths = slices.Clone(a.paths)
		for i, p := range a.paths {
			if root != "" {
				a.paths[i] = filepath.Join(root, p)
			}
		}
		all = append(all, a)
	}
	add(c.Containerd, asked{"containerd", own, func(s []string) container.Engine { return containerd.New(s) }})
	add(c.Docker, asked{"docker", of(c.Docker, docker.Docker.Sockets), func(s []string) container.Engine { return docker.New(docker.Docker, s) }})
	add(c.Podman, asked{"podman", of(c.Podman, docker.Podman.Sockets), func(s []string) container.Engine { return docker.New(docker.Podman, s) }})
	add(c.CRI, asked{"cri", kubelet, func(s []string) container.Engine { return cri.New(s) }})
	return all
}

// ofContainerd reports whether a socket is one of containerd.
func ofContainerd(path string) bool { return strings.Contains(path, "containerd") }

// engines connects to all of them, wherever somebody listens.
func engines(c *config.Containers, root string) []container.Engine {
	var all []container.Engine
	for _, a := range whoIsAsked(c, root) {
		all = append(all, container.NewMany(a.name, a.paths, func(socket string) container.Engine { return a.create([]string{socket}) }))
	}
	return all
}

// criSockets returns what --cri says as settings: the sockets take the place of the
// usual ones, those of containerd of its own, whose way of speaking tells more.
func criSockets(paths []string) (settings []string) {
	of := map[string][]string{}
	for _, p := range paths {
		engine := "cri"
		if ofContainerd(p) {
			engine = "containerd"
		}
		of[engine] = append(of[engine], p)
	}
	for _, engine := range []string{"containerd", "cri"} {
		if len(of[engine]) > 0 {
			list, _ := json.Marshal(map[string][]string{"sockets": of[engine]}) // of texts: cannot fail
			settings = append(settings, "containers.engines."+engine+"="+string(list))
		}
	}
	return settings
}

// reportEngine tells of a runtime that has come or gone, or is not there: that is
// why fields of containers are empty.
func (d *daemon) reportEngine(name string, why error) {
	switch {
	case why == nil:
		d.log.infof("Containers: %s is connected", name)
	case errors.Is(why, container.ErrNobody):
		d.log.infof("Containers: %s is absent: %v", name, why)
	default:
		d.log.warnf("Containers: %s: %v; what it knows of containers is missing until it answers", name, why)
	}
}

// youngest is how far behind the clock an event of the kernel may still come in: ours
// are not to be younger than those.
const youngest = 50 * time.Millisecond

// takeContainer takes in what became known of a container.
func (p *pipeline) takeContainer(c container.Change, now time.Time) {
	switch c.What {
	case container.Known:
		p.state.LearnNamespace(c.Namespace)
		text := c.Info.JSON()
		if old := p.state.Container(c.Info.ID); old != nil && !p.state.Ended(c.Info.ID) {
			if c.Info.Partial && !old.Partial || bytes.Equal(old.JSON(), text) {
				return // nothing new
			}
		}
		p.tell("container", text, now)
		if known := p.state.Container(c.Info.ID); known != nil {
			known.Partial = c.Info.Partial
		}
	case container.Gone:
		if old := p.state.Container(c.Info.ID); old != nil && old.FullID == c.Info.FullID && !p.state.Ended(c.Info.ID) {
			p.tell("container_removed", old.JSON(), now)
		}
	case container.Failed:
		p.state.FailContainer(c.Info.ID, c.Why)
	}
}

// tell turns an event that nobody in the kernel has made.
func (p *pipeline) tell(name string, data []byte, now time.Time) {
	ts := max(p.ev.TS, uint64(now.Add(-youngest).UnixNano()))
	p.record = appendAsync(p.record[:0], ts, name, data)
	if _, err := p.told.Decode(p.record); err != nil {
		return // cannot be: we have made it
	}
	p.told.CPU, p.told.Flags, p.told.Num, p.told.StateOnly = 0, 0, 0, false
	p.turn(&p.told)
}

// appendAsync appends a record of type asyncevent.
func appendAsync(b []byte, ts uint64, name string, data []byte) []byte {
	const params = 3
	size := schema.HeaderSize + 4*params + 4 + len(name) + 1 + len(data)
	b = binary.LittleEndian.AppendUint64(b, ts)
	b = binary.LittleEndian.AppendUint64(b, ^uint64(0)) // no thread
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint16(b, uint16(schema.AsynceventE))
	b = binary.LittleEndian.AppendUint32(b, params)
	for _, n := range [params]int{4, len(name) + 1, len(data)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	b = binary.LittleEndian.AppendUint32(b, 0) // of no plugin
	b = append(append(b, name...), 0)
	return append(b, data...)
}

// askers sends questions to who can answer them.
func askers(aside func(state.Ask) bool, runtimes func(container.Match) bool) func(state.Ask) bool {
	return func(a state.Ask) bool {
		if a.Kind == state.AskRuntime {
			return runtimes(a.Match)
		}
		return aside(a)
	}
}
