// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eventV2 is an event as the page sees it.
type eventV2 struct {
	ID       int64          `json:"id"`
	UUID     string         `json:"uuid"`
	Time     string         `json:"time"`
	Received string         `json:"received"`
	Priority string         `json:"priority"`
	Rule     string         `json:"rule"`
	Source   string         `json:"source"`
	Hostname string         `json:"hostname"`
	Tags     []string       `json:"tags"`
	NS       string         `json:"ns,omitempty"`
	Pod      string         `json:"pod,omitempty"`
	Image    string         `json:"image,omitempty"`
	Output   string         `json:"output"`
	Fields   map[string]any `json:"output_fields"`
	State    string         `json:"state"`
	Note     string         `json:"note,omitempty"`
	Actor    string         `json:"actor,omitempty"`
}

const timeForm = "2006-01-02T15:04:05.000000Z07:00"

func timeText(us int64) string { return time.UnixMicro(us).UTC().Format(timeForm) }

func shown(e *Event) *eventV2 {
	e.Field("")
	out := &eventV2{ID: e.ID, UUID: e.UUID, Time: timeText(e.Time), Received: timeText(e.Received), Priority: e.Priority.String(),
		Rule: e.Rule, Source: e.Source, Hostname: e.Host, Tags: e.Tags, NS: e.NS, Pod: e.Pod, Image: e.Image, Output: e.Output,
		Fields: e.fields, State: e.State.String(), Note: e.Note, Actor: e.Actor}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	return out
}

func shownAll(list []*Event) []*eventV2 {
	out := make([]*eventV2, len(list))
	for i, e := range list {
		out[i] = shown(e)
	}
	return out
}

type eventsV2 struct {
	Events  []*eventV2 `json:"events"`
	Next    string     `json:"next,omitempty"` // cursor
	Last    int64      `json:"last"`           // the greatest id there was before: where a stream goes on
	Total   *int64     `json:"total,omitempty"`
	Partial bool       `json:"partial"`
	Since   string     `json:"since,omitempty"` // of a partial total
}

type eventAndMore struct {
	Event      *eventV2   `json:"event"`
	Raw        string     `json:"raw"` // as it came: numbers have all their digits
	Deliveries []Delivery `json:"deliveries"`
	Related    []*eventV2 `json:"related"`
}

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

type postedV2 struct {
	Accepted   int          `json:"accepted"`
	Duplicates int          `json:"duplicates"`
	Refused    int          `json:"refused"`
	Items      []postedItem `json:"items"`
}

type postedItem struct {
	UUID   string `json:"uuid,omitempty"`
	Status string `json:"status"` // "accepted", "duplicate" or "refused"
	Error  string `json:"error,omitempty"`
}

type triage struct {
	UUIDs []string `json:"uuids"`
	State string   `json:"state"`
	Note  *string  `json:"note,omitempty"`
}

type changed struct {
	Count int `json:"count"`
}

// list serves a page of events.
func (s *Server) list(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	v := c.r.URL.Query()
	limit, err := c.number("limit", 100, 1, 1000)
	if err != nil {
		return err
	}
	p := Page{Limit: limit, Oldest: v.Get("order") == "asc"}
	if o := v.Get("order"); o != "" && o != "asc" && o != "desc" {
		return bad("order: %q is neither asc nor desc", short(o, 32))
	}
	if p.Before, err = parseCursor(v.Get("cursor")); err != nil {
		return err
	}
	ctx, cancel := c.limited()
	defer cancel()
	last, err := s.store.Last(ctx)
	if err != nil {
		return err
	}
	found, err := s.store.Search(ctx, q, p)
	if err != nil {
		return err
	}
	out := eventsV2{Last: last, Events: shownAll(found.Events), Next: found.Next.String(), Partial: found.Partial}
	if v.Get("total") == "true" {
		all, err := s.store.Count(ctx, q)
		if err != nil {
			return err
		}
		out.Total = &all.Total
		if all.Partial {
			out.Partial, out.Since = true, timeText(all.Since)
		}
	}
	return c.json(http.StatusOK, out)
}

// String is the cursor as clients hand it back.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.Time, 36) + "." + strconv.FormatInt(c.ID, 36)))
}

func parseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	at, id, ok := strings.Cut(string(raw), ".")
	t, err1 := strconv.ParseInt(at, 36, 64)
	n, err2 := strconv.ParseInt(id, 36, 64)
	if err != nil || !ok || err1 != nil || err2 != nil || t < 0 || t > forever || n < 1 {
		return Cursor{}, bad("cursor: %q is none of ours", short(text, 64))
	}
	return Cursor{t, n}, nil
}

// one serves an event with what belongs to it: the same pod or process, five
// minutes around.
func (s *Server) one(c *call) error {
	ctx, cancel := c.limited()
	defer cancel()
	e, err := s.store.Get(ctx, strings.ToLower(c.r.PathValue("uuid")))
	if err != nil {
		return err
	}
	out := eventAndMore{Event: shown(e), Raw: string(e.Raw), Deliveries: []Delivery{}, Related: []*eventV2{}}
	list, err := s.store.Deliveries(ctx, e.UUID)
	if err != nil {
		return err
	}
	out.Deliveries = append(out.Deliveries, list...)
	near := &Query{From: e.Time - (5 * time.Minute).Microseconds(), To: e.Time + (5 * time.Minute).Microseconds()}
	switch {
	case e.Pod != "":
		near.Conds = []Cond{{Field: "pod", Values: []string{e.Pod}}}
	case e.Field("container.id") != "" && e.Field("container.id") != "host":
		near.Conds = []Cond{{Field: "field.container.id", Values: []string{e.Field("container.id")}}}
	case e.Field("proc.pid") != "":
		near.Conds = []Cond{{Field: "host", Values: []string{e.Host}}, {Field: "field.proc.pid", Values: []string{e.Field("proc.pid")}}}
	default:
		return c.json(http.StatusOK, out)
	}
	near.Conds = slices.DeleteFunc(near.Conds, func(c Cond) bool { return c.Values[0] == "" })
	for i := range near.Conds { // a * in a name of theirs is no pattern
		near.Conds[i].Values[0] = strings.ReplaceAll(near.Conds[i].Values[0], "*", "")
	}
	found, err := s.store.Search(ctx, near, Page{Limit: 51})
	if err != nil {
		return err
	}
	for _, r := range found.Events {
		if r.ID != e.ID {
			out.Related = append(out.Related, shown(r))
		}
	}
	return c.json(http.StatusOK, out)
}

// fields reads a list of dimensions.
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
		out.Since = timeText(got.Since)
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
		out.Since = timeText(got.Since)
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

// post takes events: one, a list of them, or one a line.
func (s *Server) post(c *call) error {
	text, err := c.body()
	if err != nil {
		return err
	}
	var items []json.RawMessage
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '[' {
		if err := json.Unmarshal(text, &items); err != nil {
			return bad("decode: %v", err)
		}
	} else {
		for dec := json.NewDecoder(bytes.NewReader(text)); len(items) <= maxItems; {
			var item json.RawMessage
			if err := dec.Decode(&item); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return bad("decode: after %d events: %v", len(items), err)
			}
			items = append(items, item)
		}
	}
	if len(items) > maxItems {
		return &apiError{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("%d events; the limit is %d", len(items), maxItems)}
	}
	out := postedV2{Items: make([]postedItem, len(items))}
	var events []*Event
	var at []int
	for i, item := range items {
		e, err := ParseEvent(item)
		if err != nil {
			out.Items[i] = postedItem{Status: "refused", Error: err.Error()}
			out.Refused++
			continue
		}
		e.Received = now()
		events, at = append(events, e), append(at, i)
	}
	res, err := s.append(c.r.Context(), events)
	if err != nil {
		return err
	}
	for i, r := range res {
		item := postedItem{UUID: events[i].UUID, Status: "accepted"}
		if r.Duplicate {
			item.Status = "duplicate"
			out.Duplicates++
		} else {
			out.Accepted++
		}
		out.Items[at[i]] = item
	}
	status := http.StatusOK
	if out.Refused > 0 && len(events) == 0 {
		status = http.StatusBadRequest
	}
	return c.json(status, out)
}

func (s *Server) annotate(c *call) error {
	var t triage
	if err := c.read(&t); err != nil {
		return err
	}
	state, err := ParseState(t.State)
	if err != nil {
		return bad("%v", err)
	}
	if len(t.UUIDs) == 0 || len(t.UUIDs) > maxItems {
		return bad("uuids: from 1 to %d", maxItems)
	}
	n, err := s.store.Annotate(c.r.Context(), t.UUIDs, Annotation{state, t.Note, c.id.Name})
	if err != nil {
		return err
	}
	s.audit(c.r, c.id.Name, "set state", fmt.Sprintf("%s of %d events", t.State, n))
	return c.json(http.StatusOK, changed{n})
}

// remove deletes the events that a query means. Whoever asks is told how many there
// are, and gets a word with which to ask once more.
func (s *Server) remove(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	v := c.r.URL.Query()
	confirm := v.Get("confirm")
	v.Del("confirm")
	if v.Get("since") != "" {
		return bad("since moves while you decide: use from and to")
	}
	mac := hmac.New(sha256.New, s.auth.key)
	fmt.Fprint(mac, v.Encode(), "\n", c.id.Name)
	word := hex.EncodeToString(mac.Sum(nil)[:12])
	if !hmac.Equal([]byte(word), []byte(confirm)) {
		all, err := s.store.Count(c.r.Context(), q)
		if err != nil {
			return err
		}
		return &apiError{Status: http.StatusConflict, Code: "confirm", Message: fmt.Sprintf("this deletes %d events; ask again with confirm", all.Total),
			Confirm: word, Count: &all.Total}
	}
	n, err := s.store.Delete(c.r.Context(), q)
	s.audit(c.r, c.id.Name, "delete events", fmt.Sprintf("%d by %s", n, v.Encode()))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, changed{n})
}
