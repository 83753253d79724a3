// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// What the guests of this package have in common: a whole Debian with a runtime, our
// images, the user's rules and one of our own that tells of every event in a container.

// everything is the rule that says of each event what is known of its container; of
// each that could mean something, or there would be ten times as many.
const everything = "Everything in a container"

// told are the fields that it prints.
var told = []string{
	"evt.num", "evt.type", "evt.metadata", "proc.name", "proc.vpid", "proc.cmdline", "user.name", "user.uid",
	"container.id", "container.full_id", "container.name", "container.type", "container.image", "container.image.id",
	"container.image.repository", "container.image.tag", "container.image.digest", "container.privileged", "container.mounts",
	"container.mount.dest[/root]", "container.mount.source[/host]", "container.mount.rdwr[/root]", "container.labels", "container.label.app",
	"container.start_ts", "container.ip", "container.host_network", "container.host_pid", "container.cni.json",
	"k8s.ns.name", "k8s.pod.name", "k8s.pod.uid", "k8s.pod.sandbox_id", "k8s.pod.full_sandbox_id", "k8s.pod.label.app", "k8s.pod.labels",
	"k8s.pod.ip", "k8s.pod.cni.json",
}

// ownRules are everything, and one that is only about the name of a container.
func ownRules() string {
	var output strings.Builder
	for _, f := range told {
		fmt.Fprintf(&output, " %%%s", f)
	}
	return fmt.Sprintf(`- rule: %s
  desc: what a process in a container does, with all that is known of that
  condition: container and evt.type in (execve, execveat, clone, clone3, openat, open, connect, socket, chdir, setuid, setgid, dup2, prctl, mount, procexit)
  output: it is%s
  priority: DEBUG
`, everything, output.String())
}

// rulesOf are the files that a guest's daemon gets: those of the user are read in place.
func rulesOf(t *testing.T) []string {
	t.Helper()
	own := filepath.Join(t.TempDir(), "everything.yaml")
	if err := os.WriteFile(own, []byte(ownRules()), 0o644); err != nil {
		t.Fatal(err)
	}
	shared := os.Getenv("FALCO_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	files := []string{"../../rules/falco_rules.yaml"}
	for _, name := range []string{"cks.yaml", "layering/privileged.yaml", "layering/custom-network.yaml"} {
		path := filepath.Join(shared, "data/user-rules", name)
		if _, err := os.Stat(path); err != nil {
			t.Skip("SKIP 1 cases: FALCO_SHARED not found")
		}
		files = append(files, path)
	}
	return append(files, own)
}

// shop is the image that containers run; app is the same with a user of its own.
func images(t *testing.T, dir string) (shop, app, pause *image) {
	t.Helper()
	shop = &image{ref: "registry.example/team/shop:1.2", cmd: []string{"/bin/sh", "/act.sh"}, env: []string{"FROM=image"}}
	app = &image{ref: "registry.example/team/app:3", cmd: []string{"/bin/sh", "/act.sh"}, user: "shopkeeper"}
	pause = &image{ref: "registry.example/pause:1", entrypoint: []string{"/bin/busybox", "sleep", "1000000"}}
	for name, i := range map[string]*image{"shop": shop, "app": app, "pause": pause} {
		i.write(t, filepath.Join(dir, name+".tar"))
	}
	return shop, app, pause
}

// setUp imports the images where ctr shall find them, and lets the machine have the
// address that containers call.
const setUp = `set -e
ip addr add ` + outside + `/32 dev lo
mkdir -p /tmp/www && echo hello > /tmp/www/index.html
/files/busybox httpd -p ` + outside + `:80 -h /tmp/www
for i in $(seq 100); do ctr version > /dev/null 2>&1 && break; sleep 0.2; done
for ns in default k8s.io moby; do
	for i in shop app pause; do ctr -n $ns images import /files/$i.tar > /dev/null; done
done
ctr -n default images ls
`

// watched is what a guest has told, by container.
type watched struct {
	*vm.Result
	events map[string][]vm.Alert // of everything, by short id, oldest first
	rules  map[string]map[string]int
	wait   time.Duration // how long events may wait for their containers
}

// watch boots a guest and sorts what comes back.
func watch(t *testing.T, config vm.Config) *watched {
	t.Helper()
	if config.Timeout == 0 {
		config.Timeout = 25 * time.Minute
	}
	config.MemoryMB = max(config.MemoryMB, 2048)
	config.FalcoArgs = append(append(config.FalcoArgs, "-o", "log_level=debug"), quiet...)
	wait := usualWait
	for _, arg := range config.FalcoArgs {
		if ms, ok := strings.CutPrefix(arg, maxWait); ok {
			n, err := strconv.Atoi(ms)
			if err != nil {
				t.Fatal(err)
			}
			wait = time.Duration(n) * time.Millisecond
		}
	}
	w := &watched{Result: vm.Run(t, config), wait: wait}
	w.sort()
	if w.ExitCode != 0 {
		t.Errorf("the script ended with %d:\n%s", w.ExitCode, w.Act)
	}
	if w.Ledger.Lost > 0 {
		t.Errorf("%d events were lost", w.Ledger.Lost)
	}
	return w
}

// maxWait has events wait for so many milliseconds.
const maxWait = "containers.max_wait_ms="

// quiet switches off one of the user's rules, which is about every event that there is,
// and lets all others speak of the same event.
var quiet = []string{"-o", "rules[].disable.rule=evttype_not_equals", "-o", "rule_matching=all"}

// sort puts the alerts in order.
func (w *watched) sort() {
	w.events, w.rules = map[string][]vm.Alert{}, map[string]map[string]int{}
	for _, a := range w.Alerts {
		id, _ := a.Fields["container.id"].(string)
		if a.Rule == everything {
			w.events[id] = append(w.events[id], a)
		}
		if w.rules[id] == nil {
			w.rules[id] = map[string]int{}
		}
		w.rules[id][a.Rule]++
	}
}

// replay lets the daemon read, on this machine, what the one in the guest has recorded,
// with the same rules.
func (w *watched) replay(t *testing.T, rules []string) *watched {
	t.Helper()
	falco, err := vm.BuildGo("./daemon", "falco", nil)
	if err != nil {
		t.Fatal(err)
	}
	capture := filepath.Join(t.TempDir(), "capture.scap")
	if err := os.WriteFile(capture, w.Capture, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-c", "../../falco.yaml", "-e", capture, "-o", "json_output=true", "-o", fmt.Sprint(maxWait, w.wait.Milliseconds())}, quiet...)
	for _, path := range rules {
		args = append(args, "-r", path)
	}
	var said strings.Builder
	cmd := exec.Command(falco, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("falco -e: %v\n%s", err, said.String())
	}
	again := &watched{Result: &vm.Result{Log: said.String()}, wait: w.wait}
	for line := range strings.Lines(string(out)) {
		var a vm.Alert
		if json.Unmarshal([]byte(line), &a) == nil && a.Rule != "" {
			again.Alerts = append(again.Alerts, a)
		}
	}
	again.sort()
	return again
}

// value is a field of an alert as text; what has no value is "<NA>".
func value(a *vm.Alert, field string) string {
	switch v := a.Fields[field].(type) {
	case nil:
		return "<NA>"
	case string:
		return v
	case float64:
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprint(v)
	}
}

// check holds that all events of a container carry these values, from the first one
// on: that of the runtime's own process, before it becomes the container's. Of runtimes
// that events have to wait for (patient), on a machine that is slow enough, those before
// the container's own first program may say that nothing is known yet.
func (w *watched) check(t *testing.T, id string, want map[string]string) {
	t.Helper()
	events := w.events[short(id)]
	if len(events) == 0 {
		t.Errorf("nothing was seen in container %s", id)
		return
	}
	started := slices.IndexFunc(events, func(a vm.Alert) bool {
		return value(&a, "evt.type") == "execve" && value(&a, "proc.vpid") == "1" && !strings.HasPrefix(value(&a, "proc.name"), "runc")
	})
	if started < 0 {
		t.Errorf("in container %s nobody saw the first process start", id)
	}
	wrong, early := map[string]bool{}, 0
	for n := range events {
		if n < started && w.wait > usualWait && value(&events[n], "evt.metadata") != "known" {
			early++
			continue
		}
		for field, text := range want {
			got := value(&events[n], field)
			if field == "evt.metadata" && got == "gone" {
				continue // containerd has deleted it before all that happened in it was read
			}
			if got != text && !wrong[field] {
				wrong[field] = true
				t.Errorf("container %s, event %d of %d (%s of %s): %s is %q, not %q", id, n+1, len(events),
					value(&events[n], "evt.type"), value(&events[n], "proc.cmdline"), field, got, text)
			}
		}
	}
	if early > 0 {
		t.Logf("container %s: %d of %d events before its first program waited in vain", id, early, started)
	}
}

// fired holds that rules have fired in a container.
func (w *watched) fired(t *testing.T, id string, rules ...string) {
	t.Helper()
	for _, rule := range rules {
		if w.rules[short(id)][rule] == 0 {
			t.Errorf("in container %s rule %q has not fired", id, rule)
		}
	}
}

func short(id string) string { return id[:min(len(id), 12)] }

// long tells whether all is to be tried.
func long() bool { return os.Getenv("FALCO_LONG") != "" }

// lastWords is what the daemon said after it had begun to watch.
func (w *watched) lastWords() string {
	_, said, found := strings.Cut(w.Log, "Falco is watching")
	if !found {
		return w.Log
	}
	return said
}

// containerPackages are in all guests of this package, so that there is one root for a
// suite.
var containerPackages = []string{"containerd", "runc", "iproute2", "iptables", "containernetworking-plugins", "systemd", "systemd-sysv", "dbus"}

// guestFiles are what setUp needs: the images, and a busybox to serve a page.
func guestFiles(t *testing.T, dir string) []string {
	t.Helper()
	userland, err := vm.Userland(nil)
	if err != nil {
		t.Fatal(err)
	}
	return []string{filepath.Join(dir, "shop.tar"), filepath.Join(dir, "app.tar"), filepath.Join(dir, "pause.tar"), filepath.Join(userland, "bin/busybox")}
}
