// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/config"
)

// serveWeb starts the web server on a port that is free.
func serveWeb(t *testing.T, c config.Web) (*daemon, string) {
	t.Helper()
	c.Enabled, c.Address, c.Healthz = true, "127.0.0.1", "/healthz"
	d := &daemon{log: newLogger(io.Discard), cfg: &config.Config{Web: c}, stop: make(chan struct{})}
	if err := d.startWeb(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.unwind)
	return d, d.web.addr.String()
}

// fine wants an answer of somebody who behaves.
func fine(t *testing.T, addr, after string) {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	var r *http.Response
	var err error
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		// On a machine that is busy, the server's patience may end before the request comes.
		if r, err = c.Get("http://" + addr + "/healthz"); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Fatalf("after %.60q: %v", after, err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != `{"status": "ok"}` {
		t.Fatalf("after %.60q: %q, %v", after, body, err)
	}
}

// Whatever is sent, the next one who asks has an answer; and nobody gets an answer that was not asked for.
func TestWebSurvivesNonsense(t *testing.T) {
	_, addr := serveWeb(t, config.Web{Threads: 2})
	long := strings.Repeat("x", 1<<20)
	for _, tc := range []struct{ send, want string }{
		{"\x00\x01\x02\r\n\r\n", "400"}, {"GET\r\n\r\n", "400"}, {"GET / HTTP/9.9\r\n\r\n", "505"}, {"GET / HTTP/1.1\r\n\r\n", "400"}, // no Host
		{"GET /" + long + " HTTP/1.1\r\nHost: a\r\n\r\n", "431"}, {"GET / HTTP/1.1\r\nHost: a\r\nA: " + long + "\r\n\r\n", "431"},
		{"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 100_000) + "\r\n", "431"},
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "404"},
		{"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n", "404"},
		{"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n" + long, "404"},
		{"GET /../../etc/shadow HTTP/1.1\r\nHost: a\r\n\r\n", "404"}, {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "404"}, {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "200"},
		{"GET http://elsewhere/healthz HTTP/1.1\r\nHost: a\r\n\r\n", "200"}, {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""},
		{"GET /healthz HTTP/1.0\r\n\r\n", "200"}, {"", ""}, {"\r\n\r\n\r\n\r\n", ""},
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(time.Minute))
		go func() {
			io.WriteString(c, tc.send)
			c.(*net.TCPConn).CloseWrite()
		}()
		line, _ := bufio.NewReader(c).ReadString('\n')
		if _, rest, _ := strings.Cut(line, " "); tc.want != "" && !strings.HasPrefix(rest, tc.want) {
			t.Errorf("%.60q: %q, want %s", tc.send, line, tc.want)
		}
		c.Close()
		fine(t, addr, tc.send)
	}
}

// Those who connect and say nothing, or never end, or never read, keep nobody out; and they cost no more than there are places.
func TestWebSlowloris(t *testing.T) {
	d, addr := serveWeb(t, config.Web{Threads: 2})
	d.health.latest.Store(&published{}) // something to read
	before := runtime.NumGoroutine()
	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	for i := range 4 * webConns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		switch i % 4 {
		case 1:
			io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: a\r\nX: ")
		case 2:
			io.WriteString(c, "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
		case 3:
			io.WriteString(c, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 50))
		}
		if i%100 == 0 {
			fine(t, addr, fmt.Sprint(i, " connections"))
		}
	}
	fine(t, addr, "all connections")
	if n := runtime.NumGoroutine() - before; n > 3*webConns {
		t.Errorf("%d goroutines for %d places", n, webConns)
	}
}

// selfSigned returns a certificate for this machine, with its key.
func selfSigned(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	self := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "falco"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, self, self, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
}

// Over TLS the answers are the same; whoever speaks plainly there has none. A reload takes a certificate that was renewed.
func TestWebTLS(t *testing.T) {
	cert := selfSigned(t)
	file := filepath.Join(t.TempDir(), "falco.pem")
	if err := os.WriteFile(file, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	d, addr := serveWeb(t, config.Web{Threads: 2, TLS: true, Certificate: file})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	ask := func(conf *tls.Config) (string, error) {
		c := http.Client{Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}}
		r, err := c.Get("https://" + addr + "/versions")
		if err != nil {
			return "", err
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		return string(body), err
	}
	for range 2 * webConns { // each goes again
		body, err := ask(&tls.Config{RootCAs: roots})
		if err != nil || !strings.Contains(body, `"falco_version"`) {
			t.Fatalf("%q, %v", body, err)
		}
	}
	if _, err := ask(&tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if r, err := http.Get("http://" + addr + "/versions"); err == nil {
		if r.Body.Close(); r.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: %s", r.Status)
		}
	}
	renewed := selfSigned(t)
	for _, step := range []struct{ text, serves []byte }{{renewed, renewed}, {[]byte("none"), renewed}} {
		put(t, file, string(step.text))
		d.reloadWeb(d.cfg)
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM(step.serves)
		if body, err := ask(&tls.Config{RootCAs: roots}); err != nil || body == "" {
			t.Errorf("after a reload: %q, %v", body, err)
		}
	}

	d = &daemon{log: newLogger(io.Discard), cfg: &config.Config{Web: config.Web{Enabled: true, TLS: true, Certificate: "/nowhere.pem"}}}
	if err := d.startWeb(); err == nil || err.Error() != "invalid webserver configuration" {
		t.Errorf("without a certificate: %v", err)
	}
}

// Who scrapes gets the original's names, all of them; who asks by hand gets the page that promtool accepts.
func TestWebMetrics(t *testing.T) {
	d, addr := serveWeb(t, config.Web{Threads: 2})
	d.health.latest.Store(&published{})
	for accept, scraper := range map[string]bool{
		"*/*": false, "": false, "text/html,application/xhtml+xml,*/*;q=0.8": false,
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1": true,
		"text/plain": true,
	} {
		r, err := http.NewRequest(http.MethodGet, "http://"+addr+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(res.Body)
		res.Body.Close()
		if got := strings.Contains(string(page), "_start_timestamp_nanoseconds "); err != nil || got != scraper || res.Header.Get("Vary") != "Accept" {
			t.Errorf("%q: the original's: %v, want %v (%v, %v)", accept, got, scraper, res.Header, err)
		}
	}
}
