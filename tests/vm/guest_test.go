// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// These tests boot guests: see Enabled.

// What a script may count on.
func TestGuest(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.MkdirAll(filepath.Join(folder, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "below", "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho from a file\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	script := `
		says() { echo "$1: $(eval "$2" 2>&1)"; }
		says user 'id -u'
		says nobody 'su nobody -c "id -u"'
		says shadow 'stat -c %a /etc/shadow'
		says exec 'cat /proc/self/comm; readlink /proc/$$/exe'
		says parent 'cat /proc/$PPID/comm'
		says session 'cut -d" " -f 6 /proc/$$/stat | grep -x $$ | wc -l'
		says file /files/folder/below/program
		says mode 'stat -c %a /files/folder/below/program'
		says tmp 'echo x >/tmp/x && cat /tmp/x'
		says four 'ping -c 1 -w 5 127.0.0.1 | grep -c "1 packets received"'
		says six 'ping6 -c 1 -w 5 ::1 | grep -c "1 packets received"'
		says controllers 'grep -c memory /sys/fs/cgroup/cgroup.subtree_control'
		says cgroup 'cat /proc/self/cgroup'
		says ignored 'grep SigIgn /proc/self/status | cut -f 2'
		says stderr 'echo seen >/dev/stderr'
		says cpus 'grep -c ^processor /proc/cpuinfo'
		says twins 'ls /bin/cat /usr/bin/cat /sbin/ip /usr/sbin/ip | wc -l'
		(sleep 100 &)
		trap : TERM
		kill -TERM 1
		kill 0
		exit 7`
	result := Run(t, Config{Script: script, Files: []string{folder}, NoDaemon: true, NoModule: true, CPUs: 1})
	if !result.ActEnded || result.ExitCode != 7 {
		t.Errorf("the script ended with %d", result.ExitCode)
	}
	want := `user: 0
nobody: 65534
shadow: 640
exec: cat
/bin/sh
parent: init
session: 1
file: from a file
mode: 4755
tmp: x
four: 1
six: 1
controllers: 1
cgroup: 0::/
ignored: 0000000000000000
stderr: seen
cpus: 1
twins: 4
`
	if result.Act != want {
		t.Errorf("the script said\n%s", diffLines(want, result.Act))
	}
}

// diffLines shows what is not the same.
func diffLines(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out []string
	for i := range max(len(w), len(g)) {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			out = append(out, "want "+a, "got  "+b)
		}
	}
	return strings.Join(out, "\n")
}

// A kernel that panics fails the run, with what it said.
func TestPanic(t *testing.T) {
	result := Try(t, Config{Script: "echo begun; echo c >/proc/sysrq-trigger", NoDaemon: true, NoModule: true, CPUs: 1})
	if len(result.Splats) == 0 || result.Complete || result.Err() == nil {
		t.Fatalf("the panic was not seen: %v\n%s", result.Err(), tail(result.Console, 30))
	}
	if !strings.Contains(result.Splats[0].Title, "sysrq triggered crash") {
		t.Errorf("splat %q", result.Splats[0].Title)
	}
	if result.Act != "begun\n" {
		t.Errorf("act.log: %q", result.Act)
	}
}

// A script that does not end is given up on, and what there is is collected.
func TestHang(t *testing.T) {
	result := Try(t, Config{Script: "echo begun; exec sleep 1000", NoDaemon: true, NoModule: true, CPUs: 1, Timeout: 3 * time.Second})
	if !result.ActLimit || !result.Complete || result.Err() == nil {
		t.Errorf("limit %v, complete %v, %v", result.ActLimit, result.Complete, result.Err())
	}
	if result.Act != "begun\n" {
		t.Errorf("act.log: %q", result.Act)
	}
}

// A daemon that does not start keeps the script from running, and says why.
func TestDaemonRefuses(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "bad.yaml")
	text := "- rule: R\n  desc: d\n  condition: proc.nmae = x\n  output: o\n  priority: INFO\n"
	if err := os.WriteFile(rules, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	result := Try(t, Config{Rules: []string{rules}, Script: "echo begun", CPUs: 1})
	if err := result.Err(); err != nil {
		t.Error(err)
	}
	if result.Ready || result.ActEnded || result.Act != "" || result.FalcoCode != 1 {
		t.Errorf("ready %v, act ended %v, %q, code %d", result.Ready, result.ActEnded, result.Act, result.FalcoCode)
	}
	if !strings.Contains(result.Log, "proc.nmae") {
		t.Errorf("log:\n%s", result.Log)
	}
}

// A guest is healthy after its daemon was killed: the module goes, comes back and serves the next one.
func TestKill(t *testing.T) {
	result := Run(t, Config{Files: roundsFiles(t), Timeout: 5 * time.Minute, Script: `
		kill -9 $(pidof falco)
		while pidof falco >/dev/null; do :; done
		try=0
		until rmmod falco; do
			try=$((try + 1))
			[ $try -lt 50 ] || exit 2
			sleep 0.1
		done
		insmod /lib/modules/$(uname -r)/extra/falco.ko || exit 3
		exec /files/rounds -n 60 -kill -- /files/falco -r /etc/falco/falco_rules.yaml`,
	})
	if result.FalcoAsked || result.FalcoSignal != "killed" {
		t.Errorf("the daemon was not killed: code %d, signal %q", result.FalcoCode, result.FalcoSignal)
	}
	healthy(t, result)
}

// 1,000 daemons one after the other leave their guests as they found them; 200 in the short form. There are two guests, side
// by side, which halves the time: one with rings of the usual size, one with the smallest.
func TestRounds(t *testing.T) {
	rounds := 100
	if os.Getenv("FALCO_LONG") != "" {
		rounds = 500
	}
	files := append(roundsFiles(t), tinyRules(t))
	for cpus, size := range map[int]string{1: "4", 2: "1"} {
		t.Run(fmt.Sprintf("%d CPUs", cpus), func(t *testing.T) {
			t.Parallel()
			result := Run(t, Config{
				NoDaemon: true, Files: files, CPUs: cpus, Timeout: 20 * time.Minute,
				Script: fmt.Sprintf("exec /files/rounds -n %d -- /files/falco -r /files/tiny.yaml -o engine.kmod.buf_size_preset=%s", rounds, size),
			})
			healthy(t, result)
			t.Logf("%v in the guest", result.Total.Round(time.Second))
		})
	}
}

// roundsFiles are the daemon and the program that lets it live and die.
func roundsFiles(t *testing.T) []string {
	t.Helper()
	if os.Getenv(Enabled) == "" {
		t.Skip("needs a guest: " + Enabled + "=1, or make test-vm")
	}
	var files []string
	for _, program := range [][2]string{{"./daemon", "falco"}, {"./tests/vm/rounds", "rounds"}} {
		file, err := BuildGo(program[0], program[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func tinyRules(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.yaml")
	text := "- rule: Never\n  desc: nothing does this\n  condition: evt.type = openat and proc.name = nobody-is-called-so\n" +
		"  output: it happened\n  priority: INFO\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// leakLimit is what may be missing at the end, in kB. A ring of one CPU has eight times that, a page in each of the rounds
// twice that.
const leakLimit = 1 << 10

// healthy looks at what rounds said. Run has seen to splats and to rmmod.
func healthy(t *testing.T, result *Result) {
	t.Helper()
	if !result.ActEnded || result.ExitCode != 0 {
		t.Fatalf("the script ended with %d:\n%s", result.ExitCode, tail(result.Act, 40))
	}
	compared := 0
	for line := range strings.Lines(result.Act) {
		fields := strings.Fields(line)
		if len(fields) != 5 || fields[0] != "memory:" {
			continue
		}
		before, err1 := strconv.ParseInt(fields[2], 10, 64)
		after, err2 := strconv.ParseInt(fields[3], 10, 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("unreadable: %s", line)
		}
		compared++
		more := after - before
		if fields[1] == "Free" {
			more = -more
		}
		if more > leakLimit {
			t.Errorf("%s: %d kB before, %d kB after", fields[1], before, after)
		}
		t.Log(strings.TrimSpace(line))
	}
	if compared != 7 {
		t.Errorf("not all memory was compared:\n%s", tail(result.Act, 40))
	}
}
