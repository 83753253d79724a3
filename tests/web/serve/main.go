// SPDX-License-Identifier: Apache-2.0

// Serve serves the page with made-up events, for tests and for those who change the
// page. What it makes depends on the flags alone, but for the time, which ends now.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/web"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	database := flag.String("database", "memory", "the store")
	n := flag.Int("events", 2000, "events to make")
	days := flag.Float64("days", 7, "of how many days")
	base := flag.String("base", "", "the path in front")
	user := flag.String("user", "", "a user that may do everything; the password is the name and 1234567")
	outputs := flag.Bool("outputs", false, "have outputs of a forwarder")
	sensors := flag.Int("sensors", 0, "have so many daemons")
	hostile := flag.Bool("hostile", false, "have events that attack the page")
	flag.Parse()
	if err := run(*addr, *database, *n, *days, *base, *user, *sensors, *outputs, *hostile); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(addr, database string, n int, days float64, base, user string, sensors int, outputs, hostile bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg := web.Config{Database: database, BasePath: base, Version: "0.0.0-test", Retention: web.Retention{Age: 400 * 24 * time.Hour, Events: 2_000_000}}
	if user != "" {
		cfg.Users = []web.User{{Name: user, Password: user + "1234567", Role: web.RoleAdmin}, {Name: "viewer", Password: "viewer1234567", Role: web.RoleViewer}}
		cfg.Tokens = []web.Token{{Name: "forwarder", Token: "ingest-token-of-tests", Role: web.RoleIngest}}
	}
	if outputs {
		cfg.Outputs = &fakeOutputs{paused: map[string]bool{}}
	}
	var err error
	if cfg.Sensors, err = daemons(sensors); err != nil {
		return err
	}
	s, err := web.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	texts := made(n, days, time.Now())
	if hostile {
		texts = append(texts, attacks(time.Now())...)
	}
	for len(texts) > 0 {
		part := texts[:min(500, len(texts))]
		texts = texts[len(part):]
		errs, err := s.Ingest(ctx, part)
		if err = errors.Join(append(errs, err)...); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s%s\n", l.Addr(), s.SetupPath())
	srv := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		srv.Close()
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// scene is a rule with what its alerts say.
type scene struct {
	weight             int
	rule, prio, output string
	tags               []string
	proc, parent, file string
	container          bool
}

var scenes = []scene{
	{30, "Read sensitive file untrusted", "Warning", "Sensitive file opened for reading by non-trusted program", []string{"T1555", "filesystem", "host", "mitre_credential_access"}, "cat", "bash", "/etc/shadow", false},
	{24, "Contact K8S API Server From Container", "Notice", "Unexpected connection to K8s API Server from container", []string{"T1565", "container", "k8s", "mitre_discovery", "network"}, "curl", "sh", "10.42.0.7:41822->10.43.0.1:443", true},
	{18, "Terminal shell in container", "Notice", "A shell was spawned in a container with an attached terminal", []string{"T1059", "container", "mitre_execution", "shell"}, "bash", "runc", "", true},
	{9, "Redirect STDOUT/STDIN to Network Connection in Container", "Notice", "Redirect stdout/stdin to network connection", []string{"T1059", "container", "mitre_execution", "network", "process"}, "sh", "nginx", "10.42.0.9:54112->203.0.113.9:4444", true},
	{8, "Packet socket created in container", "Notice", "Packet socket was created in a container", []string{"T1557.002", "container", "mitre_credential_access", "network"}, "tcpdump", "bash", "", true},
	{7, "Clear Log Activities", "Warning", "Log files were tampered", []string{"T1070", "container", "filesystem", "host", "mitre_defense_evasion"}, "truncate", "bash", "/var/log/auth.log", false},
	{5, "Write below binary dir", "Error", "File below a known binary directory opened for writing", []string{"T1543", "filesystem", "mitre_persistence"}, "touch", "bash", "/bin/hack", false},
	{4, "Drop and execute new binary in container", "Critical", "Executing binary not part of base image", []string{"PCI_DSS_11.5.1", "TA0003", "container", "mitre_persistence", "process"}, "kinsing", "sh", "/tmp/kinsing", true},
	{3, "Fileless execution via memfd_create", "Critical", "Fileless execution via memfd_create", []string{"T1620", "container", "host", "mitre_defense_evasion", "process"}, "memfd:x", "python3", "", true},
	{3, "Detect release_agent File Container Escapes", "Critical", "Detect an attempt to exploit a container escape using release_agent file", []string{"T1611", "container", "mitre_privilege_escalation", "process"}, "sh", "bash", "/sys/fs/cgroup/rdma/release_agent", true},
	{2, "PTRACE attached to process", "Warning", "Detected ptrace PTRACE_ATTACH attempt", []string{"T1055.008", "host", "mitre_privilege_escalation", "process"}, "gdb", "bash", "", false},
	{1, "Linux Kernel Module Injection Detected", "Alert", "Linux Kernel Module injection from container", []string{"TA0003", "host", "mitre_persistence", "process"}, "insmod", "bash", "/tmp/rootkit.ko", false},
	{1, "读取敏感文件（自定义规则）", "Informational", "自定义规则：敏感文件被读取", []string{"custom", "host"}, "less", "zsh", "/srv/机密/工资.xlsx", false},
}

var (
	hosts      = []string{"node-1", "node-2", "node-3", "edge-fra-04", "db-01"}
	namespaces = []string{"prod", "prod", "payments", "staging", "kube-system"}
	images     = map[string]string{"prod": "docker.io/library/nginx", "payments": "registry.internal/payments/api", "staging": "docker.io/library/redis", "kube-system": "registry.k8s.io/coredns/coredns"}
)

func made(n int, days float64, end time.Time) [][]byte {
	r := rand.New(rand.NewPCG(11, 13))
	total := 0
	for _, s := range scenes {
		total += s.weight
	}
	span := time.Duration(days * float64(24*time.Hour))
	out := make([][]byte, 0, n)
	for i := range n {
		k := r.IntN(total)
		j := 0
		for k >= scenes[j].weight {
			k -= scenes[j].weight
			j++
		}
		s := &scenes[j]
		// More of them lately, and an hour of attack.
		back := time.Duration(float64(span) * r.Float64() * r.Float64())
		if s.prio == "Critical" && r.IntN(2) == 0 {
			back = 5*time.Hour + time.Duration(r.Int64N(int64(50*time.Minute)))
		}
		out = append(out, s.event(r, i, end.Add(-back)))
	}
	return out
}

func (s *scene) event(r *rand.Rand, i int, at time.Time) []byte {
	host := hosts[min(r.IntN(len(hosts)), r.IntN(len(hosts)))]
	user := []string{"root", "www-data", "deploy", "postgres"}[min(r.IntN(4), r.IntN(4))]
	pid := 1000 + r.IntN(60000)
	cmd := s.proc
	if s.file != "" {
		cmd += " " + s.file
	}
	f := map[string]any{"evt.time": at.UnixNano(), "evt.type": "openat", "user.name": user, "user.uid": r.IntN(4) * 33, "user.loginuid": -1,
		"proc.name": s.proc, "proc.cmdline": cmd, "proc.exepath": "/usr/bin/" + s.proc, "proc.pid": pid, "proc.pname": s.parent, "proc.ppid": pid - 7,
		"proc.aname[2]": "containerd-shim", "proc.aname[3]": "systemd", "proc.apid[2]": 811, "proc.apid[3]": 1, "proc.tty": 34816, "fd.name": nil,
		"container.id": "host", "container.name": "host"}
	if s.file != "" {
		f["fd.name"] = s.file
	}
	tail := ""
	if s.container {
		ns := namespaces[r.IntN(len(namespaces))]
		pod := fmt.Sprintf("%s-%s-%05x", map[string]string{"prod": "web", "payments": "api", "staging": "cache", "kube-system": "coredns"}[ns], "7d9f8", r.IntN(12)+0xb3a10)
		id := fmt.Sprintf("%012x", r.Uint64()>>16)
		f["container.id"], f["container.name"], f["container.image.repository"], f["container.image.tag"] = id, pod, images[ns], "1.27"
		f["k8s.ns.name"], f["k8s.pod.name"] = ns, pod
		tail = fmt.Sprintf(" container_id=%s container_name=%s k8s_ns=%s k8s_pod=%s", id, pod, ns, pod)
	}
	text := fmt.Sprintf("%s: %s %s | file=%v user=%s process=%s parent=%s command=%s%s", at.UTC().Format("15:04:05.000000000"), s.prio, s.output,
		f["fd.name"], user, s.proc, s.parent, cmd, tail)
	b, err := json.Marshal(map[string]any{"uuid": fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i), "rule": s.rule, "priority": s.prio, "time": at.UTC().Format(time.RFC3339Nano),
		"source": "syscall", "hostname": host, "tags": s.tags, "output": text, "output_fields": f})
	if err != nil {
		panic(err)
	}
	return b
}

// attacks are events that would like to be more than text.
func attacks(at time.Time) [][]byte {
	texts := []string{`<script>window.pwned=1</script>`, `<img src=x onerror="window.pwned=1">`, `"><svg onload=window.pwned=1>`, `javascript:window.pwned=1`,
		`{{constructor.constructor('window.pwned=1')()}}`, "\u202egnp.exe\u202c", "a\u0000b", `'; DROP TABLE event; --`, `</textarea><script>window.pwned=1</script>`,
		`<iframe srcdoc="<script>parent.pwned=1</script>">`, `=cmd|' /C calc'!A0`, `${window.pwned=1}`, `%3Cscript%3Ewindow.pwned=1%3C/script%3E`, `__proto__`, `constructor`}
	var out [][]byte
	for i, x := range texts {
		b, err := json.Marshal(map[string]any{"rule": x, "priority": "Critical", "time": at.Add(-time.Duration(i) * time.Second).UTC().Format(time.RFC3339Nano), "source": x,
			"hostname": x, "tags": []string{x}, "output": x, "output_fields": map[string]any{x: x, "proc.name": x, "proc.pname": x, "k8s.ns.name": x, "k8s.pod.name": x,
				"container.image.repository": x, "container.id": x}})
		if err != nil {
			panic(err)
		}
		out = append(out, b)
	}
	return out
}

// fakeOutputs are those of no forwarder.
type fakeOutputs struct {
	mu     sync.Mutex
	paused map[string]bool
}

func (o *fakeOutputs) Outputs() []web.Output {
	o.mu.Lock()
	defer o.mu.Unlock()
	us := func(ago time.Duration) int64 { return time.Now().Add(-ago).UnixMicro() }
	list := []web.Output{{Name: "slack", State: "ok", Sent: 18231, Retried: 12},
		{Name: "kafka", State: "failing", Backlog: 1204, Bytes: 1 << 20, Oldest: us(14 * time.Minute), Sent: 90211, Retried: 44, LastError: "dial tcp 10.0.0.7:9092: connect: connection refused", ErrorTime: us(3 * time.Second)},
		{Name: "elasticsearch", State: "ok", Sent: 90400, Dead: 3}, {Name: "webhook", State: "idle"}}
	for i := range list {
		if o.paused[list[i].Name] {
			list[i].State = "paused"
		}
	}
	return list
}

func (o *fakeOutputs) Do(_ context.Context, name, action string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch action {
	case "pause":
		o.paused[name] = true
	case "resume":
		delete(o.paused, name)
	}
	return nil
}

func (o *fakeOutputs) DeadLetters(string, int) ([]web.DeadLetter, error) {
	return []web.DeadLetter{{UUID: "00000001-0000-4000-8000-000000000001", Rule: "Write below binary dir", Time: time.Now().UnixMicro(), Error: "400 mapper_parsing_exception"}}, nil
}
