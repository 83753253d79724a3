// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

type facetsV2 struct {
	Total   int64              `json:"total"`
	Facets  map[string][]Count `json:"facets"`
	Partial bool               `json:"partial"`
	Since   string             `json:"since,omitempty"`
}

type histogramV2 struct {
	Interval string             `json:"interval"`
	Buckets  []int64            `json:"buckets"` // milliseconds; one more than a series has numbers
	Series   map[string][]int64 `json:"series"`
	Partial  bool               `json:"partial"`
	Since    string             `json:"since,omitempty"`
}

type topV2 struct {
	By      string  `json:"by"`
	Items   []topOf `json:"items"`
	Partial bool    `json:"partial"`
}

type topOf struct {
	Value  string `json:"value"`
	N      int64  `json:"count"`
	Before int64  `json:"before"` // in the time before, as long as this
}

// dims reads a list of dimensions.
func (c *call) dims(name string, def ...string) ([]string, error) {
	var out []string
	for _, v := range c.r.URL.Query()[name] {
		for _, d := range strings.Split(v, ",") {
			if a, ok := aliases[d]; ok {
				d = a
			}
			if !slices.Contains(dims, d) {
				return nil, bad("%s: %q cannot be counted; %s can", name, short(d, 64), strings.Join(dims, ", "))
			}
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	if out == nil {
		out = def
	}
	return out, nil
}

func (s *Server) facets(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	want, err := c.dims("fields", dims...)
	if err != nil {
		return err
	}
	top, err := c.number("top", 20, 1, 1000)
	if err != nil {
		return err
	}
	ctx, cancel := c.limited()
	defer cancel()
	got, err := s.store.Facets(ctx, q, want, top)
	if err != nil {
		return err
	}
	out := facetsV2{Total: got.Total, Facets: got.ByDim, Partial: got.Partial}
	if got.Partial {
		out.Since = since(got.Since)
	}
	return c.json(http.StatusOK, out)
}

// steps are the widths of buckets, but for months.
var steps = []time.Duration{time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute,
	2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour, day, 7 * day, 30 * day}

const maxBuckets = 300

// bucketsOf cuts a time into at most so many parts. Days begin at midnight of the zone.
func bucketsOf(from, to time.Time, step time.Duration, most int, zone *time.Location) ([]int64, time.Duration, error) {
	if step == 0 {
		for _, step = range steps {
			if to.Sub(from) <= step*time.Duration(most-1) {
				break
			}
		}
	}
	if step < time.Second || to.Sub(from)/step >= maxBuckets {
		if step < steps[len(steps)-1] {
			return nil, 0, bad("interval: %v makes more than %d buckets", step, maxBuckets)
		}
		step = to.Sub(from)/time.Duration(most-1) + time.Second
		step = step.Truncate(day) + day
	}
	from = from.In(zone)
	var out []int64
	if step >= day {
		days := int(step / day)
		for at := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, zone); ; at = at.AddDate(0, 0, days) {
			if out = append(out, at.UnixMicro()); !at.Before(to) {
				return out, step, nil
			}
		}
	}
	_, offset := from.Zone()
	shift := time.Duration(offset) * time.Second
	for at := from.Add(shift).Truncate(step).Add(-shift); ; at = at.Add(step) {
		if out = append(out, at.UnixMicro()); !at.Before(to) {
			return out, step, nil
		}
	}
}

func (s *Server) histogram(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	v := c.r.URL.Query()
	split, err := c.dims("split")
	if err != nil {
		return err
	}
	if len(split) > 1 {
		return bad("split: one dimension")
	}
	step := time.Duration(0)
	if text := v.Get("interval"); text != "" && text != "auto" {
		if step, err = ParseSince(text); err != nil {
			return bad("interval: %v", err)
		}
	}
	zone, err := time.LoadLocation(v.Get("tz"))
	if err != nil || v.Get("tz") == "Local" {
		return bad("tz: %q is no time zone", short(v.Get("tz"), 64))
	}
	most, err := c.number("buckets", 120, 2, maxBuckets)
	if err != nil {
		return err
	}
	ctx, cancel := c.limited()
	defer cancel()
	if err := s.closeRange(ctx, q); err != nil {
		return err
	}
	buckets, step, err := bucketsOf(time.UnixMicro(q.From), time.UnixMicro(q.To), step, most, zone)
	if err != nil {
		return err
	}
	got, err := s.store.Histogram(ctx, q, buckets, strings.Join(split, ""))
	if err != nil {
		return err
	}
	out := histogramV2{Interval: step.String(), Series: got.Series, Partial: got.Partial}
	if got.Partial {
		out.Since = since(got.Since)
	}
	for _, b := range buckets {
		out.Buckets = append(out.Buckets, b/1000)
	}
	if out.Series == nil {
		out.Series = map[string][]int64{}
	}
	return c.json(http.StatusOK, out)
}

// closeRange gives an open time its ends: the oldest event, and now.
func (s *Server) closeRange(ctx context.Context, q *Query) error {
	if q.To == 0 {
		q.To = now()
	}
	if q.From == 0 {
		st, err := s.store.Stats(ctx)
		if err != nil {
			return err
		}
		if q.From = st.Oldest; q.From == 0 {
			q.From = q.To - time.Hour.Microseconds()
		}
	}
	if q.From >= q.To {
		return bad("from lies behind to")
	}
	return nil
}

// top ranks values, beside the time before that was as long.
func (s *Server) top(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	field := c.r.URL.Query().Get("by")
	if aliases[field] != "" || slices.Contains(dims, field) || !fieldName.MatchString(field) {
		field = ""
	}
	by := []string{strings.TrimPrefix(field, "field.")}
	if field == "" {
		if by, err = c.dims("by", "rule"); err != nil {
			return err
		}
	}
	n, err := c.number("n", 10, 1, 1000)
	if err != nil {
		return err
	}
	ctx, cancel := c.limited()
	defer cancel()
	if err := s.closeRange(ctx, q); err != nil {
		return err
	}
	before := &Query{From: max(0, 2*q.From-q.To), To: q.From, Conds: q.Conds}
	if field != "" {
		items, partial, err := s.topOfField(ctx, q, by[0], n)
		if err != nil {
			return err
		}
		return c.json(http.StatusOK, topV2{By: by[0], Items: items, Partial: partial})
	}
	got, err := s.store.Facets(ctx, q, by[:1], n)
	if err != nil {
		return err
	}
	past, err := s.store.Facets(ctx, before, by[:1], 0)
	if err != nil {
		return err
	}
	was := map[string]int64{}
	for _, p := range past.ByDim[by[0]] {
		was[p.Value] = p.N
	}
	out := topV2{By: by[0], Items: []topOf{}, Partial: got.Partial || past.Partial}
	for _, i := range got.ByDim[by[0]] {
		out.Items = append(out.Items, topOf{i.Value, i.N, was[i.Value]})
	}
	return c.json(http.StatusOK, out)
}

// maxValues of a field are told apart; a field with more of them has no ranking that
// says much.
const maxValues = 10000

// topOfField goes through the events themselves, newest first, until time is up.
func (s *Server) topOfField(ctx context.Context, q *Query, field string, n int) (items []topOf, partial bool, err error) {
	sums := map[string]int64{}
	err = s.store.Each(ctx, q, func(e *Event) error {
		if v := e.Field(field); v != "" {
			if _, known := sums[v]; known || len(sums) < maxValues {
				sums[v]++
			} else {
				partial = true
			}
		}
		return ctx.Err()
	})
	if over(ctx, err) {
		partial, err = true, nil
	}
	items = []topOf{}
	for v, count := range sums {
		items = append(items, topOf{Value: v, N: count})
	}
	slices.SortFunc(items, func(a, b topOf) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Value, b.Value)) })
	return items[:min(n, len(items))], partial, err
}
