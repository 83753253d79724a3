// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/web"
)

// A million events: what the store answers takes at most twice as long as sqlite3
// takes for the plain query of the same work, on the same file in the same run. With
// FALCO_LONG=1 it is a million, else FALCO_WEB_EVENTS or 100,000. Debian's sqlite3
// cannot read our index of texts: plain is to it what LIKE finds.
func TestMillionEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes its time")
	}
	missing(t, map[string]string{"sqlite3": "sqlite3"})
	n := 100_000
	if os.Getenv("FALCO_LONG") == "1" {
		n = 1_000_000
	}
	if v, err := strconv.Atoi(os.Getenv("FALCO_WEB_EVENTS")); err == nil {
		n = v
	}
	path := filepath.Join(t.TempDir(), "events.db")
	s, err := web.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	end := time.Now().Truncate(time.Hour)
	const span = 30 * 24 * time.Hour
	begun := time.Now()
	fill(t, s, n, end, span)
	took := time.Since(begun)
	t.Logf("%d events in %v: %.0f a second, %d MiB", n, took.Round(time.Second), float64(n)/took.Seconds(), size(t, path)>>20)

	us := func(back time.Duration) int64 { return end.Add(-back).UnixMicro() }
	const day = 24 * time.Hour
	hours := func(from, to int64) (out []int64) {
		for at := from - from%3600e6; at < to+3600e6; at += 3600e6 {
			out = append(out, at)
		}
		return out
	}
	search := func(q *web.Query) func(context.Context) (int64, error) {
		return func(ctx context.Context) (int64, error) {
			f, err := s.Search(ctx, q, web.Page{Limit: 100})
			if err != nil {
				return 0, err
			}
			return int64(len(f.Events)), partial(f.Partial)
		}
	}
	facets := func(q *web.Query) func(context.Context) (int64, error) {
		return func(ctx context.Context) (int64, error) {
			c, err := s.Facets(ctx, q, []string{"rule", "priority", "source", "host"}, 20)
			if err != nil {
				return 0, err
			}
			return c.Total, partial(c.Partial)
		}
	}
	histogram := func(q *web.Query) func(context.Context) (int64, error) {
		return func(ctx context.Context) (int64, error) {
			h, err := s.Histogram(ctx, q, hours(q.From, q.To), "priority")
			if err != nil {
				return 0, err
			}
			sum := int64(0)
			for _, list := range h.Series {
				for _, v := range list {
					sum += v
				}
			}
			return sum, partial(h.Partial)
		}
	}
	week := &web.Query{From: us(8 * day), To: us(day)}
	month := &web.Query{From: us(span), To: us(0)}
	rare := &web.Query{From: us(8 * day), To: us(day), Conds: []web.Cond{{Field: "rule", Values: []string{"rule 19"}}, {Field: "host", Values: []string{"node-3"}}}}
	word := &web.Query{From: us(8 * day), To: us(day), Conds: []web.Cond{{Field: "text", Values: []string{"needle-77"}}}}
	between := func(q *web.Query) string { return fmt.Sprintf("ts >= %d AND ts < %d", q.From, q.To) }
	id := func(kind, value string) string {
		return fmt.Sprintf("(SELECT id FROM dict WHERE kind = '%s' AND value = '%s')", kind, value)
	}
	groups := func(q *web.Query) string {
		var out []string
		for _, col := range []string{"rule_id", "prio", "source_id", "host_id"} {
			out = append(out, "SELECT "+col+", count(*) FROM event WHERE "+between(q)+" GROUP BY 1;")
		}
		return strings.Join(out, "\n")
	}
	for _, c := range []struct {
		name string
		aim  time.Duration
		ours func(context.Context) (int64, error)
		sql  string
	}{
		{"newest 100 of a week", 50 * time.Millisecond, search(week), "SELECT id, ts, output, raw FROM event WHERE " + between(week) + " ORDER BY ts DESC, id DESC LIMIT 100;"},
		{"100 of a week by rule and host", 50 * time.Millisecond, search(rare), "SELECT id, ts, output, raw FROM event WHERE " + between(rare) + " AND rule_id = " + id("rule", "rule 19") + " AND host_id = " + id("host", "node-3") + " ORDER BY ts DESC, id DESC LIMIT 100;"},
		{"100 of a week by text", 50 * time.Millisecond, search(word), "SELECT id, ts, output, raw FROM event WHERE " + between(word) + " AND output LIKE '%needle-77%' ORDER BY ts DESC, id DESC LIMIT 100;"},
		{"histogram of a week by priority", 300 * time.Millisecond, histogram(week), "SELECT ts / 3600000000, prio, count(*) FROM event WHERE " + between(week) + " GROUP BY 1, 2;"},
		{"histogram of 30 days by priority", 300 * time.Millisecond, histogram(month), "SELECT ts / 3600000000, prio, count(*) FROM event WHERE " + between(month) + " GROUP BY 1, 2;"},
		{"facets of a week", 300 * time.Millisecond, facets(week), groups(week)},
		{"facets of 30 days", 300 * time.Millisecond, facets(month), groups(month)},
	} {
		var mine, theirs []time.Duration
		found := int64(0)
		for range 7 { // in turn, so that both meet the same machine
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			begun := time.Now()
			got, err := c.ours(ctx)
			cancel()
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			mine, found = append(mine, time.Since(begun)), got
			theirs = append(theirs, sqlite3(t, path, c.sql))
		}
		if found == 0 {
			t.Errorf("%s: found nothing", c.name)
		}
		slices.Sort(mine)
		slices.Sort(theirs)
		t.Logf("%-34s %8v (aim %v), sqlite3 %8v, %d", c.name, mine[3].Round(100*time.Microsecond), c.aim, theirs[3].Round(100*time.Microsecond), found)
		if mine[3] > 2*theirs[3] && mine[3] > 5*time.Millisecond {
			t.Errorf("%s: more than twice as long as sqlite3", c.name)
		}
	}
}

func partial(p bool) error {
	if p {
		return fmt.Errorf("the answer is partial")
	}
	return nil
}

// sqlite3 runs a query in the program of that name and returns the time that the
// program itself says it has taken, without its start.
func sqlite3(t *testing.T, path, query string) time.Duration {
	t.Helper()
	cmd := exec.Command("sqlite3", "-readonly", path)
	cmd.Stdin = strings.NewReader("PRAGMA cache_size=-32768;\n.output /dev/null\nSELECT count(*) FROM dict;\n.timer on\n.output stdout\n.mode list\n" + query + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3: %v\n%s", err, out)
	}
	sum := time.Duration(0)
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "Run Time: real "); ok {
			f, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += time.Duration(f * float64(time.Second))
		}
	}
	if sum == 0 && !strings.Contains(string(out), "Run Time") {
		t.Fatalf("sqlite3 tells no time:\n%.500s", out)
	}
	return sum
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// fill appends n events over a span that ends at end, the oldest first, as they come
// in life: some rules are common and some are rare.
func fill(t *testing.T, s web.Store, n int, end time.Time, span time.Duration) {
	t.Helper()
	var batch []*web.Event
	x := uint64(88172645463325252)
	for i := range n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		rule := int(x>>8&0x3f) * int(x>>16&0x3f) * 20 / 4096
		at := end.Add(-span + time.Duration(i)*(span/time.Duration(n)))
		text := fmt.Sprintf(`{"uuid":"%08x-0000-4000-8000-%012x","rule":"rule %d","priority":"%s","time":"%s","source":"syscall","hostname":"node-%d","tags":["T10%02d","container","mitre_execution"],"output":"Something was done by a process (user=root command=cat /etc/file-%d parent=bash container=%x needle-%d)","output_fields":{"proc.name":"cat","proc.cmdline":"cat /etc/file-%d","proc.pid":%d,"user.name":"root","fd.name":"/etc/file-%d","container.id":"%x","k8s.ns.name":"ns-%d","evt.time":%d}}`,
			i, i, rule, []string{"Notice", "Warning", "Error", "Critical", "Debug"}[rule%5], at.UTC().Format(time.RFC3339Nano), x>>24&7, rule, x>>32&1023, x>>40&0xff, x>>20&0x3fff, x>>32&1023, x>>44&0xffff, x>>32&1023, x>>40&0xff, x>>50&3, at.UnixNano())
		e, err := web.ParseEvent([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if batch = append(batch, e); len(batch) == 500 || i == n-1 {
			if _, err := s.Append(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			batch = nil
		}
	}
}
