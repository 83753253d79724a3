// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rollable are the dimensions of roll_up, with their columns.
var rollable = map[string]string{"rule": "rule_id", "priority": "prio", "source": "source_id", "host": "host_id", "tag": "tagset_id"}

var dimColumn = map[string]string{"rule": "rule_id", "priority": "prio", "source": "source_id", "host": "host_id", "tag": "tagset_id",
	"ns": "ns_id", "pod": "pod_id", "image": "image_id"}

// plan is a query made ready: conditions in SQL, and how costly they are.
type plan struct {
	from, to int64 // to is always set
	never    bool  // nothing can match
	rolled   bool  // roll_up knows all that is asked
	byPrio   bool  // and roll_dim too
	slow     bool  // each event has to be looked at, or an index that knows no time
	texts    []Cond
	where    []string
	args     []any
	indexed  bool // an equality that has an index of its own is among the conditions
}

// forever is later than any event that is taken.
const forever = int64(253402300800) * 1e6

func (s *sqlStore) plan(ctx context.Context, q *Query) (*plan, error) {
	p := &plan{from: q.From, to: q.To, rolled: true, byPrio: true}
	if p.to == 0 || p.to > forever {
		p.to = forever
	}
	p.from = max(p.from, 0)
	best, bestN := -1, int64(1)<<62
	for i := range q.Conds {
		c := &q.Conds[i]
		if _, ok := rollable[c.Field]; !ok {
			p.rolled = false
		}
		p.byPrio = p.byPrio && c.Field == "priority"
		before := len(p.where)
		if err := s.condition(ctx, p, c); err != nil {
			return nil, err
		}
		// One value with an index is a way in, if it is not too common.
		if len(p.where) == before+1 && !c.Not && slices.Contains([]string{"rule", "priority", "host", "pod"}, c.Field) &&
			strings.Contains(p.where[before], " = ") {
			n, err := s.common(ctx, c.Field, p.where[before])
			if err != nil {
				return nil, err
			}
			if n < bestN {
				best, bestN = before, n
			}
		}
	}
	if best >= 0 {
		total, err := s.common(ctx, "", "")
		if err != nil {
			return nil, err
		}
		if p.indexed = bestN*10 < total; p.indexed {
			p.where[best] = strings.TrimPrefix(p.where[best], "+")
			if strings.HasPrefix(p.where[best], "pod_id") {
				p.where[best] += " AND pod_id <> 0"
			}
		}
	}
	return p, nil
}

// common says how many events there have been with one value of a dimension.
func (s *sqlStore) common(ctx context.Context, dim, cond string) (n int64, err error) {
	query := `SELECT COALESCE(CAST(SUM(n) AS BIGINT), 0) FROM seen WHERE dict_id IN (SELECT id FROM dict WHERE kind = 'source')`
	switch dim {
	case "rule", "host", "pod":
		_, id, _ := strings.Cut(cond, " = ")
		query = `SELECT COALESCE(CAST(SUM(n) AS BIGINT), 0) FROM seen WHERE dict_id = ` + id
	}
	err = s.read.QueryRowContext(ctx, query).Scan(&n)
	if dim == "priority" {
		n /= 12 // it is worth its index, but for a rule or a host that is rare
	}
	return n, err
}

func (s *sqlStore) condition(ctx context.Context, p *plan, c *Cond) error {
	add := func(text string, args ...any) {
		if c.Not {
			text = "NOT (" + text + ")"
		}
		p.where, p.args = append(p.where, text), append(p.args, args...)
	}
	// A unary plus keeps an index from being used for a condition: those that are
	// not the best way in would lead through more events than their time does.
	member := func(col string, ids []int64) {
		switch {
		case len(ids) == 0 && !c.Not:
			p.never = true
		case len(ids) == 0:
		case len(ids) == 1 && !c.Not:
			add("+" + col + " = " + list(ids))
		default:
			add("+" + col + " IN (" + list(ids) + ")")
		}
	}
	switch c.Field {
	case "text":
		p.slow = true
		p.texts = append(p.texts, *c)
	case "priority":
		var ids []int64
		for prio := Debug; prio <= Emergency; prio++ {
			bare := Cond{Field: c.Field, Op: c.Op, Values: c.Values}
			if bare.match(&Event{Priority: prio}) {
				ids = append(ids, int64(prio))
			}
		}
		member("prio", ids)
	case "state":
		var ids []int64
		for st, name := range stateNames {
			if slices.Contains(c.Values, name) {
				ids = append(ids, int64(st))
			}
		}
		member("state", ids)
	case "uuid":
		p.slow = true
		add("uuid IN ("+strings.TrimSuffix(strings.Repeat("?,", len(c.Values)), ",")+")", anys(c.Values)...)
	default:
		if name, ok := strings.CutPrefix(c.Field, "field."); ok {
			s.fieldCondition(p, c, name, add)
			return nil
		}
		ids, err := s.resolve(ctx, c)
		if err != nil {
			return err
		}
		member(dimColumn[c.Field], ids)
	}
	return nil
}

// fieldCondition asks for the value of an output field. Texts of three letters and
// more are looked up before the event is read.
func (s *sqlStore) fieldCondition(p *plan, c *Cond, name string, add func(string, ...any)) {
	p.slow = true
	var parts []string
	var args []any
	longest := ""
	for _, v := range c.Values {
		args = append(args, name)
		if strings.Contains(v, "*") {
			parts = append(parts, `LOWER(`+s.field+`) LIKE ? ESCAPE '\'`)
			args = append(args, likeOf(lowerASCII(v)))
			for _, piece := range strings.Split(v, "*") {
				if len(piece) > len(longest) {
					longest = piece
				}
			}
			continue
		}
		parts = append(parts, s.field+` = ?`)
		args = append(args, v)
		longest = v
	}
	text := "COALESCE((" + strings.Join(parts, " OR ") + ") AND " + s.field + " <> '', " + s.falsehood() + ")"
	add(text, append(args, name)...)
	if len(c.Values) == 1 && !c.Not && len([]rune(longest)) >= 3 {
		p.texts = append(p.texts, Cond{Field: "text", Values: []string{longest}})
	}
}

func (s *sqlStore) falsehood() string {
	if s.dollar {
		return "FALSE"
	}
	return "0"
}

func likeOf(glob string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `%`).Replace(glob)
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// clause writes the conditions for a part of the time. Texts are asked for among
// the ids from lo to hi; hi 0 means all.
func (s *sqlStore) clause(p *plan, from, to, lo, hi int64) (string, []any) {
	parts := []string{"ts >= ?", "ts < ?"}
	args := []any{from, to}
	parts, args = append(parts, p.where...), append(args, p.args...)
	for _, c := range p.texts {
		var any []string
		for _, v := range c.Values {
			text, a := s.contains(v)
			if hi != 0 {
				text, a = s.windowed(v, lo, hi)
			}
			any, args = append(any, text), append(args, a...)
		}
		text := "(" + strings.Join(any, " OR ") + ")"
		if c.Not {
			text = "NOT " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " AND "), args
}

// windowEvents is how many events the first of the windows has, through which a
// slow query goes from the newest events to the oldest. Each has twice as many as
// the one before.
const windowEvents = 1000

// windows calls f for parts of the plan's time, newest first or oldest first, until
// f says that it has enough. When time is up it reports how far it came.
func (s *sqlStore) windows(ctx context.Context, p *plan, oldest bool, f func(where string, args []any) (bool, error)) (partial bool, reached int64, err error) {
	if p.never {
		return false, p.from, nil
	}
	if !p.slow {
		where, args := s.clause(p, p.from, p.to, 0, 0)
		_, err := f(where, args)
		return over(ctx, err), p.to, unless(ctx, err)
	}
	from, to := p.from, p.to
	for n := windowEvents; from < to; n *= 2 {
		lo, hi := from, to
		query := `SELECT ts FROM event WHERE ts >= ? AND ts < ? ORDER BY ts DESC LIMIT 1 OFFSET ` + strconv.Itoa(n)
		if oldest {
			query = strings.Replace(query, "DESC", "ASC", 1)
		}
		var at int64
		err := s.read.QueryRowContext(ctx, s.sql(query), from, to).Scan(&at)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return over(ctx, err), to, unless(ctx, err)
		case oldest:
			hi = max(at, from+1)
		default:
			lo = min(at, to-1)
		}
		var first, last sql.NullInt64
		err = s.read.QueryRowContext(ctx, s.sql(`SELECT MIN(id), MAX(id) FROM event WHERE ts >= ? AND ts < ?`), lo, hi).Scan(&first, &last)
		if err != nil {
			return over(ctx, err), to, unless(ctx, err)
		}
		if first.Valid {
			where, args := s.clause(p, lo, hi, first.Int64, last.Int64)
			enough, err := f(where, args)
			if err != nil {
				return over(ctx, err), to, unless(ctx, err)
			}
			if enough {
				return false, to, nil
			}
		}
		if oldest {
			from = hi
		} else {
			to = lo
		}
	}
	return false, p.from, nil
}

// over reports whether an error means that time is up.
func over(ctx context.Context, err error) bool {
	return err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// unless returns err, but not if it means that time is up.
func unless(ctx context.Context, err error) error {
	if over(ctx, err) {
		return nil
	}
	return err
}

func (s *sqlStore) columns() string {
	return `id, ts, recv, state, note, actor, output, ` + s.raw
}

func scanEvent(rows interface{ Scan(...any) error }) (*Event, error) {
	var id, ts, recv, state int64
	var note, actor, output, raw string
	if err := rows.Scan(&id, &ts, &recv, &state, &note, &actor, &output, &raw); err != nil {
		return nil, err
	}
	e := stored([]byte(raw))
	e.ID, e.Time, e.Received, e.State, e.Note, e.Actor, e.Output = id, ts, recv, State(state), note, actor, output
	return e, nil
}

// Search returns a page of events.
func (s *sqlStore) Search(ctx context.Context, q *Query, page Page) (*Found, error) {
	p, err := s.plan(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &Found{}
	skip := page.Offset
	order, after := ` ORDER BY ts DESC, id DESC`, ` AND (ts, id) < (?, ?)`
	if page.Oldest {
		order, after = ` ORDER BY ts ASC, id ASC`, ` AND (ts, id) > (?, ?)`
	}
	if page.Before != (Cursor{}) {
		if page.Oldest {
			p.from = max(p.from, page.Before.Time)
		} else {
			p.to = min(p.to, page.Before.Time+1)
		}
	}
	out.Partial, _, err = s.windows(ctx, p, page.Oldest, func(where string, args []any) (bool, error) {
		if page.Before != (Cursor{}) {
			where, args = where+after, append(args, page.Before.Time, page.Before.ID)
		}
		rows, err := s.read.QueryContext(ctx, s.sql(`SELECT `+s.columns()+` FROM event WHERE `+where+order+
			` LIMIT `+strconv.Itoa(skip+page.Limit+1-len(out.Events))), args...)
		if err != nil {
			return false, err
		}
		defer rows.Close()
		for rows.Next() {
			if skip > 0 {
				skip--
				continue
			}
			e, err := scanEvent(rows)
			if err != nil {
				return false, err
			}
			out.Events = append(out.Events, e)
		}
		return len(out.Events) > page.Limit, rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("search events: %w", err)
	}
	if len(out.Events) > page.Limit {
		out.Events = out.Events[:page.Limit]
	} else if !out.Partial {
		return out, nil
	}
	if n := len(out.Events); n > 0 {
		out.Next = Cursor{out.Events[n-1].Time, out.Events[n-1].ID}
	}
	return out, nil
}

// Get returns the event with an id.
func (s *sqlStore) Get(ctx context.Context, uuid string) (*Event, error) {
	e, err := scanEvent(s.read.QueryRowContext(ctx, s.sql(`SELECT `+s.columns()+` FROM event WHERE uuid = ?`), uuid))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	return e, err
}

// After returns events in the order in which they came.
func (s *sqlStore) After(ctx context.Context, id int64, limit int) ([]*Event, error) {
	rows, err := s.read.QueryContext(ctx, s.sql(`SELECT `+s.columns()+` FROM event WHERE id > ? ORDER BY id LIMIT `+strconv.Itoa(limit)), id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Event
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// Each goes through all events in pages, so that no query stays open for as long
// as somebody reads slowly.
func (s *sqlStore) Each(ctx context.Context, q *Query, f func(*Event) error) error {
	page := Page{Limit: 1000}
	for {
		found, err := s.Search(ctx, q, page)
		if err != nil {
			return err
		}
		for _, e := range found.Events {
			if err := f(e); err != nil {
				return err
			}
		}
		if found.Next == (Cursor{}) {
			return ctx.Err()
		}
		page.Before = found.Next
	}
}
