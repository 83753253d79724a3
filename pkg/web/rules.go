// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/metrics"
)

type ruleV2 struct {
	Name     string  `json:"name"`
	Priority string  `json:"priority,omitempty"`
	Source   string  `json:"source,omitempty"`
	N        int64   `json:"count"`
	Share    float64 `json:"share"` // of all events in the time, 0 to 1
	First    string  `json:"first,omitempty"`
	Last     string  `json:"last,omitempty"`
	Series   []int64 `json:"series"`
	Loaded   bool    `json:"loaded"` // a daemon has it

	// What its condition takes if it is evaluated by itself, as daemons estimate it
	// since they loaded it: on one event, and of what all rules take.
	CostNs    float64 `json:"cost_ns,omitempty"`
	CostShare float64 `json:"cost_share,omitempty"` // 0 to 1

	asked, seconds float64
}

type rulesV2 struct {
	Items   []ruleV2 `json:"items"`
	Buckets []int64  `json:"buckets"`
	Total   int64    `json:"total"`
	Partial bool     `json:"partial"`
}

// rules lists those that daemons have loaded and those that events name.
func (s *Server) rules(c *call) error {
	span := day
	if text := c.r.URL.Query().Get("since"); text != "" {
		var err error
		if span, err = ParseSince(text); err != nil {
			return bad("since: %v", err)
		}
	}
	ctx, cancel := c.limited()
	defer cancel()
	to := time.Now()
	buckets, _, err := bucketsOf(to.Add(-span), to, 0, 48, time.UTC)
	if err != nil {
		return err
	}
	hist, err := s.store.Histogram(ctx, &Query{}, buckets, "rule")
	if err != nil {
		return err
	}
	seen, err := s.store.Seen(ctx, "rule")
	if err != nil {
		return err
	}
	prio, err := s.rulePriorities(ctx, buckets)
	if err != nil {
		return err
	}
	byName := map[string]*ruleV2{}
	for _, v := range seen {
		byName[v.Value] = &ruleV2{Name: v.Value, First: timeText(v.First), Last: timeText(v.Last), Priority: prio[v.Value]}
	}
	s.sensors.rules(byName)
	out := rulesV2{Items: []ruleV2{}, Partial: hist.Partial}
	for _, b := range buckets {
		out.Buckets = append(out.Buckets, b/1000)
	}
	for name, r := range byName {
		r.Series = hist.Series[name]
		for _, n := range r.Series {
			r.N += n
		}
		out.Total += r.N
		if r.Series == nil {
			r.Series = []int64{}
		}
	}
	for _, r := range byName {
		if out.Total > 0 {
			r.Share = float64(r.N) / float64(out.Total)
		}
		out.Items = append(out.Items, *r)
	}
	slices.SortFunc(out.Items, func(a, b ruleV2) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Name, b.Name)) })
	return c.json(http.StatusOK, out)
}

// rules adds what daemons tell of their rules.
func (x *sensors) rules(byName map[string]*ruleV2) {
	x.mu.Lock()
	defer x.mu.Unlock()
	plain := map[string]string{}
	for name := range byName {
		plain[metrics.Sanitize(name)] = name
	}
	seconds := 0.0
	for _, short := range []bool{false, true} { // whole names first, which the others may be short for
		for _, n := range x.byHost {
			for _, r := range n.Rules {
				if r.Plain != short {
					continue
				}
				if r.Plain {
					r.Name = cmp.Or(plain[r.Name], strings.ReplaceAll(r.Name, "_", " "))
				}
				e := byName[r.Name]
				if e == nil {
					e = &ruleV2{Name: r.Name}
					byName[r.Name], plain[metrics.Sanitize(r.Name)] = e, r.Name
				}
				e.Loaded, e.Priority, e.Source = true, cmp.Or(e.Priority, r.Priority), cmp.Or(e.Source, r.Source)
				e.asked, e.seconds, seconds = e.asked+r.Asked, e.seconds+r.Seconds, seconds+r.Seconds
			}
		}
	}
	for _, e := range byName {
		if e.asked >= 1 {
			e.CostNs = e.seconds * 1e9 / e.asked
		}
		if seconds > 0 {
			e.CostShare = e.seconds / seconds
		}
	}
}

// rulePriorities says which priority the events of a rule have: of several the gravest.
func (s *Server) rulePriorities(ctx context.Context, buckets []int64) (map[string]string, error) {
	out := map[string]string{}
	for p := Debug; p <= Emergency; p++ {
		got, err := s.store.Facets(ctx, &Query{From: buckets[0], Conds: []Cond{{Field: "priority", Values: []string{p.String()}}}}, []string{"rule"}, 0)
		if err != nil {
			return nil, err
		}
		for _, r := range got.ByDim["rule"] {
			out[r.Value] = p.String()
		}
	}
	return out, nil
}
