// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/tests/vm"
)

// What baseline.json keeps are shares of the yardstick's CPU time, and counts. On a machine that is quiet,
//
//	FALCO_BENCH=1 go test -count=1 -v -run TestPage ./tests/bench -record
//
// writes new ones; the page then tells by how much each figure differs from those.
var record = flag.Bool("record", false, "keep the figures of TestPage in baseline.json")

// yardstick is what Debian's sysdig 0.29 took to print all events of sysdig029-b-files, unpacked, on an idle machine in
// the hour in which the original was measured. It uses one processor, all the time.
const yardstick = 910 * time.Millisecond

// A replay is a row of the page: a capture and rules.
type replay struct {
	capture string // of the given material
	packed  bool
	rules   string // as in ruleFiles
	events  int
	// What the original took, and how many times better we promise to be; 0 for what was not measured or not promised.
	wall, cpu     time.Duration
	byWall, byCPU float64
	mb            int // of anonymous memory at most, 0 for any
}

const (
	never    = "never matches"
	stock1   = "stock 5.1.0"
	stock3   = "all three stock"
	ours     = "our own"
	thousand = "1,000"
	myriad   = "10,000"
)

const (
	large    = "libs0254-large"
	adaptive = "libs0254-adaptive"
	files    = "sysdig029-b-files"

	largeEvents, adaptiveEvents, filesEvents = 5078728, 338243, 551600
)

// replays are all rules on both captures, unpacked and packed, and what the original was measured on besides: version
// 0.44.1, two processors, the median of seven.
var replays = func() (all []replay) {
	measured := []replay{
		{capture: large, rules: never, wall: 880 * time.Millisecond, cpu: 770 * time.Millisecond},
		{capture: large, rules: stock1, wall: 1200 * time.Millisecond, cpu: 1090 * time.Millisecond, byWall: 3, byCPU: 2, mb: 25},
		{capture: large, rules: stock3, wall: 2150 * time.Millisecond, cpu: 2050 * time.Millisecond},
		{capture: large, rules: stock1, packed: true, wall: 1640 * time.Millisecond, cpu: 1540 * time.Millisecond},
		{capture: adaptive, rules: never, wall: 260 * time.Millisecond, cpu: 160 * time.Millisecond},
		{capture: adaptive, rules: stock1, wall: 480 * time.Millisecond, cpu: 380 * time.Millisecond, byWall: 3, byCPU: 2},
		{capture: adaptive, rules: stock3, wall: 1110 * time.Millisecond, cpu: 1010 * time.Millisecond, byWall: 5},
		{capture: files, rules: stock1, wall: 280 * time.Millisecond, cpu: 180 * time.Millisecond},
		{capture: files, rules: stock3, wall: 520 * time.Millisecond, cpu: 420 * time.Millisecond},
	}
	add := func(capture, rules string, packed bool) {
		r := replay{capture: capture, rules: rules, packed: packed}
		for _, m := range measured {
			if m.name() == r.name() {
				r = m
			}
		}
		r.events = map[string]int{large: largeEvents, adaptive: adaptiveEvents, files: filesEvents}[capture]
		all = append(all, r)
	}
	for _, capture := range []string{large, adaptive} {
		for _, packed := range []bool{false, true} {
			for _, rules := range []string{never, stock1, stock3, ours, thousand, myriad} {
				add(capture, rules, packed)
			}
		}
	}
	add(files, stock1, false)
	add(files, stock3, false)
	return all
}()

func (r *replay) name() string {
	name := r.rules + ", " + r.capture
	if r.packed {
		name += ", gzip"
	}
	return name
}

// ruleFiles writes or finds the rules of all rows.
func ruleFiles(t *testing.T) map[string][]string {
	t.Helper()
	c, err := readCorpus()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) []string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return []string{path}
	}
	many := func(n int) []string {
		f, err := c.file(n, literals)
		if err != nil {
			t.Fatal(err)
		}
		return write(fmt.Sprint(n, ".yaml"), f.Content)
	}
	one, err := yaml.Marshal([]map[string]string{{"rule": "never", "desc": "-", "output": "-", "priority": "INFO",
		"condition": "evt.type=kill and proc.name=nobody-is-called-this"}})
	if err != nil {
		t.Fatal(err)
	}
	var three []string
	for _, name := range stock {
		three = append(three, filepath.Join(shared(), "data", "rules", name))
	}
	return map[string][]string{never: write("never.yaml", one), stock1: three[:1], stock3: three,
		ours: {filepath.Join("..", "..", "rules", "falco_rules.yaml")}, thousand: many(1000), myriad: many(10000)}
}

// A race holds what takes part in the comparison: the yardstick and the rows, each measured in every round.
type race struct {
	sysdig  []string
	command [][]string // by row
	rows    []replay
	yard    trial
	took    []trial
}

func newRace(t *testing.T, rows []replay) *race {
	t.Helper()
	if _, err := os.Stat(filepath.Join(shared(), "data", "captures")); err != nil {
		t.Skipf("SKIP %d cases: FALCO_SHARED not found", len(rows))
	}
	falco, err := vm.BuildGo("./daemon", "falco", nil)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "falco.yaml")
	if err := os.WriteFile(config, []byte("stdout_output: {enabled: true}\nlog_stderr: true\nlog_syslog: false\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	raw := func(name string) string {
		path, err := unpacked(name)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := &race{rows: rows, took: make([]trial, len(rows)), sysdig: []string{vm.Tool(t, "sysdig", "sysdig"), "-r", raw(files)}}
	found := ruleFiles(t)
	for _, r := range rows {
		path := filepath.Join(shared(), "data", "captures", r.capture+".scap")
		if !r.packed {
			path = raw(r.capture)
		}
		command := []string{falco, "-c", config, "-e", path}
		for _, name := range found[r.rules] {
			command = append(command, "-r", name)
		}
		c.command = append(c.command, command)
	}
	return c
}

// round measures everything once, or only what something is promised of. Memory is looked at in the first round alone.
func (c *race) round(t *testing.T, first, promised bool) {
	t.Helper()
	measure := func(best *trial, watch bool, command []string) {
		took, err := try(watch, command...)
		switch {
		case err != nil:
			t.Fatal(err)
		case best.wall == 0:
			*best = took
		default:
			*best = best.better(took)
		}
	}
	measure(&c.yard, false, c.sysdig)
	for i, r := range c.rows {
		if !promised || r.byCPU+r.byWall > 0 {
			measure(&c.took[i], first, c.command[i])
		}
	}
}

// byWall and byCPU tell how many times what a row took the original would take here and now.
func (c *race) byWall(i int) float64 {
	return c.rows[i].wall.Seconds() * (c.yard.wall.Seconds() / yardstick.Seconds()) / c.took[i].wall.Seconds()
}

func (c *race) byCPU(i int) float64 {
	return c.rows[i].cpu.Seconds() * (c.yard.cpu.Seconds() / yardstick.Seconds()) / c.took[i].cpu.Seconds()
}

// broken lists the promises that do not hold, so far.
func (c *race) broken(wall bool) (broken []string) {
	for i, r := range c.rows {
		if x := c.byCPU(i); x < r.byCPU {
			broken = append(broken, fmt.Sprintf("%s: %.1f times the original by CPU time, not %.0f", r.name(), x, r.byCPU))
		}
		if x := c.byWall(i); wall && x < r.byWall {
			broken = append(broken, fmt.Sprintf("%s: %.1f times the original by wall time, not %.0f", r.name(), x, r.byWall))
		}
		if r.mb > 0 && c.took[i].anon > r.mb*1000 {
			broken = append(broken, fmt.Sprintf("%s: %d kB of anonymous memory, not %d MB", r.name(), c.took[i].anon, r.mb))
		}
	}
	return broken
}

// TestPage prints for make bench how we stand beside the original. What it promises is held on a machine that has a
// processor to spare; on a busy one more rounds may find quiet moments.
func TestPage(t *testing.T) {
	if os.Getenv("FALCO_BENCH") == "" {
		t.Skip("FALCO_BENCH=1 prints the page")
	}
	c := newRace(t, replays)
	for n := 0; n < 5 || n < 15 && len(c.broken(true)) > 0; n++ {
		c.round(t, n == 0, n >= 5)
	}
	before, err := readBaseline()
	if err != nil {
		t.Fatal(err)
	}
	c.print(os.Stdout, before)
	c.printInflated(os.Stdout, t)
	figures := measureFigures(t, c)
	figures.print(os.Stdout, before)
	for _, text := range c.broken(true) {
		t.Error(text)
	}
	if *record {
		for i := range c.rows {
			figures[c.rows[i].name()] = figure{value: c.share(i)}
		}
		if err := figures.keep(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFasterThanTheOriginal holds what is promised in CPU time, which a busy machine changes little.
func TestFasterThanTheOriginal(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	var promised []replay
	for _, r := range replays {
		if r.byCPU > 0 {
			promised = append(promised, r)
		}
	}
	c := newRace(t, promised)
	for n := 0; n < 2 || n < 10 && len(c.broken(false)) > 0; n++ {
		c.round(t, n == 0, true)
	}
	for _, text := range c.broken(false) {
		t.Error(text)
	}
	for i, r := range c.rows {
		t.Logf("%s: %.1f times the original by CPU time", r.name(), c.byCPU(i))
	}
}

func (c *race) print(w io.Writer, before map[string]float64) {
	fmt.Fprintln(w, "Replay, beside the original (0.44.1). Its figures, taken elsewhere, are scaled by the yardstick: sysdig -r sysdig029-b-files")
	fmt.Fprintf(w, "took %.2f s there, and %.2f s (%.2f s of CPU) here, in this run.\n", yardstick.Seconds(), c.yard.wall.Seconds(), c.yard.cpu.Seconds())
	fmt.Fprintf(w, "%-16s %-24s %7s %7s %10s %9s %8s %8s %10s %10s %8s\n", "rules", "capture", "wall s", "CPU s", "events/s", "ns/event", "anon MB", "peak MB",
		"orig/wall", "orig/CPU", "before")
	for i, r := range c.rows {
		took, name := c.took[i], r.capture
		if r.packed {
			name += ", gzip"
		}
		byWall, byCPU, was := "-", "-", "-"
		if r.wall > 0 {
			byWall, byCPU = fmt.Sprintf("%.1f×", c.byWall(i)), fmt.Sprintf("%.1f×", c.byCPU(i))
		}
		if b := before[r.name()]; b > 0 {
			was = fmt.Sprintf("%+.0f%%", 100*(c.share(i)/b-1))
		}
		fmt.Fprintf(w, "%-16s %-24s %7.2f %7.2f %10.0f %9.0f %8.1f %8.1f %10s %10s %8s\n", r.rules, name, took.wall.Seconds(), took.cpu.Seconds(),
			float64(r.events)/took.wall.Seconds(), float64(took.cpu.Nanoseconds())/float64(r.events), float64(took.anon)/1000, float64(took.peak)/1000,
			byWall, byCPU, was)
	}
}

// share is a row's CPU time as a share of the yardstick's: the figure of baseline.json, the same on every machine.
func (c *race) share(i int) float64 { return c.took[i].cpu.Seconds() / c.yard.cpu.Seconds() }

const baselineFile = "baseline.json"

func readBaseline() (map[string]float64, error) {
	text, err := os.ReadFile(baselineFile)
	if err != nil {
		return nil, err
	}
	var kept map[string]float64
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("%s: %w", baselineFile, err)
	}
	return kept, nil
}

// inflate returns what unpacking a capture alone takes of the processors: by the library that the daemon uses, and nothing else.
func inflate(t *testing.T, name string) time.Duration {
	packed, err := os.ReadFile(filepath.Join(shared(), "data", "captures", name+".scap"))
	if err != nil {
		t.Fatal(err)
	}
	least := time.Hour
	for range 5 {
		begin := processorTime()
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, z); err != nil {
			t.Fatal(err)
		}
		least = min(least, processorTime()-begin)
	}
	return least
}

// printInflated holds the packed replays against unpacking alone, which happens on a processor of its own while the
// events go by on the other: that is the bound of their wall time.
func (c *race) printInflated(w io.Writer, t *testing.T) {
	for _, name := range []string{large, adaptive} {
		bound := inflate(t, name)
		for i, r := range c.rows {
			if r.packed && r.capture == name && r.rules == stock1 {
				fmt.Fprintf(w, "Unpacking %s alone takes %.2f s of a processor; its replay %.2f s by the clock, %.1f times that.\n", name, bound.Seconds(),
					c.took[i].wall.Seconds(), c.took[i].wall.Seconds()/bound.Seconds())
			}
		}
	}
}
