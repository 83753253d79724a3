// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// stormRules tell of each program that starts in a container, and of nothing else.
const stormRules = `- rule: ` + everything + `
  desc: a program in a container
  condition: evt.type in (execve, execveat) and evt.rawres >= 0 and container.id != host
  output: it is %evt.type %evt.metadata %proc.cmdline %proc.vpid %container.id %container.name %container.image %container.type
  priority: DEBUG
`

// stormScript runs a hundred containers in a row, then many more while containerd is
// killed twenty times, and then lets those that live on be seen. What falco holds of
// anonymous memory is told in between.
const stormScript = `
/files/kubelet stall > /tmp/stall &
stall=$!
run() { timeout 60 ctr run --null-io "$@"; }
rss() { echo "rss $1 $(sed -n 's/RssAnon:[^0-9]*\([0-9]*\).*/\1/p' /proc/$(pidof falco)/status)"; }
shop=registry.example/team/shop:1.2
rss start
for n in $(seq HUNDRED); do run --rm $shop row$n /bin/true || echo "row$n failed"; done
rss row
(
	for k in $(seq KILLS); do
		sleep 3
		kill -KILL $(pidof containerd)
		until ctr version > /dev/null 2>&1; do sleep 0.5; done
	done
	touch /tmp/calm
) &
n=0
until test -e /tmp/calm; do
	n=$((n + 1))
	run --rm $shop storm$n /bin/true > /dev/null 2>&1 || failed=$((failed + 1))
	case $n in *[048]) run -d $shop live$n /bin/sh /wait.sh > /dev/null 2>&1 && echo "live live$n";; esac
	case $n in *0) rss storm;; esac
done
echo "storm $n failed ${failed:-0}"
ctr task ls
sleep 10
rss calm
echo "calm $(date +%s%N)"
sleep 5
rss end
kill $stall; wait $stall
cat /tmp/stall
`

var rssLine = regexp.MustCompile(`(?m)^rss (\w+) (\d+)$`)

// A hundred containers in a row are all known by name when their first program
// starts. Then containerd is killed and started twenty times in a storm of containers:
// when it has calmed down, all that live are known, memory has not grown with their
// number, and no event was held for longer than the deadline.
func TestGuestStorm(t *testing.T) {
	if !long() {
		t.Skip("long: FALCO_LONG=1")
	}
	vm.RequireDebian(t)
	const hundred, kills = 100, 20
	dir := t.TempDir()
	images(t, dir)
	kubelet, err := vm.BuildGo("./tests/containers/guest", "kubelet", nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(dir, "storm.yaml")
	if err := os.WriteFile(rules, []byte(stormRules), 0o644); err != nil {
		t.Fatal(err)
	}
	w := watch(t, vm.Config{
		Debian: &vm.Debian{Suite: "bookworm", Packages: containerPackages}, Timeout: 55 * time.Minute,
		Rules: []string{rules}, Files: append(guestFiles(t, dir), kubelet),
		Setup:  "(while :; do containerd >> /tmp/containerd.log 2>&1; done) > /dev/null &\n" + setUp,
		Script: strings.NewReplacer("HUNDRED", fmt.Sprint(hundred), "KILLS", fmt.Sprint(kills)).Replace(stormScript),
	})
	known := 0
	for n := 1; n <= hundred; n++ {
		id := fmt.Sprint("row", n)
		if len(w.events[id]) == 0 {
			t.Errorf("%s was not seen", id)
			continue
		}
		if first := &w.events[id][0]; value(first, "container.name") == id && value(first, "evt.metadata") == "known" && value(first, "container.image") != "" {
			known++
		} else {
			t.Errorf("%s: %s", id, first.Output)
		}
	}
	t.Logf("%d of %d containers in a row were known from their first program on", known, hundred)

	var calm int64
	var live []string
	for line := range strings.Lines(w.Act) {
		switch words := strings.Fields(line); {
		case len(words) == 2 && words[0] == "calm":
			calm, _ = strconv.ParseInt(words[1], 10, 64)
		case len(words) == 2 && words[0] == "live":
			live = append(live, words[1])
		case strings.HasPrefix(line, "storm "):
			t.Logf("%s", strings.TrimSpace(line))
		}
	}
	if len(live) < 5 || calm == 0 {
		t.Fatalf("only %d containers live on:\n%s", len(live), w.Act)
	}
	t.Logf("%d live on", len(live))
	for _, id := range live {
		seen := 0
		for _, a := range w.events[id] {
			if a.Time.UnixNano() < calm {
				continue
			}
			seen++
			if value(&a, "container.name") != id || value(&a, "evt.metadata") != "known" {
				t.Errorf("%s, after it calmed: %s", id, a.Output)
			}
		}
		if seen == 0 {
			t.Errorf("%s was not seen after it calmed", id)
		}
	}

	rss := map[string][]int{}
	for _, m := range rssLine.FindAllStringSubmatch(w.Act, -1) {
		kb, _ := strconv.Atoi(m[2])
		rss[m[1]] = append(rss[m[1]], kb)
	}
	t.Logf("RssAnon in kB: %v", rss)
	if len(rss["row"]) == 0 || len(rss["end"]) == 0 {
		t.Fatal("no figures of memory")
	}
	// The heap moves by a few megabytes between two collections.
	const spread = 8 << 10
	if end, before := rss["end"][0], rss["row"][0]; end > before+spread {
		t.Errorf("memory has grown from %d to %d kB", before, end)
	}
	if peak := slices.Max(append(rss["storm"], 0)); peak > rss["row"][0]+2*spread {
		t.Errorf("memory has peaked at %d kB", peak)
	}
	w.heldNoLonger(t)
	if t.Failed() {
		t.Logf("act:\n%s\nlog:\n%s", w.Act, w.lastWords())
	}
}

var (
	longestHeld = regexp.MustCompile(`events that waited for their containers: .*Longest:(\S+?)[ }]`)
	longestStop = regexp.MustCompile(`(?m)^stalled for (\S+)$`)
)

// stuck is how long after its deadline an event is held only if nobody decides it any
// more, where the guest does not tell for how long it has stood still itself.
const stuck = 10 * time.Second

// usualWait is the deadline if the daemon is not told another.
const usualWait = 100 * time.Millisecond

// heldNoLonger tells for how long events had to wait for what their container is: not
// for longer than the deadline and half as much, but for what the machine takes.
func (w *watched) heldNoLonger(t *testing.T) {
	t.Helper()
	m := longestHeld.FindStringSubmatch(w.Log)
	if m == nil {
		t.Log("no event had to wait for its container")
		return
	}
	longest, err := time.ParseDuration(m[1])
	if err != nil {
		t.Fatal(err)
	}
	limit := w.wait + stuck
	if s := longestStop.FindStringSubmatch(w.Act); s != nil {
		stall, err := time.ParseDuration(s[1])
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("the machine has stood still for %v at most", stall)
		limit = w.wait + w.wait/2 + 4*stall // machines stumble, and so do we then
	}
	t.Logf("%s", m[0])
	if longest > limit {
		t.Errorf("an event was held for %v, longer than %v", longest, limit)
	}
}
