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

// engines returns what the configuration asks for, in the order in which they are
// asked. Sockets are those of the machine whose root is given.
func engines(c *config.Containers, root string) []container.Engine {
	var all []container.Engine
	add := func(name string, e config.ContainerEngine, usual []string, create func(socket []string) container.Engine) {
		if !e.Enabled {
			return
		}
		paths := e.Sockets
		if len(paths) == 0 {
			paths = usual
		}
		under := make([]string, len(paths))
		for i, p := range paths {
			under[i] = filepath.Join(root, p)
			if root == "" {
				under[i] = p
			}
		}
		all = append(all, container.NewMany(name, under, func(socket string) container.Engine { return create([]string{socket}) }))
	}
	add("containerd", c.Containerd, containerd.Sockets, func(s []string) container.Engine { return containerd.New(s) })
	add("docker", c.Docker, docker.Docker.Sockets, func(s []string) container.Engine { return docker.New(docker.Docker, s) })
	add("podman", c.Podman, docker.Podman.Sockets, func(s []string) container.Engine { return docker.New(docker.Podman, s) })
	usual := cri.Sockets
	if !c.Containerd.Enabled { // else it is asked in its own way, which tells more
		usual = append(slices.Clone(usual), containerd.Sockets...)
	}
	add("cri", c.CRI, usual, func(s []string) container.Engine { return cri.New(s) })
	return all
}

// criSockets returns what --cri says as settings: the sockets take the place of the
// usual ones, those of containerd of its own, whose way of speaking tells more.
func criSockets(paths []string) (settings []string) {
	of := map[string][]string{}
	for _, p := range paths {
		engine := "cri"
		if strings.Contains(p, "containerd") {
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
