// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

type statusPage struct {
	Store     *StoreStats     `json:"store"`
	Retention retentionV2     `json:"retention"`
	Trouble   string          `json:"trouble,omitempty"`
	Started   string          `json:"started"`
	Accepted  int64           `json:"accepted"` // events since then
	Refused   int64           `json:"refused"`
	Live      int             `json:"live"` // clients
	New       []seenV2        `json:"new_rules"`
	Hosts     []seenV2        `json:"hosts"`
	May       map[string]bool `json:"-"`
}

type retentionV2 struct {
	Seconds int64            `json:"seconds"`
	Events  int64            `json:"events"`
	Bytes   int64            `json:"bytes"`
	ByPrio  map[string]int64 `json:"by_priority,omitempty"` // seconds
}

type seenV2 struct {
	Value string `json:"value"`
	First string `json:"first"`
	Last  string `json:"last"`
	N     int64  `json:"count"`
}

func seenOf(list []Seen) []seenV2 {
	out := make([]seenV2, len(list))
	for i, v := range list {
		out[i] = seenV2{v.Value, timeText(v.First), timeText(v.Last), v.N}
	}
	return out
}

func (s *Server) status(c *call) error {
	ctx, cancel := c.limited()
	defer cancel()
	st, err := s.store.Stats(ctx)
	if err != nil {
		return err
	}
	hosts, err := s.store.Seen(ctx, "host")
	if err != nil {
		return err
	}
	rules, err := s.store.Seen(ctx, "rule")
	if err != nil {
		return err
	}
	var fresh []Seen
	for _, r := range rules {
		if r.First > now()-day.Microseconds() {
			fresh = append(fresh, r)
		}
	}
	r := &s.conf().Retention
	out := statusPage{Store: st, Started: s.began.UTC().Format(timeForm), Live: s.hub.count(), New: seenOf(fresh), Hosts: seenOf(hosts),
		Retention: retentionV2{Seconds: int64(r.Age / time.Second), Events: r.Events, Bytes: r.Bytes, ByPrio: map[string]int64{}}}
	for p, age := range r.ByPriority {
		out.Retention.ByPrio[p.String()] = int64(age / time.Second)
	}
	s.mu.Lock()
	out.Trouble, out.Accepted, out.Refused = s.trouble, s.taken, s.refused
	s.mu.Unlock()
	return c.json(http.StatusOK, out)
}

// config serves the configuration without anything secret.
func (s *Server) config(c *call) error {
	cfg := s.conf()
	database := cfg.Database
	if strings.Contains(database, "://") || strings.Contains(database, "dbname=") {
		database = "postgres"
	}
	out := map[string]any{"database": database, "base_path": s.base, "users": len(cfg.Users), "tokens": len(cfg.Tokens),
		"oidc": cfg.OIDC != nil, "trusted_proxy": cfg.Proxy != nil, "anonymous_read": cfg.AnonymousRead,
		"anonymous_ingest": cfg.AnonymousIngest, "sensors": len(cfg.Sensors), "outputs": cfg.Outputs != nil, "tls": cfg.Secure}
	if cfg.OIDC != nil {
		out["oidc_issuer"] = cfg.OIDC.Issuer
	}
	return c.json(http.StatusOK, out)
}

func (s *Server) ready(c *call) error {
	ctx, cancel := c.limited()
	defer cancel()
	if _, err := s.store.Last(ctx); err != nil {
		return &apiError{Status: http.StatusServiceUnavailable, Message: "the store does not answer"}
	}
	s.mu.Lock()
	trouble := s.trouble
	s.mu.Unlock()
	if trouble != "" {
		return &apiError{Status: http.StatusServiceUnavailable, Code: trouble, Message: "the store takes no events"}
	}
	return c.json(http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) metrics(c *call) error {
	st, err := s.store.Stats(c.r.Context())
	if err != nil {
		return err
	}
	s.mu.Lock()
	taken, refused := s.taken, s.refused
	s.mu.Unlock()
	c.w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, m := range []struct {
		name, kind, help string
		v                int64
	}{
		{"falco_web_events_accepted_total", "counter", "Events that were kept since the start.", taken},
		{"falco_web_events_refused_total", "counter", "Events that the store could not keep.", refused},
		{"falco_web_events_stored", "gauge", "Events in the store.", st.Events},
		{"falco_web_events_pruned_total", "counter", "Events that were too old or too many.", st.Dropped},
		{"falco_web_store_bytes", "gauge", "Size of the store.", st.Bytes},
		{"falco_web_live_clients", "gauge", "Clients that look on.", int64(s.hub.count())},
	} {
		fmt.Fprintf(c.w, "# HELP %s %s\n# TYPE %s %s\n%s %d\n", m.name, m.help, m.name, m.kind, m.name, m.v)
	}
	return nil
}

type outputsV2 struct {
	Items []Output `json:"items"`
	Named []string `json:"named"` // by the forwarder that posts to us
}

func (s *Server) outputs(c *call) error {
	out := outputsV2{Items: []Output{}, Named: []string{}}
	if s.conf().Outputs != nil {
		out.Items = append(out.Items, s.conf().Outputs.Outputs()...)
	}
	s.mu.Lock()
	out.Named = append(out.Named, s.last...)
	s.mu.Unlock()
	return c.json(http.StatusOK, out)
}

func (s *Server) outputAction(c *call, action string) error {
	if s.conf().Outputs == nil {
		return ErrNotFound
	}
	if err := s.conf().Outputs.Do(c.r.Context(), c.r.PathValue("id"), action); err != nil {
		return bad("%s: %v", action, err)
	}
	s.audit(c.r, c.id.Name, action+" output", c.r.PathValue("id"))
	return c.json(http.StatusOK, done)
}

type deadV2 struct {
	Items []DeadLetter `json:"items"`
}

func (s *Server) dead(c *call) error {
	out := deadV2{Items: []DeadLetter{}}
	if s.conf().Outputs == nil {
		return ErrNotFound
	}
	list, err := s.conf().Outputs.DeadLetters(c.r.PathValue("id"), 200)
	if err != nil {
		return bad("%v", err)
	}
	out.Items = append(out.Items, list...)
	return c.json(http.StatusOK, out)
}
