// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// What has come, gone and was asked for is counted, once.
func TestCounters(t *testing.T) {
	w := newWorld(t)
	before := w.s.Stats()
	since := func(what string, want, now, then uint64) {
		t.Helper()
		w.same(what, now-then, want)
	}
	w.do(openat(100, atCwd, "/a", schema.ORdonly, 3)) // no entry was told of
	w.do(call(schema.OpenatE, 100, "dirfd", atCwd, "name", "/b", "flags", schema.ORdonly, "mode", 0))
	w.do(openat(100, atCwd, "/b", schema.ORdonly, 50))
	w.do(write(100, 3, 1))
	w.do(write(100, 50, 1)) // behind a gap
	w.do(write(100, 60, 1)) // not there
	st := w.s.Stats()
	since("descriptors", 2, st.FDsAdded, before.FDsAdded)
	since("entries", 1, st.Enters, before.Enters)
	since("used", 1, st.EntersUsed, before.EntersUsed)
	since("missed", 1, st.EntersMissed, before.EntersMissed)
	since("searched for", 1, st.FDSearches, before.FDSearches)
	since("unknown", 1, st.FDMisses, before.FDMisses)
	w.same("found", st.FDHits > before.FDHits, true)
	w.same("threads found", st.ThreadHits > before.ThreadHits, true)

	w.do(closed(100, 3, 0))
	w.fork(100, 200)
	w.do(exits(200, 1))
	w.nothing(100) // settles
	st = w.s.Stats()
	since("closed", 1, st.FDsRemoved, before.FDsRemoved)
	since("born", 1, st.ThreadsAdded, before.ThreadsAdded)
	since("ended", 1, st.ThreadsRemoved, before.ThreadsRemoved)
	w.same("misses", st.ThreadMisses > before.ThreadMisses, true)

	w.s.source.src = nil
	w.do(call(schema.CreatE, -1, "name", "/c", "mode", 0))
	since("lost", 1, w.s.Stats().EntersLost, before.EntersLost)
}
