// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/spool"
)

// inputs counts what came in, one way or the other.
type inputs struct {
	name                           string // "requests", or what is consumed
	accepted, rejected, duplicates atomic.Uint64
}

// Result is what became of a body.
type Result struct {
	Accepted   int
	Duplicates int
	Rejected   []Rejection
	Err        error // of the spool: what is neither accepted nor rejected was not taken

	refused int // how many were rejected; Rejected names the first of them
}

// Rejection is an event that is none.
type Rejection struct {
	Index int    `json:"index"`
	Error string `json:"error"`
}

// counted is what metrics say of an event: its labels are read before names of fields change.
type counted struct {
	priority event.Priority
	labels   []string
}

// maxTold is how many rejections an answer names.
const maxTold = 10

// part is what may be an event.
type part struct {
	text json.RawMessage
	id   string // its UUID if it has none of its own
}

// split cuts a body into events: one JSON value, an array of them, or one a line.
func split(body []byte) (parts []json.RawMessage, many bool, err error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, false, errEmpty
	}
	if body[0] == '[' {
		err := json.Unmarshal(body, &parts)
		return parts, true, err
	}
	line, _, found := bytes.Cut(body, []byte("\n"))
	if !found || !json.Valid(line) {
		return []json.RawMessage{body}, false, nil
	}
	for l := range bytes.SplitSeq(body, []byte("\n")) {
		if l = bytes.TrimSpace(l); len(l) > 0 {
			parts = append(parts, l)
		}
	}
	return parts, true, nil
}

// Take takes in the events of a body. target, if it is not "", is the one output that they are for.
// When it returns, what is accepted is as durable as the settings say.
func (f *Forwarder) Take(body []byte, target string) (r Result, many bool) {
	texts, many, err := split(body)
	if err != nil {
		r.Rejected = append(r.Rejected, Rejection{0, err.Error()})
		f.count("total", 1)
		f.reject(&f.requests, err)
		return r, many
	}
	parts := make([]part, len(texts))
	for i, t := range texts {
		parts[i].text = t
	}
	return f.take(&f.requests, parts, target), many
}

// take takes in what may be events.
func (f *Forwarder) take(in *inputs, parts []part, target string) (r Result) {
	f.count("total", len(parts))
	run := f.live.Load()
	limit := int64(0) // of a body the server has looked
	if in != &f.requests {
		limit = run.cfg.Input.MaxBody
		limit += limit / 4 // the forwarder of a node has taken it, and has added to it
	}
	entries := make([]spool.Entry, 0, len(parts))
	events := make([]counted, 0, len(parts))
	var keys [][16]byte         // of those that have a UUID to be known by
	var at []int                // and which of entries that is
	here := map[[16]byte]bool{} // keys, to be looked up
	for i, p := range parts {
		e, err := parsePart(p, limit)
		given := false
		if err == nil {
			given, err = run.enrich.complete(e)
		}
		if err != nil {
			if len(r.Rejected) < maxTold {
				r.Rejected = append(r.Rejected, Rejection{i, err.Error()})
			}
			r.refused++
			f.reject(in, err)
			continue
		}
		if (given || run.enrich.content) && run.cfg.Input.Dedup && target == "" {
			key, _ := parseUUID(e.UUID)
			if here[key] || f.known.has(key) {
				r.Duplicates++
				continue
			}
			if len(parts) > 1 {
				here[key] = true
			}
			keys, at = append(keys, key), append(at, len(entries))
		}
		events = append(events, counted{e.Priority, f.metrics.values(e)})
		run.enrich.finish(e)
		if run.cfg.Debug {
			f.log.Debugf("Falco's payload : %s", e.JSON())
		}
		entries = append(entries, seal(e, target))
	}
	if r.Duplicates > 0 {
		in.duplicates.Add(uint64(r.Duplicates))
		f.metrics.dups.Add(float64(r.Duplicates))
	}
	if len(entries) == 0 {
		return r
	}
	if err := f.blocked(run); err != nil {
		r.Err = err
		return r
	}
	n, err := f.sp.Append(entries...)
	f.refusing.Store(err != nil)
	r.Accepted, r.Err = n, err
	kept, _ := slices.BinarySearch(at, n)
	f.known.add(keys[:kept])
	for _, e := range events[:n] {
		f.metrics.event(e.priority, e.labels)
		f.count("falco.accepted", 1, output.Tag{Key: "priority", Value: e.priority.String()})
	}
	if n > 0 {
		in.accepted.Add(uint64(n))
		f.metrics.input(in.name, "accepted", n, "")
	}
	return r
}

var errEmpty = errors.New("the body is empty")

func parsePart(p part, limit int64) (*event.Event, error) {
	switch {
	case len(p.text) == 0:
		return nil, errEmpty
	case limit > 0 && int64(len(p.text)) > limit:
		return nil, errLong
	}
	e, err := event.Parse(p.text)
	if err == nil && e.UUID == "" {
		e.UUID = p.id
	}
	return e, err
}

func (f *Forwarder) reject(in *inputs, err error) {
	in.rejected.Add(1)
	why := "invalidjson"
	if errors.Is(err, errEmpty) {
		why = "nobody"
	}
	f.metrics.input(in.name, "rejected", 1, why)
}

var errBlocked = errors.New("an output that must not lose events has no room left")

// blocked says no while the spool is about to drop what an output has not had that is to be waited
// for.
func (f *Forwarder) blocked(run *running) error {
	for _, d := range run.outs {
		if d.inst.Delivery.OnOverflow != "block" || d.r.Stats().Pending == 0 {
			continue
		}
		if f.sp.Stats().Bytes > run.cfg.roomy() {
			return fmt.Errorf("%s: %w", d.inst.Title(), errBlocked)
		}
	}
	return nil
}

// roomy is up to how many bytes the spool has room without dropping anything.
func (c *Config) roomy() int64 {
	s := &c.Spool
	return s.MaxBytes - 2*min(s.Segment, s.MaxBytes/8)
}
