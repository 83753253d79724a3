// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"
)

// The API of the original's page: the same paths, names and shapes, so that
// forwarders and scripts go on.

const maxV1 = 10000 // events of a page

var v1Filters = []param{{"source", "string", "comma separated"}, {"hostname", "string", "comma separated"},
	{"priority", "string", "comma separated"}, {"rule", "string", "comma separated"}, {"tags", "string", "comma separated"},
	{"filter", "string", "text in any part of the event"}, {"since", "string", "such as 5min, 24h, 1w, 1M, 1y"}}

func (s *Server) routesV1() []route {
	paged := append([]param{{"page", "integer", "from 1"}, {"limit", "integer", "events of a page"}}, v1Filters...)
	add := func(path string) route {
		return route{method: "POST", path: path, role: RoleIngest, ingest: true, body: postV1{}, result: "", summary: "take an event from a forwarder", handle: s.addV1}
	}
	get := func(path string, role Role, params []param, result any, summary string, f func(*call) error) route {
		return route{method: "GET", path: "/api/v1" + path, role: role, params: params, result: result, summary: summary, handle: f}
	}
	check := func(path string) route {
		return route{method: "POST", path: "/api/v1" + path, result: "", summary: "say whether the log-in of the request is right", handle: s.authV1}
	}
	config := func(c *call) error { return c.json(http.StatusOK, s.configV1()) }
	return []route{
		add("/"), add("/api/v1/"), add("/api/v1/events/add"),
		check("/auth"), check("/authenticate"),
		get("/config", RoleViewer, nil, map[string]any{}, "the configuration", config),
		get("/configuration", RoleViewer, nil, map[string]any{}, "the configuration", config),
		get("/version", RoleViewer, nil, map[string]string{}, "the version", func(c *call) error { return c.json(http.StatusOK, s.versionV1()) }),
		get("/healthz", RoleNone, nil, map[string]string{}, "whether the server runs", func(c *call) error {
			return c.json(http.StatusOK, map[string]string{"status": "ok"})
		}),
		get("/outputs", RoleViewer, nil, []string{}, "the outputs that the last post named", func(c *call) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return c.json(http.StatusOK, append([]string{}, s.last...))
		}),
		get("/events/count", RoleViewer, v1Filters, countV1{}, "how many events there are", s.countV1),
		get("/events/count/{group}", RoleViewer, v1Filters, countV1{}, "how many there are of each value", s.countV1),
		get("/events/search", RoleViewer, paged, searchV1{}, "events, newest first", s.searchV1),
	}
}

type postV1 struct {
	Event   json.RawMessage `json:"event"`
	Outputs []string        `json:"outputs"`
}

type countV1 struct {
	Results    map[string]int64 `json:"results,omitempty"`
	Statistics statsV1          `json:"statistics"`
}

type statsV1 struct {
	Distincts *int  `json:"distincts,omitempty"`
	Returned  *int  `json:"returned,omitempty"`
	All       int64 `json:"all"`
	Partial   bool  `json:"partial,omitempty"`
}

type searchV1 struct {
	Results    []json.RawMessage `json:"results"`
	Statistics statsV1           `json:"statistics"`
}

// addV1 takes what a forwarder posts: an event and the names of its outputs.
func (s *Server) addV1(c *call) error {
	text, err := c.body()
	if err != nil {
		return err
	}
	var post postV1
	if err := json.Unmarshal(text, &post); err != nil {
		return bad("decode: %v", err)
	}
	if len(post.Event) == 0 {
		return bad("an event is missing")
	}
	errs, err := s.Ingest(c.r.Context(), [][]byte{post.Event})
	if err != nil {
		return err
	}
	if errs[0] != nil {
		return bad("%v", errs[0])
	}
	if len(post.Outputs) > 0 && len(post.Outputs) < 256 {
		s.mu.Lock()
		s.last = post.Outputs
		s.mu.Unlock()
	}
	return c.json(http.StatusOK, "{}")
}

func (s *Server) authV1(c *call) error {
	if c.id.Role < RoleViewer {
		return c.json(http.StatusUnauthorized, "unauthorized")
	}
	return c.json(http.StatusOK, "authorized")
}

func (s *Server) configV1() map[string]any {
	r := &s.conf().Retention
	return map[string]any{"listen-address": "", "listen-port": 0, "redis-server": "", "redis-username": "", "redis-password": "",
		"dev-mode": false, "disable-auth": s.conf().AnonymousRead, "log-level": "info", "ttl": int64(r.Age / time.Second), "credentials": "***:***"}
}

func (s *Server) versionV1() map[string]string {
	return map[string]string{"GitVersion": s.conf().Version, "GitCommit": "", "GitTreeState": "", "BuildDate": "",
		"GoVersion": runtime.Version(), "Compiler": runtime.Compiler, "Platform": runtime.GOOS + "/" + runtime.GOARCH}
}

// queryV1 reads the filters of old. The text null is none, and a time that cannot
// be read is all time.
func queryV1(v url.Values, at time.Time) (*Query, error) {
	q := &Query{}
	for _, f := range v1Filters[:5] {
		var values []string
		for _, p := range strings.Split(v.Get(f.name), ",") {
			if p = strings.TrimSpace(p); p != "" && p != "null" {
				values = append(values, p)
			}
		}
		if len(values) == 0 {
			continue
		}
		c, err := condition(f.name, "=", values)
		if err != nil {
			return nil, bad("%s: %v", f.name, err)
		}
		q.Conds = append(q.Conds, c)
	}
	if text := v.Get("filter"); text != "" && text != "null" {
		q.Conds = append(q.Conds, Cond{Field: "text", Values: []string{short(text, maxQuery)}})
	}
	if d, err := ParseSince(v.Get("since")); err == nil {
		q.From = at.Add(-d).UnixMicro()
	}
	return q, nil
}

func (s *Server) countV1(c *call) error {
	group := c.r.PathValue("group")
	dim := aliases[group]
	switch {
	case group == "", group == "priority", group == "rule", group == "source":
		dim = group
	case group != "hostname" && group != "tags":
		return bad("%q cannot be counted", short(group, 64))
	}
	q, err := queryV1(c.r.URL.Query(), time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := c.limited()
	defer cancel()
	all, err := s.store.Count(ctx, q)
	if err != nil {
		return err
	}
	out := countV1{Statistics: statsV1{All: all.Total, Partial: all.Partial}}
	if dim != "" {
		// A filter of the group's own narrows it here.
		list, err := s.store.Facets(ctx, q, []string{dim}, 0)
		if err != nil {
			return err
		}
		out.Results = map[string]int64{}
		for _, n := range list.ByDim[dim] {
			own := &Query{}
			for _, cond := range q.Conds {
				if cond.Field == dim {
					own.Conds = append(own.Conds, cond)
				}
			}
			probe := &Event{Rule: n.Value, Source: n.Value, Host: n.Value, Tags: []string{n.Value}}
			probe.Priority, _ = ParsePriority(n.Value)
			if own.Match(probe) {
				out.Results[n.Value] = n.N
			}
		}
		n := len(out.Results)
		out.Statistics.Distincts = &n
	}
	return c.json(http.StatusOK, out)
}

func (s *Server) searchV1(c *call) error {
	q, err := queryV1(c.r.URL.Query(), time.Now())
	if err != nil {
		return err
	}
	page, err := c.number("page", 1, 1, 1<<30)
	if err != nil {
		return err
	}
	limit, err := c.number("limit", 100, 0, 1<<30)
	if err != nil {
		return err
	}
	limit = min(max(limit, 1), maxV1)
	ctx, cancel := c.limited()
	defer cancel()
	found, err := s.store.Search(ctx, q, Page{Limit: limit, Offset: (page - 1) * limit})
	if err != nil {
		return err
	}
	all, err := s.store.Count(ctx, q)
	if err != nil {
		return err
	}
	out := searchV1{Results: []json.RawMessage{}, Statistics: statsV1{All: all.Total, Partial: found.Partial || all.Partial}}
	for _, e := range found.Events {
		out.Results = append(out.Results, e.wireV1())
	}
	n := len(out.Results)
	out.Statistics.Returned = &n
	return c.json(http.StatusOK, out)
}

// wireV1 is the event as it came, but for the front of its output.
func (e *Event) wireV1() json.RawMessage {
	var w map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(e.Raw))
	if dec.Decode(&w) != nil {
		return e.Raw
	}
	if out, err := json.Marshal(e.Output); err == nil {
		w["output"] = out
	}
	text, err := json.Marshal(w)
	if err != nil {
		return e.Raw
	}
	return text
}
