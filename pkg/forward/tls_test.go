// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority makes certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T, dir string) *authority {
	a := &authority{t: t, dir: dir}
	a.cert, a.key = a.make("ca.crt", "", true)
	return a
}

// make writes a certificate and its key, and returns both.
func (a *authority) make(cert, key string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.n++
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(a.n), Subject: pkix.Name{CommonName: cert}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: ca, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = tmpl, k
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &k.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(cert, "CERTIFICATE", der)
	if key != "" {
		text, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			a.t.Fatal(err)
		}
		a.write(key, "EC PRIVATE KEY", text)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c, k
}

func (a *authority) write(name, kind string, der []byte) {
	if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *authority) pair(cert, key string) tls.Certificate {
	p, err := tls.LoadX509KeyPair(filepath.Join(a.dir, cert), filepath.Join(a.dir, key))
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// Senders over TLS: who shows no certificate is turned away, paths that are to be plain are served
// beside, and a certificate that is renewed counts without a restart.
func TestServerTLS(t *testing.T) {
	dir, s := t.TempDir(), newReceiver(t)
	a := newAuthority(t, dir)
	a.make("server.crt", "server.key", false)
	a.make("client.crt", "client.key", false)
	tlsAddr, plainAddr := freeAddr(t), freeAddr(t)
	_, port, _ := net.SplitHostPort(tlsAddr)
	_, plain, _ := net.SplitHostPort(plainAddr)
	r := prepare(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\nlistenaddress: 127.0.0.1\nlistenport: "+port+"\ntlsserver: {deploy: true, certfile: "+dir+"/server.crt, keyfile: "+dir+
		"/server.key, mutualtls: true, cacertfile: "+dir+"/ca.crt, notlsport: "+plain+", notlspaths: [/metrics, healthz]}\n")
	r.Start()
	list, err := r.Listen()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		go l.HTTP.Serve(l.Net)
		defer l.HTTP.Close()
	}
	client := func(certs ...tls.Certificate) *http.Client {
		return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: a.pool(), Certificates: certs}}}
	}
	good := client(a.pair("client.crt", "client.key"))
	res, err := good.Post("https://"+tlsAddr+"/", "application/json", bytes.NewReader(line(0)))
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", res, err)
	}
	if res, err := client().Post("https://"+tlsAddr+"/", "application/json", bytes.NewReader(line(1))); err == nil {
		t.Errorf("without a certificate: %s", res.Status)
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool(), MaxVersion: tls.VersionTLS11, Certificates: []tls.Certificate{a.pair("client.crt", "client.key")}}}}
	if res, err := old.Get("https://" + tlsAddr + "/ping"); err == nil {
		t.Errorf("TLS 1.1: %s", res.Status)
	}
	for url, want := range map[string]int{"http://" + plainAddr + "/metrics": 200, "http://" + plainAddr + "/healthz": 200, "http://" + plainAddr + "/": 404,
		"http://" + plainAddr + "/ping": 404, "https://" + tlsAddr + "/ping": 200, "https://" + tlsAddr + "/metrics": 404} {
		if res, err := good.Get(url); err != nil || res.StatusCode != want {
			t.Errorf("%s: %v %v, want %d", url, res, err, want)
		}
	}
	serial := func() int64 {
		res, err := good.Get("https://" + tlsAddr + "/ping")
		if err != nil {
			t.Fatal(err)
		}
		return res.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	before := serial()
	a.make("server.crt", "server.key", false)
	os.Chtimes(filepath.Join(dir, "server.crt"), time.Time{}, time.Now().Add(time.Minute))
	if serial() == before {
		t.Error("the new certificate does not count")
	}
	r.idle()
	s.has(t, 0, 1)
}

// Receivers over TLS: with our certificate, with the CA that the settings name, or with neither.
func TestClientTLS(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(t, dir)
	a.make("server.crt", "server.key", false)
	a.make("client.crt", "client.key", false)
	serve := func(auth tls.ClientAuthType) *receiver {
		s := &receiver{got: map[string]int{}}
		s.Server = httptest.NewUnstartedServer(s)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{a.pair("server.crt", "server.key")}, ClientCAs: a.pool(), ClientAuth: auth}
		s.Config.ErrorLog = nil
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	mutual, plain := serve(tls.RequireAndVerifyClientCert), serve(tls.NoClientCert)
	for _, c := range []struct {
		name, yaml string
		s          *receiver
		want       bool
	}{
		{"mutual TLS", "mutualtlsfilespath: " + dir + "\nwebhook: {address: '" + mutual.URL + "', mutualtls: true}\n", mutual, true},
		{"mutual TLS, files of their own", "mutualtlsclient: {certfile: " + dir + "/client.crt, keyfile: " + dir + "/client.key, cacertfile: " + dir + "/ca.crt}\nwebhook: {address: '" + mutual.URL + "', mutualtls: true}\n", mutual, true},
		{"no certificate", "tlsclient: {cacertfile: " + dir + "/ca.crt}\nwebhook: {address: '" + mutual.URL + "'}\n", mutual, false},
		{"a CA for all", "tlsclient: {cacertfile: " + dir + "/ca.crt}\nwebhook: {address: '" + plain.URL + "'}\n", plain, true},
		{"a CA of its own", "webhook: {address: '" + plain.URL + "', cacertfile: " + dir + "/ca.crt}\n", plain, true},
		{"an unknown CA", "webhook: {address: '" + plain.URL + "'}\n", plain, false},
		{"no check", "webhook: {address: '" + plain.URL + "', checkcert: false}\n", plain, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.s.mu.Lock()
			c.s.got = map[string]int{}
			c.s.mu.Unlock()
			r := begin(t, t.TempDir(), c.yaml)
			r.post(0, 1)
			if c.want {
				r.idle()
				c.s.has(t, 0, 1)
				return
			}
			until(t, "it has tried", func() bool { return r.Books()["webhook"].Failures > 0 })
			c.s.has(t, 0, 0)
		})
	}
	for _, yaml := range []string{"mutualtlsfilespath: /nosuch\nwebhook: {address: 'https://x', mutualtls: true}\n", "tlsclient: {cacertfile: /nosuch}\nwebhook: {address: 'https://x'}\n"} {
		if err := Validate(config(t, yaml)); err == nil {
			t.Errorf("%s: certificates that are not there are no error", yaml)
		}
	}
}
