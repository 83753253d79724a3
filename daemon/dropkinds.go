// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/falco-go/falco/pkg/metrics"
	"github.com/falco-go/falco/pkg/schema"
)

// kindCalls are the calls that lost events are told apart by, in the order of
// metrics.Kinds.
var kindCalls = [len(metrics.Kinds)][]string{
	{"clone", "clone3", "fork", "vfork"},
	{"execve", "execveat"},
	{"connect"},
	{"open", "openat", "openat2", "creat", "open_by_handle_at"},
	{"chmod", "fchmod", "fchmodat", "chown", "lchown", "fchown", "fchownat", "mkdir", "mkdirat", "rmdir", "rename", "renameat",
		"renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"},
	{"chdir", "fchdir", "chroot", "setuid", "setgid", "setresuid", "setresgid", "setpgid", "setsid", "capset", "ptrace", "mount", "umount", "umount2"},
	{"close"},
	{"procexit"},
}

// kindOf holds the kind of each event type, -1 for those that have none.
var kindOf = func() (out [schema.NumEvents]int8) {
	for t := range out {
		name := schema.Events[t].Name
		out[t] = int8(slices.IndexFunc(kindCalls[:], func(names []string) bool { return slices.Contains(names, name) }))
	}
	return out
}()

// lostKinds returns how many events of each kind the module has lost.
func (k *kmod) lostKinds() (out [len(metrics.Kinds)]uint64) {
	for cpu := range k.cpus {
		stats, err := k.dev.TypeStats(cpu)
		if err != nil {
			continue
		}
		for t := range stats {
			if n := stats[t].Lost.Full; n > 0 && kindOf[t] >= 0 {
				out[kindOf[t]] += n
			}
		}
	}
	return out
}
