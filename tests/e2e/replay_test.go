// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// What make vm leaves of anybody's script gives the same alerts as the run itself.
// TestDemo and TestScripts hold their own recordings against their runs.
func TestReplayOfMakeVM(t *testing.T) {
	_, helpers := actors(t)
	dir := t.TempDir()
	act := filepath.Join(dir, "act.sh")
	if err := os.WriteFile(act, []byte("for i in 1 2 3; do cat /etc/shadow >/tmp/$i; done\necho $i | cat\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs(stockRules)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	cmd := exec.Command("make", "-C", "../..", "vm", "RULES="+rules, "ACT="+act, "OUT="+out, "FILES="+strings.Join(helpers, " "))
	said, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(said, []byte("act.sh exited with 1;")) {
		t.Fatalf("make vm: %v\n%s", err, said)
	}
	text := map[string]string{}
	for _, name := range []string{"alerts.jsonl", "falco.log", "console.log", "act.log", "capture.scap"} {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		text[name] = string(b)
	}
	live := slices.Collect(strings.Lines(text["alerts.jsonl"]))
	if len(live) < 3 {
		t.Errorf("%d alerts", len(live))
	}
	again := replay(t, filepath.Join(out, "capture.scap"), hostname(live), "-r", rules)
	compare(t, live, again)
}

// sameAgain replays what a guest has recorded: the same lines must come in the same
// order, to the byte. The recording holds all that the daemon saw, from the moment
// at which it knew what was there before.
func sameAgain(t *testing.T, config vm.Config, result *vm.Result) {
	t.Helper()
	if len(result.Capture) == 0 || strings.Contains(result.Log, "Not recorded") {
		t.Fatalf("the recording is not whole:\n%s", result.Log)
	}
	capture := filepath.Join(t.TempDir(), "capture.scap")
	if err := os.WriteFile(capture, result.Capture, 0o600); err != nil {
		t.Fatal(err)
	}
	var live, args []string
	for _, alert := range result.Alerts {
		live = append(live, alert.Raw+"\n")
	}
	for _, file := range config.Rules {
		args = append(args, "-r", file)
	}
	compare(t, live, replay(t, capture, hostname(live), append(args, config.FalcoArgs...)...))
	t.Logf("%d alerts, %d events, %d kB of capture", len(live), result.Ledger.Delivered, len(result.Capture)>>10)
}

// replay returns the alerts that a recording gives, as lines, and wants the daemon
// to count as many.
func replay(t *testing.T, capture, host string, args ...string) (alerts []string) {
	t.Helper()
	falco, err := vm.BuildGo("./daemon", "falco", nil)
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-c", "../../falco.yaml", "-e", capture, "-o", "json_output=true", "-o", "log_syslog=false"}, args...)
	cmd := exec.Command(falco, args...)
	cmd.Env = append(os.Environ(), "FALCO_HOSTNAME="+host)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("replay: %v\n%s", err, stderr.Bytes())
	}
	text, sums, ended := strings.Cut(stdout.String(), "Events detected: ")
	alerts = slices.Collect(strings.Lines(text))
	if count, _, _ := strings.Cut(sums, "\n"); !ended || count != fmt.Sprint(len(alerts)) {
		t.Errorf("the replay printed %d alerts and counts %q", len(alerts), count)
	}
	return alerts
}

// hostname is the guest's name, as its alerts say it: a replay would say ours.
func hostname(alerts []string) string {
	if len(alerts) == 0 {
		return ""
	}
	var a struct{ Hostname string }
	json.Unmarshal([]byte(alerts[0]), &a) // compare looks at it
	return a.Hostname
}

func compare(t *testing.T, live, again []string) {
	t.Helper()
	for i := range max(len(live), len(again)) {
		a, b := "nothing", "nothing"
		if i < len(live) {
			a = live[i]
		}
		if i < len(again) {
			b = again[i]
		}
		if a != b {
			t.Fatalf("alert %d\nlive   %s\nreplay %s", i+1, a, b)
		}
	}
}
