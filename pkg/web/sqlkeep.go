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
	"time"
)

// Annotate writes what somebody says of events.
func (s *sqlStore) Annotate(ctx context.Context, uuids []string, a Annotation) (int, error) {
	total := 0
	err := s.tx(ctx, func(tx *sql.Tx) error {
		for part := range slices.Chunk(uuids, rowsAtOnce) {
			set, args := `state = ?, actor = ?`, []any{int64(a.State), a.Actor}
			if a.Note != nil {
				set, args = set+`, note = ?`, append(args, short(*a.Note, maxOutput))
			}
			res, err := tx.ExecContext(ctx, s.sql(`UPDATE event SET `+set+` WHERE uuid IN `+values(1, len(part))), append(args, anys(part)...)...)
			if err != nil {
				return err
			}
			n, _ := res.RowsAffected()
			total += int(n)
		}
		return nil
	})
	return total, err
}

// Delete deletes events as if they had never been, a few thousand a transaction.
func (s *sqlStore) Delete(ctx context.Context, q *Query) (int, error) {
	total := 0
	for {
		found, err := s.Search(ctx, q, Page{Limit: batchEvents})
		if err != nil || len(found.Events) == 0 {
			return total, err
		}
		err = s.tx(ctx, func(tx *sql.Tx) error {
			dims, err := s.number(ctx, tx, found.Events)
			if err != nil {
				return err
			}
			ids := make([]int64, len(found.Events))
			for i, e := range found.Events {
				ids[i] = e.ID
			}
			n, err := s.remove(ctx, tx, ids)
			if err != nil || n != len(ids) {
				return errors.Join(err, errIfLess(n, len(ids)))
			}
			return s.countIn(ctx, tx, found.Events, dims, -1)
		})
		if err != nil {
			return total, fmt.Errorf("delete events: %w", err)
		}
		total += len(found.Events)
	}
}

func errIfLess(n, want int) error {
	if n < want {
		return fmt.Errorf("%d of %d events were there no more; once again, please", want-n, want)
	}
	return nil
}

// remove deletes events, but leaves them in the counts.
func (s *sqlStore) remove(ctx context.Context, tx *sql.Tx, ids []int64) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	if !s.textCol {
		if _, err := tx.ExecContext(ctx, `DELETE FROM fts WHERE rowid IN (`+list(ids)+`)`); err != nil {
			return 0, err
		}
	}
	res, err := tx.ExecContext(ctx, `DELETE FROM event WHERE id IN (`+list(ids)+`)`)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// Prune deletes what is beyond the policy, oldest first. The counts stay until they
// are too old themselves.
func (s *sqlStore) Prune(ctx context.Context, r *Retention, at time.Time, limit int) (int, error) {
	var beyond []string
	var args []any
	var own []int64
	for prio, age := range r.ByPriority {
		own = append(own, int64(prio))
		if age > 0 {
			beyond, args = append(beyond, `prio = `+strconv.Itoa(int(prio))+` AND ts < ?`), append(args, at.Add(-age).UnixMicro())
		}
	}
	if r.Age > 0 {
		text := `ts < ?`
		if len(own) > 0 {
			text = `prio NOT IN (` + list(own) + `) AND ` + text
		}
		beyond, args = append(beyond, text), append(args, at.Add(-r.Age).UnixMicro())
	}
	total := 0
	if len(beyond) > 0 {
		n, err := s.pruneWhere(ctx, `(`+strings.Join(beyond, `) OR (`)+`)`, args, limit)
		if total += n; err != nil {
			return total, err
		}
	}
	st, err := s.fresh(ctx)
	if err != nil {
		return total, err
	}
	over := int64(0)
	if r.Events > 0 {
		over = max(0, st.Events-r.Events)
	}
	if r.Bytes > 0 && st.Bytes > r.Bytes && st.Events > 0 {
		// What is deleted leaves free pages: they count only once they are given back.
		over = max(over, min(st.Events, (st.Bytes-r.Bytes)*st.Events/st.Bytes+1))
	}
	if over > 0 && total < limit {
		n, err := s.pruneWhere(ctx, `1 = 1`, nil, min(int(over), limit-total))
		if total += n; err != nil {
			return total, err
		}
	}
	if r.RollUps > 0 {
		start := at.Add(-r.RollUps).Unix()
		for _, table := range []string{"roll_up", "roll_dim"} {
			if _, err := s.write.ExecContext(ctx, s.sql(`DELETE FROM `+table+` WHERE level IN (`+list(levels)+`) AND start < ?`), start); err != nil {
				return total, err
			}
		}
	}
	if _, err := s.write.ExecContext(ctx, s.sql(`DELETE FROM delivery WHERE ts < ? AND state = 'delivered'`), at.Add(-day).UnixMicro()); err != nil {
		return total, err
	}
	if _, err := s.write.ExecContext(ctx, s.sql(`DELETE FROM record WHERE expires <> 0 AND expires < ?`), at.UnixMicro()); err != nil {
		return total, err
	}
	if total > 0 && s.shrink != "" {
		if _, err := s.write.ExecContext(ctx, s.shrink); err != nil {
			return total, err
		}
	}
	return total, nil
}

// pruneWhere deletes the oldest events that a condition names, a transaction for
// some hundred of them, so that what comes in never waits for long.
func (s *sqlStore) pruneWhere(ctx context.Context, where string, args []any, limit int) (total int, err error) {
	for total < limit {
		rows, err := s.read.QueryContext(ctx, s.sql(`SELECT id FROM event WHERE `+where+` ORDER BY ts LIMIT `+strconv.Itoa(min(batchEvents, limit-total))), args...)
		if err != nil {
			return total, err
		}
		var ids []int64
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				rows.Close()
				return total, err
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(ids) == 0 {
			return total, err
		}
		n := 0
		err = s.tx(ctx, func(tx *sql.Tx) error {
			if n, err = s.remove(ctx, tx, ids); err != nil {
				return err
			}
			text, err := s.meta(ctx, tx, "pruned")
			if err != nil {
				return err
			}
			before, _ := strconv.Atoi(text)
			return s.setMeta(ctx, tx, "pruned", strconv.Itoa(before+n))
		})
		if err != nil {
			return total, fmt.Errorf("prune events: %w", err)
		}
		total += n
		if n == 0 { // another replica was faster
			return total, nil
		}
	}
	return total, nil
}

// Stats says what the store holds. The number of events is some seconds old.
func (s *sqlStore) Stats(ctx context.Context) (*StoreStats, error) {
	s.mu.Lock()
	n, known := s.events, time.Since(s.counted) < 5*time.Second
	s.mu.Unlock()
	if !known {
		return s.fresh(ctx)
	}
	st, err := s.stats(ctx)
	if err == nil {
		st.Events = n
	}
	return st, err
}

func (s *sqlStore) fresh(ctx context.Context) (*StoreStats, error) {
	st, err := s.stats(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM event`).Scan(&st.Events); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.events, s.counted = st.Events, time.Now()
	s.mu.Unlock()
	return st, nil
}

func (s *sqlStore) stats(ctx context.Context) (*StoreStats, error) {
	st := &StoreStats{Kind: s.kind}
	var err error
	if st.Schema, err = s.schema(ctx, s.read); err != nil {
		return nil, err
	}
	var oldest, newest sql.NullInt64
	// Two queries: one alone for both would go through the index.
	err = errors.Join(
		s.read.QueryRowContext(ctx, `SELECT MIN(ts) FROM event`).Scan(&oldest),
		s.read.QueryRowContext(ctx, `SELECT MAX(ts) FROM event`).Scan(&newest),
		s.read.QueryRowContext(ctx, s.size).Scan(&st.Bytes))
	if err != nil {
		return nil, err
	}
	st.Oldest, st.Newest = oldest.Int64, newest.Int64
	text, err := s.meta(ctx, s.read, "pruned")
	st.Dropped, _ = strconv.ParseInt(text, 10, 64)
	return st, err
}

// Last returns the greatest id.
func (s *sqlStore) Last(ctx context.Context) (id int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM event`).Scan(&id)
	return id, err
}

// Seen lists the values of a dimension.
func (s *sqlStore) Seen(ctx context.Context, dim string) ([]Seen, error) {
	rows, err := s.read.QueryContext(ctx, s.sql(`SELECT value, first_ts, last_ts, n FROM dict JOIN seen ON dict_id = id WHERE kind = ? ORDER BY value LIMIT 20000`), dim)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Seen
	for rows.Next() {
		var v Seen
		if err := rows.Scan(&v.Value, &v.First, &v.Last, &v.N); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Deliver writes down what became of events at outputs.
func (s *sqlStore) Deliver(ctx context.Context, list []Delivery) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		for part := range slices.Chunk(list, rowsAtOnce) {
			last := map[string]Delivery{} // one statement must not change a row twice
			for _, d := range part {
				last[d.UUID+" "+d.Output] = d
			}
			var args []any
			for _, d := range last {
				args = append(args, d.UUID, d.Output, d.State, d.Attempts, short(d.Error, 4096), d.Time)
			}
			err := s.upsert(ctx, tx, `delivery (uuid, output, state, attempts, error, ts)`, 6, args,
				`(uuid, output) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, error = excluded.error, ts = excluded.ts`)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Deliveries returns what became of an event.
func (s *sqlStore) Deliveries(ctx context.Context, uuid string) ([]Delivery, error) {
	rows, err := s.read.QueryContext(ctx, s.sql(`SELECT output, state, attempts, error, ts FROM delivery WHERE uuid = ? ORDER BY output`), uuid)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Delivery
	for rows.Next() {
		var d Delivery
		if err := rows.Scan(&d.Output, &d.State, &d.Attempts, &d.Error, &d.Time); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

// PutRecord writes a record, in place of one that is there. Expires 0 is never.
func (s *sqlStore) PutRecord(ctx context.Context, kind, key string, value []byte, expires int64) error {
	_, err := s.write.ExecContext(ctx, s.sql(`INSERT INTO record (kind, name, value, expires) VALUES (?, ?, ?, ?)
		ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value, expires = excluded.expires`), kind, key, string(value), expires)
	return s.told(err)
}

// AddRecord writes a record if there is none; else it returns ErrExists.
func (s *sqlStore) AddRecord(ctx context.Context, kind, key string, value []byte, expires int64) error {
	res, err := s.write.ExecContext(ctx, s.sql(`INSERT INTO record (kind, name, value, expires) VALUES (?, ?, ?, ?)
		ON CONFLICT (kind, name) DO NOTHING`), kind, key, string(value), expires)
	if err != nil {
		return s.told(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrExists)
	}
	return nil
}

// Record returns a record that has not expired.
func (s *sqlStore) Record(ctx context.Context, kind, key string) ([]byte, error) {
	var value string
	err := s.read.QueryRowContext(ctx, s.sql(`SELECT value FROM record WHERE kind = ? AND name = ? AND (expires = 0 OR expires > ?)`), kind, key, now()).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	return []byte(value), err
}

// Records returns all records of a kind.
func (s *sqlStore) Records(ctx context.Context, kind string) (map[string][]byte, error) {
	rows, err := s.read.QueryContext(ctx, s.sql(`SELECT name, value FROM record WHERE kind = ? AND (expires = 0 OR expires > ?)`), kind, now())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]byte{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		out[name] = []byte(value)
	}
	return out, rows.Err()
}

// DeleteRecord deletes a record.
func (s *sqlStore) DeleteRecord(ctx context.Context, kind, key string) error {
	_, err := s.write.ExecContext(ctx, s.sql(`DELETE FROM record WHERE kind = ? AND name = ?`), kind, key)
	return err
}
