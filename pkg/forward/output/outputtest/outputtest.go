// SPDX-License-Identifier: Apache-2.0

// Package outputtest is the kit for the tests of outputs: it makes one from settings,
// gives it events, plays the receiver, and knows what is hostile.
package outputtest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/settings"
)

// Now is what env.Now says in tests.
var Now = time.Date(2026, 5, 17, 16, 0, 0, 0, time.UTC)

// Log is a Logger that writes into the test's log.
type Log struct{ T testing.TB }

func (l Log) Debugf(format string, args ...any) { l.T.Logf(format, args...) }
func (l Log) Infof(format string, args ...any)  { l.T.Logf(format, args...) }
func (l Log) Warnf(format string, args ...any)  { l.T.Logf(format, args...) }

// Env returns an environment for k.
func Env(t testing.TB, k *output.Kind) *output.Env {
	return &output.Env{Name: k.Name, Title: k.Title, Version: "0.0.0", StateDir: t.TempDir(), Log: Log{t}, Now: func() time.Time { return Now },
		Labels: []string{"cluster"}, Enabled: func() []string { return []string{k.Title} }}
}

// Opened is an output under test.
type Opened struct {
	output.Output
	Kind   *output.Kind // as the settings have adjusted it
	Config any
}

// Open makes the output of that name (metric name or section) from a YAML file as users write it,
// with the environment environ: "SLACK_CHANNEL=#a". It is closed when the test ends.
func Open(t testing.TB, name, yaml string, environ ...string) *Opened {
	t.Helper()
	o, err := TryOpen(t, name, yaml, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TryOpen is Open that returns the error of settings that cannot work.
func TryOpen(t testing.TB, name, yaml string, environ ...string) (*Opened, error) {
	t.Helper()
	return TryOpenEnv(t, name, yaml, nil, environ...)
}

// TryOpenEnv is TryOpen with a say in the environment.
func TryOpenEnv(t testing.TB, name, yaml string, change func(*output.Env), environ ...string) (*Opened, error) {
	t.Helper()
	kind := output.Find(name)
	if kind == nil {
		t.Fatalf("no output is called %q: is its line in list.go?", name)
	}
	k := *kind
	l := settings.New(environ)
	if err := l.Parse("test.yaml", []byte(yaml)); err != nil {
		t.Fatal(err)
	}
	cfg := k.Config()
	l.Bind(cfg, k.Section)
	l.Unknown()
	for _, p := range l.Problems {
		t.Errorf("settings: %s", p)
	}
	on := settings.Enabled(cfg)
	if k.Enabled != nil {
		on = k.Enabled(cfg)
	}
	if !on {
		t.Errorf("the settings do not enable %s", name)
	}
	if k.Adjust != nil {
		k.Adjust(cfg, &k)
	}
	env := Env(t, &k)
	if change != nil {
		change(env)
	}
	out, err := k.New(cfg, env)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := out.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return &Opened{out, &k, cfg}, nil
}

// Send gives events to the output as the engine does: cut, and in batches.
func (o *Opened) Send(t testing.TB, events ...*event.Event) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	n := max(o.Kind.Batch.Events, 1)
	for len(events) > 0 {
		batch := make([]*event.Event, 0, n)
		for _, e := range events[:min(n, len(events))] {
			batch = append(batch, e.Cut(o.Kind.Limits))
		}
		events = events[len(batch):]
		if err := o.Output.Send(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// Event returns an ordinary event. Each call with another n has another UUID and
// another time.
func Event(n int) *event.Event {
	e := &event.Event{
		UUID:     UUID(n),
		Output:   `15:31:56.746609046: Warning A shell was spawned in a container (user=root shell=bash parent=nginx cmdline="bash -i")`,
		Priority: event.Warning, Rule: "Terminal shell in container", Source: "syscall", Hostname: "node-1",
		Time: time.Date(2026, 5, 17, 15, 31, 56, 746609046, time.UTC).Add(time.Duration(n) * time.Millisecond),
		Tags: []string{"container", "mitre_execution", "shell"},
	}
	for k, v := range map[string]any{
		"evt.time": json.Number("1779031916746609046"), "proc.name": "bash", "proc.cmdline": "bash -i", "proc.pid": json.Number("4242"),
		"user.name": "root", "k8s.ns.name": "prod", "k8s.pod.name": "web-1", "container.id": "abc123", "container.image.repository": "nginx",
		"proc.is_exe_writable": false, "proc.aname[2]": "sshd", "fd.lport": nil,
	} {
		e.Fields.Set(k, v)
	}
	return e.Seal()
}

// Events returns n of them.
func Events(n int) []*event.Event {
	out := make([]*event.Event, n)
	for i := range out {
		out[i] = Event(i)
	}
	return out
}

// UUID returns the one of Event(n).
func UUID(n int) string { return fmt.Sprintf("0b7c5e5e-0000-4000-8000-%012x", n) }
