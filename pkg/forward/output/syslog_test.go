// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
	"github.com/falco-go/falco/tests/vm"
	gosyslog "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc3164"
	"github.com/leodido/go-syslog/v4/rfc5424"
)

// syslogServer takes what comes over TCP; it ends a connection after so many bytes, if it is told to.
type syslogServer struct {
	net.Listener
	mu    sync.Mutex
	got   bytes.Buffer
	conns []net.Conn
}

func serveSyslog(t *testing.T) *syslogServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &syslogServer{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			go func() {
				defer c.Close()
				var b [4096]byte
				for {
					n, err := c.Read(b[:])
					s.mu.Lock()
					s.got.Write(b[:n])
					s.mu.Unlock()
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return s
}

func (s *syslogServer) port() string {
	_, port, _ := net.SplitHostPort(s.Addr().String())
	return port
}

func (s *syslogServer) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

func (s *syslogServer) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// datagrams listens on UDP.
func datagrams(t *testing.T) (port string, next func() []byte) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, port, _ = net.SplitHostPort(c.LocalAddr().String())
	b := make([]byte, 1<<16)
	return port, func() []byte {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, _, err := c.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte(nil), b[:n]...)
	}
}

// Somebody else's parser reads the three standards.
func TestSyslogStandards(t *testing.T) {
	e := outputtest.Event(0).Clone()
	e.Rule = `a "quoted" ] rule \`
	e.Seal()
	for _, c := range []struct {
		standard string
		parser   gosyslog.Machine
	}{{"rfc5424", rfc5424.NewParser()}, {"rfc3164", rfc3164.NewParser(rfc3164.WithYear(rfc3164.Year{YYYY: 2026}))}, {"original", rfc3164.NewParser(rfc3164.WithRFC3339())}} {
		port, next := datagrams(t)
		o := outputtest.Open(t, "syslog", "syslog: {host: 127.0.0.1, protocol: udp, facility: local3, standard: "+c.standard+", port: "+port+"}")
		if err := o.Send(t, e); err != nil {
			t.Fatal(err)
		}
		text := next()
		m, err := c.parser.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v: %s", c.standard, err, text)
		}
		var base any = m
		switch m := base.(type) {
		case *rfc5424.SyslogMessage:
			sd := (*m.StructuredData)["falco@32473"]
			if *m.Facility != 19 || *m.Severity != 4 || *m.Hostname != "node-1" || *m.Appname != "Falco" || *m.MsgID != "syscall" || !m.Timestamp.Equal(e.Time.Truncate(time.Microsecond)) ||
				sd["rule"] != e.Rule || sd["priority"] != "Warning" || sd["uuid"] != e.UUID {
				t.Errorf("%s: %s\n%v", c.standard, text, sd)
			}
			outputtest.SameJSON(t, []byte(*m.Message), e.JSON())
		case *rfc3164.SyslogMessage:
			if *m.Facility != 19 || *m.Severity != 4 || *m.Hostname != "node-1" || *m.Appname != "Falco" || !m.Timestamp.Equal(e.Time.Truncate(time.Second)) {
				t.Errorf("%s: %s", c.standard, text)
			}
			outputtest.SameJSON(t, []byte(*m.Message), e.JSON())
		}
	}
}

func TestSyslogCEF(t *testing.T) {
	port, next := datagrams(t)
	o := outputtest.Open(t, "syslog", "syslog: {host: '127.0.0.1:"+port+"', protocol: UDP, format: cef, standard: original}")
	e := outputtest.Event(0).Clone()
	e.Rule, e.Output, e.Fields, e.Tags = `pipe | and \`, "a=b\nc|d", nil, []string{"x=y", "z"}
	e.Fields.Set("proc.name", "tr=ue")
	e.Fields.Set("proc.pid", event.Field{}.Value)
	e.Fields.Set("user.name", "root")
	if err := o.Send(t, e.Seal()); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(next()), "]: ")
	want := `CEF:0|Falcosecurity|Falco|1.0|Falco Event|pipe \| and \\|6|uuid=` + e.UUID + ` start=` + fmt.Sprint(e.Time.UnixMilli()) +
		` msg=a\=b\nc|d source=syscall hostname=node-1 outputfields=proc.name:tr\=ue user.name:root tags=x\=y,z`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// No content makes two messages of one, or a datagram that is too long, or a message that cannot be parsed.
func TestSyslogHostile(t *testing.T) {
	n := len(outputtest.HostileEvents())
	for _, format := range []string{"json", "cef"} {
		s := serveSyslog(t)
		outputtest.Hostile(t, outputtest.Open(t, "syslog", "syslog: {host: 127.0.0.1, format: "+format+", port: "+s.port()+"}"))
		until(t, "all lines", func() bool { return strings.Count(s.text(), "\n") >= n })
		for _, line := range strings.Split(strings.TrimSuffix(s.text(), "\n"), "\n") {
			if _, err := rfc5424.NewParser().Parse([]byte(line)); err != nil {
				t.Errorf("%v: %.300q", err, line)
			}
		}
		port, next := datagrams(t)
		o := outputtest.Open(t, "syslog", "syslog: {host: 127.0.0.1, protocol: udp, format: "+format+", port: "+port+"}")
		for _, e := range outputtest.HostileEvents() {
			if err := o.Send(t, e); err != nil {
				t.Fatal(err)
			}
			text := next()
			m, err := rfc5424.NewParser().Parse(text)
			if err != nil || len(text) > 2048 {
				t.Errorf("%d bytes: %v: %.300q", len(text), err, text)
				continue
			}
			if format == "json" && len(e.JSON()) > 2048 && m.(*rfc5424.SyslogMessage).Message != nil {
				if cut, err := event.Parse([]byte(*m.(*rfc5424.SyslogMessage).Message)); err != nil || !cut.Truncated {
					t.Errorf("what was cut is no event: %v: %.300q", err, text)
				}
			}
		}
	}
}

// A connection that the peer has ended is opened again, and nothing is missing.
func TestSyslogReconnects(t *testing.T) {
	s := serveSyslog(t)
	o := outputtest.Open(t, "syslog", "syslog: {host: 127.0.0.1, framing: octet, port: "+s.port()+"}")
	seen := func() map[string]bool {
		got := map[string]bool{}
		octetcounting.NewParser(gosyslog.WithBestEffort(), gosyslog.WithListener(func(r *gosyslog.Result) {
			if m, ok := r.Message.(*rfc5424.SyslogMessage); ok && m != nil && m.StructuredData != nil {
				got[(*m.StructuredData)["falco@32473"]["uuid"]] = true
			}
		})).Parse(strings.NewReader(s.text()))
		return got
	}
	want := outputtest.Events(30)
	for i, e := range want {
		if i%7 == 3 {
			// What a receiver has not read when it goes is lost: nothing in the protocol says so.
			until(t, "all events so far", func() bool { return len(seen()) >= i })
			s.hangUp()
		}
		for o.Send(t, e) != nil {
		}
	}
	// The end of the last connection may have come after the last event was written: the next takes it along.
	until(t, "all events", func() bool {
		if len(seen()) >= len(want) {
			return true
		}
		o.Send(t, outputtest.Event(29))
		return false
	})
}

func TestSyslogFailures(t *testing.T) {
	o := outputtest.Open(t, "syslog", "syslog: {host: 127.0.0.1, port: "+freePort(t)+"}")
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Retryable)
	for _, bad := range []string{"port: 99999", "udpsize: 3", "mutualtls: true, protocol: tls"} {
		if _, err := outputtest.TryOpen(t, "syslog", "syslog: {host: h, "+bad+"}"); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// rsyslog takes all transports, and stores what was sent.
func TestSyslogRsyslog(t *testing.T) {
	rsyslogd := vm.Tool(t, "rsyslogd", "rsyslog")
	debian(t, "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so", "rsyslog-gnutls")
	dir := t.TempDir()
	certificates(t, dir)
	in := func(name string) string { return filepath.Join(dir, name) }
	tcp, secure, udp := freePort(t), freePort(t), freePort(t)
	// A module is loaded once: TLS is another instance of the server.
	writeFile(t, in("plain"), fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k")
module(load="imtcp")
module(load="imudp")
template(name="line" type="string" string="%%syslogfacility-text%%.%%syslogseverity-text%% %%hostname%% %%programname%% %%msgid%% %%structured-data%% %%msg%%\n")
input(type="imtcp" address="127.0.0.1" port=%q)
input(type="imudp" address="127.0.0.1" port=%q)
*.* action(type="omfile" file=%q template="line")
`, dir, tcp, udp, in("out")))
	writeFile(t, in("tls"), fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k" defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q)
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
template(name="line" type="string" string="%%syslogfacility-text%%.%%syslogseverity-text%% %%hostname%% %%programname%% %%msgid%% %%structured-data%% %%msg%%\n")
input(type="imtcp" address="127.0.0.1" port=%q)
*.* action(type="omfile" file=%q template="line")
`, dir, in("ca.crt"), in("server.crt"), in("server.key"), secure, in("out.tls")))
	daemon(t, rsyslogd, "-n", "-f", in("plain"), "-i", in("pid"))
	daemon(t, rsyslogd, "-n", "-f", in("tls"), "-i", in("pid.tls"))
	listening(t, tcp)
	listening(t, secure)
	e := outputtest.Event(3)
	for name, c := range map[string]struct{ conf, file string }{
		"udp":       {"protocol: udp, port: " + udp, "out"},
		"tcp":       {"port: " + tcp, "out"},
		"octets":    {"framing: octet, port: " + tcp, "out"},
		"mutualtls": {fmt.Sprintf("certfile: %s, keyfile: %s, cacertfile: %s, port: %s, host: 'tls://localhost'", in("client.crt"), in("client.key"), in("ca.crt"), secure), "out.tls"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(c.conf, "host:") {
				c.conf = "host: 127.0.0.1, " + c.conf
			}
			o := outputtest.Open(t, "syslog", "syslog: {appname: Falco-"+name+", "+c.conf+"}")
			if err := o.Send(t, e); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf(`authpriv.warning node-1 Falco-%s syscall [falco@32473 rule="%s" priority="Warning" uuid="%s"] %s`, name, e.Rule, e.UUID, e.JSON())
			until(t, "the line", func() bool { return strings.Contains(strings.Join(lines(in(c.file)), "\n"), "Falco-"+name) })
			for _, line := range lines(in(c.file)) {
				if strings.Contains(line, "Falco-"+name) && line != want {
					t.Errorf("got\n%s\nwant\n%s", line, want)
				}
			}
		})
	}
	// A stranger to the CA is refused, and so is a server that the client does not know.
	o := outputtest.Open(t, "syslog", "syslog: {host: localhost, protocol: tls, port: "+secure+"}")
	outputtest.Class(t, o.Send(t, e), output.Retryable)
	// All of what is hostile arrives over TCP, each as one line.
	o = outputtest.Open(t, "syslog", "syslog: {host: 127.0.0.1, appname: hostile, port: "+tcp+"}")
	n := 0
	for _, e := range outputtest.HostileEvents() {
		if len(e.JSON()) < 60000 {
			n++
			if err := o.Send(t, e); err != nil {
				t.Error(err)
			}
		}
	}
	until(t, "hostile lines", func() bool {
		got := 0
		for _, line := range lines(in("out")) {
			if strings.Contains(line, " hostile ") {
				got++
			}
		}
		return got == n
	})
}
