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
	"sync"
	"time"
)

// The SQL of both stores is the same, but for what a dialect says.
//
// Dimensions (rule, host, …) are numbers in all tables, dict has their texts. The
// tags of an event are one number: there are few combinations, mostly one a rule.
// roll_up counts events by minute, hour and day and the dimensions that are few; what
// asks for no more than those never touches the events themselves, but at the
// ends of its time. roll_dim does so for namespaces and images, which are many.

// dialect is what differs between databases.
type dialect struct {
	kind       string
	migrations []string // number i brings schema i to i+1
	dollar     bool     // parameters are $1, $2, …
	raw        string   // the column with the event as it came, as text
	field      string   // the output field ? of an event
	lock       string   // is run first in a transaction that appends or deletes
	textCol    bool     // the text to search is a column, not an index of its own
	size       string
	shrink     string
	contains   func(term string) (string, []any)                             // an event has the text
	windowed   func(term string, lo, hi int64) (string, []any)               // the same, for ids from lo to hi
	full       func(error) bool                                              // the disk is
	watch      func(context.Context, *sqlStore, int64, func([]*Event)) error // nil: appends of this process are all there are
}

type sqlStore struct {
	*dialect
	write, read *sql.DB
	wants       chan *want
	done        chan struct{}
	stop        context.CancelFunc
	dict        dictCache

	mu       sync.Mutex
	watchers map[int]func([]*Event)
	nextID   int
	counted  time.Time
	events   int64
}

// want is a call of Append that waits.
type want struct {
	events []*Event
	out    []Appended
	err    error
	done   chan struct{}
}

func newSQLStore(ctx context.Context, d *dialect, write, read *sql.DB) (*sqlStore, error) {
	s := &sqlStore{dialect: d, write: write, read: read, wants: make(chan *want, 64), done: make(chan struct{}),
		watchers: map[int]func([]*Event){}}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	ctx, s.stop = context.WithCancel(context.Background())
	go s.appendLoop(ctx)
	return s, nil
}

// Close ends the store. What waits in Append is told so.
func (s *sqlStore) Close() error {
	s.stop()
	<-s.done
	err := s.write.Close()
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return err
}

// migrate brings the schema to the newest one, a step a transaction.
func (s *sqlStore) migrate(ctx context.Context) error {
	if _, err := s.write.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)`); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	for {
		at := 0
		err := s.tx(ctx, func(tx *sql.Tx) error {
			var err error
			if at, err = s.schema(ctx, tx); err != nil || at >= len(s.migrations) {
				return err
			}
			if _, err := tx.ExecContext(ctx, s.migrations[at]); err != nil {
				return fmt.Errorf("bring the store from schema %d to %d: %w", at, at+1, err)
			}
			return s.setMeta(ctx, tx, "schema", strconv.Itoa(at+1))
		})
		switch {
		case err != nil:
			return err
		case at == len(s.migrations):
			return nil
		case at > len(s.migrations):
			return fmt.Errorf("the store has schema %d, made by a later version of this program; this one knows %d", at, len(s.migrations))
		}
	}
}

func (s *sqlStore) schema(ctx context.Context, q queryer) (int, error) {
	text, err := s.meta(ctx, q, "schema")
	if err != nil || text == "" {
		return 0, err
	}
	return strconv.Atoi(text)
}

// queryer is a database or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s *sqlStore) meta(ctx context.Context, q queryer, name string) (string, error) {
	var text string
	err := q.QueryRowContext(ctx, s.sql(`SELECT value FROM meta WHERE name = ?`), name).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return text, err
}

func (s *sqlStore) setMeta(ctx context.Context, q queryer, name, value string) error {
	_, err := q.ExecContext(ctx, s.sql(`INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`), name, value)
	return err
}

// tx runs f in a transaction, behind the lock of those that write events.
func (s *sqlStore) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return s.told(err)
	}
	defer tx.Rollback()
	if s.lock != "" {
		if _, err := tx.ExecContext(ctx, s.lock); err != nil {
			return err
		}
	}
	if err := f(tx); err != nil {
		return s.told(err)
	}
	return s.told(tx.Commit())
}

func (s *sqlStore) told(err error) error {
	if err != nil && s.full(err) {
		return fmt.Errorf("%w: %v", ErrFull, err)
	}
	return err
}

// sql numbers the parameters where the database wants that. No text of ours has
// a ? that is none.
func (s *sqlStore) sql(text string) string {
	if !s.dollar {
		return text
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		if r == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// dictCache has the texts of dimensions. Numbers are given once and only grow.
type dictCache struct {
	mu    sync.Mutex
	last  int64
	ids   map[string]map[string]int64 // by kind and text
	texts map[int64]string
}

// refresh reads what has come.
func (s *sqlStore) refresh(ctx context.Context, q queryer) error {
	rows, err := q.QueryContext(ctx, s.sql(`SELECT id, kind, value FROM dict WHERE id > ? ORDER BY id`), s.dict.last)
	if err != nil {
		return err
	}
	defer rows.Close()
	d := &s.dict
	if d.ids == nil {
		d.ids, d.texts = map[string]map[string]int64{}, map[int64]string{0: ""}
	}
	for rows.Next() {
		var id int64
		var kind, value string
		if err := rows.Scan(&id, &kind, &value); err != nil {
			return err
		}
		if d.ids[kind] == nil {
			d.ids[kind] = map[string]int64{}
		}
		d.ids[kind][value], d.texts[id], d.last = id, value, id
	}
	return rows.Err()
}

// resolve returns the numbers of the values of a dimension that c names.
func (s *sqlStore) resolve(ctx context.Context, c *Cond) ([]int64, error) {
	s.dict.mu.Lock()
	defer s.dict.mu.Unlock()
	if err := s.refresh(ctx, s.read); err != nil {
		return nil, err
	}
	var out []int64
	if c.Field == "tag" {
		for set, id := range s.dict.ids["tagset"] {
			if slices.ContainsFunc(splitTags(set), c.is) {
				out = append(out, id)
			}
		}
		return out, nil
	}
	for _, v := range c.Values {
		if !strings.Contains(v, "*") {
			if id, ok := s.dict.ids[c.Field][v]; ok {
				out = append(out, id)
			}
			continue
		}
		for text, id := range s.dict.ids[c.Field] {
			if globMatch(v, text) {
				out = append(out, id)
			}
		}
	}
	return out, nil
}

// textsOf translates numbers back.
func (s *sqlStore) textsOf(ctx context.Context, ids []int64) (map[int64]string, error) {
	s.dict.mu.Lock()
	defer s.dict.mu.Unlock()
	out := make(map[int64]string, len(ids))
	for try := range 2 {
		missing := false
		for _, id := range ids {
			text, ok := s.dict.texts[id]
			out[id], missing = text, missing || !ok
		}
		if !missing || try == 1 {
			break
		}
		if err := s.refresh(ctx, s.read); err != nil {
			return nil, err
		}
	}
	return out, nil
}

const tagSep = "\x1f"

func joinTags(tags []string) string { return strings.Join(tags, tagSep) }

func splitTags(set string) []string {
	if set == "" {
		return nil
	}
	return strings.Split(set, tagSep)
}

// list writes numbers of our own as SQL.
func list(ids []int64) string {
	var b []byte
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(b)
}

// values writes n groups of m parameters.
func values(n, m int) string {
	group := "(" + strings.TrimSuffix(strings.Repeat("?,", m), ",") + ")"
	return strings.TrimSuffix(strings.Repeat(group+",", n), ",")
}
