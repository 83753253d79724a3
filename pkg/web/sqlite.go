// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readers are how many queries run at a time.
const readers = 4

// sqliteSchema holds the steps. A step never changes once it has been released.
var sqliteSchema = []string{`
CREATE TABLE dict (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, value));
CREATE TABLE event (
	id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, ts INTEGER NOT NULL, recv INTEGER NOT NULL, prio INTEGER NOT NULL,
	rule_id INTEGER NOT NULL, source_id INTEGER NOT NULL, host_id INTEGER NOT NULL, tagset_id INTEGER NOT NULL,
	ns_id INTEGER NOT NULL, pod_id INTEGER NOT NULL, image_id INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0,
	output TEXT NOT NULL, raw TEXT NOT NULL, note TEXT NOT NULL DEFAULT '', actor TEXT NOT NULL DEFAULT '');
CREATE INDEX event_ts ON event (ts, id, prio, rule_id, source_id, host_id, tagset_id, ns_id, pod_id, image_id, state);
CREATE INDEX event_rule ON event (rule_id, ts, id);
CREATE INDEX event_prio ON event (prio, ts, id);
CREATE INDEX event_host ON event (host_id, ts, id);
CREATE INDEX event_pod ON event (pod_id, ts, id) WHERE pod_id <> 0;
CREATE VIRTUAL TABLE fts USING fts5(body, content='', contentless_delete=1, tokenize='trigram');
CREATE TABLE roll_up (
	level INTEGER NOT NULL, start INTEGER NOT NULL, rule_id INTEGER NOT NULL, prio INTEGER NOT NULL, source_id INTEGER NOT NULL,
	host_id INTEGER NOT NULL, tagset_id INTEGER NOT NULL, n INTEGER NOT NULL,
	PRIMARY KEY (level, start, rule_id, prio, source_id, host_id, tagset_id)) WITHOUT ROWID;
CREATE TABLE roll_dim (
	level INTEGER NOT NULL, start INTEGER NOT NULL, dim_id INTEGER NOT NULL, prio INTEGER NOT NULL, n INTEGER NOT NULL,
	PRIMARY KEY (level, start, dim_id, prio)) WITHOUT ROWID;
CREATE TABLE seen (dict_id INTEGER PRIMARY KEY, n INTEGER NOT NULL, first_ts INTEGER NOT NULL, last_ts INTEGER NOT NULL);
CREATE TABLE record (
	kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, expires INTEGER NOT NULL,
	PRIMARY KEY (kind, name)) WITHOUT ROWID;
`, `
CREATE TABLE delivery (
	uuid TEXT NOT NULL, output TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL, ts INTEGER NOT NULL,
	PRIMARY KEY (uuid, output)) WITHOUT ROWID;
CREATE INDEX delivery_ts ON delivery (ts);
`}

var memories atomic.Int64

// functions are what SQL calls for what no index answers. The library has them
// for all connections or none.
var functions = sync.OnceFunc(func() {
	sqlite.MustRegisterDeterministicScalarFunction("falco_has", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		raw, term := sqlText(args[0]), sqlText(args[1])
		return strings.Contains(strings.ToLower(stored([]byte(raw)).text()), term), nil
	})
	sqlite.MustRegisterDeterministicScalarFunction("falco_field", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		return stored([]byte(sqlText(args[0]))).Field(sqlText(args[1])), nil
	})
})

func sqlText(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// OpenSQLite opens the store in the file path, or with "" one in memory.
func OpenSQLite(ctx context.Context, path string) (Store, error) {
	return openSQLite(ctx, path, sqliteSchema)
}

func openSQLite(ctx context.Context, path string, schema []string) (*sqlStore, error) {
	pragmas := url.Values{"_pragma": {"busy_timeout(5000)", "auto_vacuum(2)", "journal_mode(WAL)", "synchronous(FULL)",
		"cache_size(-32768)", "temp_store(2)", "wal_autocheckpoint(4000)"}}
	functions()
	name := "file:/falco-web-" + strconv.FormatInt(memories.Add(1), 10)
	if path == "" {
		pragmas.Set("vfs", "memdb")
	} else {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the store: %w", err)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open the store: %w", err)
		}
		f.Close()
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		name = "file:" + (&url.URL{Path: abs}).EscapedPath()
	}
	write, err := sql.Open("sqlite", name+"?_txlock=immediate&"+pragmas.Encode())
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	write.SetConnMaxLifetime(0)
	pragmas.Add("_pragma", "query_only(1)")
	read, err := sql.Open("sqlite", name+"?"+pragmas.Encode())
	if err != nil {
		return nil, err
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	d := &dialect{kind: "sqlite", migrations: schema, raw: "raw", field: "falco_field(raw, ?)",
		size:     `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`,
		shrink:   `PRAGMA incremental_vacuum(2000)`,
		contains: func(term string) (string, []any) { return ftsHas(term, 0, 0) },
		windowed: ftsHas,
		full: func(err error) bool {
			var e *sqlite.Error
			return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL
		}}
	if path == "" {
		d.kind = "memory"
	}
	s, err := newSQLStore(ctx, d, write, read)
	if err != nil {
		write.Close()
		read.Close()
		return nil, err
	}
	return s, nil
}

// ftsHas finds a text by its trigrams; what is shorter than one is looked for in
// each event.
func ftsHas(term string, lo, hi int64) (string, []any) {
	if utf8.RuneCountInString(term) < 3 {
		return `falco_has(raw, ?)`, []any{strings.ToLower(term)}
	}
	phrase := `"` + strings.ReplaceAll(term, `"`, `""`) + `"`
	if hi == 0 {
		return `id IN (SELECT rowid FROM fts WHERE fts MATCH ?)`, []any{phrase}
	}
	return `id IN (SELECT rowid FROM fts WHERE fts MATCH ? AND rowid >= ? AND rowid <= ?)`, []any{phrase, lo, hi}
}
