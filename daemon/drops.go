// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/schema"
)

const (
	tellEvery = 10 * time.Second // how often losses are told while they last
	gapLooks  = 3                // how many looks a line waits for its gap records
)

// drops watches the ledger and tells the operator when events are lost: in the
// log when the loss grows, and in the ledger at the end. How many, the books of
// the module say; where in the stream, its gap records.
type drops struct {
	log      *logger
	last     driver.Loss // as of the last line
	lastSeen uint64
	told     time.Time
	untold   gaps // since the last line
	fresh    gaps // since the last alert
	waited   int  // looks that found losses whose gap records were not there yet
	all      gaps // of the whole run
	watch    dropWatch
}

// gaps are the places of the stream where something is missing, as its gap
// records tell: on which CPUs, and when.
type gaps struct {
	records, events uint64
	first, last     int64 // ns since the epoch
	cpus            []int
	causes          [schema.ABILostCauses]uint64
}

func (g *gaps) add(cpu int, l ring.Lost, shift int64) {
	first, last := int64(l.FirstNs)+shift, int64(l.LastNs)+shift
	if g.records == 0 || first < g.first {
		g.first = first
	}
	g.last = max(g.last, last)
	g.records++
	g.events += l.Count()
	for i, n := range l.Causes {
		g.causes[i] += n
	}
	if i, found := slices.BinarySearch(g.cpus, cpu); !found {
		g.cpus = slices.Insert(g.cpus, i, cpu)
	}
}

// where is the end of a sentence, or nothing.
func (g *gaps) where() string {
	if g.records == 0 {
		return ""
	}
	return fmt.Sprintf(" on CPU %s between %s and %s", g.cpuList(), clockTime(g.first), clockTime(g.last))
}

func (g *gaps) cpuList() string {
	names := make([]string, len(g.cpus))
	for i, cpu := range g.cpus {
		names[i] = strconv.Itoa(cpu)
	}
	return strings.Join(names, ", ")
}

// clockTime is how events' times are printed.
func clockTime(ns int64) string { return time.Unix(0, ns).Format("15:04:05.000000000") }

// gap takes in a gap record at its place in the stream. shift makes the time of
// the rings wall-clock time.
func (d *drops) gap(cpu int, l ring.Lost, shift int64) {
	d.untold.add(cpu, l, shift)
	d.fresh.add(cpu, l, shift)
	d.all.add(cpu, l, shift)
}

// check compares the books with those of the last look, about once a second.
func (d *drops) check(now time.Time, l ledger) {
	lost := l.Lost.Total() - d.last.Total()
	if lost == 0 || !d.told.IsZero() && now.Sub(d.told) < tellEvery {
		return
	}
	// The books are ahead of the stream: the gap records may still lie in the
	// rings. One is missing for good if nothing came after the loss.
	if d.untold.events < lost && d.waited < gapLooks {
		d.waited++
		return
	}
	d.waited = 0
	d.log.warnf("%d of %d events were lost (%s)%s. %s", lost, l.Seen-d.lastSeen, causes(d.last, l.Lost), d.untold.where(), advice(d.last, l.Lost))
	d.last, d.lastSeen, d.told = l.Lost, l.Seen, now
	d.untold = gaps{}
}

// counter is a cause of loss with the words for it.
type counter struct {
	name string
	of   func(driver.Loss) uint64
}

var lossCounters = []counter{
	{"ring full", func(l driver.Loss) uint64 { return l.Full }},
	{"too big", func(l driver.Loss) uint64 { return l.TooBig }},
	{"nested", func(l driver.Loss) uint64 { return l.Nested }},
	{"no memory", func(l driver.Loss) uint64 { return l.NoMemory }},
	{"no ring", func(l driver.Loss) uint64 { return l.NoRing }},
}

// causes lists what grew between two looks.
func causes(before, now driver.Loss) string {
	var parts []string
	for _, c := range lossCounters {
		if n := c.of(now) - c.of(before); n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", c.name, n))
		}
	}
	return strings.Join(parts, ", ")
}

func advice(before, now driver.Loss) string {
	if now.Full > before.Full {
		return "A larger engine.kmod.buf_size_preset holds more"
	}
	return "The ledger at the end of the run has the sums"
}

// summary is printed to stderr at the end of a run, past the log: first the
// lines that the original prints, then the ledger.
func (d *drops) summary(w io.Writer, l ledger, seeding uint64) {
	fmt.Fprintf(w, "Syscall event drop monitoring:\n   - event drop detected: %d occurrences\n   - num times actions taken: %d\n", d.watch.found, d.watch.acted)
	fmt.Fprintln(w, l)
	if d.all.records > 0 {
		fmt.Fprintf(w, "Gaps in the stream: %d, of %d events%s\n", d.all.records, d.all.events, d.all.where())
	}
	if left := l.Seen - l.Delivered - l.Lost.Total(); left > 0 && l.Seen > l.Delivered {
		fmt.Fprintf(w, "Left in the rings: %d\n", left)
	}
	if l.Unread > 0 || seeding > 0 {
		fmt.Fprintf(w, "Of those delivered: %d not understood, %d lost while seeding\n", l.Unread, seeding)
	}
}
