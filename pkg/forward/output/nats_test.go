// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
	"github.com/falco-go/falco/tests/forward/natstest"
)

func natsClient(t *testing.T, s *server.Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestNATS(t *testing.T) {
	s := natstest.Start(t, &server.Options{})
	sub, err := natsClient(t, s).SubscribeSync("falco.>")
	if err != nil {
		t.Fatal(err)
	}
	o := outputtest.Open(t, "nats", "nats: {hostport: '"+s.ClientURL()+"', checkcert: true, maxconcurrentrequests: 1}")
	events := outputtest.Events(300)
	if err := o.Send(t, events...); err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		m, err := sub.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if m.Subject != "falco.warning.terminal_shell_in_container" {
			t.Fatalf("subject is %q", m.Subject)
		}
		outputtest.SameJSON(t, m.Data, e.JSON())
	}
	if n := s.NumClients(); n != 2 {
		t.Errorf("%d connections, want one for all events beside the test's own", n-1)
	}
}

// What cannot be acknowledged is not delivered: the stream's answer counts, and a second delivery of
// an event is known by its UUID.
func TestNATSJetStream(t *testing.T) {
	s := natstest.Start(t, &server.Options{JetStream: true, MaxPayload: 1 << 20})
	o := outputtest.Open(t, "nats", "nats: {hostport: '"+s.ClientURL()+"', jetstream: true}")
	outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), output.Configuration) // nobody keeps the subject
	js, err := jetstream.New(natsClient(t, s))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "FALCO", Subjects: []string{"falco.>"}, Duplicates: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	events := outputtest.Events(500)
	for range 2 {
		if err := o.Send(t, events...); err != nil {
			t.Fatal(err)
		}
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 500 {
		t.Errorf("the stream has %d messages, want 500", info.State.Msgs)
	}
	m, err := stream.GetMsg(t.Context(), 500)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Header.Get("Nats-Msg-Id"); got != outputtest.UUID(499) {
		t.Errorf("Nats-Msg-Id is %q", got)
	}
	big := outputtest.Event(1).Clone()
	big.Output = strings.Repeat("x", 1<<20)
	err = o.Output.Send(t.Context(), []*output.Event{outputtest.Event(1000), big.Seal(), outputtest.Event(1001)})
	p, ok := err.(*output.Partial)
	if !ok || p.Errs[0] != nil || p.Errs[2] != nil {
		t.Fatalf("error is %v", err)
	}
	outputtest.Class(t, p.Errs[1], output.Final)
}

// The server goes, and comes back: the output does not need to be made anew.
func TestNATSComesBack(t *testing.T) {
	s := natstest.Start(t, &server.Options{})
	o := outputtest.Open(t, "nats", "nats: {hostport: '"+s.ClientURL()+"'}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	port := s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	outputtest.Class(t, o.Send(t, outputtest.Event(1)), output.Retryable)
	s = natstest.Start(t, &server.Options{Port: port})
	sub, err := natsClient(t, s).SubscribeSync("falco.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Send(t, outputtest.Event(2)); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsg(5 * time.Second); err != nil {
		t.Error(err)
	} else {
		outputtest.SameJSON(t, m.Data, outputtest.Event(2).JSON())
	}
}

func TestNATSLogsIn(t *testing.T) {
	s := natstest.Start(t, &server.Options{Username: "falco", Password: "secret"})
	o := outputtest.Open(t, "nats", "nats: {hostport: '"+s.ClientURL()+"', user: falco, password: secret}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	o = outputtest.Open(t, "nats", "nats: {hostport: '"+s.ClientURL()+"', user: falco, password: other}")
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Configuration)

	perms := &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"falco.>"}}}
	s = natstest.Start(t, &server.Options{Users: []*server.User{{Username: "a", Password: "b", Permissions: perms}}})
	o = outputtest.Open(t, "nats", "nats: {hostport: '"+s.ClientURL()+"', user: a, password: b}")
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Configuration)
}

func TestNATSOverTLS(t *testing.T) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, certPEM(srv.Certificate()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := natstest.Start(t, &server.Options{TLS: true, TLSConfig: &tls.Config{Certificates: srv.TLS.Certificates}})
	host := strings.TrimPrefix(strings.TrimPrefix(s.ClientURL(), "nats://"), "tls://")
	for _, more := range []string{", cacertfile: " + ca, ", checkcert: false"} {
		o := outputtest.Open(t, "nats", "nats: {hostport: 'natss://"+host+"'"+more+"}")
		if err := o.Send(t, outputtest.Event(0)); err != nil {
			t.Errorf("%s: %v", more, err)
		}
	}
	if err := outputtest.Open(t, "nats", "nats: {hostport: 'tls://"+host+"'}").Send(t, outputtest.Event(0)); err == nil {
		t.Error("the certificate of a stranger is taken")
	}
}

func TestNATSRefusesWhatCannotWork(t *testing.T) {
	for _, yaml := range []string{
		"nats: {hostport: 'http://h:1'}", "nats: {hostport: 'nats://h:1', subjecttemplate: 'a b'}", "nats: {hostport: 'nats://h:1', subjecttemplate: 'a..b'}",
		"nats: {hostport: 'nats://h:1', subjecttemplate: 'a.*'}", "nats: {hostport: 'nats://h:1', nkeyfile: /does/not/exist}",
	} {
		if _, err := outputtest.TryOpen(t, "nats", yaml); err == nil {
			t.Errorf("%s: no error", yaml)
		}
	}
}

func TestNATSHostile(t *testing.T) {
	s := natstest.Start(t, &server.Options{MaxPayload: 8 << 20})
	bad := make(chan string, 1)
	natsClient(t, s).Subscribe(">", func(m *nats.Msg) {
		if p := strings.Split(m.Subject, "."); len(p) != 3 || strings.Trim(p[2], "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			select {
			case bad <- m.Subject:
			default:
			}
		}
	})
	outputtest.Hostile(t, outputtest.Open(t, "nats", "nats: {hostport: '"+s.ClientURL()+"'}"))
	select {
	case s := <-bad:
		t.Errorf("subject %q", s)
	default:
	}
}

// one takes the only error out of a batch of one.
func one(err error) error {
	if p, ok := err.(*output.Partial); ok && len(p.Errs) == 1 {
		return p.Errs[0]
	}
	return err
}

// within is a context for what has to fail soon.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// uuids returns the set of the events' names.
func uuids(events []*output.Event) map[string]bool {
	out := map[string]bool{}
	for _, e := range events {
		out[e.UUID] = true
	}
	return out
}

func sameSet(t *testing.T, got, want map[string]bool) {
	t.Helper()
	for k := range want {
		if !got[k] {
			t.Errorf("%s is missing", k)
		}
	}
	if len(got) > len(want) {
		t.Error(fmt.Sprint(len(got)-len(want)) + " more than were sent")
	}
}

func port(t *testing.T, addr string) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}
