// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

// long makes tests do at full length what they show in small otherwise.
var long = os.Getenv("FALCO_LONG") != ""

func scale(short, full int) int {
	if long {
		return full
	}
	return short
}

// testLog writes into the test's log.
type testLog struct {
	t  testing.TB
	mu sync.Mutex
	b  strings.Builder
}

func (l *testLog) put(kind, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.b, kind+format+"\n", args...)
}
func (l *testLog) Debugf(format string, args ...any) {}
func (l *testLog) Infof(format string, args ...any)  { l.put("info ", format, args...) }
func (l *testLog) Warnf(format string, args ...any)  { l.put("warn ", format, args...) }
func (l *testLog) Errorf(format string, args ...any) { l.put("error ", format, args...) }
func (l *testLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// quick are settings for tests that do not wait.
const quick = `
delivery: {retry_min: 1ms, retry_max: 20ms, slow_retry: 20ms}
spool: {sync: interval, interval: 10ms}
`

// rig is a forwarder under test.
type rig struct {
	*Forwarder
	t   testing.TB
	log *testLog
	cfg *Config
	srv *httptest.Server
}

func config(t testing.TB, yaml string) *Config {
	t.Helper()
	cfg, err := Parse(yaml, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range cfg.Problems {
		t.Fatalf("settings: %s", p)
	}
	return cfg
}

// begin starts a forwarder in dir, with the settings quick if yaml has no spool of its own.
func begin(t testing.TB, dir, yaml string) *rig {
	t.Helper()
	r := prepare(t, dir, yaml)
	r.Start()
	return r
}

// prepare is begin without outputs that run.
func prepare(t testing.TB, dir, yaml string) *rig {
	t.Helper()
	if !strings.Contains(yaml, "spool:") {
		yaml += quick
	}
	cfg := config(t, yaml+"\nstate_dir: "+dir+"\n")
	log := &testLog{t: t}
	f, err := New(cfg, Options{Log: log, Version: "0"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Forwarder: f, t: t, log: log, cfg: cfg}
	r.srv = httptest.NewServer(f.Handler())
	t.Cleanup(func() {
		r.srv.Close()
		f.Close()
		if t.Failed() {
			text := log.text()
			t.Log(text[max(0, len(text)-3000):])
		}
	})
	return r
}

// uuid is that of event n.
func uuid(n int) string { return fmt.Sprintf("0b7c5e5e-0000-4000-8000-%012x", n) }

// line is event n as Falco writes it.
func line(n int, change ...func(e *event.Event)) []byte {
	e := &event.Event{UUID: uuid(n), Output: "15:31:56.746609046: Warning A shell was spawned (user=root shell=bash parent=nginx cmdline=bash -i)",
		Priority: event.Warning, Rule: "Terminal shell in container", Source: "syscall", Hostname: "node-1",
		Time: time.Date(2026, 5, 17, 15, 31, 56, n, time.UTC), Tags: []string{"container", "shell"}}
	for k, v := range map[string]any{"evt.time": json.Number("1779031916746609046"), "proc.name": "bash", "proc.cmdline": "bash -i", "proc.pid": json.Number("4242"),
		"user.name": "root", "k8s.ns.name": "prod", "k8s.pod.name": "web-1", "container.id": "abc123", "container.image.repository": "nginx"} {
		e.Fields.Set(k, v)
	}
	for _, c := range change {
		c(e)
	}
	return e.AppendJSON(nil)
}

// post sends events from to to-1, 100 a request, and wants each accepted.
func (r *rig) post(from, to int, change ...func(e *event.Event)) {
	r.t.Helper()
	for from < to {
		var b bytes.Buffer
		for n := from; n < min(from+100, to); n++ {
			b.Write(line(n, change...))
			b.WriteByte('\n')
		}
		from = min(from+100, to)
		if code, text := r.send(b.Bytes()); code != 200 {
			r.t.Fatalf("the answer is %d %s", code, text)
		}
	}
}

// send posts a body.
func (r *rig) send(body []byte) (int, string) {
	r.t.Helper()
	res, err := http.Post(r.srv.URL+"/", "application/json", bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// until waits for something to become true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("it does not come to this: %s", what)
}

// idle waits until nothing waits.
func (r *rig) idle() {
	r.t.Helper()
	until(r.t, "nothing waits", func() bool {
		for _, b := range r.Books() {
			if b.Queued > 0 {
				return false
			}
		}
		return true
	})
	r.balanced()
}

// balanced checks that the books are exact.
func (r *rig) balanced() {
	r.t.Helper()
	for id, b := range r.Books() {
		sum := b.Delivered + b.Dead + b.Filtered + b.Queued
		for _, n := range b.Dropped {
			sum += n
		}
		if sum != b.Started+b.Accepted {
			r.t.Errorf("%s: %d accepted and %d at the start, but %d accounted for: %+v", id, b.Accepted, b.Started, sum, b)
		}
	}
}

// receiver takes webhooks, of one event or of lines.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	got   map[string]int
	order []string
	tries int
	// say, if set, decides about a request before its events count; 0 means take it.
	say func(r *http.Request, events []*event.Event) (status int, header map[string]string)
}

func newReceiver(t testing.TB) *receiver {
	s := &receiver{got: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// receiverAt is one that begins to listen at an address.
func receiverAt(t testing.TB, addr string) *receiver {
	s := &receiver{got: map[string]int{}}
	s.Server = httptest.NewUnstartedServer(s)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var events []*event.Event
	for l := range bytes.SplitSeq(bytes.TrimSpace(body), []byte("\n")) {
		e, err := event.Parse(l)
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		events = append(events, e)
	}
	s.mu.Lock()
	s.tries++
	say := s.say
	s.mu.Unlock()
	if say != nil {
		status, header := say(r, events)
		for k, v := range header {
			w.Header().Set(k, v)
		}
		switch {
		case status < 0:
			panic(http.ErrAbortHandler)
		case status > 0:
			w.WriteHeader(status)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		s.got[e.UUID]++
		s.order = append(s.order, e.UUID)
	}
}

func (s *receiver) talk(say func(r *http.Request, events []*event.Event) (int, map[string]string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.say = say
}

func (s *receiver) uuids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.got))
}

func (s *receiver) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.order)
}

// has checks that exactly the events from to to-1 have come, but for those left out.
func (s *receiver) has(t testing.TB, from, to int, without ...string) {
	t.Helper()
	var want []string
	for n := from; n < to; n++ {
		if u := uuid(n); !slices.Contains(without, u) {
			want = append(want, u)
		}
	}
	got := s.uuids()
	if !slices.Equal(got, want) {
		t.Errorf("%d different events came, want %d", len(got), len(want))
		for _, u := range want {
			if !slices.Contains(got, u) {
				t.Errorf("missing: %s", u)
				break
			}
		}
	}
}

// freeAddr is an address that nobody listens at.
func freeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
