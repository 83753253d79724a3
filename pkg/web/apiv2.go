// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
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

// since says from when on a partial answer has counted: from now on, if it has come to nothing.
func since(us int64) string { return timeText(min(us, time.Now().UnixMicro())) }

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
			out.Partial, out.Since = true, since(all.Since)
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
