// SPDX-License-Identifier: Apache-2.0

// Package kernels boots the kernels that no other suite does, and looks whether module and daemon do there what they do
// everywhere: the oldest, another machine's, one without BTF; and that real-time kernels are refused.
package kernels

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// long runs what "make test" leaves to "make test-long".
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("FALCO_LONG") == "" {
		t.Skip("only with FALCO_LONG=1, or make test-long")
	}
}

// smoke is an act with calls of several families, and two children: one execs, the other only forks.
const smoke = `uname -m
cat /etc/shadow > /dev/null
sh -c 'exit 3'
(read line < /etc/hosts)
sh -c '(exec 3< /etc/shadow)'
nc -l -p 7777 > /dev/null &
sleep 1
echo hello | nc 127.0.0.1 7777
ln -s /etc/shadow /tmp/link
cat /tmp/link > /dev/null
`

// rules tell one alert for each of what smoke does.
const rules = `
- rule: executed
  desc: a program was executed
  condition: evt.type in (execve, execveat) and evt.res = SUCCESS and proc.name = cat and proc.pname = sh
  output: executed %proc.cmdline exe=%proc.exepath parent=%proc.pname
  priority: NOTICE
- rule: forked
  desc: a child that executes nothing opens a file
  condition: evt.type in (open, openat) and fd.name = /etc/hosts and proc.name = sh
  output: forked %proc.cmdline opened %fd.name
  priority: NOTICE
- rule: opened
  desc: a file was opened
  condition: evt.type in (open, openat) and evt.res = SUCCESS and fd.name = /etc/shadow
  output: opened %fd.name by %proc.name of %user.name
  priority: NOTICE
- rule: linked
  desc: a link was made
  condition: evt.type in (symlink, symlinkat)
  output: linked by %proc.name
  priority: NOTICE
- rule: connected
  desc: a socket was connected
  condition: evt.type = connect and fd.sport = 7777
  output: connected %fd.name by %proc.name
  priority: NOTICE
`

// boot runs smoke, watched by the daemon, and judges its alerts.
func boot(t *testing.T, kernel, machine string) *vm.Result {
	t.Helper()
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	file := t.TempDir() + "/rules.yaml"
	if err := os.WriteFile(file, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	result := vm.Run(t, vm.Config{Kernel: kernel, DebugModule: true, Rules: []string{file}, Script: smoke})
	if got := strings.TrimSpace(result.Act); got != machine {
		t.Errorf("the script said %q, not %q", got, machine)
	}
	fired := result.Rules()
	for rule, least := range map[string]int{"executed": 2, "forked": 1, "opened": 2, "linked": 1, "connected": 1} {
		if fired[rule] < least {
			t.Errorf("%s: %d alerts, not %d", rule, fired[rule], least)
		}
	}
	for _, alert := range result.Alerts {
		if alert.Rule == "executed" && !strings.Contains(alert.Output, "exe=/bin/busybox parent=sh") {
			t.Errorf("%s", alert.Output)
		}
	}
	if result.Ledger.Lost != 0 || result.Ledger.Produced < 50 {
		t.Errorf("the books: %+v", result.Ledger)
	}
	if !strings.Contains(result.Dmesg, "self-test: pass") {
		t.Errorf("no self-test has passed:\n%s", result.Dmesg)
	}
	return result
}

// TestOldest is the oldest kernel that the module is made for.
func TestOldest(t *testing.T) { long(t); boot(t, "4.18", "x86_64") }

// TestArm64 is another machine: there the child of a fork is told by sched_process_fork.
func TestArm64(t *testing.T) { long(t); boot(t, "6.1-arm64", "aarch64") }

// narrowRules tell everything that narrow does.
const narrowRules = `
- rule: narrow
  desc: what a 32-bit program does
  condition: >
    proc.name = narrow and evt.type in (open, pwrite, preadv, mmap, mmap2, socketpair, send, recv, socket, connect, nanosleep,
    setrlimit, setgid, setuid)
  output: "%evt.type %evt.args"
  priority: NOTICE
- rule: nameless
  desc: a call without a name
  condition: evt.type = syscall and proc.name = narrow
  output: "%evt.type %evt.args"
  priority: NOTICE
`

// TestArm is a 32-bit caller on the same machine: its numbers, its registers and its structures are ARM's own.
func TestArm(t *testing.T) {
	long(t)
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	program := filepath.Join(t.TempDir(), "narrow")
	build := exec.Command("go", "build", "-o", program, "./narrow")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm", "GOARM=7")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(narrowRules), 0o644); err != nil {
		t.Fatal(err)
	}
	result := vm.Run(t, vm.Config{
		Kernel: "6.1-arm64", DebugModule: true, Rules: []string{file}, Files: []string{program}, Script: "/files/narrow\n",
		FalcoArgs: []string{"-A"},
	})
	var told []string
	for _, alert := range result.Alerts {
		if alert.Rule == "nameless" {
			t.Errorf("nobody knows %s", alert.Output)
		}
		told = append(told, alert.Output)
	}
	all := strings.Join(told, "\n")
	for _, want := range []string{
		"open fd=3(<f>/tmp/narrow-file) name=/tmp/narrow-file flags=18439(O_LARGEFILE|O_CREAT|O_RDWR|O_F_CREATED) mode=0640",
		"pwrite res=11 data=narrow data fd=3(<f>/tmp/narrow-file) size=11 pos=4294967301",
		"preadv res=6 size=6 data=rrow d fd=3(<f>/tmp/narrow-file) pos=4294967303",
		"length=4096 prot=1(PROT_READ) flags=2(MAP_PRIVATE) fd=3(<f>/tmp/narrow-file) offset=8192",
		"send res=11", "recv res=11", "connect res=-111(ECONNREFUSED)", "127.0.0.1:7778",
		"nanosleep res=0 interval=0.007s",
		"setrlimit res=0 cur=0 max=-1 resource=4(RLIMIT_CORE)",
		"setgid res=0 gid=3", "setuid res=0 uid=65540",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing of %q", want)
		}
	}
	if t.Failed() {
		t.Logf("all that was told:\n%s", all)
	}
}

// TestWithoutBTF is a kernel that describes its types to nobody, and which looks for mistakes of the module's besides.
func TestWithoutBTF(t *testing.T) {
	if os.Getenv("FALCO_DEBUG_KERNEL") == "" {
		t.Skip("only with FALCO_DEBUG_KERNEL=1, or make test-debug-kernel: the kernel is built first")
	}
	boot(t, "6.1-debug", "x86_64")
}

// TestPreemptRT: the module says in one line why it does not stay.
func TestPreemptRT(t *testing.T) {
	long(t)
	for _, kernel := range []string{"6.1-rt", "7-rt"} {
		t.Run(kernel, func(t *testing.T) {
			result := vm.Try(t, vm.Config{Kernel: kernel, NoDaemon: true, Script: "true\n"})
			said := strings.Join(result.Trouble, "\n")
			if !strings.Contains(said, "insmod") || !strings.Contains(said, "operation not supported") {
				t.Errorf("loading it: %q", said)
			}
			if n := strings.Count(result.Dmesg, "falco: not "); n != 1 || !strings.Contains(result.Dmesg, "falco: not on PREEMPT_RT: ") {
				t.Errorf("%d lines:\n%s", n, result.Dmesg)
			}
			if len(result.Splats) > 0 {
				t.Errorf("the kernel complains:\n%s", result.Splats[0].Text)
			}
		})
	}
}
