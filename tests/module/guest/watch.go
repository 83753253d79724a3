// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/schema"
)

// A T is one check under way.
type T struct{ errors []string }

// Errorf says that something is wrong.
func (t *T) Errorf(format string, args ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

// Fatalf says it and ends the check.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	panic(fatal{})
}

type fatal struct{}

// A consumer is what somebody wants to see.
type consumer struct {
	rows   []string // names of syscalls.tbl
	config driver.Config
	filter driver.Filter

	everybody bool // us, too
	dev       *driver.Device
	records   []record
	stats     driver.Stats
}

// record is a copy of a frame.
type record struct {
	event.Event
	flags uint32
}

func row(name string) schema.SyscallCode {
	for i := range schema.Syscalls {
		if schema.Syscalls[i].Name == name {
			return schema.Syscalls[i].Code
		}
	}
	panic("no row " + name)
}

func (c *consumer) start(t *T) {
	dev, err := driver.Open(driver.Path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	c.dev = dev
	if c.config.RingBytes == 0 {
		c.config.RingBytes = 4 << 20
	}
	if !c.everybody {
		c.filter.IgnoredTgids = append([]int{os.Getpid()}, c.filter.IgnoredTgids...)
	}
	for _, name := range c.rows {
		c.filter.Syscalls = append(c.filter.Syscalls, row(name))
	}
	for _, err := range []error{dev.Configure(c.config), dev.SetFilter(c.filter), dev.Start()} {
		if err != nil {
			t.Fatalf("%v", err)
		}
	}
}

// finish stops the consumer, reads what came and balances the books: for every
// event type, what was delivered is what was produced and not lost.
func (c *consumer) finish(t *T) {
	if err := c.dev.Stop(); err != nil {
		t.Fatalf("%v", err)
	}
	info, err := c.dev.Info()
	if err != nil {
		t.Fatalf("%v", err)
	}
	for cpu := range info.CPUs {
		got := c.drain(t, cpu)
		types, err := c.dev.TypeStats(cpu)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for typ, s := range types {
			if s.Produced != got[schema.EventType(typ)]+s.Lost.Total() {
				t.Errorf("the books of CPU %d, %v: %d produced, %d delivered, lost %+v", cpu, schema.EventType(typ).Info().ID, s.Produced, got[schema.EventType(typ)], s.Lost)
			}
		}
		stats, err := c.dev.Stats(cpu)
		if err != nil {
			t.Fatalf("%v", err)
		}
		c.stats.Add(stats)
	}
	slices.SortStableFunc(c.records, func(a, b record) int {
		switch {
		case a.TS < b.TS:
			return -1
		case a.TS > b.TS:
			return 1
		}
		return 0
	})
	c.dev.Close()
}

// drain reads a ring to its end: well-formed, in order, without a number left out.
func (c *consumer) drain(t *T, cpu int) (got map[schema.EventType]uint64) {
	got = map[schema.EventType]uint64{}
	m, ok, err := c.dev.Map(cpu)
	if err != nil || !ok {
		t.Fatalf("map CPU %d: %v, %v", cpu, ok, err)
	}
	r, err := ring.New(cpu, m.Control, m.Data)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var last, seq uint64
	for r.Refill(); ; r.Next() {
		frame, ok := r.Peek()
		if !ok {
			break
		}
		if frame.Flags&ring.Gap != 0 {
			lost, err := ring.ParseGap(frame.Record)
			if err != nil || lost.From != seq || lost.To-lost.From+1 != lost.Count() {
				t.Fatalf("CPU %d: gap %+v where %d is expected: %v", cpu, lost, seq, err)
			}
			seq = lost.To + 1
			continue
		}
		rec := record{flags: frame.Flags}
		b := bytes.Clone(frame.Record)
		n, err := rec.Decode(b)
		if err != nil {
			t.Fatalf("CPU %d, record %d: %v", cpu, frame.Seq, err)
		}
		if frame.Flags&ring.Ext != 0 {
			rec.SetExt(b[n:])
		}
		if frame.Seq != seq || rec.TS < last {
			t.Errorf("CPU %d: record %d at %d where %d after %d is expected", cpu, frame.Seq, rec.TS, seq, last)
		}
		last, seq = rec.TS, frame.Seq+1
		got[rec.Type]++
		c.records = append(c.records, rec)
	}
	if r.Err() != nil {
		t.Fatalf("%v", r.Err())
	}
	return got
}

// facts are what a deed says about itself.
type facts map[string]string

func (f facts) int(t *T, name string) int64 {
	v, err := strconv.ParseInt(f[name], 0, 64)
	if err != nil {
		t.Fatalf("the deed did not tell %s: %q", name, f[name])
	}
	return v
}

// watch lets deeds be done while all of cs look on.
func watch(t *T, cs []*consumer, deed ...string) facts {
	for _, c := range cs {
		c.start(t)
	}
	cmd := exec.Command("/files/deeds", deed...)
	cmd.Stderr = os.Stdout
	out, err := cmd.Output()
	for _, c := range cs {
		c.finish(t)
	}
	if err != nil {
		t.Fatalf("deeds %v: %v\n%s", deed, err, out)
	}
	f := facts{}
	for _, line := range strings.Split(string(out), "\n") {
		name, value, _ := strings.Cut(line, " ")
		f[name] = value
	}
	return f
}

// see is watch for one consumer.
func see(t *T, c *consumer, deed ...string) facts { return watch(t, []*consumer{c}, deed...) }

// of returns the events of one thread and type, in order.
func (c *consumer) of(tid int64, typ schema.EventType) (rs []*record) {
	for i := range c.records {
		if r := &c.records[i]; r.Tid == tid && r.Type == typ {
			rs = append(rs, r)
		}
	}
	return rs
}

// num is the parameter name of r as a number, sign-extended as its type says;
// an absent one is none.
const none = -1 << 62

func (r *record) num(name string) int64 {
	i := slices.IndexFunc(r.Info.Params, func(p schema.Param) bool { return p.Name == name })
	if i < 0 {
		panic(r.Info.ID + " has no " + name)
	}
	b := r.Param(i)
	if b == nil {
		return none
	}
	v := binary.LittleEndian.Uint64(append(bytes.Clone(b), make([]byte, 8)...))
	if typ := r.Info.Params[i].Type; typ.Signed() {
		shift := 64 - 8*typ.Width()
		return int64(v<<shift) >> shift
	}
	return int64(v)
}

func (r *record) bytes(name string) []byte {
	i := slices.IndexFunc(r.Info.Params, func(p schema.Param) bool { return p.Name == name })
	if i < 0 {
		panic(r.Info.ID + " has no " + name)
	}
	return r.Param(i)
}

// text is a string parameter without its NUL; "<absent>" if it is absent.
func (r *record) text(name string) string {
	b := r.bytes(name)
	if b == nil {
		return "<absent>"
	}
	if b[len(b)-1] != 0 {
		return "<unterminated>" + string(b)
	}
	return string(b[:len(b)-1])
}

// want compares numbers: pairs of name and value.
func (r *record) want(t *T, what string, pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case int:
			if got := r.num(name); got != int64(v) {
				t.Errorf("%s: %s is %#x, not %#x", what, name, got, v)
			}
		case int64:
			if got := r.num(name); got != v {
				t.Errorf("%s: %s is %#x, not %#x", what, name, got, v)
			}
		case string:
			if got := r.text(name); got != v {
				t.Errorf("%s: %s is %q, not %q", what, name, got, v)
			}
		case []byte:
			if got := r.bytes(name); !bytes.Equal(got, v) {
				t.Errorf("%s: %s is %q, not %q", what, name, got, v)
			}
		default:
			panic(fmt.Sprintf("%s: what is a %T", name, v))
		}
	}
}
