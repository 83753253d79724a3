// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/driver"
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
	k.eachLoss(func(t schema.EventType, l driver.Loss) {
		if kindOf[t] >= 0 {
			out[kindOf[t]] += l.Full
		}
	})
	return out
}

// losses lists what the module has lost, by event and cause.
func (k *kmod) losses() (out []metrics.Loss) {
	var sums [schema.NumEvents]driver.Loss
	k.eachLoss(func(t schema.EventType, l driver.Loss) { sums[t].Add(l) })
	for t := range sums {
		if sums[t].Total() == 0 {
			continue
		}
		for _, c := range lossCounters {
			if n := c.of(sums[t]); n > 0 {
				out = append(out, metrics.Loss{Event: schema.Events[t].ID, Cause: strings.ReplaceAll(c.name, " ", "_"), Count: n})
			}
		}
	}
	return out
}

// eachLoss calls f with what has been lost of a type on one CPU.
func (k *kmod) eachLoss(f func(schema.EventType, driver.Loss)) {
	for cpu := range k.cpus {
		stats, err := k.dev.TypeStats(cpu)
		if err != nil {
			continue
		}
		for t := range stats {
			if stats[t].Lost.Total() > 0 {
				f(schema.EventType(t), stats[t].Lost)
			}
		}
	}
}
