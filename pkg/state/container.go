// SPDX-License-Identifier: Apache-2.0

package state

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/event"
)

// Container is what the threads of a container have in common: its id from the
// moment on at which somebody is seen in it, and what its runtime says of it from
// the moment on at which that is told.
type Container struct {
	ID     string
	PodUID string          // from a path, before anybody has told; "" if no pod is in it
	info   *container.Info // nil if nobody has told
	match  container.Match // from a path, as PodUID
	asked  bool            // somebody has been asked, and will tell it or say that he cannot
	failed error           // he has said so
	gone   uint64          // when it ended; 0 if it has not
	ip     netip.Addr      // of info
	told   uint64          // how many tellings ago, for the order of going
}

// Info returns what is known of c beside its id, nil if nothing is.
func (c *Container) Info() *container.Info {
	if c == nil {
		return nil
	}
	return c.info
}

// Pending reports whether more may still become known of c than its id.
func (c *Container) Pending() bool { return c != nil && c.pending() }

func (c *Container) pending() bool { return c.info == nil && c.asked && c.failed == nil }

// Failed returns why nothing is known of c, nil if something is or may become known.
func (c *Container) Failed() error {
	if c == nil || c.info != nil {
		return nil
	}
	return c.failed
}

// found notes what a path says of c.
func (c *Container) found(m container.Match) {
	if c.match.FullID == "" || c.PodUID == "" && m.PodUID != "" {
		c.match = container.Match{ID: c.ID, FullID: strings.Clone(m.FullID), Kind: m.Kind, PodUID: strings.Clone(m.PodUID),
			User: strings.Clone(m.User)}
		c.PodUID = c.match.PodUID
	}
}

// askRuntime asks what there is to know of c, once. Where there is nobody to ask, as
// in a replay, the stream itself is given some time to tell.
func (s *State) askRuntime(c *Container) {
	if c.info != nil || c.asked {
		return
	}
	switch cs := &s.containers; {
	case s.asks != nil:
		c.asked = s.ask(Ask{Kind: AskRuntime, Match: c.match})
	case cs.patience > 0 && len(cs.hopes) < maxContainers:
		c.asked = true
		h := hope{c: c}
		if s.now > 0 {
			h.until = s.now + cs.patience
		}
		cs.hopes = append(cs.hopes, h)
	}
	if c.asked {
		c.failed = nil
		s.containers.pending++
	}
}

// errUntold is why nothing is known of a container that the stream does not tell of.
var errUntold = errors.New("nothing in the capture tells of it")

const (
	maxContainers = 1 << 14     // records of those that were told of; the one that was told longest ago goes first
	maxUntold     = 1 << 12     // records of all others
	goneGrace     = 60 * second // how long an ended container is still known, for events that come late
)

// containers holds all of them, by id.
type containers struct {
	byID  map[string]*Container
	order []telling // of the tellings, for those that have to go
	tells uint64
	ended []*Container // by the time of their end
	addrs map[netip.Addr]int

	namespaces container.Namespaces

	known    int    // records with something in them
	pending  int    // records of which more may become known
	patience uint64 // see Options
	hopes    []hope // by the time until which they last
}

// hope is that the stream tells of a container until some time, which is not set
// before the first event.
type hope struct {
	c     *Container
	until uint64
}

type telling struct {
	c *Container
	n uint64
}

func (cs *containers) init(patience uint64) {
	*cs = containers{byID: make(map[string]*Container), addrs: make(map[netip.Addr]int), patience: patience}
}

// container returns the record of the container called id, and makes one if there
// is none. When there are too many, those go that nobody has told anything of;
// threads that are in these containers keep theirs.
func (s *State) container(id string) *Container {
	cs := &s.containers
	c := cs.byID[id]
	if c != nil {
		return c
	}
	if len(cs.byID)-cs.known >= maxUntold {
		for id, c := range cs.byID {
			if c.info == nil {
				cs.giveUp(c, nil)
				c.asked = false // who is seen in it later asks again
				delete(cs.byID, id)
			}
		}
		s.forgetCgroups() // they know these records
	}
	c = &Container{ID: id}
	cs.byID[id] = c
	return c
}

// PutContainer takes in what a runtime has told of a container, and returns its
// record. i is complete (Parse and Seal leave it so), and must not be changed any more.
func (s *State) PutContainer(i *container.Info) *Container {
	cs, c := &s.containers, s.container(i.ID)
	cs.setInfo(c, i)
	c.gone = 0
	cs.tells++
	c.told = cs.tells
	cs.order = append(cs.order, telling{c, c.told})
	for len(cs.order) > maxContainers {
		if o := cs.order[0]; o.c.told == o.n { // and has not been told of again
			cs.setInfo(o.c, nil)
		}
		cs.order = cs.order[1:]
	}
	return c
}

// maxNamespaces bounds those that are learned.
const maxNamespaces = 64

// LearnNamespace notes that containerd has a namespace called so: paths of cgroups
// that begin with it are those of containers, also where somebody was seen before.
func (s *State) LearnNamespace(name string) {
	cs := &s.containers
	if name == "" || cs.namespaces[name] || len(cs.namespaces) >= maxNamespaces {
		return
	}
	if cs.namespaces == nil {
		cs.namespaces = container.Namespaces{}
	}
	cs.namespaces[strings.Clone(name)] = true
	if _, ok := container.FromPath("/" + name + "/x"); ok {
		return // that was known without
	}
	s.forgetCgroups()
	for _, t := range s.threads {
		if t.ContainerID != "" || len(t.Cgroups) == 0 {
			continue
		}
		if _, ok := cs.namespaces.FromCgroups(t.Cgroups); ok {
			s.setCgroups(t, s.cgroupList(t.Cgroups))
		}
	}
}

// FailContainer notes that nobody could tell of the container called id, and why. It
// can still be told of later.
func (s *State) FailContainer(id string, why error) {
	if c := s.containers.byID[id]; c != nil && c.info == nil && c.asked {
		s.containers.giveUp(c, why)
	}
}

// giveUp notes that nothing more is to be expected of c.
func (cs *containers) giveUp(c *Container, why error) {
	if c.pending() {
		cs.pending--
	}
	c.failed = why
}

// Pending returns how many containers are there of which more may become known soon.
func (s *State) Pending() int { return s.containers.pending }

// setInfo replaces what is known of c.
func (cs *containers) setInfo(c *Container, i *container.Info) {
	if c.ip.IsValid() {
		if cs.addrs[c.ip]--; cs.addrs[c.ip] <= 0 {
			delete(cs.addrs, c.ip)
		}
	}
	cs.giveUp(c, nil)
	if c.info != nil {
		cs.known--
	}
	if i != nil {
		cs.known++
	}
	c.info, c.ip = i, netip.Addr{}
	if i == nil {
		c.asked = false // who is seen in it later asks again
		return
	}
	if a, err := netip.ParseAddr(string(i.IP)); err == nil {
		c.ip = a.Unmap()
		cs.addrs[c.ip]++
	}
}

// end notes that a container has ended; what is known of it stays for a while.
func (cs *containers) end(id string, now uint64) {
	if c := cs.byID[id]; c != nil && c.gone == 0 && c.info != nil {
		c.gone = now
		if len(cs.ended) >= maxContainers {
			cs.ended = cs.ended[1:]
		}
		cs.ended = append(cs.ended, c)
	}
}

// sweep forgets those whose time is over, and what nobody can be expected to tell.
func (cs *containers) sweep(now uint64) {
	if len(cs.hopes) > 0 && cs.hopes[0].until == 0 { // from before the first event
		for i := range cs.hopes {
			cs.hopes[i].until = now + cs.patience
		}
	}
	for len(cs.hopes) > 0 && now >= cs.hopes[0].until {
		if c := cs.hopes[0].c; c.pending() {
			cs.giveUp(c, errUntold)
		}
		cs.hopes = cs.hopes[1:]
	}
	for len(cs.ended) > 0 {
		c := cs.ended[0]
		if c.gone != 0 && now < c.gone+goneGrace {
			return
		}
		cs.ended = cs.ended[1:]
		if c.gone != 0 { // else it was told of again
			cs.setInfo(c, nil)
		}
	}
}

// KnownContainers returns what is known of all containers, in the order of their ids.
func (s *State) KnownContainers() []*container.Info {
	var out []*container.Info
	for _, c := range s.containers.byID {
		if c.info != nil {
			out = append(out, c.info)
		}
	}
	slices.SortFunc(out, func(a, b *container.Info) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Now returns the time of the last event, 0 before the first one.
func (s *State) Now() uint64 { return s.now }

// Container returns what is known of the container called id, nil if nothing is.
func (s *State) Container(id string) *container.Info { return s.containers.byID[id].Info() }

// EndedNow returns the container whose first process the last Settle has removed, nil
// if there is none of which anything is known.
func (s *State) EndedNow() *container.Info { return s.ended.Info() }

// Ending reports whether the last Settle has removed the first process of a container.
func (s *State) Ending() bool { return s.ended != nil }

// Ended reports whether the container called id is only known for a while longer.
func (s *State) Ended(id string) bool {
	c := s.containers.byID[id]
	return c != nil && c.gone != 0
}

// Container returns the container that t is in, nil on the host.
func (t *Thread) Container() *Container { return t.container }

// containerEvent takes in an event that tells of a container.
func (s *State) containerEvent(text []byte) *Container {
	i, err := container.Parse(text)
	if err != nil {
		s.stats.BadContainers++
		return nil
	}
	return s.PutContainer(i)
}

// asyncEvent takes in what others have put into the stream: of that only
// containers change the tables.
func (s *State) asyncEvent(ev *event.Event) *Container {
	name, _ := ev.Str(1)
	switch name {
	case "container":
		return s.containerEvent(ev.Param(2))
	case "container_removed":
		i, err := container.Parse(ev.Param(2))
		if err != nil {
			s.stats.BadContainers++
			return nil
		}
		c := s.containers.byID[i.ID]
		if c.Info() == nil { // it tells all once more
			c = s.PutContainer(i)
		}
		s.containers.end(i.ID, s.now)
		return c
	}
	return nil
}
