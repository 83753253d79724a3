// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// A child in a pid namespace has what its maker had at the fork, whatever the maker
// does until the child tells of itself.
func TestPromise(t *testing.T) {
	runAll(t, []scenario{
		{"the maker executes, and ends", func(w *world) {
			w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1))
			w.do(execve(501, "sh", "sh", nil, "trusted_exepath", "/bin/sh", "vpgid", 0))
			w.do(openat(501, atCwd, "/kept", schema.ORdonly, 5))
			w.do(openat(501, atCwd, "/not/by/exec", schema.ORdonly|schema.OCloexec, 6))
			w.do(made(schema.CloneX, 501, 12, 501, 100, inPidns, "vtid", 1, "vpid", 1))
			w.do(closed(501, 5, 0))
			w.do(execve(501, "nc", "nc", nil, "trusted_exepath", "/bin/nc"))
			w.do(exits(501, 0))
			x := w.do(made(schema.CloneX, 620, 0, 620, 501, inPidns, "vtid", 12, "vpid", 12)).Thread
			w.same("executable", x.ExePath, "/bin/sh")
			w.same("descriptors", []string{w.fdName(620, 5), w.fdName(620, 6)}, []string{"/kept", "/not/by/exec"})
			w.same("nothing is left", len(w.s.promises), 0)
		}},
		{"the maker has ended, and another is the parent", func(w *world) {
			ns := []any{"pidns_init_start_ts", 42 * sec}
			w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, append(ns, "vtid", 1, "vpid", 1)...))
			w.do(openat(501, atCwd, "/of/init", schema.ORdonly, 5))
			w.do(made(schema.CloneX, 620, 0, 620, 501, inPidns, append(ns, "vtid", 12, "vpid", 12)...))
			w.do(closed(620, 5, 0))
			w.do(openat(620, atCwd, "/of/the/maker", schema.ORdonly, 5))
			w.do(made(schema.CloneX, 620, 13, 620, 501, inPidns, append(ns, "vtid", 12, "vpid", 12)...))
			w.do(exits(620, 501))
			w.nothing(1)
			w.do(made(schema.CloneX, 700, 0, 700, 501, inPidns, "pidns_init_start_ts", 43*sec, "vtid", 13, "vpid", 13))
			w.same("another namespace", w.fdName(700, 5), "/of/init")
			w.do(made(schema.CloneX, 621, 0, 621, 501, inPidns, append(ns, "vtid", 13, "vpid", 13)...))
			w.same("descriptor", w.fdName(621, 5), "/of/the/maker")
		}},
		{"a maker outside", func(w *world) {
			w.do(openat(100, atCwd, "/kept", schema.ORdonly, 5))
			w.do(made(schema.CloneX, 100, 501, 100, 1, schema.CloneNewpid))
			w.do(closed(100, 5, 0))
			x := w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1)).Thread
			w.same("descriptor", w.fdName(501, 5), "/kept")
			w.same("group of the namespace outside", []int64{x.Vpgid, x.Pgid}, []int64{0, w.s.Lookup(100).Pgid})
		}},
		{"the child was first", func(w *world) {
			w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1))
			w.do(made(schema.CloneX, 620, 0, 620, 501, inPidns, "vtid", 12, "vpid", 12))
			w.do(made(schema.CloneX, 501, 12, 501, 100, inPidns, "vtid", 1, "vpid", 1))
			w.same("promises", len(w.s.promises), 0)
		}},
		{"children who never tell of themselves", func(w *world) {
			w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1))
			for i := range int64(2 * maxPromises) {
				w.do(made(schema.CloneX, 501, 1000+i, 501, 100, inPidns, "vtid", 1, "vpid", 1))
			}
			w.same("bounded", len(w.s.promises), maxPromises)
			w.ts += 2 * promiseFor
			w.nothing(1)
			w.nothing(1)
			w.same("over", len(w.s.promises), 0)
		}},
	})
}
