// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// part is a piece of a time that one table answers for.
type part struct {
	level    int64 // 0: the events themselves
	from, to int64 // microseconds
}

// levels are the widths of roll-ups in seconds, the coarsest first. Days are UTC's.
var levels = []int64{86400, 3600, 60}

// parts cuts a time, newest first, so that whole days, hours and minutes come from the
// roll-ups and only the ends from the events. No level is coarser than the given one.
func parts(from, to, coarsest int64) []part {
	var out []part
	var cut func(from, to int64, levels []int64)
	cut = func(from, to int64, levels []int64) {
		if from >= to {
			return
		}
		if len(levels) == 0 {
			out = append(out, part{0, from, to})
			return
		}
		unit := levels[0] * 1e6
		a, b := floorDiv(from+unit-1, unit)*unit, floorDiv(to, unit)*unit
		if levels[0] > coarsest || a >= b {
			cut(from, to, levels[1:])
			return
		}
		cut(b, to, levels[1:])
		out = append(out, part{levels[0], a, b})
		cut(from, a, levels[1:])
	}
	cut(from, to, levels)
	return out
}

// row is a group of events that a query has counted.
type row struct {
	slot int64 // beginning, microseconds
	ids  []int64
	n    int64
}

// tally counts events by columns, and by time in slots of the given width if that
// is not 0.
func (s *sqlStore) tally(ctx context.Context, p *plan, cols []string, width int64, f func(row)) (partial bool, since int64, err error) {
	if p.never {
		return false, 0, nil
	}
	rolled, kind := p.rolled, ""
	if len(cols) == 1 {
		switch cols[0] {
		case "ns_id":
			rolled, kind = p.byPrio, "ns"
		case "image_id":
			rolled, kind = p.byPrio, "image"
		case "pod_id":
			rolled = false
		}
	}
	coarsest := int64(0)
	for _, level := range levels {
		if width%(level*1e6) == 0 {
			coarsest = max(coarsest, level)
		}
	}
	rolled = rolled && coarsest != 0
	if !rolled {
		p := *p
		p.slow = true // piece by piece, so that what is ready when time is up counts
		partial, since, err = s.windows(ctx, &p, false, func(where string, args []any) (bool, error) {
			return false, s.group(ctx, "event", "ts", "COUNT(*)", where, args, cols, width, f)
		})
		return partial, since, err
	}
	for _, part := range parts(p.from, p.to, coarsest) {
		err := error(nil)
		if part.level == 0 {
			where, args := s.clause(p, part.from, part.to, 0, 0)
			err = s.group(ctx, "event", "ts", "COUNT(*)", where, args, cols, width, f)
		} else {
			where := append([]string{"level = ?", "start >= ?", "start < ?"}, p.where...)
			args := append([]any{part.level, part.from / 1e6, part.to / 1e6}, p.args...)
			table, names := "roll_up", cols
			if kind != "" {
				table, names = "roll_dim", []string{"dim_id"}
				where = append(where, "dim_id IN (SELECT id FROM dict WHERE kind = '"+kind+"')")
			}
			err = s.group(ctx, table, "start", "CAST(SUM(n) AS BIGINT)", strings.Join(where, " AND "), args, names, width, f)
		}
		if err != nil {
			return over(ctx, err), part.to, unless(ctx, err)
		}
	}
	return false, 0, nil
}

func (s *sqlStore) group(ctx context.Context, table, ts, count, where string, args []any, cols []string, width int64, f func(row)) error {
	names := slices.Clone(cols)
	unit := int64(1)
	if ts == "start" {
		unit = 1e6
	}
	if width != 0 {
		w := strconv.FormatInt(width/unit, 10)
		names = append(names, "("+ts+" / "+w+") * "+w)
	}
	query := `SELECT ` + strings.Join(append(names, count), ", ") + ` FROM ` + table + ` WHERE ` + where
	if len(names) > 0 {
		by := make([]string, len(names))
		for i := range names {
			by[i] = strconv.Itoa(i + 1)
		}
		query += ` GROUP BY ` + strings.Join(by, ", ")
	}
	rows, err := s.read.QueryContext(ctx, s.sql(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var got []row
	cells := make([]*int64, len(names)+1)
	dest := make([]any, len(cells))
	for i := range dest {
		dest[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		r := row{}
		for i := range cols {
			r.ids = append(r.ids, *cells[i])
		}
		if width != 0 {
			r.slot = *cells[len(cols)] * unit
		}
		if n := cells[len(names)]; n != nil {
			r.n = *n
		}
		if r.n != 0 {
			got = append(got, r)
		}
	}
	if err := rows.Err(); err != nil {
		return err // nothing of what was not finished
	}
	for _, r := range got {
		f(r)
	}
	return nil
}

// Count says how many events there are.
func (s *sqlStore) Count(ctx context.Context, q *Query) (*Counts, error) {
	return s.Facets(ctx, q, nil, 0)
}

// Facets counts the values of dimensions among the events that are meant. What is
// asked of a dimension itself does not narrow its own list.
func (s *sqlStore) Facets(ctx context.Context, q *Query, want []string, top int) (*Counts, error) {
	out := &Counts{ByDim: map[string][]Count{}}
	var few, many []string // that are counted in one go; each on its own
	for _, d := range want {
		switch _, roll := rollable[d]; {
		case roll && !slices.Contains(few, d):
			few = append(few, d)
		case dimColumn[d] == "":
			return nil, fmt.Errorf("%q cannot be counted; %s can", d, strings.Join(dims, ", "))
		case !roll:
			many = append(many, d)
		}
	}
	if err := s.facetsOfFew(ctx, q, few, top, out); err != nil {
		return nil, err
	}
	for _, d := range many {
		p, err := s.plan(ctx, q.without(d))
		if err != nil {
			return nil, err
		}
		sums := map[int64]int64{}
		partial, since, err := s.tally(ctx, p, []string{dimColumn[d]}, 0, func(r row) { sums[r.ids[0]] += r.n })
		if err != nil {
			return nil, fmt.Errorf("count by %s: %w", d, err)
		}
		out.partly(partial, since)
		if out.ByDim[d], err = s.ranked(ctx, d, sums, top); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *Counts) partly(partial bool, since int64) {
	if partial {
		c.Partial, c.Since = true, max(c.Since, since)
	}
}

// facetsOfFew counts all combinations of the dimensions and adds them up here:
// there are few, and one query is faster than one for each.
func (s *sqlStore) facetsOfFew(ctx context.Context, q *Query, few []string, top int, out *Counts) error {
	open := &Query{From: q.From, To: q.To} // what all lists have in common
	var own []Cond                         // what narrows all but one list
	for _, c := range q.Conds {
		if !c.Not && slices.Contains(few, c.Field) {
			own = append(own, c)
		} else {
			open.Conds = append(open.Conds, c)
		}
	}
	p, err := s.plan(ctx, open)
	if err != nil {
		return err
	}
	cols := make([]string, len(few))
	sums := make([]map[int64]int64, len(few))
	for i, d := range few {
		cols[i], sums[i] = rollable[d], map[int64]int64{}
	}
	passes := make([]map[int64]bool, len(own)) // the numbers that fulfil a condition
	at := make([]int, len(own))
	for i := range own {
		probe := &plan{}
		if err := s.condition(ctx, probe, &own[i]); err != nil {
			return err
		}
		passes[i], at[i] = map[int64]bool{}, slices.Index(few, own[i].Field)
		for _, w := range probe.where {
			w = strings.NewReplacer("(", " ", ")", " ", ",", " ", "=", " ").Replace(w)
			for _, f := range strings.Fields(w) {
				if id, err := strconv.ParseInt(f, 10, 64); err == nil {
					passes[i][id] = true
				}
			}
		}
	}
	partial, since, err := s.tally(ctx, p, cols, 0, func(r row) {
		failed, which := 0, -1
		for i := range own {
			if !passes[i][r.ids[at[i]]] {
				if which != at[i] {
					failed++
				}
				which = at[i]
			}
		}
		if failed == 0 {
			out.Total += r.n
		}
		for i := range few {
			if failed == 0 || failed == 1 && which == i {
				sums[i][r.ids[i]] += r.n
			}
		}
	})
	if err != nil {
		return fmt.Errorf("count events: %w", err)
	}
	out.partly(partial, since)
	for i, d := range few {
		if out.ByDim[d], err = s.ranked(ctx, d, sums[i], top); err != nil {
			return err
		}
	}
	return nil
}

// ranked gives numbers their texts, the most frequent first.
func (s *sqlStore) ranked(ctx context.Context, dim string, sums map[int64]int64, top int) ([]Count, error) {
	texts, err := s.named(ctx, dim, sums)
	if err != nil {
		return nil, err
	}
	out := make([]Count, 0, len(texts))
	for text, n := range texts {
		if text != "" && n > 0 {
			out = append(out, Count{text, n})
		}
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value))
	})
	if top > 0 && len(out) > top {
		out = out[:top]
	}
	return out, nil
}

func (s *sqlStore) named(ctx context.Context, dim string, sums map[int64]int64) (map[string]int64, error) {
	out := map[string]int64{}
	if dim == "priority" {
		for id, n := range sums {
			out[Priority(id).String()] += n
		}
		return out, nil
	}
	ids := make([]int64, 0, len(sums))
	for id := range sums {
		ids = append(ids, id)
	}
	texts, err := s.textsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, n := range sums {
		if dim != "tag" {
			out[texts[id]] += n
			continue
		}
		for _, t := range splitTags(texts[id]) {
			out[t] += n
		}
	}
	return out, nil
}

// Histogram counts events between bounds, which ascend.
func (s *sqlStore) Histogram(ctx context.Context, q *Query, buckets []int64, split string) (*Histogram, error) {
	n := len(buckets) - 1
	if n < 1 {
		return nil, fmt.Errorf("a histogram of %d buckets", n)
	}
	col := dimColumn[split]
	if split != "" && col == "" {
		return nil, fmt.Errorf("%q cannot be counted; %s can", split, strings.Join(dims, ", "))
	}
	inner := &Query{From: max(q.From, buckets[0]), To: buckets[n], Conds: q.Conds}
	if q.To != 0 {
		inner.To = min(inner.To, q.To)
	}
	p, err := s.plan(ctx, inner)
	if err != nil {
		return nil, err
	}
	var width int64 // divides all bounds
	for _, b := range buckets {
		width = gcd(width, b)
	}
	if width == 0 {
		width = 1
	}
	byID := map[int64][]int64{}
	var cols []string
	if col != "" {
		cols = []string{col}
	}
	out := &Histogram{Buckets: buckets, Series: map[string][]int64{}}
	out.Partial, out.Since, err = s.tally(ctx, p, cols, width, func(r row) {
		i := sort.Search(n, func(i int) bool { return buckets[i+1] > r.slot })
		id := int64(0)
		if col != "" {
			id = r.ids[0]
		}
		if byID[id] == nil {
			byID[id] = make([]int64, n)
		}
		if i < n && r.slot >= buckets[0] {
			byID[id][i] += r.n
		}
	})
	if err != nil {
		return nil, fmt.Errorf("count events by time: %w", err)
	}
	for id, series := range byID {
		names, err := s.named(ctx, split, map[int64]int64{id: 1})
		if err != nil {
			return nil, err
		}
		for name := range names {
			if out.Series[name] == nil {
				out.Series[name] = make([]int64, n)
			}
			for i, v := range series {
				out.Series[name][i] += v
			}
		}
	}
	if split != "" {
		delete(out.Series, "")
	}
	return out, nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}
