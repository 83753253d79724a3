// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/spool"
	"github.com/klauspost/compress/gzip"
)

// Limits of the server.
const (
	httpTimeout = time.Minute
	maxHeader   = 64 << 10
	comeBack    = 2 * time.Second // Retry-After while the spool refuses
)

type peerKey struct{}

// Handler serves what senders, probes and scrapers ask for.
//
//	POST /        events               /ping /healthz /readyz   probes
//	POST /test    the test event       /metrics                 Prometheus
//	/api/v1/…     admin.go             /debug/vars              expvar
func (f *Forwarder) Handler() http.Handler {
	mux := http.NewServeMux()
	slots := make(chan struct{}, max(f.live.Load().cfg.Input.MaxRequests, 1))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		if !method(w, r, http.MethodPost) || !f.sender(w, r) {
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			f.serveEvents(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/test", f.serveTest)
	mux.HandleFunc("/ping", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "pong\n") })
	mux.HandleFunc("/healthz", f.serveHealth)
	mux.HandleFunc("/readyz", f.serveReady)
	mux.Handle("/metrics", f.metrics.handler)
	mux.HandleFunc("/debug/vars", func(w http.ResponseWriter, r *http.Request) {
		if f.live.Load().cfg.Admin.DebugVars || f.admin(w, r) {
			writeJSON(w, http.StatusOK, f.metrics.vars())
		}
	})
	f.handleAdmin(mux)
	return mux
}

// method answers 405 unless the method is one of those.
func method(w http.ResponseWriter, r *http.Request, allowed ...string) bool {
	for _, m := range allowed {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	return false
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// sender reports whether r may bring events, and answers if it may not. Who comes by the unix socket has been
// asked there.
func (f *Forwarder) sender(w http.ResponseWriter, r *http.Request) bool {
	in := &f.live.Load().cfg.Input
	if in.Token == "" && in.User == "" || r.Context().Value(peerKey{}) != nil {
		return true
	}
	auth := r.Header.Get("Authorization")
	if token, ok := strings.CutPrefix(auth, "Bearer "); ok && in.Token != "" && same(token, string(in.Token)) {
		return true
	}
	if user, password, ok := r.BasicAuth(); ok && in.User != "" && same(user, in.User) && same(password, string(in.Password)) {
		return true
	}
	if auth == "" {
		w.Header().Set("WWW-Authenticate", `Bearer, Basic realm="falcosidekick"`)
		http.Error(w, "authorization is missing", http.StatusUnauthorized)
	} else {
		http.Error(w, "forbidden", http.StatusForbidden)
	}
	return false
}

func (f *Forwarder) serveEvents(w http.ResponseWriter, r *http.Request) {
	body, err := f.read(w, r)
	if err != nil {
		f.reject(&f.requests, err)
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok || errors.Is(err, errLong) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), status)
		return
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		body = named(body, key)
	}
	f.answer(w, body, "")
}

// named gives a single event that has no UUID the one that its request is called by.
func named(body []byte, key string) []byte {
	parts, many, err := split(body)
	if _, ok := parseUUID(key); !ok || err != nil || many {
		return body
	}
	e, err := event.Parse(parts[0])
	if err != nil || e.UUID != "" {
		return body
	}
	e.UUID = key
	return e.AppendJSON(nil)
}

var errLong = errors.New("the body is too long")

func (f *Forwarder) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := f.live.Load().cfg.Input.MaxBody
	var from io.Reader = http.MaxBytesReader(w, r.Body, limit)
	switch enc := strings.ToLower(r.Header.Get("Content-Encoding")); enc {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(from)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		defer z.Close()
		from = io.LimitReader(z, limit+1)
	default:
		return nil, fmt.Errorf("Content-Encoding %q is not known", enc)
	}
	size := r.ContentLength
	if size < 0 || size > limit {
		size = 4096
	}
	body := make([]byte, 0, size+1)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			if int64(len(body)) > limit {
				return nil, errLong
			}
			return body, nil
		case err != nil:
			return nil, err
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
}

// answer takes a body in and says what became of it.
func (f *Forwarder) answer(w http.ResponseWriter, body []byte, target string) {
	res, many := f.Take(body, target)
	if res.Err != nil {
		f.log.Errorf("events are refused: %v", res.Err)
		w.Header().Set("Retry-After", strconv.Itoa(int(comeBack/time.Second)))
		http.Error(w, "the spool takes nothing now", http.StatusServiceUnavailable)
		return
	}
	if len(res.Rejected) == 0 {
		w.WriteHeader(http.StatusOK)
		return
	}
	f.log.Errorf("event rejected: %s", res.Rejected[0].Error)
	if many && res.Accepted+res.Duplicates > 0 {
		writeJSON(w, http.StatusOK, map[string]any{"accepted": res.Accepted, "duplicates": res.Duplicates, "rejected": res.Rejected})
		return
	}
	writeJSON(w, http.StatusBadRequest, map[string]any{"error": res.Rejected[0].Error, "rejected": res.Rejected})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (f *Forwarder) serveTest(w http.ResponseWriter, r *http.Request) {
	if !method(w, r, http.MethodPost, http.MethodGet) || !f.sender(w, r) {
		return
	}
	target := r.URL.Query().Get("output")
	if target != "" {
		d := f.find(target)
		if d == nil {
			http.Error(w, fmt.Sprintf("there is no output %q", target), http.StatusNotFound)
			return
		}
		target = d.inst.ID
	}
	f.answer(w, f.testBody(), target)
}

func (f *Forwarder) testBody() []byte {
	return []byte(testEvent(func() string { return f.now().UTC().Format(time.RFC3339) }))
}

func (f *Forwarder) serveHealth(w http.ResponseWriter, r *http.Request) {
	degraded := []string{}
	for _, d := range f.live.Load().outs {
		if s := d.ledger.copy().State; s != stateOK && s != stateRetrying {
			degraded = append(degraded, d.inst.Destination())
		}
	}
	for _, c := range f.live.Load().consumers {
		if up, _ := c.Up(); !up {
			degraded = append(degraded, "consume."+c.Source)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if len(degraded) == 0 {
		io.WriteString(w, `{"status": "ok"}`)
		return
	}
	text, _ := json.Marshal(degraded)
	fmt.Fprintf(w, `{"status": "ok", "degraded": %s}`, text)
}

// serveReady says whether events are taken.
func (f *Forwarder) serveReady(w http.ResponseWriter, r *http.Request) {
	why := f.probe()
	if c := f.live.Load().cfg; why == nil && f.refusing.Load() && c.Spool.OnOverflow == "block" && f.sp.Stats().Bytes > c.roomy() {
		why = spool.ErrFull
	}
	if why != nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready", "error": why.Error()})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"status": "ok"}`)
}

// probe tries whether the disk takes something.
func (f *Forwarder) probe() error {
	name := filepath.Join(f.dir, "probe")
	if err := os.WriteFile(name, make([]byte, 4096), 0o600); err != nil {
		os.Remove(name)
		return err
	}
	return os.Remove(name)
}

// Server returns an http.Server for h with the limits of one that the world may talk to.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadTimeout: httpTimeout, ReadHeaderTimeout: httpTimeout, WriteTimeout: httpTimeout, IdleTimeout: httpTimeout,
		MaxHeaderBytes: maxHeader, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if _, ok := c.(*peerConn); ok {
				return context.WithValue(ctx, peerKey{}, true)
			}
			return ctx
		}}
}
