// SPDX-License-Identifier: Apache-2.0

package field

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Hosts knows the addresses of the host names in rules (fd.sip.name =
// example.com). Run asks for them in the background, first right after the rules
// are loaded; the event path only looks at what is known, without a lock, and
// loading a rule never waits for an answer.
var Hosts = NewHostTable(func(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
})

// Times of the refresh: an answer that stays the same is asked for less often.
const (
	hostTimeout  = 2 * time.Second
	hostInterval = 10 * time.Second
	hostLongest  = 320 * time.Second
	hostLookups  = 8    // at the same time
	maxHosts     = 4096 // names; the rules that want more get empty sets
)

// LookupFunc asks for the addresses of a name.
type LookupFunc func(ctx context.Context, name string) ([]netip.Addr, error)

// HostTable holds names and what they stand for.
type HostTable struct {
	lookup LookupFunc
	names  atomic.Pointer[map[netip.Addr]string]

	mu   sync.Mutex
	sets map[string]*HostSet
	wake chan struct{}
}

// HostSet is the addresses of one name.
type HostSet struct {
	name  string
	addrs atomic.Pointer[[]netip.Addr]
	every time.Duration
	next  time.Time
}

// NewHostTable returns an empty table that asks lookup.
func NewHostTable(lookup LookupFunc) *HostTable {
	return &HostTable{lookup: lookup, sets: make(map[string]*HostSet), wake: make(chan struct{}, 1)}
}

// Watch returns the set of a name. It is empty until Run has asked for it.
func (h *HostTable) Watch(name string) *HostSet {
	h.mu.Lock()
	defer h.mu.Unlock()
	set := h.sets[name]
	if set == nil {
		set = &HostSet{name: name, every: hostInterval}
		if len(h.sets) < maxHosts {
			h.sets[name] = set
		}
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
	return set
}

// Contains reports whether addr is among the addresses that the name had last.
func (s *HostSet) Contains(addr netip.Addr) bool {
	addrs := s.addrs.Load()
	return addrs != nil && slices.Contains(*addrs, addr)
}

// Name returns a name that stands for addr, "" if none of the watched ones does.
func (h *HostTable) Name(addr netip.Addr) string {
	names := h.names.Load()
	if names == nil {
		return ""
	}
	return (*names)[addr]
}

// refresh asks for the addresses of set. A name that has no answer any more
// keeps its last one.
func (h *HostTable) refresh(ctx context.Context, set *HostSet) {
	ctx, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	addrs, err := h.lookup(ctx, set.name)
	if err != nil || len(addrs) == 0 {
		return
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap().WithZone("")
	}
	slices.SortFunc(addrs, netip.Addr.Compare)

	h.mu.Lock()
	defer h.mu.Unlock()
	if old := set.addrs.Load(); old != nil && slices.Equal(*old, addrs) {
		set.every = min(2*set.every, hostLongest)
		return
	}
	set.every = hostInterval
	set.addrs.Store(&addrs)
	names := make(map[netip.Addr]string)
	for _, s := range h.sets {
		if addrs := s.addrs.Load(); addrs != nil {
			for _, a := range *addrs {
				if old, ok := names[a]; !ok || s.name < old {
					names[a] = s.name
				}
			}
		}
	}
	h.names.Store(&names)
}

// Run asks again for the addresses of all names until ctx ends.
func (h *HostTable) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-timer.C:
		}
		h.resolve(ctx, time.Now())
		timer.Reset(h.pause(time.Now()))
	}
}

// resolve asks for all names whose time has come, a few at a time.
func (h *HostTable) resolve(ctx context.Context, now time.Time) {
	var wg sync.WaitGroup
	free := make(chan struct{}, hostLookups)
	for _, set := range h.due(now) {
		free <- struct{}{}
		wg.Go(func() {
			h.refresh(ctx, set)
			<-free
		})
	}
	wg.Wait()
}

// due returns the sets whose time has come, and says when it comes again.
func (h *HostTable) due(now time.Time) (out []*HostSet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, set := range h.sets {
		if !set.next.After(now) {
			set.next = now.Add(set.every)
			out = append(out, set)
		}
	}
	return out
}

// pause returns how long nothing has to be asked.
func (h *HostTable) pause(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	wait := hostLongest
	for _, set := range h.sets {
		wait = min(wait, max(set.next.Sub(now), 0))
	}
	return wait
}
