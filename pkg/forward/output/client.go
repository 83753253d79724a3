// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/spool"
	"github.com/klauspost/compress/gzip"
)

// Limits of a request.
const (
	connectTimeout = 5 * time.Second
	requestTimeout = 60 * time.Second // an upper bound: ctx ends an attempt
	maxAnswer      = 4 << 20
	idle           = 90 * time.Second
)

// Names that every request carries.
const (
	UserAgent   = "Falcosidekick"
	ContentJSON = "application/json; charset=utf-8"
)

// HTTP are the settings that every output over HTTP has: embed it.
type HTTP struct {
	MutualTLS     bool   `key:"mutualtls" doc:"show a client certificate, and trust the CA beside it alone"`
	CheckCert     bool   `key:"checkcert" default:"true" doc:"check the certificate of the server"`
	MaxConcurrent *int   `key:"maxconcurrentrequests" doc:"requests at once, 0 for any; by default what the output's kind has"`
	CACertFile    string `key:"cacertfile" doc:"trust this CA too"`
	CertFile      string `key:"certfile" doc:"the client certificate, if not the common one"`
	KeyFile       string `key:"keyfile" doc:"its key"`
	Proxy         string `key:"proxy" doc:"URL of a proxy; by default what HTTPS_PROXY and its kin say"`
}

// Concurrent is maxconcurrentrequests, nil if it is not set. The engine asks.
func (h *HTTP) Concurrent() *int { return h.MaxConcurrent }

// TLS are the settings for the TLS of all clients.
type TLS struct {
	FilesPath  string // folder of client.crt, client.key, ca.crt
	CertFile   string // instead of those in FilesPath
	KeyFile    string
	CACertFile string
	ExtraCA    string // trusted beside the system's
}

func (t *TLS) file(set, name string) string {
	if set != "" {
		return set
	}
	dir := t.FilesPath
	if dir == "" {
		dir = "/etc/certs"
	}
	return filepath.Join(dir, name)
}

// TLSConfig returns the configuration of TLS for a client with the settings h, whatever the
// protocol above it.
func (e *Env) TLSConfig(h *HTTP) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	addRoots := func(name string, pool *x509.CertPool) error {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if !pool.AppendCertsFromPEM(text) {
			return fmt.Errorf("%s holds no certificate", name)
		}
		return nil
	}
	extra := []string{}
	for _, name := range []string{e.TLS.ExtraCA, h.CACertFile} {
		if name != "" {
			extra = append(extra, name)
		}
	}
	cert, key := h.CertFile, h.KeyFile
	if h.MutualTLS {
		cert, key = e.TLS.file(e.TLS.CertFile, "client.crt"), e.TLS.file(e.TLS.KeyFile, "client.key")
		if h.CertFile != "" {
			cert, key = h.CertFile, h.KeyFile
		}
		c.RootCAs = x509.NewCertPool()
		if ca := e.TLS.file(e.TLS.CACertFile, "ca.crt"); h.CACertFile == "" {
			if err := addRoots(ca, c.RootCAs); err != nil {
				return nil, err
			}
		}
	} else {
		c.InsecureSkipVerify = !h.CheckCert
	}
	if len(extra) > 0 && c.RootCAs == nil {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		c.RootCAs = pool
	}
	for _, name := range extra {
		if err := addRoots(name, c.RootCAs); err != nil {
			return nil, err
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Client posts to one receiver. Its errors never hold the URL beyond the host.
type Client struct {
	env    *Env
	client *http.Client
}

// Client returns a client with the settings h.
func (e *Env) Client(h *HTTP) (*Client, error) {
	t, err := e.Transport(h)
	if err != nil {
		return nil, err
	}
	return &Client{env: e, client: &http.Client{Transport: t, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Transport returns what is below Client, for libraries that want one.
func (e *Env) Transport(h *HTTP) (*http.Transport, error) {
	conf, err := e.TLSConfig(h)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: connectTimeout}
	t := &http.Transport{DialContext: dialer.DialContext, Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf,
		TLSHandshakeTimeout: connectTimeout, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: idle,
		ExpectContinueTimeout: time.Second}
	if h.Proxy != "" {
		u, err := url.Parse(h.Proxy)
		if err != nil || u.Host == "" {
			return nil, errors.New("proxy is no URL")
		}
		t.Proxy = http.ProxyURL(u)
	}
	return t, nil
}

// CheckURL checks a setting that is to be a URL of http or https, without quoting it.
func CheckURL(key, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%s is no URL of http or https", key)
	}
	return nil
}

// Request is one request.
type Request struct {
	Method string // "" means POST
	URL    string
	Header map[string]string // beside the usual ones, and instead of them
	Body   []byte
	Gzip   bool // compress the body
	// OK are the statuses of success: nil means 200, 201, 202, 204.
	OK []int
	// Classify turns another answer into an error; nil, or a nil result, means Classify of this package.
	Classify func(a *Answer) error
	// Quiet leaves out the line in the log.
	Quiet bool
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // at most 4 MiB of it
}

// Post posts a body of JSON.
func (c *Client) Post(ctx context.Context, url string, body []byte, header map[string]string) (*Answer, error) {
	return c.Do(ctx, &Request{URL: url, Body: body, Header: header})
}

// PostJSON posts v.
func (c *Client) PostJSON(ctx context.Context, url string, v any, header map[string]string) (*Answer, error) {
	body, err := JSON(v)
	if err != nil {
		return nil, Permanent(err)
	}
	return c.Post(ctx, url, body, header)
}

// JSON encodes v without the escapes for HTML.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Do sends a request and reads the answer. The error of one that is no success has a class;
// the answer is returned beside it.
func (c *Client) Do(ctx context.Context, r *Request) (*Answer, error) {
	body := r.Body
	if r.Gzip {
		body = Gzip(body)
	}
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL, bytes.NewReader(body))
	if err != nil {
		return nil, Misconfigured(errors.New("the URL cannot be read"))
	}
	if method == http.MethodGet {
		req.Body, req.ContentLength = nil, 0
	} else {
		req.Header.Set("Content-Type", ContentJSON)
	}
	req.Header.Set("User-Agent", UserAgent)
	if r.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	for k, v := range r.Header {
		if strings.EqualFold(k, "Host") {
			req.Host = v
			continue
		}
		req.Header.Set(k, Line(v))
	}
	res, err := c.client.Do(req)
	if err != nil {
		return nil, c.failure(req, err)
	}
	defer res.Body.Close()
	a := &Answer{Status: res.StatusCode, Header: res.Header}
	if a.Body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer)); err != nil {
		return a, c.failure(req, err)
	}
	if r.ok(a.Status) {
		if !r.Quiet {
			c.env.Log.Infof("%s - Post OK (%d)", c.env.Title, a.Status)
		}
		return a, nil
	}
	if r.Classify != nil {
		if err := r.Classify(a); err != nil {
			return a, err
		}
	}
	return a, Classify(a, c.env.Now())
}

func (r *Request) ok(status int) bool {
	ok := r.OK
	if ok == nil {
		ok = []int{200, 201, 202, 204}
	}
	for _, s := range ok {
		if s == status {
			return true
		}
	}
	return false
}

// failure takes the URL out of the errors of net/http: those of chats are secrets.
func (c *Client) failure(req *http.Request, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("%s: %w", req.URL.Host, err)
}

// Classify turns an answer that is no success into an error of its class: 408, 425, 429 and
// 5xx go away, 401, 403, 404 and their like are for the settings, 413 is for the length, all else is for
// good.
func Classify(a *Answer, now time.Time) error {
	e := &Error{Class: Final, Status: a.Status, Err: fmt.Errorf("the answer is %d %s%s", a.Status, http.StatusText(a.Status), a.excerpt())}
	switch s := a.Status; {
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s >= 500:
		e.Class, e.After = Retryable, spool.RetryAfter(a.Header.Get("Retry-After"), now)
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusNotFound, s == http.StatusMethodNotAllowed,
		s == http.StatusProxyAuthRequired, s == http.StatusGone, s < 400:
		e.Class = Configuration
	case s == http.StatusRequestEntityTooLarge:
		e.Class = Big
	}
	return e
}

const maxExcerpt = 200

// excerpt is the begin of an answer's text, for a message.
func (a *Answer) excerpt() string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(a.Body[:min(len(a.Body), 4*maxExcerpt)]), "")), " ")
	if text == "" {
		return ""
	}
	return ": " + strings.Map(printable, event.Shorten(text, maxExcerpt))
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// Close closes idle connections.
func (c *Client) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// Gzip compresses.
func Gzip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// Line returns text as a value of one line: control characters become blanks.
func Line(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text))
}

// Headers returns a copy of custom with the pairs of more put over it.
func Headers(custom map[string]string, more ...string) map[string]string {
	out := maps.Clone(custom)
	if out == nil {
		out = map[string]string{}
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			out[more[i]] = more[i+1]
		}
	}
	return out
}

// basic is the value of Authorization for a user and a password.
func basic(user string, password Secret) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+string(password)))
}
