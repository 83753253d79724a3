// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

const webJSON = `{"container":{"id":"` + dockID + `","type":0,"name":"web","image":"nginx:1","ip":"172.17.0.2"}}`

func tells(json string) *eventtest.Builder {
	return eventtest.New(schema.ContainerJsonE).Str(json)
}

func async(name, json string) *eventtest.Builder {
	return eventtest.New(schema.AsynceventE).Uint(0).Str(name).Raw([]byte(json))
}

// inside makes thread tid, whose cgroup is that of the container called by hex64.
func inside(w *world, tid int64) *Thread {
	return w.do(made(schema.CloneX, tid, 0, tid, 100, 0, "cgroups", []string{"cpu=/docker/" + hex64})).Thread
}

func TestContainerIsTold(t *testing.T) {
	for name, ev := range map[string]*eventtest.Builder{"json": tells(webJSON), "async": async("container", webJSON)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			x := inside(w, 200)
			w.same("before", x.Container().Info() == nil, true) // C-102
			sc := w.do(ev)
			info, host := sc.ContainerInfo()
			if info == nil || host || info.Name != "web" || sc.Thread != nil {
				t.Fatalf("C-103: %+v, host %v, thread %v", info, host, sc.Thread)
			}
			w.same("who was there", x.Container().Info(), info)
			w.same("who comes", inside(w, 201).Container().Info(), info)
			w.same("by id", w.s.Container(dockID), info)
			if _, host := w.do(call(schema.CloseX, 100, "res", 0, "fd", 1)).ContainerInfo(); !host {
				t.Error("the host is a container")
			}
		})
	}
}

// later lets d ns pass, and an event of the host be settled.
func later(w *world, d uint64) {
	w.ts += d
	w.nothing(100)
	w.nothing(100)
}

// C-108: what is known of a container that has ended stays for a minute.
func TestContainerEnds(t *testing.T) {
	w := newWorld(t)
	w.do(made(schema.CloneX, 200, 0, 200, 100, schema.CloneChildInPidns, "vtid", 1, "vpid", 1, "cgroups", []string{"cpu=/docker/" + hex64}))
	late := inside(w, 201)
	w.do(tells(webJSON))
	w.do(call(schema.ProcexitE, 200))
	later(w, 30*sec)
	w.same("after half a minute", late.Container().Info() != nil, true)
	later(w, 31*sec)
	w.same("after a minute", late.Container().Info() == nil, true)
	w.do(tells(webJSON)) // it has begun again, under its old id
	w.same("again", inside(w, 202).Container().Info() != nil, true)
	w.same("also for", late.Container().Info() != nil, true)

	w.do(async("container_removed", webJSON))
	w.do(tells(webJSON)) // and is told of again within the minute
	later(w, 90*sec)
	w.same("told of again", late.Container().Info() != nil, true)
}

func TestContainerAddresses(t *testing.T) {
	w := newWorld(t)
	w.s.Machine.Addrs = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("2001:db8::1/64")}
	ip := netip.MustParseAddr
	x, h := inside(w, 200), w.s.Lookup(100)
	check := func(what string, t *Thread, addr string, want bool) {
		w.Helper()
		w.same(what+" "+addr, w.s.IsLocal(t, ip(addr)), want)
	}
	check("unknown container", x, "10.0.0.1", false)
	other := `{"container":{"id":"other","type":0,"ip":"172.17.0.9"}}`
	w.do(tells(other))
	check("unknown container", x, "172.17.0.9", true) // C-155
	w.do(tells(webJSON))
	check("container", x, "172.17.0.2", true)
	check("container", x, "172.17.0.9", false)
	check("container", x, "10.0.0.1", true)
	check("container", x, "2001:db8::1", false) // C-129
	check("host", h, "172.17.0.2", false)
	check("host", h, "10.0.0.1", true)
	w.do(tells(`{"container":{"id":"` + dockID + `","type":0,"ip":""}}`)) // C-113
	check("without address", x, "172.17.0.2", false)
	w.same("addresses", len(w.s.containers.addrs), 1)
}

// However many containers come and go, memory has a bound, and those at hand are known.
func TestContainersAreBounded(t *testing.T) {
	w := newWorld(t)
	w.do(tells(webJSON))
	for i := range 3 * maxContainers {
		w.s.PutContainer(&container.Info{ID: fmt.Sprint("c", i), IP: container.Address(fmt.Sprintf("10.%d.%d.1", i>>8&255, i&255))})
		if i%1000 == 0 {
			w.do(tells(webJSON)) // told of from time to time
		}
	}
	cs := &w.s.containers
	if len(cs.byID) > 2*maxContainers+1 || len(cs.order) > maxContainers || len(cs.addrs) > maxContainers {
		t.Errorf("%d records, %d tellings, %d addresses", len(cs.byID), len(cs.order), len(cs.addrs))
	}
	w.same("the last one", w.s.Container(fmt.Sprint("c", 3*maxContainers-1)) != nil, true)
	w.same("the first one", w.s.Container("c0") == nil, true)
	w.same("told of again", w.s.Container(dockID) != nil, true)
	w.same("in it", inside(w, 300).Container().Info() != nil, true)
	for _, bad := range []string{"", "{", `{"container":{}}`} {
		if sc := w.do(tells(bad)); sc.Container != nil {
			t.Errorf("%q tells of %v", bad, sc.Container)
		}
	}
	w.same("not understood", w.s.Stats().BadContainers, 3)
}
