// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/spool/spooltest"
)

// Behind a receiver that is gone, ordinary records make room for new ones; those that
// matter go last, and all come in order. However much came, few files stay.
func TestKeepsWhatMatters(t *testing.T) {
	var told []string
	s := open(t, filepath.Join(t.TempDir(), "s"), Options{Readers: []string{"x"}, Max: 1 << 20, Segment: minSegment, Keep: 2,
		Report: func(err error) { told = append(told, err.Error()) }})
	x := reader(t, s, "x")
	const records, size, rare = 20000, 400, 50 // eight times what there is room for; of those that matter, a sixth of it
	pad := bytes.Repeat([]byte("."), size)
	for i := range records {
		class := uint8(4)
		if i%rare == 0 {
			class = 1
		}
		if _, err := s.Append(Entry{Class: class, Payload: append(fmt.Appendf(nil, "%d ", i), pad...)}); err != nil {
			t.Fatal(err)
		}
	}
	st := s.Stats()
	if st.Bytes > 1<<20 || st.Segments > 20 {
		t.Errorf("%d bytes in %d files", st.Bytes, st.Segments)
	}
	if len(told) == 0 || !strings.Contains(told[0], " is full: ") || len(told) > 3 {
		t.Errorf("told %q", told)
	}
	books := x.Stats()
	if books.Pending+books.Capped != records {
		t.Errorf("%+v of %d", books, records)
	}
	matter, ordinary := 0, 0
	for _, rec := range rest(t, x) {
		i := 0
		if _, err := fmt.Sscan(string(rec.Payload), &i); err != nil || uint64(i)+1 != rec.Seq {
			t.Fatalf("record %d holds %.20q", rec.Seq, rec.Payload)
		}
		if rec.Class == 1 {
			matter++
		} else {
			ordinary++
		}
	}
	if matter != records/rare {
		t.Errorf("%d of %d that matter", matter, records/rare)
	}
	if uint64(matter+ordinary) != books.Pending || ordinary < 1000 {
		t.Errorf("%d and %d came, %+v", matter, ordinary, books)
	}
}

// What has become too old is dropped and counted, on the disk and on its way out,
// and nothing else is.
func TestAge(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	opt := Options{Readers: []string{"x", "y"}, MaxAge: time.Hour, Now: func() time.Time { return now }}
	s := open(t, filepath.Join(t.TempDir(), "s"), opt)
	x, y := reader(t, s, "x"), reader(t, s, "y")
	add(t, s, "1", "2")
	now = now.Add(30 * time.Minute)
	add(t, s, "3")
	now = now.Add(31 * time.Minute)
	if got := texts(rest(t, x)); got != "3" {
		t.Errorf("got %s", got)
	}
	if st := x.Stats(); st != (ReaderStats{Pending: 1, Aged: 2}) {
		t.Errorf("%+v", st)
	}
	now = now.Add(time.Hour)
	s.mu.Lock()
	s.expire()
	s.mu.Unlock()
	if st := s.Stats(); st.Segments != 0 {
		t.Errorf("%+v", st)
	}
	if st := y.Stats(); st != (ReaderStats{Aged: 3}) {
		t.Errorf("%+v", st)
	}
	x.Ack(3) // has it in hand
	if st := x.Stats(); st != (ReaderStats{Aged: 2, Acked: 1}) {
		t.Errorf("%+v", st)
	}
	add(t, s, "4")
	if got := texts(rest(t, y)); got != "4" {
		t.Errorf("got %s", got)
	}
}

func TestRefuse(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s"), Options{Readers: []string{"x"}, Max: 200 << 10, Full: Refuse})
	x := reader(t, s, "x")
	big := make([]byte, 50<<10)
	n, err := s.Append(Entry{Payload: big}, Entry{Payload: big}, Entry{Payload: big}, Entry{Payload: big})
	if n != 3 || err != ErrFull {
		t.Errorf("%d, %v", n, err)
	}
	for _, rec := range rest(t, x) {
		x.Ack(rec.Seq)
	}
	if n, err = s.Append(Entry{Payload: big}, Entry{Payload: make([]byte, MaxRecord+1)}, Entry{}); n != 1 || err != ErrTooBig {
		t.Errorf("%d, %v", n, err)
	}
	if st := s.Stats(); st.Appended != 4 || st.Refused != 3 {
		t.Errorf("%+v", st)
	}
}

// A cursor outlives the loss of one of its slots, and a file that is none.
func TestCursorFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s := open(t, dir, Options{Readers: []string{"x"}})
	x := reader(t, s, "x")
	add(t, s, "1", "2", "3", "4")
	rest(t, x)
	for _, seq := range []uint64{1, 2, 4} {
		x.Ack(seq)
		if err := x.save(); err != nil {
			t.Fatal(err)
		}
	}
	path := s.cursorPath("x")
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) != 2*slotSize {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	for name, tc := range map[string]struct {
		damage func([]byte) []byte
		want   string
	}{
		"whole":      {func(b []byte) []byte { return b }, "3"},
		"newer gone": {func(b []byte) []byte { b[slotSize+100]++; return b }, "3 4"},
		"older gone": {func(b []byte) []byte { b[100]++; return b }, "3"},
		"both gone":  {func(b []byte) []byte { b[100]++; b[slotSize+100]++; return b }, "1 2 3 4"},
		"short":      {func(b []byte) []byte { return b[:slotSize-1] }, "1 2 3 4"},
		"empty":      {func([]byte) []byte { return nil }, "1 2 3 4"},
	} {
		if err := os.WriteFile(path, tc.damage(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, Options{Readers: []string{"x"}})
		if got := texts(rest(t, reader(t, s, "x"))); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
		s.Close()
	}
	// More holes than a slot has room for: what does not fit comes again.
	var c cursor
	for i := uint64(2); i < 2000; i += 2 {
		c.add(i, i)
	}
	again, turn, ok := parseSlot(c.appendSlot(nil, 7))
	if !ok || turn != 7 || len(again.done) != slotSpans || !again.has(2*slotSpans) || again.has(2*slotSpans+2) {
		t.Errorf("%d spans, %v", len(again.done), ok)
	}
}

// What fills the disk beside us costs nothing that was accepted.
func TestFullDisk(t *testing.T) {
	spooltest.OnSmallDisk(t, "1536k", func(t *testing.T, disk string) {
		dir := filepath.Join(disk, "s")
		s := open(t, dir, Options{Readers: []string{"x"}, Segment: minSegment})
		x := reader(t, s, "x")
		pad := make([]byte, 1000)
		in, out, failures := 0, 0, 0
		take := func(n int) {
			for ; n > 0; n-- {
				rec, ok, err := x.TryNext()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					return
				}
				if out++; string(rec.Payload[:6]) != fmt.Sprintf("%06d", out) {
					t.Fatalf("%.6q comes as number %d", rec.Payload, out)
				}
				x.Ack(rec.Seq)
			}
		}
		for round := range 6 {
			for {
				n, err := s.Append(Entry{Payload: append(fmt.Appendf(nil, "%06d", in+1), pad...)})
				if in += n; err != nil {
					failures++
					break
				}
			}
			if round%2 == 1 { // the process ends and comes back while the disk is full
				s.Close()
				s = open(t, dir, Options{Readers: []string{"x"}, Segment: minSegment})
				x = reader(t, s, "x")
			}
			take(300)
		}
		take(1 << 30)
		if st := x.Stats(); in != out || in < 1500 || failures != 6 || st.Pending != 0 || st.Damaged+st.Capped != 0 {
			t.Errorf("%d in, %d out, %d times full, %+v", in, out, failures, st)
		}
	})
}

// What is set aside has a bound, too.
func TestSetAside(t *testing.T) {
	s := open(t, filepath.Join(fast(t), "s"), Options{})
	line := append(bytes.Repeat([]byte("x"), 1<<20-1), '\n')
	n := 0
	for ; n < 100; n++ {
		if err := s.SetAside(line); err != nil {
			if err != ErrAsideFull {
				t.Error(err)
			}
			break
		}
	}
	info, err := os.Lstat(filepath.Join(s.dir, "refused"))
	if err != nil || n != AsideMax>>20 || info.Size() != AsideMax || info.Mode() != 0o600 {
		t.Errorf("%d lines, %v %v", n, info, err)
	}
}
