// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/spool"
)

// Limits of a delivery over HTTP.
const (
	connectTimeout = 10 * time.Second
	requestTimeout = 60 * time.Second
	maxAnswer      = 1 << 20 // bytes of an answer that are read
)

// HTTP says where alerts are posted to, and how.
type HTTP struct {
	URL         string // http, https, or unix:///path/of/socket
	UserAgent   string
	ContentType string

	Insecure bool
	// Whom to trust: the first that is set.
	CAFile, CABundle, CADir string
	MTLS                    bool
	CertFile, KeyFile       string

	Compress    bool      // say that a compressed answer is welcome
	KeepAlive   bool      // probes of TCP
	MaxTimeouts int       // attempts after one that has timed out
	Echo        io.Writer // where answers go; nil: nowhere

	// Answers makes what the server says count: without it any answer is a
	// delivery; with it only 2xx is, everything else is a Refusal, and the request
	// carries the alert's ID as Idempotency-Key.
	Answers bool

	connect, request time.Duration // 0 in all but tests: those above
}

// post sends each line as a request of its own.
type post struct {
	opt    HTTP
	to     string
	client *http.Client
}

// NewHTTP returns the sink that posts lines. Certificates are read when the first
// line is sent and again on Reopen. Any answer counts as delivered.
func NewHTTP(opt HTTP) (Sink, error) {
	if opt.connect == 0 {
		opt.connect, opt.request = connectTimeout, requestTimeout
	}
	u, err := url.Parse(opt.URL)
	if err != nil {
		return nil, err
	}
	s := &post{opt: opt, to: opt.URL}
	switch {
	case u.Scheme == "unix" && u.Path != "":
		s.to = "http://localhost/"
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%q is no URL of http, https or unix", opt.URL)
	}
	return s, nil
}

func (s *post) Name() string { return "http" }

// dial makes the client, which keeps connections between lines.
func (s *post) dial() error {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.opt.Insecure}
	if strings.HasPrefix(s.to, "https:") {
		if !s.opt.Insecure {
			pool, err := s.roots()
			if err != nil {
				return err
			}
			conf.RootCAs = pool
		}
		if s.opt.MTLS {
			pair, err := tls.LoadX509KeyPair(s.opt.CertFile, s.opt.KeyFile)
			if err != nil {
				return err
			}
			conf.Certificates = []tls.Certificate{pair}
		}
	}
	dialer := &net.Dialer{Timeout: s.opt.connect, KeepAlive: -1}
	if s.opt.KeepAlive {
		dialer.KeepAlive = 0 // as the system's defaults are
	}
	t := &http.Transport{
		DialContext: dialer.DialContext, Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, TLSHandshakeTimeout: s.opt.connect,
		ForceAttemptHTTP2: !s.opt.Compress, DisableCompression: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
	}
	if path, ok := strings.CutPrefix(s.opt.URL, "unix://"); ok {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", path) }
	}
	s.client = &http.Client{Transport: t, Timeout: s.opt.request,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return nil
}

// roots reads the certificates of those who are trusted.
func (s *post) roots() (*x509.CertPool, error) {
	for _, name := range []string{s.opt.CAFile, s.opt.CABundle} {
		if name == "" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificates", name)
		}
		return pool, nil
	}
	entries, err := os.ReadDir(s.opt.CADir)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, e := range entries {
		if text, err := os.ReadFile(filepath.Join(s.opt.CADir, e.Name())); err == nil {
			pool.AppendCertsFromPEM(text)
		}
	}
	return pool, nil
}

func (s *post) Write(ctx context.Context, l Line) error {
	if s.client == nil {
		if err := s.dial(); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		err := s.once(ctx, l)
		var late net.Error
		if err == nil || ctx.Err() != nil || n >= s.opt.MaxTimeouts || !errors.As(err, &late) || !late.Timeout() {
			return err
		}
	}
}

func (s *post) once(ctx context.Context, l Line) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.to, bytes.NewReader(l.Text[:len(l.Text)-1]))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", s.opt.ContentType)
	req.Header.Set("User-Agent", s.opt.UserAgent)
	req.Header.Set("Accept", "*/*")
	if s.opt.Compress {
		req.Header.Set("Connection", "TE")
		req.Header.Set("TE", "gzip")
	}
	if s.opt.Answers && l.ID != (alert.ID{}) {
		req.Header.Set("Idempotency-Key", l.ID.String())
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	to := s.opt.Echo
	if to == nil {
		to = io.Discard
	}
	io.Copy(to, io.LimitReader(res.Body, maxAnswer)) // to its end, so that the connection can be used again
	if s.opt.Answers && res.StatusCode/100 != 2 {
		return refusal(res)
	}
	return nil
}

// refusal reads an answer that is no yes. What may change while the alert stays
// the same is no final one, and that is much: a token or a path can be mended.
func refusal(res *http.Response) error {
	r := &Refusal{Text: "the server answers " + res.Status, After: spool.RetryAfter(res.Header.Get("Retry-After"), time.Now())}
	switch res.StatusCode {
	case http.StatusBadRequest, http.StatusNotAcceptable, http.StatusGone, http.StatusLengthRequired, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusExpectationFailed, http.StatusUnprocessableEntity, http.StatusRequestHeaderFieldsTooLarge:
		r.Final = true
	}
	return r
}

func (s *post) Reopen() error { return s.Close() }

func (s *post) Close() error {
	if s.client != nil {
		s.client.CloseIdleConnections()
		s.client = nil
	}
	return nil
}
