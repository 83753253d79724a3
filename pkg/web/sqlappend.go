// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	batchEvents = 500 // of a transaction, about
	rowsAtOnce  = 100 // of a statement
)

// Append waits until the events are in a transaction that is on disk. Calls that
// come while one is written share the next.
func (s *sqlStore) Append(ctx context.Context, events []*Event) ([]Appended, error) {
	w := &want{events: events, done: make(chan struct{})}
	select {
	case s.wants <- w:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
		return nil, os.ErrClosed
	}
	select {
	case <-w.done:
		return w.out, w.err
	case <-s.done:
		select {
		case <-w.done:
			return w.out, w.err
		default:
			return nil, os.ErrClosed
		}
	}
}

// appendLoop is the one writer of events.
func (s *sqlStore) appendLoop(ctx context.Context) {
	defer close(s.done)
	for {
		var batch []*want
		select {
		case w := <-s.wants:
			batch = append(batch, w)
		case <-ctx.Done():
			return
		}
		n := len(batch[0].events)
	more:
		for n < batchEvents {
			select {
			case w := <-s.wants:
				batch = append(batch, w)
				n += len(w.events)
			default:
				break more
			}
		}
		s.appendBatch(ctx, batch)
	}
}

func (s *sqlStore) appendBatch(ctx context.Context, batch []*want) {
	var all []*Event
	for _, w := range batch {
		all = append(all, w.events...)
	}
	out, fresh, err := s.insertAll(ctx, all)
	if err != nil && len(batch) > 1 { // one of them may be to blame
		for _, w := range batch {
			s.appendBatch(ctx, []*want{w})
		}
		return
	}
	for _, w := range batch {
		if w.err = err; err == nil {
			w.out, out = out[:len(w.events)], out[len(w.events):]
		}
	}
	if s.watch == nil && len(fresh) > 0 {
		s.tell(fresh)
	}
	for _, w := range batch {
		close(w.done)
	}
}

// tell hands events to those who watch. They copy what they keep and never wait.
func (s *sqlStore) tell(events []*Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.watchers {
		f(events)
	}
}

// Watch calls f with all events that come, and first those that have come since the
// given one: between that and now somebody may have been quick.
func (s *sqlStore) Watch(ctx context.Context, after int64, f func([]*Event)) error {
	if s.watch != nil {
		return s.watch(ctx, s, after, f)
	}
	s.mu.Lock() // nobody is told of anything meanwhile
	for {
		events, err := s.After(ctx, after, 1000)
		if err != nil {
			s.mu.Unlock()
			return err
		}
		if len(events) == 0 {
			break
		}
		after = events[len(events)-1].ID
		f(events)
	}
	id := s.nextID
	s.nextID++
	s.watchers[id] = func(events []*Event) {
		// What was on disk before, and is told only now, has been read above.
		for len(events) > 0 && events[0].ID <= after {
			events = events[1:]
		}
		if len(events) > 0 {
			f(events)
		}
	}
	s.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-s.done:
	}
	s.mu.Lock()
	delete(s.watchers, id)
	s.mu.Unlock()
	return ctx.Err()
}

// insertAll writes events in one transaction. It returns what became of each, and
// those that were new.
func (s *sqlStore) insertAll(ctx context.Context, events []*Event) (out []Appended, fresh []*Event, err error) {
	byID := make(map[string]*Event, len(events))
	var uniq []*Event
	for _, e := range events {
		if byID[e.UUID] == nil {
			byID[e.UUID] = e
			uniq = append(uniq, e)
		}
	}
	ids := map[string]int64{}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		dims, err := s.number(ctx, tx, uniq)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(uniq, rowsAtOnce) {
			if err := s.insert(ctx, tx, part, dims, ids); err != nil {
				return fmt.Errorf("insert events: %w", err)
			}
		}
		fresh = fresh[:0]
		for _, e := range uniq {
			if id, ok := ids[e.UUID]; ok {
				e.ID = id
				fresh = append(fresh, e)
			}
		}
		slices.SortFunc(fresh, func(a, b *Event) int { return int(a.ID - b.ID) })
		if err := s.countIn(ctx, tx, fresh, dims, 1); err != nil {
			return fmt.Errorf("count events: %w", err)
		}
		if s.watch != nil && len(fresh) > 0 {
			_, err = tx.ExecContext(ctx, `NOTIFY falco_event`)
		}
		return err
	})
	if err != nil {
		s.dict.mu.Lock()
		s.dict.last, s.dict.ids, s.dict.texts = 0, nil, nil // numbers of a transaction that is not
		s.dict.mu.Unlock()
		return nil, nil, err
	}
	for _, e := range events {
		id, isNew := ids[e.UUID]
		_, first := byID[e.UUID]
		delete(byID, e.UUID)
		out = append(out, Appended{ID: id, Duplicate: !isNew || !first})
	}
	return out, fresh, nil
}

// numbered are the numbers of an event's dimensions.
type numbered struct{ rule, source, host, tagset, ns, pod, image int64 }

// number looks the dimensions of events up, and gives numbers to new ones.
func (s *sqlStore) number(ctx context.Context, tx *sql.Tx, events []*Event) (map[*Event]*numbered, error) {
	d := &s.dict
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := s.refresh(ctx, tx); err != nil {
		return nil, err
	}
	var err error
	id := func(kind, value string) int64 {
		if value == "" || err != nil {
			return 0
		}
		if id, ok := d.ids[kind][value]; ok {
			return id
		}
		var id int64
		err = tx.QueryRowContext(ctx, s.sql(`INSERT INTO dict (kind, value) VALUES (?, ?) RETURNING id`), kind, value).Scan(&id)
		if d.ids[kind] == nil {
			d.ids[kind] = map[string]int64{}
		}
		d.ids[kind][value], d.texts[id], d.last = id, value, max(id, d.last)
		return id
	}
	out := make(map[*Event]*numbered, len(events))
	for _, e := range events {
		out[e] = &numbered{id("rule", e.Rule), id("source", e.Source), id("host", e.Host), id("tagset", joinTags(e.Tags)),
			id("ns", e.NS), id("pod", e.Pod), id("image", e.Image)}
	}
	return out, err
}

func (s *sqlStore) insert(ctx context.Context, tx *sql.Tx, events []*Event, dims map[*Event]*numbered, ids map[string]int64) error {
	cols := `uuid, ts, recv, prio, rule_id, source_id, host_id, tagset_id, ns_id, pod_id, image_id, output, raw`
	n := 13
	if s.textCol {
		cols, n = cols+`, body`, n+1
	}
	var args []any
	for _, e := range events {
		d := dims[e]
		args = append(args, e.UUID, e.Time, e.Received, int64(e.Priority), d.rule, d.source, d.host, d.tagset, d.ns, d.pod, d.image,
			e.Output, string(e.Raw))
		if s.textCol {
			args = append(args, e.text())
		}
	}
	rows, err := tx.QueryContext(ctx, s.sql(`INSERT INTO event (`+cols+`) VALUES `+values(len(events), n)+
		` ON CONFLICT (uuid) DO NOTHING RETURNING id, uuid`), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var uuid string
		if err := rows.Scan(&id, &uuid); err != nil {
			return err
		}
		ids[uuid] = id
	}
	if err := rows.Err(); err != nil || s.textCol {
		return err
	}
	args = args[:0]
	for _, e := range events {
		if id, ok := ids[e.UUID]; ok {
			args = append(args, id, e.text())
		}
	}
	if len(args) == 0 {
		return nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO fts (rowid, body) VALUES `+values(len(args)/2, 2), args...)
	return err
}

type rollKey struct {
	level, start                            int64
	rule, prio, source, host, tagset, dimID int64
}

// countIn adds events to the roll-ups, or with sign -1 takes them out.
func (s *sqlStore) countIn(ctx context.Context, tx *sql.Tx, events []*Event, dims map[*Event]*numbered, sign int64) error {
	ups, byDim := map[rollKey]int64{}, map[rollKey]int64{}
	type span struct{ n, first, last int64 }
	seen := map[int64]*span{}
	for _, e := range events {
		d := dims[e]
		for _, level := range levels {
			start := floorDiv(e.Time, level*1e6) * level
			ups[rollKey{level: level, start: start, rule: d.rule, prio: int64(e.Priority), source: d.source, host: d.host, tagset: d.tagset}] += sign
			for _, id := range []int64{d.ns, d.image} {
				if id != 0 {
					byDim[rollKey{level: level, start: start, prio: int64(e.Priority), dimID: id}] += sign
				}
			}
		}
		for _, id := range []int64{d.rule, d.source, d.host, d.tagset, d.ns, d.pod, d.image} {
			if seen[id] == nil {
				seen[id] = &span{0, e.Time, e.Time}
			}
			sp := seen[id]
			sp.n, sp.first, sp.last = sp.n+sign, min(sp.first, e.Time), max(sp.last, e.Time)
		}
	}
	var args []any
	for k, n := range ups {
		args = append(args, k.level, k.start, k.rule, k.prio, k.source, k.host, k.tagset, n)
	}
	err := s.upsert(ctx, tx, `roll_up (level, start, rule_id, prio, source_id, host_id, tagset_id, n)`, 8, args,
		`(level, start, rule_id, prio, source_id, host_id, tagset_id) DO UPDATE SET n = roll_up.n + excluded.n`)
	if err != nil {
		return err
	}
	args = args[:0]
	for k, n := range byDim {
		args = append(args, k.level, k.start, k.dimID, k.prio, n)
	}
	err = s.upsert(ctx, tx, `roll_dim (level, start, dim_id, prio, n)`, 5, args,
		`(level, start, dim_id, prio) DO UPDATE SET n = roll_dim.n + excluded.n`)
	if err != nil {
		return err
	}
	args = args[:0]
	for id, sp := range seen {
		if id != 0 {
			args = append(args, id, sp.n, sp.first, sp.last)
		}
	}
	change := `(dict_id) DO UPDATE SET n = seen.n + excluded.n`
	if sign > 0 {
		change += `, first_ts = CASE WHEN excluded.first_ts < seen.first_ts THEN excluded.first_ts ELSE seen.first_ts END` +
			`, last_ts = CASE WHEN excluded.last_ts > seen.last_ts THEN excluded.last_ts ELSE seen.last_ts END`
	}
	return s.upsert(ctx, tx, `seen (dict_id, n, first_ts, last_ts)`, 4, args, change)
}

// upsert inserts rows of m values into a table, or changes those that are there.
func (s *sqlStore) upsert(ctx context.Context, tx *sql.Tx, into string, m int, args []any, change string) error {
	for part := range slices.Chunk(args, m*rowsAtOnce) {
		_, err := tx.ExecContext(ctx, s.sql(`INSERT INTO `+into+` VALUES `+values(len(part)/m, m)+` ON CONFLICT `+change), part...)
		if err != nil {
			return fmt.Errorf("%s: %w", into[:strings.IndexByte(into, ' ')], err)
		}
	}
	return nil
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

func now() int64 { return time.Now().UnixMicro() }
