// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

// collector is a server that keeps what it is sent, or is not to be talked to.
type collector struct {
	mu    sync.Mutex
	down  bool
	keys  []string // Idempotency-Key of each alert
	rules []string
	url   string
	more  chan struct{}
}

func newCollector(t *testing.T) *collector {
	c := &collector{more: make(chan struct{}, 1)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		var a struct{ Rule, UUID string }
		if json.Unmarshal(body, &a) != nil || a.UUID != r.Header.Get("Idempotency-Key") || c.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		c.keys, c.rules = append(c.keys, a.UUID), append(c.rules, a.Rule)
		select {
		case c.more <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

// wait returns when n alerts have come.
func (c *collector) wait(n int) {
	for {
		c.mu.Lock()
		have := len(c.rules)
		c.mu.Unlock()
		if have >= n {
			return
		}
		<-c.more
	}
}

// A run whose server is down leaves its alerts on the disk; the next one delivers them
// before its own, with the names they had. Nothing is there of a spool that is off.
func TestSpoolAcrossRuns(t *testing.T) {
	m := newMade(t, "host")
	for i := range 20 {
		m.add(float64(i), 0, eventtest.New(schema.OpenatX).Set("fd", 3).Set("dirfd", -100).Set("name", fmt.Sprint("/etc/", i)))
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	put(t, in("all.scap"), string(m.bytes()))
	rule := func(name string) string {
		return "- rule: " + name + "\n  desc: d\n  condition: evt.type = openat\n  output: x\n  priority: INFO\n"
	}
	c := newCollector(t)
	c.down = true
	conf := "json_output: true\nlog_stderr: true\nlog_syslog: false\nhttp_output: {enabled: true, spool: %v, url: " + c.url + "}\noutputs_spool: {path: " + in("spool") + "}\n"
	run := func(name string, spool bool) string {
		put(t, in("f.yaml"), fmt.Sprintf(conf, spool))
		put(t, in("r.yaml"), rule(name))
		var stdout bytes.Buffer
		var stderr safeBuffer // spools write to the log, too
		if code := falco([]string{"falco", "-c", in("f.yaml"), "-r", in("r.yaml"), "-e", in("all.scap")}, &stdout, &stderr); code != exitOK {
			t.Fatalf("exit code %d: %s", code, &stderr)
		}
		return stderr.String()
	}
	run("none", false)
	if _, err := os.Stat(in("spool")); err == nil {
		t.Error("there is a spool, and nobody uses it")
	}
	if log := run("first", true); !strings.Contains(log, "http: 20 alerts stay in the spool, for the next run") {
		t.Errorf("the first run says\n%s", log)
	}
	for path, want := range map[string]os.FileMode{in("spool/http"): 0o700 | os.ModeDir, in("spool/http/0000000000000001.seg"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
	c.mu.Lock()
	c.down = false
	c.mu.Unlock()
	if log := run("second", true); !strings.Contains(log, "http: 20 alerts of an earlier run wait in "+in("spool/http")+", and go first") {
		t.Errorf("the second run says\n%s", log)
	}
	want := append(slices.Repeat([]string{"first"}, 20), slices.Repeat([]string{"second"}, 20)...)
	if !slices.Equal(c.rules, want) {
		t.Errorf("came: %q", c.rules)
	}
	slices.Sort(c.keys)
	if n := len(slices.Compact(c.keys)); n != 40 {
		t.Errorf("%d names for 40 alerts", n)
	}

	// A folder that cannot be used is an error of the start.
	put(t, in("f.yaml"), fmt.Sprintf(conf, true)+"")
	if err := os.RemoveAll(in("spool")); err != nil {
		t.Fatal(err)
	}
	put(t, in("spool"), "a file")
	var stdout, stderr bytes.Buffer
	if code := falco([]string{"falco", "-c", in("f.yaml"), "-r", in("r.yaml"), "-e", in("all.scap")}, &stdout, &stderr); code != exitError ||
		!strings.Contains(stderr.String(), "http_output.spool: spool: ") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}

// Reloads change where alerts go, how they look and whether they wait on disk:
// none is lost, none comes twice, and the order stays.
func TestReloadOutputs(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	one, two := newCollector(t), newCollector(t)
	one.down = true
	const common = "engine: {kind: nodriver}\nlog_stderr: true\nlog_syslog: false\nstate_socket: ''\nwatch_config_files: false\njson_output: true\n" +
		"metrics: {enabled: true, output_rule: true, interval: 100ms}\n"
	write := func(url string, spool bool, file string) {
		put(t, in("f.yaml"), common+fmt.Sprintf("http_output: {enabled: true, spool: %v, url: %s}\noutputs_spool: {path: %s}\n"+
			"file_output: {enabled: true, keep_alive: true, filename: %s}\n", spool, url, in("spool"), in(file)))
	}
	write(one.url, true, "a")
	put(t, in("r.yaml"), reloadRule)
	out, log := &watchedLog{more: make(chan struct{}, 1)}, &watchedLog{more: make(chan struct{}, 1)}
	ended := make(chan int)
	go func() { ended <- falco([]string{"falco", "-c", in("f.yaml"), "-r", in("r.yaml")}, out, log) }()
	log.wait(t, "the server answers 503", 1)
	reloads := 0
	reload := func() {
		t.Helper()
		reloads++
		syscall.Kill(os.Getpid(), syscall.SIGHUP)
		log.wait(t, "SIGHUP received, restarting...", reloads)
	}
	write(two.url, true, "b") // what waits for the one that is down goes to the other
	reload()
	two.wait(5)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	two.wait(8)
	write(two.url, true, "a")
	reload()
	two.wait(12)
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	a, b := content(t, in("a")), content(t, in("b"))
	var lines []string
	for l := range strings.Lines(a + b) {
		var rec struct{ Time string }
		if err := json.Unmarshal([]byte(l), &rec); err != nil {
			t.Fatalf("%v: %q", err, l)
		}
		lines = append(lines, rec.Time)
	}
	slices.Sort(lines)
	distinct := len(slices.Compact(slices.Clone(lines)))
	if len(lines) != distinct || strings.Count(b, "\n") < 3 {
		t.Errorf("%d lines, %d distinct; the files hold\n%s---\n%s", len(lines), distinct, a, b)
	}
	if n := len(two.rules); n < len(lines) {
		t.Errorf("the server has %d alerts, the files %d", n, len(lines))
	}
	if len(one.rules) > 0 || len(slices.Compact(slices.Sorted(slices.Values(two.keys)))) != len(two.keys) {
		t.Errorf("%d came to the server that was down, %q", len(one.rules), two.keys)
	}
	if !slices.IsSorted(two.keys) { // they carry a number that rises
		t.Errorf("the order is %q", two.keys)
	}
	if !strings.Contains(log.String(), "delivers again") {
		t.Error("that it works again is not told")
	}
}
