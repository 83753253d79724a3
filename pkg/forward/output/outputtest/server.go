// SPDX-License-Identifier: Apache-2.0

package outputtest

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Want is what a receiver takes. It answers everything else with 400, and the test fails.
type Want struct {
	Method string            // "" means POST
	Path   string            // exactly; "" means any
	Query  map[string]string // exactly those, if not nil
	// Header values are exact. "*" means present, "-" absent.
	Header   map[string]string
	Schema   string // JSON schema of the body; NDJSON: set Lines
	Lines    bool   // the schema is for each line
	MaxBody  int    // bytes after decompression; 0: 16 MiB
	Check    func(r *Request) error
	Status   int                     // of success; 0 means 200
	Body     string                  // of success
	Reply    map[string]string       // headers of success
	Respond  func(r *Request) string // instead of Body, for protocols that repeat what they got
	Tolerant bool                    // what is wrong is answered, but does not fail the test
}

// Request is one that the server has taken.
type Request struct {
	Method, Host, Path, Query string
	Header                    http.Header
	Body                      []byte // decompressed
	TLS                       *tls.ConnectionState
}

// Answer is what a script says instead of success.
type Answer struct {
	Status int // 0: the connection is reset; -1: silence until the client goes away
	Body   string
	Header map[string]string
}

// Server is a receiver.
type Server struct {
	URL string
	*httptest.Server

	t      testing.TB
	want   Want
	schema *jsonschema.Schema

	mu     sync.Mutex
	script []Answer
	taken  []Request
	tries  int
}

// Serve starts a receiver that speaks HTTP.
func Serve(t testing.TB, w Want) *Server { return serve(t, w, (*httptest.Server).Start) }

// ServeTLS starts one that speaks HTTPS; its certificate is s.Certificate().
func ServeTLS(t testing.TB, w Want) *Server { return serve(t, w, (*httptest.Server).StartTLS) }

func serve(t testing.TB, w Want, start func(*httptest.Server)) *Server {
	t.Helper()
	s := &Server{t: t, want: w}
	if w.Schema != "" {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(w.Schema))
		if err != nil {
			t.Fatalf("schema: %v", err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("want.json", doc); err != nil {
			t.Fatalf("schema: %v", err)
		}
		if s.schema, err = c.Compile("want.json"); err != nil {
			t.Fatalf("schema: %v", err)
		}
	}
	s.Server = httptest.NewUnstartedServer(s)
	start(s.Server)
	s.URL = s.Server.URL
	t.Cleanup(s.Server.Close)
	return s
}

// Script says what the next requests are answered with; after that it is success again.
func (s *Server) Script(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, answers...)
}

// Requests returns those that were answered with success so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.taken...)
}

// One returns the only request there was.
func (s *Server) One() Request {
	s.t.Helper()
	r := s.Requests()
	if len(r) != 1 {
		s.t.Fatalf("%d requests, want one", len(r))
	}
	return r[0]
}

// Tries is how many requests came, whatever the answer.
func (s *Server) Tries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.tries++
	var scripted *Answer
	if len(s.script) > 0 {
		scripted, s.script = &s.script[0], s.script[1:]
	}
	s.mu.Unlock()
	req, err := s.read(r)
	if err == nil {
		err = s.check(&req)
	}
	if err != nil {
		if !s.want.Tolerant {
			s.t.Errorf("%s %s: %v\n%s", r.Method, r.URL.Path, err, excerpt(req.Body))
		}
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if scripted != nil {
		s.play(w, r, scripted)
		return
	}
	s.mu.Lock()
	s.taken = append(s.taken, req)
	s.mu.Unlock()
	for k, v := range s.want.Reply {
		w.Header().Set(k, v)
	}
	status := s.want.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	body := s.want.Body
	if s.want.Respond != nil {
		body = s.want.Respond(&req)
	}
	io.WriteString(w, body)
}

func (s *Server) play(w http.ResponseWriter, r *http.Request, a *Answer) {
	switch a.Status {
	case 0:
		panic(http.ErrAbortHandler)
	case -1:
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
		panic(http.ErrAbortHandler)
	}
	for k, v := range a.Header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.Status)
	io.WriteString(w, a.Body)
}

func (s *Server) read(r *http.Request) (Request, error) {
	req := Request{Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header, TLS: r.TLS}
	limit := s.want.MaxBody
	if limit == 0 {
		limit = 16 << 20
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return req, fmt.Errorf("the body is no gzip: %w", err)
		}
		body = z
	}
	var err error
	if req.Body, err = io.ReadAll(io.LimitReader(body, int64(limit)+1)); err != nil {
		return req, err
	}
	if len(req.Body) > limit {
		return req, fmt.Errorf("the body is longer than %d bytes", limit)
	}
	return req, nil
}

func (s *Server) check(r *Request) error {
	w := &s.want
	method := w.Method
	if method == "" {
		method = http.MethodPost
	}
	if r.Method != method {
		return fmt.Errorf("method %s, want %s", r.Method, method)
	}
	if w.Path != "" && r.Path != w.Path {
		return fmt.Errorf("path %q, want %q", r.Path, w.Path)
	}
	if w.Query != nil {
		if err := checkQuery(r.Query, w.Query); err != nil {
			return err
		}
	}
	for k, v := range w.Header {
		got, there := r.Header[http.CanonicalHeaderKey(k)]
		switch {
		case v == "-" && there:
			return fmt.Errorf("header %s is there", k)
		case v == "-":
		case !there:
			return fmt.Errorf("header %s is missing", k)
		case v != "*" && got[0] != v:
			return fmt.Errorf("header %s is %q, want %q", k, got[0], v)
		}
	}
	if s.schema != nil {
		parts := [][]byte{r.Body}
		if w.Lines {
			if !bytes.HasSuffix(r.Body, []byte("\n")) {
				return fmt.Errorf("the last line has no end")
			}
			parts = bytes.Split(bytes.TrimSuffix(r.Body, []byte("\n")), []byte("\n"))
		}
		for _, p := range parts {
			if !utf8.Valid(p) {
				return fmt.Errorf("the body is no UTF-8")
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(p))
			if err != nil {
				return fmt.Errorf("the body is no JSON: %w", err)
			}
			if err := s.schema.Validate(doc); err != nil {
				return err
			}
		}
	}
	if w.Check != nil {
		return w.Check(r)
	}
	return nil
}

func excerpt(b []byte) string { return fmt.Sprintf("%.600q", b) }

func checkQuery(raw string, want map[string]string) error {
	got, err := url.ParseQuery(raw)
	if err != nil {
		return err
	}
	for k, v := range want {
		if !got.Has(k) || v != "*" && got.Get(k) != v {
			return fmt.Errorf("query %s is %q, want %q", k, got.Get(k), v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			return fmt.Errorf("query has %s", k)
		}
	}
	return nil
}
