// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

// busy is a machine without end: processes begin, run a program, open and close files
// that nobody has opened before, and end. Its clock is ahead of ours: a second of
// it is a hundred events.
type busy struct {
	nothing
	n    uint64
	done *atomic.Uint64
}

const (
	soakProcesses = 300 // alive at the same time
	soakSteps     = 24  // events in the life of each
	soakAlert     = 5000
	soakTid       = 5_000_000 // beyond all that /proc can have: what it tells of others must not mix in
)

func (b *busy) Next(ev *event.Event) (bool, error) {
	b.n++
	b.done.Store(b.n)
	_, err := ev.Decode(b.record().Bytes())
	return err == nil, err
}

func (b *busy) Arm() (bool, time.Duration) { return false, 0 }

func (b *busy) record() *eventtest.Builder {
	slot, round := b.n%soakProcesses, b.n/soakProcesses
	step, life := round%soakSteps, round/soakSteps
	tid := int64(soakTid + (life*soakProcesses+slot)%4_000_000)
	ts := uint64(time.Hour) + b.n*uint64(10*time.Millisecond)
	name := fmt.Sprintf("prog%d", life%1000)
	if b.n%soakAlert == 0 {
		return openat(tid, ts, fmt.Sprintf("/alert/%d", b.n), schema.ORdonly)
	}
	switch fd := 3 + int(step/2)%8; {
	case step == 0:
		return eventtest.New(schema.CloneX).Tid(tid).TS(ts).Set("res", 0).Set("exe", name).Set("tid", tid).Set("pid", tid).Set("ptid", 1).
			Set("cwd", "/").Set("comm", name).Set("flags", 0).Set("uid", 0).Set("gid", 0).Set("vtid", tid).Set("vpid", tid)
	case step == 1:
		return eventtest.New(schema.ExecveX).Tid(tid).TS(ts).Set("res", 0).Set("exe", "/bin/"+name).Set("args", []string{"-n", fmt.Sprint(b.n)}).
			Set("tid", tid).Set("pid", tid).Set("ptid", 1).Set("cwd", "/").Set("comm", name).Set("env", []string{fmt.Sprint("N=", b.n)}).
			Set("trusted_exepath", "/bin/"+name).Set("filename", "/bin/"+name)
	case step == soakSteps-1:
		return eventtest.New(schema.ProcexitE).Tid(tid).TS(ts).Set("status", 0).Set("ret", 0).Set("sig", 0).Set("core", 0).Set("reaper_tid", 1)
	case step%2 == 0:
		return openat(tid, ts, fmt.Sprintf("/var/lib/%d/%d", b.n%977, b.n), schema.OWronly).Set("fd", fd)
	case slot%3 > 0: // some never close
		return closeFD(tid, ts).Set("fd", fd)
	}
	return eventtest.New(schema.ChdirX).Tid(tid).TS(ts).Set("res", 0).Set("path", fmt.Sprint("/home/", b.n%5000))
}

const soakRule = `
- rule: Alert
  desc: d
  condition: evt.type = openat and fd.name startswith /alert/
  output: "generation %d %%fd.name %%proc.cmdline"
  priority: INFO
- rule: Never
  desc: d
  condition: spawned and proc.name in (nobody_%d) or fd.name glob /never/*/%d and proc.aname[3] = x
  output: "%%proc.pcmdline"
  priority: INFO
- macro: spawned
  condition: evt.type in (execve, execveat)
`

// sampled is what must not grow.
type sampled struct{ heap, anon, goroutines, files int }

func sample() (s sampled) {
	debug.FreeOSMemory()
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // what the last collection has left, without what was made since
	metrics.Read(live)
	s.heap, s.goroutines = int(live[0].Value.Uint64()), runtime.NumGoroutine()
	procLines("/proc/self/status", func(key, value string) {
		if strings.HasPrefix(key, "RssAnon") {
			fmt.Sscan(strings.TrimPrefix(key+" "+value, "RssAnon:"), &s.anon)
		}
	})
	files, _ := os.ReadDir("/proc/self/fd")
	s.files = len(files)
	return s
}

// A daemon that is kept busy, reloaded, asked for its metrics, and that tells all outputs, needs as much at the end as in the
// beginning. FALCO_LONG=1 is an hour, or what FALCO_SOAK says.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Setenv("NOTIFY_SOCKET", "")
	var events atomic.Uint64
	before := withoutDriver
	withoutDriver = func() source { return &busy{done: &events} }
	defer func() { withoutDriver = before }()

	var posted, inForce atomic.Uint64 // alerts, and the generation of the last one
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, text, found := bytes.Cut(body, []byte("generation ")); found {
			var n uint64
			fmt.Sscan(string(text[:min(len(text), 20)]), &n)
			inForce.Store(n)
		}
		posted.Add(1)
	}))
	defer server.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)

	dir := t.TempDir()
	conf, rules := filepath.Join(dir, "f.yaml"), filepath.Join(dir, "r.yaml")
	put(t, conf, `
engine: {kind: nodriver}
falco_libs: {thread_table_size: 4096}
log_stderr: true
log_syslog: false
json_output: true
state_socket: ''
stdout_output: {enabled: true}
file_output: {enabled: true, filename: /dev/null, keep_alive: true}
program_output: {enabled: true, program: cat >/dev/null, keep_alive: true}
http_output: {enabled: true, url: `+server.URL+`}
webserver: {enabled: true, listen_address: 127.0.0.1, listen_port: `+port+`, prometheus_metrics_enabled: true}
metrics: {enabled: true, output_file: /dev/null, interval: 100ms}
`)
	generation := func(n int) { put(t, rules, fmt.Sprintf(soakRule, n, n, n)) }
	generation(0)
	out, log := new(counter64), &soakLog{counts: map[string]int{watching: 0, restarting: 0}}
	ended := make(chan int)
	go func() { ended <- falco([]string{"falco", "-c", conf, "-r", rules}, out, log) }()
	log.wait(t, watching, 1)

	stop := make(chan struct{})
	var scrapes atomic.Uint64
	var beside sync.WaitGroup
	beside.Go(func() {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
		for t := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-t.C:
			}
			if r, err := client.Get("http://" + addr + "/metrics"); err == nil {
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
				scrapes.Add(1)
			}
		}
	})

	const samples = 24
	long, length := os.Getenv("FALCO_LONG") != "", time.Hour
	if text := os.Getenv("FALCO_SOAK"); text != "" {
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	began, each := time.Now(), uint64(120_000)
	if raced {
		each /= 20
	}
	var all []sampled
	for i := range samples {
		for more := true; more; {
			time.Sleep(20 * time.Millisecond)
			more = events.Load() < uint64(i+1)*each
			if long {
				more = time.Since(began) < time.Duration(i+1)*length/samples
				if n := events.Load(); n%8 == 0 { // many reloads, in between
					generation(int(n))
				}
			}
		}
		generation(i + 1)
		log.wait(t, restarting, i+1)
		for end := time.Now().Add(time.Minute); inForce.Load() != uint64(i+1); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) { // until then there are the rules of before, too
				t.Fatalf("no alert of generation %d has come\n%s", i+1, log)
			}
		}
		all = append(all, sample())
	}
	close(stop)
	beside.Wait()
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d:\n%s", code, log)
	}

	// The first third is for getting warm. Of the rest, the second half is held against the first, each by the least that it
	// needed: what is garbage at the moment depends on the moment.
	warm := all[samples/3:]
	half := len(warm) / 2
	for _, m := range []struct {
		name  string
		of    func(sampled) int
		slack int // what may differ without meaning anything
	}{
		{"heap", func(s sampled) int { return s.heap }, 2 << 20},
		{"anonymous memory, kB", func(s sampled) int { return s.anon }, 4 << 10},
		{"goroutines", func(s sampled) int { return s.goroutines }, 4},
		{"open files", func(s sampled) int { return s.files }, 8},
	} {
		a, b := least(warm[:half], m.of), least(warm[half:], m.of)
		t.Logf("%s: %d, then %d", m.name, a, b)
		if b > a+a/10+m.slack {
			t.Errorf("%s grows: %d, then %d", m.name, a, b)
		}
	}
	reloads := log.count(restarting)
	alerts := events.Load() / soakAlert
	t.Logf("%d events (%v of that machine's time), %d alerts, %d posted, %d reloads, %d scrapes in %v", events.Load(),
		time.Duration(events.Load())*10*time.Millisecond, alerts, posted.Load(), reloads, scrapes.Load(), time.Since(began).Round(time.Second))
	if scrapes.Load() == 0 || posted.Load() < alerts || reloads < samples || out.Load() == 0 {
		t.Errorf("something has not taken part: %d scrapes, %d of %d alerts posted, %d reloads\n%s", scrapes.Load(), posted.Load(), alerts, reloads, log)
	}
}

func least(list []sampled, of func(sampled) int) int {
	return of(slices.MinFunc(list, func(a, b sampled) int { return cmp.Compare(of(a), of(b)) }))
}

// soakLog is a log of which only the end is kept, for what a test remembers grows, too. It counts what it has keys for.
type soakLog struct {
	mu     sync.Mutex
	tail   []byte
	counts map[string]int
}

const (
	watching   = "Falco is watching"
	restarting = "SIGHUP received, restarting..."
)

func (l *soakLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range l.counts {
		l.counts[text] += strings.Count(string(b), text)
	}
	l.tail = append(l.tail[:copy(l.tail, l.tail[max(0, len(l.tail)-8<<10):])], b...)
	return len(b), nil
}

func (l *soakLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.tail)
}

func (l *soakLog) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[text]
}

// wait returns when what was said holds text for the nth time.
func (l *soakLog) wait(t *testing.T, text string, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); l.count(text) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q was not said %d times:\n%s", text, n, l)
		}
	}
}

// counter64 counts what is written to it, and forgets it.
type counter64 struct{ atomic.Uint64 }

func (c *counter64) Write(b []byte) (int, error) {
	c.Add(uint64(len(b)))
	return len(b), nil
}
