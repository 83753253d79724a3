// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestMemoryBound(t *testing.T) {
	old := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(old)
	t.Setenv("GOMEMLIMIT", "1GiB")
	var m keeper
	m.bound(100 << 20)
	if got := debug.SetMemoryLimit(-1); got != old {
		t.Errorf("GOMEMLIMIT is overruled: %d", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	m.bound(100 << 20)
	if got, want := debug.SetMemoryLimit(-1), int64(125<<20+besides); got != want {
		t.Errorf("limit %d, want %d", got, want)
	}
}

func TestMemoryTick(t *testing.T) {
	var m keeper
	for i, c := range []struct {
		mib  int
		free bool
	}{{1, false}, {7, false}, {1, false}, {20, false}, {15, false}, {9, true}, {9, false}, {40, false}, {1, true}} {
		if got := m.tick(c.mib << 20); got != c.free {
			t.Errorf("step %d, %d MiB: %v", i, c.mib, got)
		}
		for m.freeing.Load() {
			runtime.Gosched()
		}
	}
}
