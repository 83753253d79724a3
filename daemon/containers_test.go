// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/containerd"
	"github.com/falco-go/falco/pkg/container/containerd/containerdtest"
	"github.com/falco-go/falco/pkg/container/cri"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

const containerRules = `
- rule: Told
  desc: d
  condition: evt.type = container and container.image.repository = nginx
  output: told %container.name %evt.asynctype
  priority: NOTICE
- rule: Shell
  desc: d
  condition: evt.type = execve and container.name = web
  output: "%proc.name in %container.name (%container.image.repository:%container.image.tag)"
  priority: NOTICE
`

const webID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// A container that was told goes through the loop once: rules see it, captures keep
// it, and whoever executes something in it afterwards is known.
func TestTakeContainer(t *testing.T) {
	set, results := rules.Load([]rules.File{{Name: "c.yaml", Content: []byte(containerRules)}}, rules.Options{Priority: rules.Debug, All: true})
	for i := range results {
		if !results[i].Successful() {
			t.Fatal(results[i].Text(true))
		}
	}
	var asked []container.Match
	p, text := newPipeline(t, nothing{})
	p.rules, p.counts = set, make([]uint64, len(set.Rules))
	p.state = state.New(state.Options{Ask: askers(func(state.Ask) bool { return true },
		func(m container.Match) bool { asked = append(asked, m); return true })})
	p.state.Seed(task(100, "bash"))
	kept := 0
	p.tapes = []tape{tapeFunc(func(ev *event.Event, _ *state.Scene) {
		if ev.Type == schema.AsynceventE {
			kept++
		}
	})}
	turn := func(b *eventtest.Builder) {
		if _, err := p.ev.Decode(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		p.ev.Num = 0
		p.turn(&p.ev)
	}
	now := time.Unix(2000, 0)
	info := &container.Info{ID: webID[:12], FullID: webID, Name: "web", Image: "nginx:1", ImageRepo: "nginx", ImageTag: "1", Labels: container.Labels{"a": "b"}}
	partial := &container.Info{ID: webID[:12], FullID: webID, Name: webID[:12], Partial: true}
	for _, c := range []container.Change{
		{What: container.Ready}, {What: container.Known, Info: partial}, {What: container.Known, Info: info},
		{What: container.Known, Info: info}, {What: container.Known, Info: partial},
	} {
		p.takeContainer(c, now)
	}
	if kept != 2 {
		t.Errorf("told %d times, want one for what was known first and one for all", kept)
	}
	cgroups := []string{"cpu=/docker/" + webID}
	execve := func(ts uint64) *eventtest.Builder {
		return eventtest.New(schema.ExecveX).Tid(100).TS(ts).Set("res", 0).Set("exe", "sh").Set("tid", 100).Set("pid", 100).Set("comm", "sh").
			Set("cgroups", cgroups)
	}
	turn(execve(3000 * second))
	if len(p.matched) != 1 {
		t.Errorf("matched %v", p.matched)
	}
	p.takeContainer(container.Change{What: container.Gone, Info: &container.Info{ID: webID[:12], FullID: "another"}}, now)
	p.takeContainer(container.Change{What: container.Gone, Info: info}, now)
	if kept != 3 || !p.state.Ended(webID[:12]) || p.told.TS != 3000*second {
		t.Errorf("its end: told %d, ended %v, at %d", kept, p.state.Ended(webID[:12]), p.told.TS)
	}
	p.takeContainer(container.Change{What: container.Known, Info: info}, now)
	if kept != 4 || p.state.Ended(webID[:12]) {
		t.Errorf("it has begun again, and was told %d times", kept)
	}

	// Another one of which nothing is known.
	cgroups = []string{"cpu=/docker/" + strings.Repeat("f", 64)}
	turn(execve(3001 * second))
	if len(asked) != 1 || asked[0].FullID != strings.Repeat("f", 64) {
		t.Fatalf("asked %+v", asked)
	}
	c := p.state.Lookup(100).Container()
	if !c.Pending() {
		t.Error("it is not pending")
	}
	p.takeContainer(container.Change{What: container.Failed, Info: &container.Info{ID: c.ID}, Why: errors.New("nobody")}, now)
	if c.Pending() || c.Failed() == nil {
		t.Error("it is still pending")
	}
	if got := text(); strings.Count(got, "told web container") != 2 || !strings.Contains(got, "sh in web (nginx:1)") {
		t.Errorf("alerts:\n%s", got)
	}
}

// A container ends with its first process, whether or not its runtime tells so; what
// is first in a namespace within it is another matter.
func TestFirstProcessEnds(t *testing.T) {
	p, _ := newPipeline(t, nothing{})
	p.state.Seed(task(50, "shim"))
	removed := 0
	p.tapes = []tape{tapeFunc(func(ev *event.Event, _ *state.Scene) {
		if name, _ := ev.Str(1); ev.Type == schema.AsynceventE && name == "container_removed" {
			removed++
		}
	})}
	turn := func(b *eventtest.Builder) {
		if _, err := p.ev.Decode(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		p.turn(&p.ev)
	}
	start := func(tid, ptid, vpid int64) {
		turn(eventtest.New(schema.CloneX).Tid(tid).TS(3000*second).Set("res", 0).Set("exe", "x").Set("tid", tid).Set("pid", tid).Set("ptid", ptid).
			Set("comm", "x").Set("vtid", vpid).Set("vpid", vpid).Set("flags", schema.CloneChildInPidns).Set("cgroups", []string{"cpu=/docker/" + webID}))
	}
	exit := func(tid int64) { turn(eventtest.New(schema.ProcexitE).Tid(tid).TS(3001 * second)) }
	start(100, 50, 1)
	start(101, 100, 7)
	start(102, 101, 1) // unshare --pid --fork
	exit(102)
	info := &container.Info{ID: webID[:12], FullID: webID, Name: "web"}
	p.takeContainer(container.Change{What: container.Known, Info: info}, time.Unix(2000, 0))
	start(103, 101, 1)
	exit(103)
	exit(101)
	if removed != 0 || p.state.Ended(webID[:12]) {
		t.Errorf("removed %d times before its end", removed)
	}
	exit(100)
	p.takeContainer(container.Change{What: container.Gone, Info: info}, time.Unix(2000, 0))
	if removed != 1 || !p.state.Ended(webID[:12]) {
		t.Errorf("removed %d times, want one", removed)
	}
}

func TestEngines(t *testing.T) {
	all := config.DefaultContainers()
	if got := engines(&all, "/host"); len(got) == 0 || got[0].Name() != "containerd" {
		t.Errorf("got %v", got)
	}
	if got := engines(&config.Containers{}, ""); len(got) != 0 {
		t.Errorf("none is asked for: %v", got)
	}
}

// Which runtimes are asked where: those of containerd in its own way, also if they are
// listed as CRI's, unless that is switched off.
func TestWhoIsAsked(t *testing.T) {
	const k3s, crio, bottle = "/run/k3s/containerd/containerd.sock", "/run/crio/crio.sock", "/run/host-containerd/containerd.sock"
	at := func(on bool, sockets ...string) config.ContainerEngine {
		return config.ContainerEngine{Enabled: on, Sockets: sockets}
	}
	for _, tc := range []struct {
		c    config.Containers
		root string
		want string
	}{
		{config.Containers{Containerd: at(true, bottle), CRI: at(true, k3s, crio, bottle)}, "", "containerd " + bottle + " " + k3s + "; cri " + crio},
		{config.Containers{Containerd: at(true, bottle), CRI: at(true, k3s, crio, bottle)}, "/h", "containerd /h" + bottle + " /h" + k3s + "; cri /h" + crio},
		{config.Containers{Containerd: at(false, bottle), CRI: at(true, k3s, crio)}, "", "cri " + k3s + " " + crio},
		{config.Containers{Containerd: at(true, bottle), CRI: at(true, k3s)}, "", "containerd " + bottle + " " + k3s},
		{config.Containers{Containerd: at(true, bottle), CRI: at(false, k3s)}, "", "containerd " + bottle},
		{config.Containers{CRI: at(true)}, "", "cri " + strings.Join(append(slices.Clone(cri.Sockets), containerd.Sockets...), " ")},
		{config.Containers{Docker: at(true, "/a", "/b")}, "", "docker /a /b"},
		{config.Containers{}, "", ""},
	} {
		var got []string
		for _, a := range whoIsAsked(&tc.c, tc.root) {
			got = append(got, a.name+" "+strings.Join(a.paths, " "))
		}
		if got := strings.Join(got, "; "); got != tc.want {
			t.Errorf("%+v: asked are\n%s, not\n%s", tc.c, got, tc.want)
		}
	}
}

// usualContainerd are k3s and rke2, microk8s, Bottlerocket, dockerd's own.
var usualContainerd = []string{"/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock", "/var/snap/microk8s/common/run/containerd.sock",
	"/run/host-containerd/containerd.sock", "/run/docker/containerd/containerd.sock"}

// The doctor names who listens at each of the usual places, and who does not.
func TestDoctorContainers(t *testing.T) {
	root := t.TempDir()
	t.Setenv("HOST_ROOT", root)
	doc := &doctor{daemon: &daemon{}}
	if f := doc.containers(); f.how != isFine || !strings.Contains(f.text, "no runtime is here") || strings.Contains(f.text, root) {
		t.Errorf("nobody is there: %+v", f)
	}
	tried := doc.containers().text
	for _, path := range append(slices.Clone(usualContainerd), "/run/crio/crio.sock", "/run/podman/podman.sock") {
		if !strings.Contains(tried, path) {
			t.Errorf("%s is not tried: %s", path, tried)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if f := doc.containers(); f.how != isFine || !strings.Contains(f.text, " at "+path) {
			t.Errorf("%s is not named: %+v", path, f)
		}
	}
	doc.cfg = &config.Config{Containers: config.Containers{Docker: config.ContainerEngine{Enabled: true, Sockets: []string{"/mine.sock"}}}}
	left := filepath.Join(root, "mine.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if f := doc.containers(); f.how != isDoubtful || !strings.Contains(f.text, left+": connection refused") || !strings.Contains(f.mend, "docker") {
		t.Errorf("a socket that nobody serves: %+v", f)
	}
}

// All usual places of a containerd are tried, in the root of the machine, and each
// again and again.
func TestUsualSockets(t *testing.T) {
	root := t.TempDir()
	var servers []*containerdtest.Server
	for n, path := range usualContainerd {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		s := containerdtest.New(t, path)
		s.Create(containerdtest.Container{Namespace: "default", ID: fmt.Sprint("there", n)})
		servers = append(servers, s)
	}
	cfg := config.DefaultContainers()
	known, changes := map[string]bool{}, make(chan string, 100)
	r := container.Start(container.Options{Engines: engines(&cfg, root), Tell: func(all []container.Change) {
		for _, c := range all {
			if c.What == container.Known {
				changes <- c.Info.FullID
			}
		}
	}})
	defer r.Close()
	until := func(want int) {
		t.Helper()
		for late := time.After(time.Minute); len(known) < want; {
			select {
			case id := <-changes:
				known[id] = true
			case <-late:
				t.Fatalf("known: %v", known)
			}
		}
	}
	until(len(servers))
	for n, s := range servers {
		s.Kill()
		s.Start(t)
		s.Create(containerdtest.Container{Namespace: "default", ID: fmt.Sprint("again", n)})
	}
	until(2 * len(servers))
}

// --cri names sockets that take the place of the usual ones.
func TestCRIFlag(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(path, []byte("containers: {engines: {cri: {enabled: false, sockets: [/old]}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ typed, containerd, cri []string }{
		{nil, nil, []string{"/old"}},
		{[]string{"/run/k3s/containerd/containerd.sock"}, []string{"/run/k3s/containerd/containerd.sock"}, []string{"/old"}},
		{[]string{"/a.sock", `/b "c".sock`, "/containerd"}, []string{"/containerd"}, []string{"/a.sock", `/b "c".sock`}},
	} {
		cfg, err := config.Load(config.Options{Path: path, Overrides: criSockets(tc.typed), Env: os.LookupEnv})
		if err != nil {
			t.Fatal(err)
		}
		c := cfg.Containers
		if !slices.Equal(c.Containerd.Sockets, tc.containerd) || !slices.Equal(c.CRI.Sockets, tc.cri) || c.CRI.Enabled != (tc.cri[0] != "/old") {
			t.Errorf("%q: %+v", tc.typed, c)
		}
	}
}

// What -p says, and what suggested_output adds: through the whole program, with a
// capture of a container.
func TestPrintOption(t *testing.T) {
	t.Setenv("FALCO_STRICT_CLI", "")
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	m := newMade(t, "host").opened(0, "/etc/a").add(0, 0, eventtest.New(schema.ContainerJsonE).Set("json", toldJSON)).add(0, 0, inside()).opened(100, "/etc/b")
	scap := write("x.scap", string(m.bytes()))
	ruleFile := write("r.yaml", `
- rule: info
  desc: d
  condition: evt.type = openat
  output: "opened %fd.name (%container.info)"
  priority: NOTICE
- rule: plain
  desc: d
  condition: evt.type = openat
  output: plain %fd.name
  priority: NOTICE
`)
	in := func(format string) string { return fmt.Sprintf(format, "youthful_babbage", "3ad7b26ded6d") }
	const added = " container_id=3ad7b26ded6d container_name=youthful_babbage container_image_repository=docker.io/library/fedora container_image_tag=38 " +
		"k8s_pod_name=web-0 k8s_ns_name=prod"
	const addedHost = " container_id=host container_name=host container_image_repository= container_image_tag= k8s_pod_name=<NA> k8s_ns_name=<NA>"
	for _, tc := range []struct {
		config, typed string
		want          [4]string // for the host and the container, of both rules
	}{
		{"", "", [4]string{"opened /etc/a (host (id=host))", "plain /etc/a", in("opened /etc/b (%s (id=%s))"), "plain /etc/b"}},
		{"", "-pc", [4]string{"opened /etc/a (container=host (id=host))", "plain /etc/a", in("opened /etc/b (container=%s (id=%s))"), "plain /etc/b"}},
		{"", "-pcontainer", [4]string{"opened /etc/a (container=host (id=host))", "plain /etc/a", in("opened /etc/b (container=%s (id=%s))"), "plain /etc/b"}},
		{"", "-pk", [4]string{"opened /etc/a (k8s.ns=<NA> k8s.pod=<NA> container=host)", "plain /etc/a",
			"opened /etc/b (k8s.ns=prod k8s.pod=web-0 container=3ad7b26ded6d)", "plain /etc/b"}},
		{"", "-pm", [4]string{"opened /etc/a (host (id=host))", "plain /etc/a", in("opened /etc/b (%s (id=%s))"), "plain /etc/b"}},
		{"", "-pby=%proc.name", [4]string{"opened /etc/a (host (id=host)) by=host", "plain /etc/a by=host", in("opened /etc/b (%s (id=%s)) by=sh"), "plain /etc/b by=sh"}},
		{"append_output: [{suggested_output: true}]\n", "", [4]string{"opened /etc/a (host (id=host))" + addedHost, "plain /etc/a" + addedHost,
			in("opened /etc/b (%s (id=%s))") + added, "plain /etc/b" + added}},
		{"append_output: [{suggested_output: true, match: {rule: plain}}]\n", "-pk", [4]string{"opened /etc/a (k8s.ns=<NA> k8s.pod=<NA> container=host)", "plain /etc/a" + addedHost,
			"opened /etc/b (k8s.ns=prod k8s.pod=web-0 container=3ad7b26ded6d)", "plain /etc/b" + added}},
	} {
		cfg := write("f.yaml", "stdout_output: {enabled: true}\nrule_matching: all\nlog_syslog: false\n"+tc.config)
		argv := []string{"falco", "-c", cfg, "-r", ruleFile, "-o", "engine.kind=replay", "-o", "engine.replay.capture_file=" + scap}
		if tc.typed != "" {
			argv = append(argv, tc.typed)
		}
		var out, log bytes.Buffer
		if code := falco(argv, &out, &log); code != 0 {
			t.Fatalf("%v: %d\n%s", tc, code, &log)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			if _, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": Notice "); ok {
				got = append(got, text)
			}
		}
		if diff := cmp.Diff(tc.want[:], got); diff != "" {
			t.Errorf("%s %q (-want +got)\n%s", tc.typed, tc.config, diff)
		}
	}
}
