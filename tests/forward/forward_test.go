// SPDX-License-Identifier: Apache-2.0

// Package forward tests the forwarder as a program: killed, stopped, starved, and fed by the
// daemon.
package forward

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

var long = os.Getenv("FALCO_LONG") != ""

// Where the programs are, built once.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "forward-")
	if err != nil {
		panic(err)
	}
	bin = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var built sync.Map

// program builds the program in a folder of the repository.
func program(t *testing.T, folder string) string {
	t.Helper()
	once, _ := built.LoadOrStore(folder, sync.OnceValues(func() (string, error) {
		out := filepath.Join(bin, strings.ReplaceAll(folder, "/", "-"))
		cmd := exec.Command("go", "build", "-o", out, "./"+folder)
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, text)
		}
		return out, nil
	}))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// sidekick is a running forwarder.
type sidekick struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
	out  *lockedBuffer
	done chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const quick = "delivery: {retry_min: 1ms, retry_max: 50ms}\n"

// start runs the forwarder with the settings yaml in the folder dir, until the test ends.
func start(t *testing.T, dir, yaml string, environ ...string) *sidekick {
	t.Helper()
	s := launch(t, dir, yaml, environ...)
	until(t, "it listens", func() bool {
		select {
		case <-s.done:
			t.Fatalf("it has ended: %s", s.out)
		default:
		}
		return strings.Contains(s.out.String(), "is up and listening")
	})
	return s
}

func launch(t *testing.T, dir, yaml string, environ ...string) *sidekick {
	t.Helper()
	s := &sidekick{t: t, addr: freeAddr(t), out: &lockedBuffer{}, done: make(chan struct{})}
	host, port, _ := net.SplitHostPort(s.addr)
	file := filepath.Join(dir, "sidekick.yaml")
	if !strings.Contains(yaml, "delivery:") {
		yaml += quick
	}
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(program(t, "daemon/sidekick"), "-c", file, "--state-dir", filepath.Join(dir, "state"))
	s.cmd.Env = append(append(os.Environ(), "LISTENADDRESS="+host, "LISTENPORT="+port), environ...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.cmd.Wait(); close(s.done) }()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.done
		if t.Failed() {
			text := s.out.String()
			t.Log(text[max(0, len(text)-2000):])
		}
	})
	return s
}

// stop sends a signal and returns the exit code.
func (s *sidekick) stop(sig syscall.Signal) int {
	s.t.Helper()
	s.cmd.Process.Signal(sig)
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		s.t.Fatalf("it does not end: %s", s.out)
	}
	return s.cmd.ProcessState.ExitCode()
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("it does not come to this: %s", what)
}

func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func uuid(n int) string { return fmt.Sprintf("0b7c5e5e-0000-4000-8000-%012x", n) }

// lines are the events from to to-1.
func lines(from, to int) []byte {
	var b []byte
	e := &event.Event{Output: "15:31:56.746609046: Warning A shell was spawned in a container (user=root shell=bash parent=nginx cmdline=bash -i)",
		Priority: event.Warning, Rule: "Terminal shell in container", Source: "syscall", Hostname: "node-1", Tags: []string{"container", "shell"}}
	for _, k := range []string{"proc.name", "proc.cmdline", "user.name", "k8s.ns.name", "k8s.pod.name", "container.id", "container.image.repository"} {
		e.Fields.Set(k, "some value of "+k)
	}
	for n := from; n < to; n++ {
		e.UUID, e.Time = uuid(n), time.Date(2026, 5, 17, 15, 31, 56, n, time.UTC)
		b = append(e.AppendJSON(b), '\n')
	}
	return b
}

// post sends a body; err is of the connection.
func (s *sidekick) post(body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+s.addr+"/", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode, nil
}

// must sends the events from to to-1 in posts of 100.
func (s *sidekick) must(from, to int) {
	s.t.Helper()
	for ; from < to; from += 100 {
		if code, err := s.post(lines(from, min(from+100, to))); code != 200 || err != nil {
			s.t.Fatalf("%d %v", code, err)
		}
	}
}

// metric returns the value of a line of /metrics.
func (s *sidekick) metric(name string) float64 {
	s.t.Helper()
	res, err := http.Get("http://" + s.addr + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		s.t.Fatalf("no metric %s", name)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// receiver counts what comes.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string]int
	n   int
}

func receiverAt(t *testing.T, addr string) *receiver {
	r := &receiver{got: map[string]int{}}
	r.Server = httptest.NewUnstartedServer(r)
	if addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		r.Listener.Close()
		r.Listener = l
	}
	r.Start()
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range bytes.SplitSeq(bytes.TrimSpace(body), []byte("\n")) {
		e, err := event.Parse(l)
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		r.got[e.UUID]++
		r.n++
	}
}

func (r *receiver) different() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

func (r *receiver) has(t *testing.T, from, to int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	missing := 0
	for n := from; n < to; n++ {
		if r.got[uuid(n)] == 0 {
			missing++
		}
	}
	if missing > 0 || len(r.got) != to-from {
		t.Errorf("%d of %d events are missing; %d different ones came", missing, to-from, len(r.got))
	}
}

// 2: whenever it is killed, what it has said yes to arrives.
func TestKilled(t *testing.T) {
	n, each, rest := 6000, 200*time.Millisecond, 20*time.Millisecond
	if long {
		n, rest = 50000, 5*time.Millisecond
	}
	dir, r := t.TempDir(), receiverAt(t, "")
	yaml := "webhook: {address: '" + r.URL + "', format: ndjson, delivery: {batch_wait: 1ms}}\nlog: {level: warning}\n" + quick
	s := start2(t, dir, yaml)
	kills := 0
	last, begin := time.Now(), time.Now()
	for from := 0; from < n; {
		if time.Since(last) > each {
			s.stop(syscall.SIGKILL)
			s = start2(t, dir, yaml)
			kills++
			last = time.Now()
		}
		to := min(from+100, n)
		if code, err := s.post(lines(from, to)); err == nil && code == 200 {
			from = to
		}
		time.Sleep(rest) // so that there is something to kill
	}
	took := time.Since(begin)
	s.stop(syscall.SIGKILL)
	s = start2(t, dir, yaml)
	until(t, "all have come", func() bool {
		return s.metric(`falcosecurity_falcosidekick_output_queue_events{destination="webhook"}`) == 0
	})
	r.has(t, 0, n)
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Logf("%d events, killed %d times, %d deliveries more than once", n, kills, r.n-len(r.got))
	if kills < 3 {
		t.Errorf("it was killed %d times", kills)
	}
	// What is sent again after a crash is no more than came in a second.
	if dup, second := r.n-len(r.got), float64(n)/took.Seconds(); float64(dup) > float64(kills)*second {
		t.Errorf("%d events were delivered more than once, %.0f came in a second", dup, second)
	}
}

// start2 is start for settings without lines of level info: it asks instead.
func start2(t *testing.T, dir, yaml string) *sidekick {
	t.Helper()
	s := launch(t, dir, yaml)
	until(t, "it listens", func() bool {
		select {
		case <-s.done:
			t.Fatalf("it has ended: %s", s.out)
		default:
		}
		res, err := http.Get("http://" + s.addr + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == 200
	})
	return s
}

// 5: a backlog costs disk, not memory.
func TestMemoryOfBacklog(t *testing.T) {
	n := 30000
	if long || bench {
		n = 100000
	}
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(hang.Close) // after the forwarder has ended, which lets go of it
	good := receiverAt(t, "")
	s := start(t, t.TempDir(), fmt.Sprintf(`
outputs:
  - {name: hung, type: webhook, settings: {address: '%s', format: ndjson, batchsize: 500}, delivery: {timeout: 1h}}
  - {name: good, type: webhook, settings: {address: '%s', format: ndjson, batchsize: 500}}
spool: {sync: interval}
`, hang.URL, good.URL))
	s.must(0, n)
	until(t, "the good one has all", func() bool { return good.different() == n })
	if got := s.metric(`falcosecurity_falcosidekick_output_queue_events{destination="hung"}`); got != float64(n) {
		t.Errorf("%v events wait for the hung one, want %d", got, n)
	}
	const limit = 100_000_000 / 1024
	pid := s.cmd.Process.Pid
	own, peak := memory(t, pid, "RssAnon"), memory(t, pid, "VmHWM")
	t.Logf("%d events wait: RSS %d KiB, %d KiB at the peak; of its own (RssAnon) %d KiB", n, memory(t, pid, "VmRSS"), peak, own)
	if peak > limit { // the pages of the program's file count, too
		t.Errorf("RSS was %d KiB at the peak, want at most %d", peak, limit)
	}
}

// memory reads a line of /proc/PID/status, in KiB.
func memory(t *testing.T, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.SplitSeq(string(text), "\n") {
		if v, ok := strings.CutPrefix(l, name+":"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(v), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// 8: SIGTERM ends it in its time, with exit code 0, and the next one goes on.
func TestTerminated(t *testing.T) {
	dir, addr := t.TempDir(), freeAddr(t)
	yaml := "webhook: {address: 'http://" + addr + "', format: ndjson}\nshutdown_timeout: 1s\n"
	s := start(t, dir, yaml)
	s.must(0, 1000)
	if code := s.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(s.out.String(), "1000 events are not delivered yet") {
		t.Errorf("it does not say what is left: %s", s.out)
	}
	r := receiverAt(t, addr)
	s = start(t, dir, yaml)
	until(t, "all have come", func() bool { return r.different() == 1000 })
	s.must(1000, 2000)
	if code := s.stop(syscall.SIGTERM); code != 0 { // with a receiver that is there everything is drained
		t.Errorf("exit code %d", code)
	}
	r.has(t, 0, 2000)
}

// What the log says at certain moments is read by others.
func TestFace(t *testing.T) {
	r := receiverAt(t, "")
	dir := t.TempDir()
	s := start(t, dir, "webhook: {address: '"+r.URL+"'}\n")
	s.must(0, 1)
	until(t, "the event has come", func() bool { return strings.Contains(s.out.String(), "Webhook - Post OK (200)") })
	for _, want := range []string{" [INFO]  : Enabled Outputs : [Webhook]\n", " [INFO]  : Falco Sidekick is up and listening on " + s.addr + "\n"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("no %q in\n%s", want, s.out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "sidekick.yaml"), []byte("webhook: {adress: x}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Signal(syscall.SIGHUP)
	until(t, "it refuses the settings", func() bool { return strings.Contains(s.out.String(), "the new settings are not used") })
	s.must(1, 2)
	until(t, "it goes on with the old ones", func() bool { return r.different() == 2 })
	if err := os.WriteFile(filepath.Join(dir, "sidekick.yaml"), []byte("webhook: {address: '"+r.URL+"'}\ncustomfields: {a: b}\n"+quick), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Signal(syscall.SIGHUP)
	until(t, "it takes the settings", func() bool { return strings.Contains(s.out.String(), "have been read again") })

	// Somebody listens there already: that is the end, and the exit code says so.
	again := exec.Command(program(t, "daemon/sidekick"), "--state-dir", t.TempDir())
	host, port, _ := net.SplitHostPort(s.addr)
	again.Env = append(os.Environ(), "LISTENADDRESS="+host, "LISTENPORT="+port)
	out, _ := again.CombinedOutput()
	if again.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "address already in use") || !strings.Contains(string(out), "hint:") {
		t.Errorf("exit code %d: %s", again.ProcessState.ExitCode(), out)
	}
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", "webhook: {address: 'http://x/topsecret'}\n")
	bad := write("bad.yaml", "listenport: x\nwebhook: {adress: y}\n")
	never := write("never.yaml", "webhook: {address: 'ftp://x/topsecret'}\n")
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"-v"}, 0, []string{"falcosidekick 0.", "go1."}},
		{[]string{"--version"}, 0, []string{"falcosidekick 0."}},
		{[]string{"--help"}, 0, []string{"--config-file", "-c", "--validate", "--print-config", "--state-dir"}},
		{[]string{"-c", good, "--validate"}, 0, []string{"the settings are valid; 1 outputs are on"}},
		{[]string{"-c", bad, "--validate"}, 1, []string{`bad.yaml:1: listenport: "x" is no whole number`, "bad.yaml:2: webhook.adress: is not known; did you mean webhook.address?"}},
		{[]string{"-c", bad}, 1, []string{"listenport"}},
		{[]string{"-c", never, "--validate"}, 1, []string{"Webhook: address is no URL"}},
		{[]string{"-c", filepath.Join(dir, "nosuch.yaml")}, 1, []string{"nosuch.yaml: no such file"}},
		{[]string{"-c", good, "--print-config"}, 0, []string{"address: \"<secret>\"", "# listenport: 2801"}},
		{[]string{"--nosuch"}, 1, []string{"nosuch"}},
		{[]string{"word"}, 1, []string{`unexpected argument "word"`}},
	} {
		cmd := exec.Command(program(t, "daemon/sidekick"), c.args...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code {
			t.Errorf("%v: exit code %d, want %d\n%s", c.args, code, c.code, out)
		}
		for _, w := range c.want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%v: no %q in\n%s", c.args, w, out)
			}
		}
		if strings.Contains(string(out), "topsecret") {
			t.Errorf("%v tells a secret:\n%s", c.args, out)
		}
	}
}

// The daemon and the forwarder meet over a unix socket: a recording goes in, alerts come out.
func TestDaemonToReceiver(t *testing.T) {
	dir, r := t.TempDir(), receiverAt(t, "")
	socket := filepath.Join(dir, "sidekick.sock")
	s := start(t, dir, "webhook: {address: '"+r.URL+"'}\nlistensocket: "+socket+"\n")
	conf := filepath.Join(dir, "falco.yaml")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("rules_files: [%s/rules/falco_rules.yaml]\njson_output: true\nhttp_output: {enabled: true, url: 'unix://%s'}\n"+
		"engine: {kind: replay, replay: {capture_file: %s/tests/corpus/shell.scap}}\n", root, socket, root)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, "daemon"), "-c", conf)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	until(t, "an alert has come", func() bool { return r.different() > 0 })
	if code := s.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := r.different(); n != 1 {
		t.Errorf("%d alerts, want 1: %v", n, slices.Collect(maps.Keys(r.got)))
	}
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is left behind")
	}
}

// Static, as everything that we ship.
func TestStatic(t *testing.T) {
	f, err := elf.Open(program(t, "daemon/sidekick"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program wants an interpreter")
		}
	}
}

// With the page on, its store is one more output: what comes in can be read there.
func TestPage(t *testing.T) {
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	r := receiverAt(t, "")
	s := start(t, t.TempDir(), "webui: {enabled: true, listenport: "+port+"}\nwebhook: {address: '"+r.URL+"', format: ndjson}\n")
	s.must(0, 200)
	get := func(path string) string {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return string(text)
	}
	until(t, "the page has them all", func() bool {
		return s.metric(`falcosecurity_falcosidekick_output_delivered_total{destination="webui"}`) == 200
	})
	if text := get("/api/v2/events"); !strings.Contains(text, uuid(199)) {
		t.Errorf("the last event is not in the page: %.300s", text)
	}
	if text := get("/api/v2/outputs"); !strings.Contains(text, `"name":"webui-store","state":"ok"`) || !strings.Contains(text, `"sent":200`) {
		t.Errorf("outputs: %s", text)
	}
	until(t, "the page knows what became of an event", func() bool {
		return strings.Contains(get("/api/v2/events/"+uuid(7)), `"output":"webhook","state":"delivered"`)
	})
	if !strings.Contains(s.out.String(), "Enabled Outputs : [Webhook WebUI]") {
		t.Errorf("the log does not name it: %s", s.out)
	}
	if code := s.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	open := launch(t, t.TempDir(), "webui: {enabled: true, listenaddress: 0.0.0.0, listenport: "+port+"}\n")
	<-open.done
	if open.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(open.out.String(), "nobody can log in yet") {
		t.Errorf("a page without users for everybody: exit code %d, %s", open.cmd.ProcessState.ExitCode(), open.out)
	}
}
