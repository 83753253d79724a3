// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// large returns the arguments of a replay of the largest capture.
func large(t *testing.T, rules string) []string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "falco.yaml")
	if err := os.WriteFile(config, []byte("stdout_output: {enabled: true}\nlog_stderr: true\nlog_syslog: false\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"-c", config, "-r", rules, "-o", "engine.kind=replay",
		"-o", "engine.replay.capture_file=" + shared(t, "data/captures/libs0254-large.scap")}
}

const maxAnon = 25_000 // kB of anonymous memory that the largest replay may have at its peak

// Memory is bounded, however many events pass: five million of them here.
func TestLargeReplayMemory(t *testing.T) {
	cmd := exec.Command(binary(t), large(t, shared(t, "data/rules/falco_rules-5.1.0.yaml"))...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- cmd.Wait() }()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	status := fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)
	peak, looks := 0, 0
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			running = false
		case <-look.C:
			text, _ := os.ReadFile(status) // gone at the end
			_, rest, ok := strings.Cut(string(text), "RssAnon:")
			var kB int
			if _, err := fmt.Sscan(rest, &kB); ok && err == nil {
				peak = max(peak, kB)
				looks++
			}
		}
	}
	if !strings.Contains(stdout.String(), "Events detected: 124\n") || !strings.Contains(stderr.String(), "delivered: 5078786,") {
		t.Errorf("it did not play:\n%s%s", &stdout, &stderr)
	}
	if looks < 10 || peak > maxAnon {
		t.Errorf("%d kB of anonymous memory at most, in %d looks; the limit is %d", peak, looks, maxAnon)
	}
	all := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	t.Logf("%d kB of anonymous memory at the peak, %d kB of all", peak, all)
}

// On a terminal one sees how far a replay is; at its end the line is gone.
func TestProgressOnTerminal(t *testing.T) {
	script := vm.Tool(t, "script", "bsdutils")
	rules := filepath.Join(t.TempDir(), "r.yaml")
	if err := os.WriteFile(rules, []byte("- rule: r\n  desc: d\n  condition: evt.type=kill and proc.name=nobody\n  output: x\n  priority: INFO\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("stty cols 100; %s %s; echo code $?", binary(t), strings.Join(large(t, rules), " "))
	out, err := exec.Command(script, "-qec", line, "/dev/null").Output()
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	bars := regexp.MustCompile(`\r\x1b\[Klibs0254-large\.scap  \[=*>? *\] +(\d+)%  [\d,]+ events  [\d.]+ [kM]/s  ETA \d+s`).FindAllStringSubmatch(text, -1)
	if len(bars) == 0 {
		t.Fatalf("no progress in %q", text)
	}
	const end = "\r\x1b[KSyscall event drop monitoring:\r\n"
	if _, stats, ok := strings.Cut(text, end); !ok || strings.Contains(stats, "\x1b") ||
		!strings.Contains(stats, "Events detected: 0\r\n") || !strings.HasSuffix(stats, "code 0\r\n") {
		t.Errorf("behind the progress is no bare %q in %q", end, text)
	}
	t.Logf("%d times, first at %s %%", len(bars), bars[0][1])
}

// /proc of this machine is not looked at: a replay without one is the same.
func TestReplayWithoutProc(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP 1 cases: nobody but root may hide /proc")
	}
	line := strings.ReplaceAll(strings.Join(large(t, shared(t, "data/rules/falco_rules-5.1.0.yaml")), " "), "libs0254-large", "libs0254-adaptive")
	with := falco(t, strings.Fields(line)...)
	without, err := exec.Command("unshare", "-m", "sh", "-c", "mount -t tmpfs none /proc && exec "+binary(t)+" "+line).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(with, without) || !bytes.Contains(with, []byte("Events detected: ")) {
		t.Errorf("with /proc:\n%s\nwithout:\n%s", with, without)
	}
}
