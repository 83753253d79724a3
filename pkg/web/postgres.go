// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// appendLock is held by a transaction that appends, deletes or migrates, so that
// events become visible in the order of their ids.
const appendLock = `SELECT pg_advisory_xact_lock(4606219357)`

// postgresSchema holds the steps, as sqliteSchema.
var postgresSchema = []string{`
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE TABLE dict (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, value));
CREATE TABLE event (
	id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, ts BIGINT NOT NULL, recv BIGINT NOT NULL, prio BIGINT NOT NULL,
	rule_id BIGINT NOT NULL, source_id BIGINT NOT NULL, host_id BIGINT NOT NULL, tagset_id BIGINT NOT NULL,
	ns_id BIGINT NOT NULL, pod_id BIGINT NOT NULL, image_id BIGINT NOT NULL, state BIGINT NOT NULL DEFAULT 0,
	output TEXT NOT NULL, raw JSON NOT NULL, body TEXT NOT NULL, note TEXT NOT NULL DEFAULT '', actor TEXT NOT NULL DEFAULT '');
CREATE INDEX event_ts ON event (ts, id) INCLUDE (prio, rule_id, source_id, host_id, tagset_id, ns_id, pod_id, image_id, state);
CREATE INDEX event_rule ON event (rule_id, ts, id);
CREATE INDEX event_prio ON event (prio, ts, id);
CREATE INDEX event_host ON event (host_id, ts, id);
CREATE INDEX event_pod ON event (pod_id, ts, id) WHERE pod_id <> 0;
CREATE INDEX event_body ON event USING gin (body gin_trgm_ops);
CREATE TABLE roll_up (
	level BIGINT NOT NULL, start BIGINT NOT NULL, rule_id BIGINT NOT NULL, prio BIGINT NOT NULL, source_id BIGINT NOT NULL,
	host_id BIGINT NOT NULL, tagset_id BIGINT NOT NULL, n BIGINT NOT NULL,
	PRIMARY KEY (level, start, rule_id, prio, source_id, host_id, tagset_id));
CREATE TABLE roll_dim (
	level BIGINT NOT NULL, start BIGINT NOT NULL, dim_id BIGINT NOT NULL, prio BIGINT NOT NULL, n BIGINT NOT NULL,
	PRIMARY KEY (level, start, dim_id, prio));
CREATE TABLE seen (dict_id BIGINT PRIMARY KEY, n BIGINT NOT NULL, first_ts BIGINT NOT NULL, last_ts BIGINT NOT NULL);
CREATE TABLE record (
	kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, expires BIGINT NOT NULL,
	PRIMARY KEY (kind, name));
`, `
CREATE TABLE delivery (
	uuid TEXT NOT NULL, output TEXT NOT NULL, state TEXT NOT NULL, attempts BIGINT NOT NULL, error TEXT NOT NULL, ts BIGINT NOT NULL,
	PRIMARY KEY (uuid, output));
CREATE INDEX delivery_ts ON delivery (ts);
`}

// OpenPostgres opens the store in a database, as "postgres://user@host/name" or
// "host=… dbname=…" names it. Any number of replicas may share one.
func OpenPostgres(ctx context.Context, dsn string) (Store, error) {
	if _, err := pgx.ParseConfig(dsn); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	db.SetMaxOpenConns(readers + 2)
	db.SetMaxIdleConns(readers)
	d := &dialect{kind: "postgres", migrations: postgresSchema, dollar: true, raw: "raw::text", lock: appendLock, textCol: true,
		field:    "(raw->'output_fields'->>(?::text))",
		size:     `SELECT pg_database_size(current_database())`,
		contains: bodyHas,
		windowed: func(term string, _, _ int64) (string, []any) { return bodyHas(term) },
		full: func(err error) bool {
			var e *pgconn.PgError
			return errors.As(err, &e) && e.Code == "53100"
		}}
	d.watch = func(ctx context.Context, s *sqlStore, after int64, f func([]*Event)) error {
		return s.listen(ctx, dsn, after, f)
	}
	s, err := newSQLStore(ctx, d, db, db)
	if err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

func bodyHas(term string) (string, []any) {
	return `body ILIKE ? ESCAPE '\'`, []any{"%" + strings.ReplaceAll(likeOf(strings.ReplaceAll(term, "*", "\x00")), "\x00", "*") + "%"}
}

// listen tells of events of all replicas. When the connection breaks, what came
// meanwhile is read after it is there again.
func (s *sqlStore) listen(ctx context.Context, dsn string, last int64, f func([]*Event)) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		s.follow(ctx, dsn, &last, f)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (s *sqlStore) follow(ctx context.Context, dsn string, last *int64, f func([]*Event)) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `LISTEN falco_event`); err != nil {
		return
	}
	for {
		for {
			events, err := s.After(ctx, *last, 1000)
			if err != nil {
				return
			}
			if len(events) == 0 {
				break
			}
			*last = events[len(events)-1].ID
			f(events)
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return
		}
	}
}
