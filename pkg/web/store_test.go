// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// eachStore runs a test with every store there is on this machine.
func eachStore(t *testing.T, f func(t *testing.T, s *sqlStore)) {
	t.Run("sqlite", func(t *testing.T) { f(t, fileStore(t)) })
	t.Run("memory", func(t *testing.T) {
		s, err := OpenSQLite(t.Context(), "")
		must(t, err)
		t.Cleanup(func() { s.Close() })
		f(t, s.(*sqlStore))
	})
	t.Run("postgres", func(t *testing.T) {
		s, err := OpenPostgres(t.Context(), postgresDB(t))
		must(t, err)
		t.Cleanup(func() { s.Close() })
		f(t, s.(*sqlStore))
	})
}

func fileStore(t testing.TB) *sqlStore {
	t.Helper()
	s, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a b?", "events.db"))
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s.(*sqlStore)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// base is when the events of tests begin.
var base = time.Date(2026, 5, 17, 9, 30, 0, 0, time.UTC)

// made makes the event number i of a world in which some things are frequent.
func made(r *rand.Rand, i int, span time.Duration) *Event {
	pick := func(list ...string) string { return list[min(r.IntN(len(list)), r.IntN(len(list)))] }
	rule := pick("Terminal shell in container", "Read sensitive file untrusted", "Write below binary dir", "Drop and execute",
		"Contact K8S API", "Ptrace attached", "规则 with 中文")
	prio := pick("Notice", "Warning", "Error", "Critical", "Debug")
	fields := map[string]any{"proc.name": pick("bash", "sh", "nginx", "python3", `we"ird\`), "proc.pid": 1000 + r.IntN(50),
		"fd.name": fmt.Sprintf("/etc/%s_%d%%", pick("shadow", "passwd", "hosts"), r.IntN(4)), "container.id": pick("abc", "def", "host"),
		"evt.time": json.Number("1507591916746609046")}
	if r.IntN(3) > 0 {
		fields["k8s.ns.name"], fields["k8s.pod.name"] = pick("prod", "dev", "kube-system"), fmt.Sprintf("web-%d", r.IntN(8))
		fields["container.image.repository"] = pick("nginx", "docker.io/library/redis")
	}
	text, err := json.Marshal(map[string]any{
		"uuid": fmt.Sprintf("00000000-0000-4000-8000-%012x", i), "priority": prio, "rule": rule,
		"time":   base.Add(time.Duration(r.Int64N(int64(span)))).Format(time.RFC3339Nano),
		"source": pick("syscall", "k8s_audit"), "hostname": pick("node-1", "node-2", "node-3"), "output_fields": fields,
		"tags": []string{pick("T1059", "T1543"), pick("container", "host"), "mitre_execution"},
		"output": fmt.Sprintf("09:30:00.000000000: %s %s by %s (file=%s)", prio, pick("A shell was spawned", "文件 was read", "Ünïcode wrote"),
			fields["proc.name"], fields["fd.name"]),
	})
	if err != nil {
		panic(err)
	}
	e, err := ParseEvent(text)
	if err != nil {
		panic(err)
	}
	return e
}

func fill(t testing.TB, s Store, n int, span time.Duration) []*Event {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var all []*Event
	for i := range n {
		all = append(all, made(r, i, span))
	}
	for part := range slices.Chunk(all, 300) {
		out, err := s.Append(t.Context(), part)
		must(t, err)
		for i, a := range out {
			if a.Duplicate || a.ID == 0 || a.ID != part[i].ID {
				t.Fatalf("append: %+v", a)
			}
		}
	}
	return all
}

// someQuery makes any query of the fields that there are.
func someQuery(r *rand.Rand, span time.Duration) *Query {
	q := &Query{}
	if r.IntN(2) == 0 {
		q.From = base.Add(time.Duration(r.Int64N(int64(span)))).UnixMicro()
	}
	if r.IntN(2) == 0 {
		q.To = base.Add(time.Duration(r.Int64N(int64(span) * 5 / 4))).UnixMicro()
	}
	choices := map[string][]string{
		"rule": {"Terminal shell in container", "规则*", "*e*", "absent", "drop AND*"}, "priority": {"Error", "critical", "N*"},
		"source": {"syscall"}, "host": {"node-1", "node-3", "NODE-*"}, "tag": {"T1059", "host", "mitre_*"}, "ns": {"prod", "*"},
		"pod": {"web-1", "web-*"}, "image": {"nginx", "*redis"}, "state": {"new", "closed"},
		"text":            {"shell", "SHELL WAS", "文件", "we\"ird\\", "%", "_1", "ün", "T1059", "node-2", "no such", "a"},
		"field.proc.name": {"bash", "py*", `we"ird\`}, "field.proc.pid": {"1007"}, "field.fd.name": {"/etc/shadow_1%", "*_2%"},
		"field.evt.time": {"1507591916746609046"}, "field.nothing": {"x", "*"},
	}
	names := make([]string, 0, len(choices))
	for n := range choices {
		names = append(names, n)
	}
	slices.Sort(names)
	for range r.IntN(4) {
		name := names[r.IntN(len(names))]
		c := Cond{Field: name, Not: r.IntN(3) == 0}
		for range 1 + r.IntN(2) {
			c.Values = append(c.Values, choices[name][r.IntN(len(choices[name]))])
		}
		if name == "priority" && r.IntN(2) == 0 {
			c.Op, c.Values = AtLeast+Op(r.IntN(2)), []string{"warning"}
		}
		q.Conds = append(q.Conds, c)
	}
	return q
}

// What the store answers is what going through all events would: searches page by
// page in both orders, counts, facets, histograms.
func TestStoreAgreesWithModel(t *testing.T) {
	const span = 70 * time.Hour
	eachStore(t, func(t *testing.T, s *sqlStore) {
		all := fill(t, s, 1200, span)
		slices.SortFunc(all, func(a, b *Event) int { return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.ID, a.ID)) })
		r := rand.New(rand.NewPCG(3, 4))
		hits, most := 0, 50
		if s.kind == "memory" { // the same code as on disk
			most = 10
		}
		for i := range most {
			q := someQuery(r, span)
			var want []*Event
			for _, e := range all {
				if q.Match(e) {
					want = append(want, e)
				}
			}
			hits += len(want)
			name := fmt.Sprintf("query %d: %+v", i, *q)
			checkSearch(t, s, name, q, want)
			checkCounts(t, s, name, q, all, int64(len(want)))
			checkHistogram(t, s, name, q, want)
			if t.Failed() {
				return
			}
		}
		if hits < 20*most {
			t.Errorf("the queries found %d events in all: they test nothing", hits)
		}
	})
}

func checkSearch(t *testing.T, s Store, name string, q *Query, want []*Event) {
	t.Helper()
	for _, oldest := range []bool{false, true} {
		page := Page{Limit: 1 + len(want)/3, Oldest: oldest}
		var got []*Event
		for {
			found, err := s.Search(t.Context(), q, page)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			got = append(got, found.Events...)
			if page.Before = found.Next; found.Next == (Cursor{}) {
				break
			}
		}
		if oldest {
			slices.Reverse(got)
		}
		if !slices.EqualFunc(got, want, func(a, b *Event) bool {
			return a.UUID == b.UUID && a.ID == b.ID && a.Output == b.Output && string(a.Raw) == string(b.Raw) && a.NS == b.NS && slices.Equal(a.Tags, b.Tags)
		}) {
			t.Errorf("%s: found %d events (oldest first: %t), want %d", name, len(got), oldest, len(want))
		}
	}
}

func checkCounts(t *testing.T, s Store, name string, q *Query, all []*Event, total int64) {
	t.Helper()
	got, err := s.Facets(t.Context(), q, dims, 0)
	if err != nil || got.Partial || got.Total != total {
		t.Errorf("%s: counted %+v, %v; want %d", name, got, err, total)
		return
	}
	for _, d := range dims {
		want := map[string]int64{}
		open := q.without(d)
		for _, e := range all {
			if !open.Match(e) {
				continue
			}
			if d != "tag" {
				want[e.dim(d)]++
				continue
			}
			for _, tag := range e.Tags {
				want[tag]++
			}
		}
		delete(want, "")
		have := map[string]int64{}
		for _, c := range got.ByDim[d] {
			have[c.Value] = c.N
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s: by %s %v, want %v", name, d, have, want)
		}
	}
}

func checkHistogram(t *testing.T, s Store, name string, q *Query, want []*Event) {
	t.Helper()
	for _, step := range []time.Duration{time.Hour, 7 * time.Minute, 1234567 * time.Millisecond} {
		var buckets []int64
		for at := base.Add(-time.Hour).Truncate(time.Hour); len(buckets) < 300; at = at.Add(step) {
			buckets = append(buckets, at.UnixMicro())
		}
		for _, split := range []string{"", "priority", "tag", "ns", "pod"} {
			h, err := s.Histogram(t.Context(), q, buckets, split)
			if err != nil {
				t.Errorf("%s: histogram: %v", name, err)
				return
			}
			model := map[string][]int64{}
			for _, e := range want {
				i, exact := slices.BinarySearch(buckets, e.Time)
				if !exact {
					i--
				}
				keys := []string{e.dim(split)}
				if split == "tag" {
					keys = e.Tags
				}
				for _, k := range keys {
					if i < 0 || i >= len(buckets)-1 || split != "" && k == "" {
						continue
					}
					if model[k] == nil {
						model[k] = make([]int64, len(buckets)-1)
					}
					model[k][i]++
				}
			}
			for k, series := range h.Series {
				if !slices.ContainsFunc(series, func(n int64) bool { return n != 0 }) {
					delete(h.Series, k)
				}
			}
			if fmt.Sprint(h.Series) != fmt.Sprint(model) {
				t.Errorf("%s: histogram each %v by %q: %v, want %v", name, step, split, h.Series, model)
				return
			}
		}
	}
}

func TestAppendTwice(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sqlStore) {
		r := rand.New(rand.NewPCG(5, 6))
		e, f := made(r, 1, time.Hour), made(r, 2, time.Hour)
		first, err := s.Append(t.Context(), []*Event{e, e})
		must(t, err)
		second, err := s.Append(t.Context(), []*Event{f, e})
		must(t, err)
		if first[0].Duplicate || !first[1].Duplicate || second[0].Duplicate || !second[1].Duplicate {
			t.Errorf("%+v %+v", first, second)
		}
		if c, err := s.Count(t.Context(), &Query{}); err != nil || c.Total != 2 {
			t.Errorf("counted %+v, %v", c, err)
		}
		seen, err := s.Seen(t.Context(), "rule")
		must(t, err)
		n := int64(0)
		for _, v := range seen {
			n += v.N
		}
		if n != 2 {
			t.Errorf("seen %+v", seen)
		}
	})
}

func TestAnnotateAndDelete(t *testing.T) {
	const span = 50 * time.Hour
	eachStore(t, func(t *testing.T, s *sqlStore) {
		all := fill(t, s, 1200, span)
		note := "known <b>"
		n, err := s.Annotate(t.Context(), []string{all[3].UUID, all[4].UUID, "absent"}, Annotation{StateClosed, &note, "ann"})
		if err != nil || n != 2 {
			t.Fatalf("annotated %d, %v", n, err)
		}
		e, err := s.Get(t.Context(), all[3].UUID)
		if err != nil || e.State != StateClosed || e.Note != note || e.Actor != "ann" {
			t.Errorf("%+v, %v", e, err)
		}
		all[3].State, all[4].State = StateClosed, StateClosed
		if _, err := s.Get(t.Context(), "absent"); !errors.Is(err, ErrNotFound) {
			t.Errorf("absent: %v", err)
		}
		gone := &Query{Conds: []Cond{{Field: "rule", Values: []string{"Terminal*"}}, {Field: "text", Values: []string{"shell"}}}}
		var left []*Event
		for _, e := range all {
			if !gone.Match(e) {
				left = append(left, e)
			}
		}
		if n, err := s.Delete(t.Context(), gone); err != nil || n != len(all)-len(left) || n == 0 {
			t.Fatalf("deleted %d, %v", n, err)
		}
		slices.SortFunc(left, func(a, b *Event) int { return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.ID, a.ID)) })
		for _, q := range []*Query{{}, {Conds: []Cond{{Field: "text", Values: []string{"spawned"}}}}, {Conds: []Cond{{Field: "state", Values: []string{"closed"}}}}} {
			var want []*Event
			for _, e := range left {
				if q.Match(e) {
					want = append(want, e)
				}
			}
			checkSearch(t, s, "after delete", q, want)
			checkCounts(t, s, "after delete", q, left, int64(len(want)))
		}
	})
}

func TestPrune(t *testing.T) {
	const span = 40 * time.Hour
	eachStore(t, func(t *testing.T, s *sqlStore) {
		all := fill(t, s, 2000, span)
		at := base.Add(span)
		keep := Retention{Age: 20 * time.Hour, ByPriority: map[Priority]time.Duration{Critical: 0, Debug: 5 * time.Hour}}
		var left []*Event
		for _, e := range all {
			age := keep.Age
			if own, ok := keep.ByPriority[e.Priority]; ok {
				age = own
			}
			if age == 0 || e.Time >= at.Add(-age).UnixMicro() {
				left = append(left, e)
			}
		}
		n, err := s.Prune(t.Context(), &keep, at, 1<<30)
		if err != nil || n != len(all)-len(left) {
			t.Fatalf("pruned %d, %v; want %d", n, err, len(all)-len(left))
		}
		st, err := s.fresh(t.Context())
		if err != nil || st.Events != int64(len(left)) || st.Dropped != int64(n) {
			t.Errorf("%+v, %v", st, err)
		}
		// The counts outlive the events.
		h, err := s.Histogram(t.Context(), &Query{}, []int64{base.UnixMicro(), at.Add(time.Hour).Truncate(time.Hour).UnixMicro()}, "")
		if err != nil || h.Series[""][0] != int64(len(all)) {
			t.Errorf("counted %v, %v; want the %d there were", h, err, len(all))
		}
		if n, err := s.Prune(t.Context(), &Retention{Events: 100}, at, 50); err != nil || n != 50 {
			t.Errorf("pruned %d, %v; want 50, the limit", n, err)
		}
		if _, err := s.Prune(t.Context(), &Retention{Events: 100}, at, 1<<30); err != nil {
			t.Error(err)
		}
		found, err := s.Search(t.Context(), &Query{}, Page{Limit: 1000})
		must(t, err)
		slices.SortFunc(left, func(a, b *Event) int { return cmp.Compare(b.Time, a.Time) })
		if len(found.Events) != 100 || found.Events[99].Time != left[99].Time {
			t.Errorf("%d events are left, want the 100 newest", len(found.Events))
		}
	})
}

// Whoever watches hears of what has come since the event that it knows, and of each
// event once.
func TestWatchFrom(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sqlStore) {
		r := rand.New(rand.NewPCG(5, 7))
		var all []*Event
		for i := range 30 {
			all = append(all, made(r, i, time.Hour))
		}
		_, err := s.Append(t.Context(), all[:20])
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var got []int64
		begun := make(chan struct{}, 30)
		go func() {
			<-begun
			s.Append(context.Background(), all[20:])
		}()
		s.Watch(ctx, 5, func(events []*Event) {
			for _, e := range events {
				got = append(got, e.ID)
			}
			begun <- struct{}{}
			if len(got) >= 25 {
				cancel()
			}
		})
		if len(got) != 25 || got[0] != 6 || got[24] != 30 || !slices.IsSorted(got) {
			t.Errorf("heard of %v", got)
		}
	})
}

func TestRecords(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sqlStore) {
		ctx := t.Context()
		must(t, s.AddRecord(ctx, "user", "ann", []byte(`{"a":1}`), 0))
		if err := s.AddRecord(ctx, "user", "ann", nil, 0); !errors.Is(err, ErrExists) {
			t.Errorf("added twice: %v", err)
		}
		must(t, s.PutRecord(ctx, "user", "ann", []byte(`2`), now()+1e9))
		must(t, s.PutRecord(ctx, "user", "old", []byte(`3`), now()-1))
		if v, err := s.Record(ctx, "user", "ann"); err != nil || string(v) != "2" {
			t.Errorf("%s, %v", v, err)
		}
		if _, err := s.Record(ctx, "user", "old"); !errors.Is(err, ErrNotFound) {
			t.Errorf("expired: %v", err)
		}
		if all, err := s.Records(ctx, "user"); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
		must(t, s.DeleteRecord(ctx, "user", "ann"))
		if all, err := s.Records(ctx, "user"); err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
		d := Delivery{UUID: "u", Output: "Slack", State: "failed", Attempts: 2, Error: "no", Time: now()}
		ok := d
		ok.State, ok.Error = "delivered", ""
		must(t, s.Deliver(ctx, []Delivery{d, ok}))
		if list, err := s.Deliveries(ctx, "u"); err != nil || len(list) != 1 || list[0].State != "delivered" {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// A store of every older schema is brought to the newest one with what it holds.
func TestMigrations(t *testing.T) {
	for from := 1; from <= len(sqliteSchema); from++ {
		path := filepath.Join(t.TempDir(), "events.db")
		old, err := openSQLite(t.Context(), path, sqliteSchema[:from])
		must(t, err)
		fill(t, old, 50, time.Hour)
		must(t, old.Close())
		s, err := OpenSQLite(t.Context(), path)
		must(t, err)
		st, err := s.Stats(t.Context())
		if err != nil || st.Schema != len(sqliteSchema) || st.Events != 50 {
			t.Errorf("from %d: %+v, %v", from, st, err)
		}
		must(t, s.Deliver(t.Context(), []Delivery{{UUID: "u", Output: "x"}}))
		must(t, s.Close())
	}
	path := filepath.Join(t.TempDir(), "events.db")
	s, err := openSQLite(t.Context(), path, append(slices.Clone(sqliteSchema), `CREATE TABLE later (x)`))
	must(t, err)
	must(t, s.Close())
	if _, err := OpenSQLite(t.Context(), path); err == nil || !strings.Contains(err.Error(), "later version") {
		t.Errorf("a later schema: %v", err)
	}
}

// When time is up, what has been found is returned and called partial.
func TestTimeIsUp(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sqlStore) {
		fill(t, s, 9000, 10*time.Hour)
		q := &Query{Conds: []Cond{{Field: "text", Values: []string{"a"}}, {Field: "field.nothing", Values: []string{"x"}, Not: true}}}
		whole := time.Now()
		if _, err := s.Facets(t.Context(), q, []string{"rule"}, 0); err != nil {
			t.Fatal(err)
		}
		took := time.Since(whole)
		for div := time.Duration(2); div < 200; div *= 2 {
			ctx, cancel := context.WithTimeout(t.Context(), took/div)
			c, err := s.Facets(ctx, q, []string{"rule"}, 0)
			cancel()
			if err == nil && c.Partial && c.Total < 9000 && c.Since >= base.UnixMicro() {
				return
			}
			if err != nil && !strings.Contains(err.Error(), "deadline") && !strings.Contains(err.Error(), "interrupted") {
				t.Fatal(err)
			}
		}
		t.Error("no answer was partial")
	})
}
