// SPDX-License-Identifier: Apache-2.0

package web

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	queryTime = 5 * time.Second // of an answer; what takes longer is partial
	maxBody   = 32 << 20        // of a post, uncompressed
	maxItems  = 10000           // events of a post
)

// apiError is what a client is told.
type apiError struct {
	Status   int    `json:"-"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"error"`
	Position *int   `json:"position,omitempty"` // in q
	Confirm  string `json:"confirm,omitempty"`
	Count    *int64 `json:"count,omitempty"`
}

func (e *apiError) Error() string { return e.Message }

func bad(format string, args ...any) error {
	return &apiError{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// route is one thing that can be asked. The routes are also the document that
// describes the API (openapi.go).
type route struct {
	method, path string // below the base
	role         Role   // RoleNone: everybody
	ingest       bool   // takes events: the rules for that are others
	filters      bool   // takes what chooses events
	params       []param
	body, result any // examples of the types; nil if there is none or it is no JSON
	media        string
	summary      string
	handle       func(*call) error
}

type param struct{ name, kind, about string }

// call is a request that is served.
type call struct {
	s     *Server
	route *route
	w     http.ResponseWriter
	r     *http.Request
	id    identity
}

// base is the path in front of ours, as the browser sees it.
func (c *call) base() string {
	if p := c.r.Header.Get("X-Forwarded-Prefix"); c.s.base == "/" && prefixForm(p) {
		return strings.TrimSuffix(p, "/") + "/"
	}
	return c.s.base
}

func prefixForm(p string) bool {
	return len(p) > 1 && len(p) < 200 && p[0] == '/' && p[1] != '/' && !strings.ContainsAny(p, "\"'<>&?#\\ \t\r\n;")
}

// routes makes the handler: the same paths with and without the base, so that
// proxies may strip it or not.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, list := range [][]route{s.routesV1(), s.routesV2()} {
		for _, rt := range list {
			path := rt.path
			if strings.HasSuffix(path, "/") {
				path += "{$}"
			}
			mux.HandleFunc(rt.method+" "+path, func(w http.ResponseWriter, r *http.Request) { s.serve(&rt, w, r) })
		}
	}
	mux.HandleFunc("GET /", s.page)
	inner := http.Handler(mux)
	if s.base != "/" {
		strip := http.StripPrefix(strings.TrimSuffix(s.base, "/"), mux)
		inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path+"/" == s.base:
				http.Redirect(w, r, s.base, http.StatusPermanentRedirect)
			case strings.HasPrefix(r.URL.Path, s.base):
				strip.ServeHTTP(w, r)
			default:
				mux.ServeHTTP(w, r)
			}
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		inner.ServeHTTP(w, r)
	})
}

// serve answers one request: who asks, may they, do it, tell what went wrong.
func (s *Server) serve(rt *route, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	c := &call{s: s, route: rt, w: w, r: r, id: s.auth.who(r)}
	err := s.auth.allow(r, c.id, rt.role, rt.ingest)
	if err == nil {
		err = c.known()
	}
	if err == nil {
		err = rt.handle(c)
	}
	if err == nil {
		return
	}
	var ae *apiError
	var syntax *SyntaxError
	switch {
	case errors.As(err, &ae):
	case errors.As(err, &syntax):
		ae = &apiError{Status: http.StatusBadRequest, Code: "syntax", Message: syntax.Msg, Position: &syntax.Pos}
	case errors.Is(err, ErrNotFound):
		ae = &apiError{Status: http.StatusNotFound, Message: "not found"}
	case errors.Is(err, ErrExists):
		ae = &apiError{Status: http.StatusConflict, Message: err.Error()}
	case errors.Is(err, ErrFull), errors.Is(err, os.ErrClosed):
		w.Header().Set("Retry-After", "10")
		ae = &apiError{Status: http.StatusServiceUnavailable, Code: "store", Message: err.Error()}
	case r.Context().Err() != nil:
		return
	default:
		s.conf().Log("%s %s: %v", r.Method, r.URL.Path, err)
		ae = &apiError{Status: http.StatusInternalServerError, Message: "the store has failed; the log says why"}
	}
	if ae.Status == http.StatusUnauthorized && strings.HasPrefix(rt.path, "/api/v1") {
		w.Header().Set("WWW-Authenticate", `Basic realm="falco"`)
	}
	c.json(ae.Status, ae)
}

func (c *call) json(status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if c.r.URL.Query().Get("pretty") == "true" {
		text, _ = json.MarshalIndent(v, "", "  ")
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	c.w.Write(append(text, '\n'))
	return nil
}

// filterParams are the names of what chooses events. field.NAME, and not. before
// a name, come beside them.
var filterParams = append([]string{"from", "to", "since", "q", "min_priority", "state"}, dims...)

// known refuses parameters that nobody has thought of: a misspelt filter must not
// show everything.
func (c *call) known() error {
	if c.r.Method == http.MethodPost && c.route.ingest || c.route.media == "text/html" {
		return nil
	}
	for name := range c.r.URL.Query() {
		ok := name == "pretty" || slices.ContainsFunc(c.route.params, func(p param) bool { return p.name == name })
		if bare := strings.TrimPrefix(name, "not."); c.route.filters && !ok {
			ok = slices.Contains(filterParams, name) || slices.Contains(dims, bare) || bare == "state" || strings.HasPrefix(bare, "field.")
		}
		if !ok {
			return bad("unknown parameter %q", short(name, 64))
		}
	}
	return nil
}

// query reads what chooses events from the parameters.
func (c *call) query() (*Query, error) { return queryOf(c.r.URL.Query(), time.Now()) }

func queryOf(v url.Values, at time.Time) (*Query, error) {
	q := &Query{}
	var err error
	if text := v.Get("q"); text != "" {
		if q.Conds, err = ParseQuery(text); err != nil {
			return nil, err
		}
	}
	if q.From, err = timeOf(v.Get("from")); err != nil {
		return nil, bad("from: %v", err)
	}
	if q.To, err = timeOf(v.Get("to")); err != nil {
		return nil, bad("to: %v", err)
	}
	if text := v.Get("since"); text != "" {
		d, err := ParseSince(text)
		if err != nil {
			return nil, bad("since: %v", err)
		}
		if v.Get("from") != "" {
			return nil, bad("since and from: one of them")
		}
		q.From = at.Add(-d).UnixMicro()
	}
	if text := v.Get("min_priority"); text != "" {
		c, err := condition("priority", ">=", []string{text})
		if err != nil {
			return nil, bad("min_priority: %v", err)
		}
		q.Conds = append(q.Conds, c)
	}
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		bare, not := strings.CutPrefix(name, "not.")
		if bare != "state" && !slices.Contains(dims, bare) && !strings.HasPrefix(bare, "field.") {
			continue
		}
		c, err := condition(bare, "=", slices.DeleteFunc(slices.Clone(v[name]), func(s string) bool { return s == "" }))
		if err != nil {
			return nil, bad("%s: %v", name, err)
		}
		if c.Not = not; len(c.Values) > 0 {
			q.Conds = append(q.Conds, c)
		}
	}
	if len(q.Conds) > maxTerms {
		return nil, bad("more than %d conditions", maxTerms)
	}
	return q, nil
}

// timeOf reads a time: RFC 3339, or milliseconds of the epoch.
func timeOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		if ms < 0 || ms > forever/1000 {
			return 0, fmt.Errorf("%q lies outside of the years that are kept", text)
		}
		return ms * 1000, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, fmt.Errorf("%q is neither a time of RFC 3339 nor milliseconds", short(text, 64))
	}
	return t.UnixMicro(), nil
}

// units of a span. Months and years are those of the calendar's average.
var units = map[string]time.Duration{"s": time.Second, "m": time.Minute, "min": time.Minute, "h": time.Hour, "d": day,
	"w": 7 * day, "M": 30 * day, "y": 365 * day}

// ParseSince reads a span such as 5min, 24h, 1w, 1M or 1y.
func ParseSince(text string) (time.Duration, error) {
	i := 0
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(text[:i], 10, 32)
	unit := units[text[i:]]
	if err != nil || unit == 0 || n == 0 || n > int64(100*365*day/unit) {
		return 0, fmt.Errorf("%q is no span such as 15m, 24h, 7d, 1M or 1y", short(text, 64))
	}
	return time.Duration(n) * unit, nil
}

// number reads a parameter between bounds.
func (c *call) number(name string, def, least, most int) (int, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, bad("%s: %q is no number from %d to %d", name, short(text, 32), least, most)
	}
	return n, nil
}

// limited is the context of a query: what takes longer is partial.
func (c *call) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.r.Context(), c.s.queryTime)
}

// body reads a post, packed or not, up to the limit.
func (c *call) body() ([]byte, error) {
	r := io.Reader(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	switch c.r.Header.Get("Content-Encoding") {
	case "":
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, bad("unpack: %v", err)
		}
		r = z
	default:
		return nil, &apiError{Status: http.StatusUnsupportedMediaType, Message: "only gzip is unpacked"}
	}
	text, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) || len(text) > maxBody {
		return nil, &apiError{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("more than %d bytes", maxBody)}
	}
	if err != nil {
		return nil, bad("read: %v", err)
	}
	return text, nil
}

// read reads a body of JSON into v.
func (c *call) read(v any) error {
	text, err := c.body()
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return bad("decode: %v", err)
	}
	return nil
}
