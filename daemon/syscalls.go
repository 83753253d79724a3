// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/schema"
)

// Which system calls the module is asked for: what the rules need, and what the
// state needs to know who does what with which descriptor; minus those that come
// by the thousand, unless they are wanted.

// ignoredCalls are left out unless base_syscalls.all is on.
var ignoredCalls = strings.Fields("pread preadv pwrite pwritev read readv recv send sendfile write writev")

// stateCalls are what pkg/state follows: the set of the original, and those rare
// ones that say what would otherwise be wrong: bpf makes descriptors, setns and
// unshare part what tasks share, setpgid moves processes.
var stateCalls = strings.Fields(`accept accept4 bind bpf capset chdir chroot clone clone3 close close_range connect creat dup
	dup2 dup3 epoll_create epoll_create1 eventfd eventfd2 execve execveat fchdir fcntl fork getsockopt inotify_init
	inotify_init1 io_uring_setup memfd_create mount open open_by_handle_at openat openat2 pidfd_getfd pidfd_open pipe
	pipe2 prctl prlimit procexit recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto setgid setns setregid setresgid setresuid
	setpgid setreuid setrlimit setsid setuid shutdown signalfd signalfd4 socket socketpair timerfd_create umount umount2
	unshare userfaultfd vfork`)

// Sets for base_syscalls.repair: what the state needs at the least, and what it
// needs beside a family that the rules look at.
var (
	repairCalls   = strings.Fields("capset chdir chroot clone clone3 execve execveat fchdir fork prctl procexit setgid setpgid setresgid setresuid setsid setuid vfork")
	networkRepair = strings.Fields("socket getsockopt")
	acceptRepair  = strings.Fields("bind")
	closeRepair   = strings.Fields("close")
)

const procexit = "procexit"

// aliases are the calls that have another name in rules than in the kernel.
var aliases = map[string]string{
	"pread64": "pread", "pwrite64": "pwrite", "prlimit64": "prlimit", "sched_process_exit": procexit,
	"sched_switch": "switch", "signal_deliver": "signaldeliver",
}

// callName returns the name of c in rules.
func callName(c *schema.Syscall) string {
	if a, ok := aliases[c.Name]; ok {
		return a
	}
	return c.Name
}

// calls is a set of system calls by code.
type calls [512]bool

func (s *calls) add(names ...string) {
	for _, n := range names {
		for i := range schema.Syscalls {
			if c := &schema.Syscalls[i]; c.Name == n || callName(c) == n {
				s[c.Code] = true
			}
		}
	}
}

func (s *calls) union(o *calls) {
	for i := range o {
		s[i] = s[i] || o[i]
	}
}

func (s *calls) minus(o *calls) {
	for i := range o {
		s[i] = s[i] && !o[i]
	}
}

func (s *calls) codes() (out []schema.SyscallCode) {
	for i := range schema.Syscalls {
		if s[i] {
			out = append(out, schema.Syscalls[i].Code)
		}
	}
	return out
}

// names returns the names in s, sorted.
func (s *calls) names() (out []string) {
	for i := range schema.Syscalls {
		if s[i] {
			out = append(out, callName(&schema.Syscalls[i]))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *calls) String() string { return strings.Join(s.names(), ", ") }

func (s *calls) count() int { return len(s.names()) }

// any reports whether one of s belongs to one of the categories.
func (s *calls) any(categories ...schema.Category) bool {
	for i := range schema.Syscalls {
		if e := schema.Syscalls[i].Exit.Info(); s[i] && e != nil && slices.Contains(categories, e.Category) {
			return true
		}
	}
	return false
}

// repair adds what the state needs to serve s.
func (s *calls) repair() {
	s.add(repairCalls...)
	if s.any(schema.CategoryNet) {
		s.add(networkRepair...)
	}
	var accepting calls
	accepting.add("accept", "accept4", "listen")
	for i := range accepting {
		if accepting[i] && s[i] {
			s.add(acceptRepair...)
		}
	}
	if s.any(schema.CategoryFile, schema.CategoryNet, schema.CategoryIORead, schema.CategoryIOWrite, schema.CategoryIOOther) {
		s.add(closeRepair...)
	}
}

// selectCalls returns what the module is asked for, and logs how it came about.
func selectCalls(log *logger, stderr io.Writer, c *config.Config, inRules calls) calls {
	var state, ignored, positive, negative calls
	state.add(stateCalls...)
	ignored.add(ignoredCalls...)
	var bad, badNegative []string
	for _, name := range c.BaseSyscalls.Custom {
		var one calls
		plain, no := strings.CutPrefix(name, "!")
		switch one.add(plain); {
		case no && one.count() == 0:
			badNegative = append(badNegative, plain)
		case no:
			negative.union(&one)
		case one.count() == 0:
			bad = append(bad, name)
		default:
			positive.union(&one)
		}
	}
	if len(bad) > 0 {
		log.warnf("Invalid (positive) syscall names: warning (base_syscalls override): %s", strings.Join(bad, ", "))
	}
	if len(badNegative) > 0 {
		log.warnf("Invalid (negative) syscall names: warning (base_syscalls override): %s", strings.Join(badNegative, ", "))
	}
	if n := inRules.count(); n > 0 {
		log.debugf("(%d) syscalls in rules: %s", n, &inRules)
	}
	base, custom := state, positive.count() > 0
	if custom {
		base = positive
	}
	selected := inRules
	if c.BaseSyscalls.Repair && !custom {
		base = calls{}
		selected.repair()
		log.infof("+(%d) repaired syscalls: %s", difference(&selected, &inRules).count(), difference(&selected, &inRules))
	}
	selected.union(&base)
	if added := difference(&base, &inRules); added.count() > 0 {
		if custom {
			log.debugf("+(%d) syscalls added (base_syscalls override): %s", added.count(), added)
		} else {
			log.debugf("+(%d) syscalls (Falco's state engine set of syscalls): %s", added.count(), added)
		}
	}
	if n := negative.count(); n > 0 {
		selected.minus(&negative)
		log.debugf("-(%d) syscalls removed (base_syscalls override): %s", n, &negative)
	}
	if !c.BaseSyscalls.All {
		before := selected
		selected.minus(&ignored)
		if gone := difference(&before, &selected); gone.count() > 0 {
			log.debugf("-(%d) ignored syscalls (-> activate via `-A` flag): %s", gone.count(), gone)
		}
	}
	if c.BaseSyscalls.Repair && len(c.BaseSyscalls.Custom) > 0 {
		before := selected
		selected.repair()
		log.infof("+(%d) repaired syscalls: %s", difference(&selected, &before).count(), difference(&selected, &before))
	}
	selected.add(procexit)
	log.debugf("(%d) syscalls selected in total (final set): %s", selected.count(), &selected)
	if missing := difference(&inRules, &selected); missing.count() > 0 {
		fmt.Fprintf(stderr, "Loaded rules match syscalls that are not activated (e.g. were removed via config settings such as no -A flag or negative base_syscalls elements) or unsupported with current configuration: warning (unsupported-evttype): %s\n", missing)
		fmt.Fprint(stderr, "If syscalls in rules include high volume syscalls (-> activate via `-A` flag), else syscalls may have been removed via base_syscalls option or might be associated with syscalls undefined on your architecture\n")
	}
	return selected
}

func difference(a, b *calls) *calls {
	out := *a
	out.minus(b)
	return &out
}
