// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/config"
)

// watchedLog is a stderr that a test can wait on.
type watchedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (w *watchedLog) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
	return w.text.Write(b)
}

func (w *watchedLog) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// wait returns when what was said holds text for the nth time.
func (w *watchedLog) wait(t *testing.T, text string, n int) {
	t.Helper()
	late := time.After(time.Minute)
	for strings.Count(w.String(), text) < n {
		select {
		case <-w.more:
		case <-late:
			t.Fatalf("%q was not said %d times:\n%s", text, n, w)
		}
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const reloadRule = "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: x\n  priority: INFO\n"

// A run goes on through reloads, good and bad ones: rules, configuration and
// outputs change, metrics and the web server stay.
func TestReload(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	dir := t.TempDir()
	conf, rules, alerts := filepath.Join(dir, "f.yaml"), filepath.Join(dir, "r.yaml"), filepath.Join(dir, "alerts")
	const common = "engine: {kind: nodriver}\nlog_stderr: true\nlog_syslog: false\nstdout_output: {enabled: true}\nstate_socket: ''\n" +
		"webserver: {enabled: true, listen_address: 127.0.0.1, listen_port: 0}\n" +
		"metrics: {enabled: true, output_rule: true, interval: 100ms}\n"
	put(t, conf, common)
	put(t, rules, reloadRule)
	out, log := &watchedLog{more: make(chan struct{}, 1)}, &watchedLog{more: make(chan struct{}, 1)}
	ended := make(chan int)
	go func() { ended <- falco([]string{"falco", "-c", conf, "-r", rules}, out, log) }()
	log.wait(t, "Falco is watching", 1)

	put(t, rules, reloadRule+strings.ReplaceAll(reloadRule, "rule: r", "rule: s"))
	log.wait(t, "SIGHUP received, restarting...", 1)
	log.wait(t, "r.yaml | schema validation: ok", 2)

	put(t, rules, "- rule: r\n  condition: no.such = field\n  desc: d\n  output: x\n  priority: INFO\n")
	out.wait(t, "Critical Falco internal: hot restart failure: ", 1)

	put(t, conf, common+"json_output: true\nfile_output: {enabled: true, keep_alive: true, filename: "+alerts+"}\nfalco_libs: {thread_table_size: 5}\n")
	put(t, rules, reloadRule)
	log.wait(t, "SIGHUP received, restarting...", 2)
	log.wait(t, "falco_libs.thread_table_size has changed, which needs a restart", 1)
	out.wait(t, `"rule":"Falco internal: metrics snapshot"`, 2)

	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	text := content(t, alerts)
	if !strings.Contains(text, `"rule":"Falco internal: metrics snapshot"`) {
		t.Errorf("the new file holds %q", text)
	}
	if n := strings.Count(out.String(), "Events detected"); n != 1 {
		t.Errorf("statistics were printed %d times", n)
	}
}

// A file that is being written is not read for good before it is whole.
func TestReloadWaitsForWriters(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	dir := t.TempDir()
	conf, rules := filepath.Join(dir, "f.yaml"), filepath.Join(dir, "r.yaml")
	put(t, conf, "engine: {kind: nodriver}\nlog_stderr: true\nlog_syslog: false\nlog_level: debug\nstdout_output: {enabled: true}\nstate_socket: ''\n")
	put(t, rules, reloadRule)
	log := &watchedLog{more: make(chan struct{}, 1)}
	ended := make(chan int)
	go func() { ended <- falco([]string{"falco", "-c", conf, "-r", rules}, io.Discard, log) }()
	log.wait(t, "Falco is watching", 1)

	f, err := os.Create(rules)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	log.wait(t, "r.yaml is being written: the reload waits", 2)
	io.WriteString(f, reloadRule)
	log.wait(t, "r.yaml is being written: the reload waits", 4)
	if text := log.String(); strings.Contains(text, "restarting...") || strings.Contains(text, "the reload failed") {
		t.Errorf("it was read half:\n%s", text)
	}
	io.WriteString(f, strings.ReplaceAll(reloadRule, "rule: r", "rule: s"))
	f.Close()
	log.wait(t, "SIGHUP received, restarting...", 1)
	log.wait(t, "(2) enabled rules in total", 1)
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The watcher tells of every way in which a file can become another one.
func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(os.Mkdir(in("d"), 0o755))
	do(os.Mkdir(in("1"), 0o755))
	do(os.Mkdir(in("2"), 0o755))
	put(t, in("f"), "a")
	put(t, in("1/x"), "a")
	put(t, in("2/x"), "b")
	do(os.Symlink("1", in("data")))
	do(os.Symlink("data/x", in("x")))
	changed := make(chan struct{}, 16)
	w, err := newWatcher(func() { changed <- struct{}{} }, newLogger(io.Discard))
	do(err)
	defer w.close()
	do(w.watch([]string{in("f"), in("d"), in("x"), in("none")}, time.Now()))
	go w.run()
	for _, step := range []struct {
		name string
		act  func() error
	}{
		{"written in place", func() error { return os.WriteFile(in("f"), []byte("bb"), 0o644) }},
		{"renamed over", func() error {
			if err := os.WriteFile(in("tmp"), []byte("c"), 0o644); err != nil {
				return err
			}
			return os.Rename(in("tmp"), in("f"))
		}},
		{"new in a folder", func() error { return os.WriteFile(in("d/y"), []byte("a"), 0o644) }},
		{"gone from a folder", func() error { return os.Remove(in("d/y")) }},
		{"a link in between", func() error {
			if err := os.Symlink("2", in("tmp")); err != nil {
				return err
			}
			return os.Rename(in("tmp"), in("data"))
		}},
		{"behind the new link", func() error { return os.WriteFile(in("2/x"), []byte("ccc"), 0o644) }},
		{"there at last", func() error { return os.WriteFile(in("none"), []byte("a"), 0o644) }},
		{"gone", func() error { return os.Remove(in("f")) }},
	} {
		do(step.act())
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatalf("%s: not told", step.name)
		}
		for quiet := false; !quiet; { // one act may be two changes
			select {
			case <-changed:
			case <-time.After(3 * watchPause):
				quiet = true
			}
		}
	}
}

// A change between reading and watching is not lost, be it of a file that was watched before or of one that was not; and
// there is no change where there is none.
func TestWatcherMissesNothing(t *testing.T) {
	dir := t.TempDir()
	f, g := filepath.Join(dir, "f"), filepath.Join(dir, "g")
	put(t, f, "a")
	put(t, g, "a")
	told := 0
	w, err := newWatcher(func() { told++ }, newLogger(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()                   // run is not called: only watch looks
	time.Sleep(20 * time.Millisecond) // files' times are that coarse
	for i, step := range []struct {
		change string // after reading
		paths  []string
		told   int
	}{{"", []string{f}, 0}, {"", []string{f}, 0}, {f, []string{f}, 1}, {"", []string{f, g}, 1}, {g, []string{g}, 2}, {f, []string{g}, 2}, {f, []string{dir}, 3}} {
		since := time.Now()
		time.Sleep(20 * time.Millisecond)
		if step.change != "" {
			put(t, step.change, fmt.Sprint("step ", i))
		}
		if err := w.watch(step.paths, since); err != nil {
			t.Fatal(err)
		}
		if told != step.told {
			t.Errorf("step %d: told %d times, want %d", i, told, step.told)
		}
	}
}

// The web server answers what it knows, and nothing else.
func TestWebAnswers(t *testing.T) {
	d := &daemon{}
	w := &web{health: &d.health, page: config.Web{Healthz: "/healthz"}}
	for _, tc := range []struct {
		method, path, want string
	}{
		{"GET", "/healthz", `{"status": "ok"}`}, {"HEAD", "/healthz", `{"status": "ok"}`}, {"POST", "/healthz", ""},
		{"GET", "/", ""}, {"GET", "/metrics", ""}, {"GET", "/k8s-audit", ""},
	} {
		r, err := http.NewRequest(tc.method, tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, body := w.answer(r); string(body) != tc.want {
			t.Errorf("%s %s: %q", tc.method, tc.path, body)
		}
	}
}
