// SPDX-License-Identifier: Apache-2.0

package field

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

func fakeLookup(_ context.Context, name string) ([]netip.Addr, error) {
	switch name {
	case "example.com":
		return []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("::ffff:10.0.0.1")}, nil
	case "also.example.com":
		return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
	}
	return nil, errors.New("no such host")
}

func TestHosts(t *testing.T) {
	h := NewHostTable(fakeLookup)
	if h.Name(netip.MustParseAddr("93.184.216.34")) != "" {
		t.Error("an empty table knows a name")
	}
	a, gone := h.Watch("example.com"), h.Watch("nowhere")
	if a.Contains(netip.MustParseAddr("93.184.216.34")) {
		t.Error("a name is known before anybody has asked")
	}
	h.resolve(context.Background(), time.Now())
	if !a.Contains(netip.MustParseAddr("93.184.216.34")) || !a.Contains(netip.MustParseAddr("10.0.0.1")) || a.Contains(netip.MustParseAddr("10.0.0.2")) {
		t.Error("example.com has other addresses")
	}
	if gone.Contains(netip.MustParseAddr("10.0.0.1")) || gone.Contains(netip.Addr{}) {
		t.Error("a name without addresses has one")
	}
	if h.Watch("example.com") != a {
		t.Error("a name has two sets")
	}
	h.Watch("also.example.com")
	h.resolve(context.Background(), time.Now())
	if n := h.Name(netip.MustParseAddr("93.184.216.34")); n != "also.example.com" {
		t.Errorf("93.184.216.34 is called %q", n)
	}
}

// An answer that changes is seen, one that fails is not forgotten, and one that
// stays the same is asked for less often.
func TestHostsRefresh(t *testing.T) {
	answer, fail := "10.0.0.1", false
	h := NewHostTable(func(context.Context, string) ([]netip.Addr, error) {
		if fail {
			return nil, errors.New("no answer")
		}
		return []netip.Addr{netip.MustParseAddr(answer)}, nil
	})
	set := h.Watch("x")
	has := func(addr string) bool { return set.Contains(netip.MustParseAddr(addr)) }
	now := time.Now()
	h.resolve(context.Background(), now)
	if len(h.due(now)) != 0 || len(h.due(now.Add(hostInterval+time.Second))) != 1 || len(h.due(now.Add(hostInterval+time.Second))) != 0 {
		t.Error("a name is not due after ten seconds, and once")
	}
	if set.every != hostInterval || !has("10.0.0.1") {
		t.Error("the first answer is not there")
	}
	h.refresh(context.Background(), set)
	if set.every != 2*hostInterval {
		t.Errorf("the same answer is asked for again after %v", set.every)
	}
	fail = true
	h.refresh(context.Background(), set)
	if !has("10.0.0.1") {
		t.Error("a failed look-up has forgotten the address")
	}
	fail, answer = false, "10.0.0.2"
	h.refresh(context.Background(), set)
	if has("10.0.0.1") || !has("10.0.0.2") || set.every != hostInterval || h.Name(netip.MustParseAddr("10.0.0.2")) != "x" {
		t.Error("a new address is not seen")
	}
}

func TestHostsRun(t *testing.T) {
	h := NewHostTable(fakeLookup)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { h.Run(ctx); close(done) }()
	set := h.Watch("example.com")
	for !set.Contains(netip.MustParseAddr("10.0.0.1")) {
		runtime.Gosched()
	}
	cancel()
	<-done
}
