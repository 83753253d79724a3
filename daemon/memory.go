// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime/debug"
	"sync/atomic"
)

// The tables have a bound (falco_libs.thread_table_size, 1 KiB for each thread).
// What the process takes follows it: near the bound the collector works harder
// instead of letting garbage double the heap, and what a flood has left behind is
// given back as soon as it is over.
type keeper struct {
	peak    int         // of the tables, since the last time
	freeing atomic.Bool // at work
}

const (
	// besides is what may be taken beside the tables: rules, alerts and events that
	// wait, code.
	besides = 128 << 20
	// worthIt is how much must have gone before it is given back at once.
	worthIt = 8 << 20
)

// bound tells the collector, unless GOMEMLIMIT does.
func (m *keeper) bound(tables int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(tables) + int64(tables)/4 + besides)
	}
}

// tick is told, about once a second, what the tables weigh. It reports whether
// memory is being given back.
func (m *keeper) tick(tables int) bool {
	m.peak = max(m.peak, tables)
	if m.peak-tables < worthIt || tables > m.peak/2 || !m.freeing.CompareAndSwap(false, true) {
		return false
	}
	m.peak = tables
	go func() {
		debug.FreeOSMemory()
		m.freeing.Store(false)
	}()
	return true
}
