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

// stormFunctions are what both scripts begin with. What falco holds of anonymous
// memory is told in between.
const stormFunctions = `
/files/kubelet stall > /tmp/stall &
stall=$!
shop=registry.example/team/shop:1.2
run() { timeout 120 ctr run --null-io "$@"; }
rss() { echo "rss $1 $(sed -n 's/RssAnon:[^0-9]*\([0-9]*\).*/\1/p' /proc/$(pidof falco)/status)"; }
`

// stormEnd tells for how long the machine has stood still.
const stormEnd = `
kill $stall; wait $stall
cat /tmp/stall
`

// rowScript runs containers one after the other.
const rowScript = stormFunctions + `
rss start
for n in $(seq ROW); do run --rm $shop row$n /bin/true || echo "row$n failed"; done
rss end
` + stormEnd

// stormScript runs containers, some of which live on, while containerd is killed: each
// time when one has lived since it came back, and amid the next. Then it lets those that
// live on be seen.
const stormScript = stormFunctions + `
for n in 1 2 3; do run --rm $shop calm$n /bin/true; done
rss before
echo 0 > /tmp/lived
echo 0 > /tmp/kills
(
	for k in $(seq KILLS); do
		lived=$(cat /tmp/lived)
		for s in $(seq 120); do test "$(cat /tmp/lived)" = "$lived" || break; sleep 1; done
		sleep 1
		kill -KILL $(pidof containerd) && echo "kill $k"
		echo $k > /tmp/kills
		until ctr version > /dev/null 2>&1; do sleep 0.5; done
	done
	touch /tmp/calm
) &
n=0 lived=0 live=0
until test -e /tmp/calm; do
	n=$((n + 1))
	if test $((live * KILLS)) -le $(($(cat /tmp/kills) * LIVE)) && run -d $shop live$n /bin/sh /wait.sh > /dev/null 2>&1; then
		live=$((live + 1)) lived=$((lived + 1))
		echo "live live$n"
	fi
	run --rm $shop storm$n /bin/true > /dev/null 2>&1 && lived=$((lived + 1))
	echo $lived > /tmp/lived.new && mv /tmp/lived.new /tmp/lived
	case $n in *0) rss storm;; esac
done
echo "storm $n lived $lived"
ctr task ls
sleep 10
rss calm
echo "calm $(date +%s%N)"
sleep 5
rss end
` + stormEnd

var rssLine = regexp.MustCompile(`(?m)^rss (\w+) (\d+)$`)

// rss returns what falco held when the script said so, in kB.
func (w *watched) rss(t *testing.T) map[string][]int {
	t.Helper()
	all := map[string][]int{}
	for _, m := range rssLine.FindAllStringSubmatch(w.Act, -1) {
		kb, _ := strconv.Atoi(m[2])
		all[m[1]] = append(all[m[1]], kb)
	}
	t.Logf("RssAnon in kB: %v", all)
	return all
}

// spread is by how many kB the heap moves between two collections.
const spread = 8 << 10

// runStorm watches a script with a containerd that is started again when it ends, and
// with rules that tell of programs in containers alone.
func runStorm(t *testing.T, script string) *watched {
	vm.RequireDebian(t)
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
	return watch(t, vm.Config{
		Debian: &vm.Debian{Suite: "bookworm", Packages: containerPackages}, Timeout: 55 * time.Minute,
		Rules: []string{rules}, Files: append(guestFiles(t, dir), kubelet),
		Setup:  "(while :; do containerd >> /tmp/containerd.log 2>&1; done) > /dev/null &\n" + setUp,
		Script: script,
	})
}

// A hundred containers in a row are all known by name when their first program starts,
// and leave nothing behind.
func TestGuestRow(t *testing.T) {
	if !long() {
		t.Skip("long: FALCO_LONG=1")
	}
	const hundred = 100
	w := runStorm(t, strings.ReplaceAll(rowScript, "ROW", fmt.Sprint(hundred)))
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
	if rss := w.rss(t); len(rss["start"]) == 0 || len(rss["end"]) == 0 || rss["end"][0] > rss["start"][0]+spread {
		t.Errorf("memory has grown: %v", rss)
	}
	w.heldNoLonger(t)
	if t.Failed() {
		t.Logf("act:\n%s\nlog:\n%s", w.Act, w.lastWords())
	}
}

// Containerd is killed and started twenty times in a storm of containers: when it has
// calmed down, all that live are known, memory has not grown with their number, and no
// event was held for longer than the deadline.
func TestGuestStorm(t *testing.T) {
	if !long() {
		t.Skip("long: FALCO_LONG=1")
	}
	const kills, living = 20, 10
	w := runStorm(t, strings.NewReplacer("KILLS", fmt.Sprint(kills), "LIVE", fmt.Sprint(living)).Replace(stormScript))
	var calm int64
	var live []string
	killed := 0
	for line := range strings.Lines(w.Act) {
		switch words := strings.Fields(line); {
		case len(words) == 2 && words[0] == "calm":
			calm, _ = strconv.ParseInt(words[1], 10, 64)
		case len(words) == 2 && words[0] == "live":
			live = append(live, words[1])
		case len(words) == 2 && words[0] == "kill":
			killed++
		case strings.HasPrefix(line, "storm "):
			t.Logf("%s", strings.TrimSpace(line))
		}
	}
	t.Logf("killed %d times; %d live on", killed, len(live))
	if killed != kills || len(live) < living/2 || calm == 0 {
		t.Fatalf("it was no storm:\n%s", w.Act)
	}
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
	rss := w.rss(t)
	if len(rss["before"]) == 0 || len(rss["end"]) == 0 {
		t.Fatal("no figures of memory")
	}
	if end, before := rss["end"][0], rss["before"][0]; end > before+spread {
		t.Errorf("memory has grown from %d to %d kB", before, end)
	}
	if peak := slices.Max(append(rss["storm"], 0)); peak > rss["before"][0]+2*spread {
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
