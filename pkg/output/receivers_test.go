// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/spool/spooltest"
	"github.com/falco-go/falco/tests/vm"
)

// rsyslog writes what it is sent, level and name included, and what was raised
// while it was away.
func TestRsyslog(t *testing.T) {
	rsyslogd := vm.Tool(t, "rsyslogd", "rsyslog")
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	conf := fmt.Sprintf(`global(workDirectory=%q)
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket=%q RateLimit.Interval="0")
template(name="line" type="string" string="%%syslogfacility-text%%.%%syslogseverity-text%% %%programname%%:%%msg%%\n")
*.* action(type="omfile" file=%q template="line")
`, dir, in("log"), in("out"))
	if err := os.WriteFile(in("conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
		cmd := exec.Command(rsyslogd, "-n", "-f", in("conf"), "-i", in("pid"))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		until(t, "rsyslogd", func() bool {
			c, err := net.Dial("unixgram", in("log"))
			if err == nil {
				c.Close()
			}
			return err == nil
		})
		return cmd
	}
	q := Start(NewSyslog(in("log"), "falco"), func() Options {
		o := durable(in("s"))
		o.Style = utc
		return o
	}())
	var want strings.Builder
	names := []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	send := func(n int) {
		sev := n % len(names)
		q.Send(&alert.Alert{Rule: "r", Severity: alert.Severity(sev), Message: fmt.Sprintf("number %d é\x01", n)})
		fmt.Fprintf(&want, "user.%s falco: 00:00:00.000000000: %s number %d é\\u0001\n", names[sev], alert.Severity(sev), n)
	}
	arrived := func() string { text, _ := os.ReadFile(in("out")); return string(text) }
	n := 0
	for range 2 {
		for range 50 { // it is not there yet, or was sent away
			send(n)
			n++
		}
		tried := q.Stats().Retried
		until(t, "attempts", func() bool { return q.Stats().Retried > tried })
		cmd := start()
		for range 50 {
			send(n)
			n++
		}
		until(t, "all lines", func() bool { return strings.Count(arrived(), "\n") == n })
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}
	q.Close(time.Minute)
	if got := strings.ReplaceAll(arrived(), "#", "\\"); got != want.String() {
		t.Errorf("got\n%swant\n%s", got, want.String())
	}
	balanced(t, q.Stats())
}

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue returns a certificate and its key as PEM; without an authority it signs itself.
func (a *authority) issue(t *testing.T, name string) (certPEM, keyPEM []byte, made *authority) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: a == nil, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, signer := tmpl, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	raw, _ := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), &authority{cert, key}
}

// Over mutual TLS and HTTP/2, one connection carries all alerts. Certificates that
// are not there yet, or not the right ones, cost nothing with a spool.
func TestMutualTLS(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if text != nil {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	var none *authority
	caPEM, _, ca := none.issue(t, "ca")
	srvCert, srvKey, _ := ca.issue(t, "server")
	cert, key, _ := ca.issue(t, "falco")
	strangerCert, strangerKey, _ := none.issue(t, "stranger")

	var conns, wrong, n atomic.Int32
	var from sync.Map
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.TLS.PeerCertificates[0].Subject.CommonName != "falco" {
			wrong.Add(1)
		}
		io.Copy(io.Discard, r.Body)
		n.Add(1)
		if _, known := from.LoadOrStore(r.RemoteAddr, true); !known {
			conns.Add(1)
		}
	}))
	pair, err := tls.X509KeyPair(srvCert, srvKey)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()

	sink, err := NewHTTP(HTTP{URL: srv.URL, Answers: true, MTLS: true, KeepAlive: true, CAFile: file("ca", caPEM),
		CertFile: file("cert", nil), KeyFile: file("key", nil)})
	if err != nil {
		t.Fatal(err)
	}
	q := Start(sink, durable(filepath.Join(dir, "s")))
	const alerts = 100
	for i := range alerts {
		q.Send(numbered(i))
	}
	fails := func(what string) {
		t.Helper()
		before := q.Stats().Retried
		until(t, what, func() bool { return q.Stats().Retried > before+2 })
		if n.Load() > 0 {
			t.Errorf("%s: alerts arrive", what)
		}
	}
	fails("no certificate")
	file("cert", strangerCert)
	file("key", strangerKey)
	fails("a stranger's certificate")
	file("cert", cert)
	file("key", key)
	q.Reopen() // SIGUSR1
	until(t, "all", func() bool { return q.Stats().Sent == alerts })
	q.Close(time.Minute)
	if wrong.Load() > 0 || n.Load() != alerts || conns.Load() != 1 {
		t.Errorf("%d came over %d connections, %d not as they should", n.Load(), conns.Load(), wrong.Load())
	}
}

// A command that fails gets the alert again, from a spool; one that dies on and on
// keeps nobody from ending.
func TestProgramFails(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	command := fmt.Sprintf(`read l; test -e %[1]s/ok || { touch %[1]s/ok; exit 7; }; rm %[1]s/ok; echo "$l" >>%[1]s/out`, dir)
	q := Start(NewProgram(command, false, false, true), durable(filepath.Join(dir, "s")))
	for n := range 10 {
		q.Send(numbered(n + 1))
	}
	until(t, "all", func() bool { return q.Stats().Sent == 10 })
	q.Close(time.Minute)
	if st := q.Stats(); st.Retried != 10 || strings.Count(content(t, out), "\n") != 10 {
		t.Errorf("%+v, %s", st, content(t, out))
	}
	for _, keep := range []bool{true, false} {
		q = Start(NewProgram("exec sleep 60 >/dev/null 2>&1", keep, false, true), durable(filepath.Join(dir, fmt.Sprint(keep))))
		for range 1000 { // more than a pipe holds
			q.Send(numbered(1))
		}
		until(t, "the disk", func() bool { st := q.Stats(); return st.HasSpool && st.Queued == 0 })
		began := time.Now()
		q.Close(10 * time.Millisecond)
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("it took %v to end", d)
		}
		balanced(t, q.Stats())
	}
}

// A FIFO that nobody reads costs others nothing, and leaves no goroutine behind;
// whoever comes to read it gets all that the spool has.
func TestFIFO(t *testing.T) {
	dir, before := t.TempDir(), runtime.NumGoroutine()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var side bytes.Buffer
	q, other := Start(NewFile(fifo, true, false), Options{Style: utc, Capacity: 1000}), Start(NewStdout(&side, false), Options{Style: utc})
	const alerts = 20_000
	for n := range alerts {
		a := numbered(n)
		q.Send(a)
		other.Send(a)
	}
	if !other.Close(time.Minute) || strings.Count(side.String(), "\n") != alerts {
		t.Errorf("the other: %+v", other.Stats())
	}
	st := q.Stats()
	if st.Queued > 1001 || st.Queued+st.Dropped != alerts {
		t.Errorf("%+v", st)
	}
	q.Close(time.Millisecond)
	if st := q.Stats(); st.Dropped != alerts || st.Stuck {
		t.Errorf("%+v", st)
	}

	q = Start(NewFile(fifo, true, false), durable(filepath.Join(dir, "s")))
	for n := 1; n <= alerts; n++ {
		q.Send(numbered(n))
	}
	until(t, "the disk", func() bool { return q.Stats().Spooled == alerts })
	r, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	text := make(chan string)
	go func() { b, _ := io.ReadAll(r); text <- string(b) }()
	until(t, "all", func() bool { return q.Stats().Sent == alerts })
	q.Close(time.Minute)
	n := 0
	for l := range strings.Lines(<-text) {
		if n++; !strings.Contains(l, fmt.Sprintf(`"rule":"%d"`, n)) {
			t.Fatalf("line %d is %s", n, l)
		}
	}
	if n != alerts {
		t.Errorf("%d lines", n)
	}
	r.Close()
	until(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// A file on a disk that is full: without a spool what fails is counted, exactly; with one
// everything is there once there is room.
func TestFileOnFullDisk(t *testing.T) {
	spooltest.OnSmallDisk(t, "1m", func(t *testing.T, disk string) {
		path := filepath.Join(disk, "alerts")
		whole := func(path string) (n int) {
			for l := range strings.Lines(content(t, path)) {
				if strings.HasSuffix(l, "}\n") && !strings.HasPrefix(message(Line{Text: []byte(l), ID: idOf(between(l, `"uuid":"`, `"`))}), "TORN") {
					n++
				}
			}
			return n
		}
		const alerts = 20_000 // some megabytes
		style := alert.Style{JSON: true, UUID: true, Output: true}
		for _, keep := range []bool{true, false} {
			q := Start(NewFile(path, keep, false), Options{Style: style})
			for n := range alerts {
				q.Send(numbered(n))
			}
			q.Close(time.Minute)
			if st := q.Stats(); st.Sent+st.Failed != alerts || st.Failed == 0 || uint64(whole(path)) != st.Sent {
				t.Errorf("%d whole lines, %+v", whole(path), st)
			}
			os.Remove(path)
		}
		opt := durable(filepath.Join(t.TempDir(), "s"))
		q := Start(NewFile(path, true, false), opt)
		for n := range alerts {
			q.Send(numbered(n))
		}
		until(t, "a full disk", func() bool { return q.Stats().Retried > 3 })
		found := 0
		for q.Stats().Sent < alerts { // as logrotate does
			os.Rename(path, path+".old")
			q.Reopen()
			until(t, "a new file", func() bool { _, err := os.Stat(path); return err == nil })
			found += whole(path + ".old")
			os.Remove(path + ".old")
			until(t, "a full disk, or the end", func() bool {
				r := q.Stats().Retried
				time.Sleep(20 * time.Millisecond)
				return q.Stats().Sent == alerts || q.Stats().Retried > r
			})
		}
		q.Close(time.Minute)
		if found += whole(path); found < alerts {
			t.Errorf("%d whole lines of %d, %+v", found, alerts, q.Stats())
		}
		balanced(t, q.Stats())
	})
}

func between(text, before, after string) string {
	_, text, _ = strings.Cut(text, before)
	text, _, _ = strings.Cut(text, after)
	return text
}

// A receiver is away for an hour's worth of alerts. Meanwhile the other outputs get
// all of theirs, and memory stays as it is; then everything comes, in order.
func TestHourAway(t *testing.T) {
	var back atomic.Bool
	s := &scripted{answer: func(int, Line) error {
		if !back.Load() {
			return errors.New("away")
		}
		return nil
	}}
	q, other := Start(s, durable(filepath.Join(t.TempDir(), "s"))), Start(NewStdout(io.Discard, false), Options{})
	const alerts, perBatch = 36_000, 600 // ten a second
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for n := 1; n <= alerts; n++ {
		a := numbered(n)
		a.Message = strings.Repeat("x", 400)
		q.Send(a)
		other.Send(a)
		if n%perBatch == 0 {
			until(t, "the disk", func() bool { return q.Stats().Queued == 0 && other.Stats().Sent == uint64(n) })
		}
	}
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("a backlog of %d alerts takes %d bytes of memory", q.Stats().Spooled, grown)
	}
	if st := q.Stats(); st.Spooled != alerts || st.Sent != 0 {
		t.Errorf("%+v", st)
	}
	back.Store(true)
	until(t, "all", func() bool { return q.Stats().Sent == alerts })
	q.Close(time.Minute)
	other.Close(time.Minute)
	if s.got() != numbers(1, alerts) {
		t.Error("not all, or not in order")
	}
	balanced(t, q.Stats())
}
