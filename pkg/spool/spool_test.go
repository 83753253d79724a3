// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// long is whether there is time.
func long() bool { return os.Getenv("FALCO_LONG") != "" }

// fast is a folder in memory, where there is one: an fsync costs nothing there.
func fast(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "falco-spool-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// open opens a spool that ends with the test.
func open(t testing.TB, dir string, opt Options) *Spool {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func reader(t testing.TB, s *Spool, name string) *Reader {
	t.Helper()
	r, err := s.Reader(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func add(t testing.TB, s *Spool, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := s.Append(Entry{Class: 5, Payload: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
}

// rest reads what there is, without acknowledging it.
func rest(t testing.TB, r *Reader) (list []Record) {
	t.Helper()
	for {
		rec, ok, err := r.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return list
		}
		if n := len(list); n > 0 && list[n-1].Seq >= rec.Seq {
			t.Fatalf("%d comes after %d", rec.Seq, list[n-1].Seq)
		}
		list = append(list, rec)
	}
}

func texts(list []Record) string {
	var out []string
	for _, rec := range list {
		out = append(out, string(rec.Payload))
	}
	return strings.Join(out, " ")
}

// What is not acknowledged comes again after the spool was opened anew, to each
// reader its own; what everybody has is no longer there.
func TestAcknowledged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "spool")
	s := open(t, dir, Options{Readers: []string{"x", "y"}})
	x, y := reader(t, s, "x"), reader(t, s, "y")
	add(t, s, "1", "2", "3", "4", "5")
	for _, rec := range rest(t, x) {
		if rec.Seq != 2 && rec.Seq != 4 { // in any order
			x.Ack(rec.Seq)
			x.Ack(rec.Seq)
		}
	}
	y.Ack(1) // was not given out
	if a, b := x.Stats(), y.Stats(); a != (ReaderStats{Pending: 2, Acked: 3}) || b != (ReaderStats{Pending: 5}) {
		t.Errorf("x %+v, y %+v", a, b)
	}
	x.Rewind()
	if got := texts(rest(t, x)); got != "2 4" {
		t.Errorf("after Rewind x gets %s", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir, Options{Readers: []string{"x", "y"}})
	x, y = reader(t, s, "x"), reader(t, s, "y")
	add(t, s, "6")
	if got := texts(rest(t, x)); got != "2 4 6" {
		t.Errorf("x gets %s", got)
	}
	list := rest(t, y)
	if got := texts(list); got != "1 2 3 4 5 6" || list[5].Seq != 6 {
		t.Errorf("y gets %s", got)
	}
	for seq := range uint64(7) {
		x.Ack(seq)
		y.Ack(seq)
	}
	if n := x.Stats().Pending + y.Stats().Pending; n != 0 {
		t.Errorf("%d are pending", n)
	}
	s.Close()
	if segs, _ := filepath.Glob(filepath.Join(dir, "*.seg")); len(segs) > 0 {
		t.Errorf("%s is there, and nobody needs it", segs)
	}

	s = open(t, dir, Options{Readers: []string{"x"}})
	add(t, s, "7")
	if list := rest(t, reader(t, s, "x")); len(list) != 1 || list[0].Seq != 7 {
		t.Errorf("numbers begin anew: %v", list)
	}
}

// Next waits, and is woken by a record, by its context, and by Close.
func TestNextWaits(t *testing.T) {
	before := runtime.NumGoroutine()
	s := open(t, filepath.Join(t.TempDir(), "s"), Options{Readers: []string{"x"}})
	x := reader(t, s, "x")
	type result struct {
		Record
		error
	}
	results := make(chan result)
	next := func(ctx context.Context) {
		go func() {
			rec, err := x.Next(ctx)
			results <- result{rec, err}
		}()
	}
	next(context.Background())
	add(t, s, "a")
	if r := <-results; string(r.Payload) != "a" {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	next(ctx)
	cancel()
	if r := <-results; !errors.Is(r.error, context.Canceled) {
		t.Errorf("%v", r.error)
	}
	next(context.Background())
	runtime.Gosched()
	s.Close()
	if r := <-results; !errors.Is(r.error, ErrClosed) {
		t.Errorf("%v", r.error)
	}
	if _, err := s.Append(Entry{}); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, there were %d", runtime.NumGoroutine(), before)
		}
	}
}

// The folder and its files are for us alone, and links are not followed.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(at("wide"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, at("wide"), Options{Readers: []string{"x"}})
	add(t, s, "a")
	rest(t, reader(t, s, "x"))
	if _, err := Open(at("wide"), Options{}); err == nil || !strings.Contains(err.Error(), "in use by another") {
		t.Errorf("opened twice: %v", err)
	}
	for path, want := range map[string]os.FileMode{at("wide"): 0o700 | os.ModeDir, s.segs[0].path: 0o600} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	for name, make := range map[string]func(string) error{
		"link":         func(p string) error { return os.Symlink(at("wide"), p) },
		"file":         func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"segment/link": func(p string) error { return os.Symlink(s.segs[0].path, p+"0000000000000001.seg") },
		"cursor/link":  func(p string) error { return os.Symlink("/dev/null", p+"cursor-x") },
	} {
		folder, inside, _ := strings.Cut(name, "/")
		path := at(folder)
		if inside != "" {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			path += "/"
		}
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		s, err := Open(at(folder), Options{Readers: []string{"x"}})
		if folder == "cursor" { // it begins anew, and cannot be saved
			if err != nil || s.Stats().Failures == 0 {
				t.Errorf("%s: %v", name, err)
			} else {
				s.Close()
			}
		} else if err == nil {
			t.Errorf("%s: is taken", name)
		}
	}
	for _, name := range []string{"", "../x", "a/b", strings.Repeat("x", 200)} {
		if _, err := s.Reader(name); err == nil {
			t.Errorf("a reader may be called %q", name)
		}
	}
}

// Wherever the last segment ends, whole records are there and nothing else is,
// and what comes then is behind them.
func TestTorn(t *testing.T) {
	dir := filepath.Join(fast(t), "s")
	s := open(t, dir, Options{Readers: []string{"x"}})
	add(t, s, "one", "two", "three")
	path := s.segs[0].path
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ends := []int{segmentHead, segmentHead + recordHead + 3, segmentHead + 2*recordHead + 6, len(whole)}
	want := []string{"four", "one four", "one two four", "one two three four"}
	for size := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		for n+1 < len(ends) && ends[n+1] <= size {
			n++
		}
		s := open(t, dir, Options{Readers: []string{"x"}})
		if torn := s.Stats().Torn; torn != int64(size-ends[n]) && size > segmentHead {
			t.Errorf("%d bytes: %d were torn", size, torn)
		}
		add(t, s, "four")
		list := rest(t, reader(t, s, "x"))
		if got := texts(list); got != want[n] {
			t.Errorf("%d bytes: got %s", size, got)
		}
		s.Close()
		s = open(t, dir, Options{Readers: []string{"x"}})
		if st := s.Stats(); st.Damaged+uint64(st.Torn) > 0 {
			t.Errorf("%d bytes: it was not mended: %+v", size, st)
		}
		s.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever byte of a segment has changed, one record is lost at most, and it is
// told; before the spool is opened, and while it is.
func TestDamage(t *testing.T) {
	dir := filepath.Join(fast(t), "s")
	s := open(t, dir, Options{Readers: []string{"x"}})
	all := []string{"one", "two", mark + "three" + mark, "four"}
	add(t, s, all...)
	path := s.segs[0].path
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, live := range []bool{false, true} {
			b := append([]byte(nil), whole...)
			b[i] ^= 0x41
			if live {
				if err := os.WriteFile(path, whole, 0o600); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, Options{Readers: []string{"x"}})
			add(t, s, "five") // so that the end of what was there is no torn one
			if live {
				if err := os.WriteFile(path, append(b, whole[:0]...), 0o600); err != nil { // takes "five" away
					t.Fatal(err)
				}
			}
			x := reader(t, s, "x")
			list := rest(t, x)
			st := x.Stats()
			for _, rec := range list {
				if text := string(rec.Payload); text != "five" && !slices.Contains(all, text) {
					t.Fatalf("byte %d (live %v): %q was never appended", i, live, text)
				}
			}
			lost := uint64(len(all) + 1 - len(list))
			if lost > 1 && !live || lost > 2 {
				t.Fatalf("byte %d (live %v): got %q", i, live, texts(list))
			}
			if st.Pending != uint64(len(list)) || live && st.Damaged != lost {
				t.Fatalf("byte %d (live %v): %d records, %+v", i, live, len(list), st)
			}
			if !live && lost > 0 && s.Stats().Damaged+uint64(s.Stats().Torn) == 0 {
				t.Fatalf("byte %d: nothing is told", i)
			}
			s.Close()
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Many random steps, against a simple model: nothing comes twice without a
// reason, nothing is missing that was not counted, and the books balance.
func TestModel(t *testing.T) {
	steps, seeds := 800, uint64(2)
	if long() {
		steps, seeds = 8000, 10
	}
	for _, policy := range []Policy{DropOrdinary, DropOldest, Refuse} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%d/%d", policy, seed), func(t *testing.T) { model(t, policy, seed, steps) })
		}
	}
}

func model(t *testing.T, policy Policy, seed uint64, steps int) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	dir := filepath.Join(fast(t), "s")
	opt := Options{Readers: []string{"x", "y"}, Max: 400 << 10, Segment: minSegment, Full: policy, Keep: 2, Save: time.Hour, Sync: time.Hour}
	s := open(t, dir, opt)
	class := map[uint64]uint8{}
	acked := map[string]map[uint64]bool{"x": {}, "y": {}}
	held := map[string][]uint64{}
	accepted := uint64(0) // since it was opened
	base := map[string]uint64{}
	check := func() {
		t.Helper()
		for name, b := range base {
			st := reader(t, s, name).Stats()
			if sum := st.Pending + st.Acked + st.Capped + st.Aged + st.Damaged; sum != b+accepted {
				t.Fatalf("%s: %d were there, %d came, %+v", name, b, accepted, st)
			}
			if st.Damaged > 0 || policy == Refuse && st.Capped > 0 {
				t.Fatalf("%s: %+v", name, st)
			}
		}
		if b := s.Stats().Bytes; b > opt.Max {
			t.Fatalf("%d bytes", b)
		}
	}
	fresh := func() {
		accepted = 0
		for _, name := range opt.Readers {
			base[name], held[name] = reader(t, s, name).Stats().Pending, nil
		}
	}
	fresh()
	for range steps {
		name := opt.Readers[rnd.IntN(2)]
		r := reader(t, s, name)
		switch n := rnd.IntN(100); {
		case n < 45:
			list := make([]Entry, rnd.IntN(20))
			for i := range list {
				list[i] = Entry{Class: uint8(rnd.IntN(8)), Payload: make([]byte, rnd.IntN(1500))}
			}
			before := s.next
			got, err := s.Append(list...)
			if err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			accepted += uint64(got)
			for i := range got {
				class[before+uint64(i)] = list[i].Class
			}
		case n < 70:
			for range rnd.IntN(30) {
				rec, ok, err := r.TryNext()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				if want, there := class[rec.Seq]; !there || want != rec.Class || acked[name][rec.Seq] {
					t.Fatalf("%s got %d: class %d, want %d; acknowledged before: %v", name, rec.Seq, rec.Class, want, acked[name][rec.Seq])
				}
				held[name] = append(held[name], rec.Seq)
			}
		case n < 97:
			h := held[name]
			for range rnd.IntN(40) {
				if len(h) == 0 {
					break
				}
				i := rnd.IntN(min(len(h), 8))
				r.Ack(h[i])
				acked[name][h[i]] = true
				h = append(h[:i], h[i+1:]...)
			}
			held[name] = h
		case n < 98:
			r.Rewind()
			held[name] = nil
		default:
			check()
			s.Close()
			s = open(t, dir, opt)
			fresh()
		}
		check()
	}
	for _, name := range opt.Readers { // what is left is all there is
		r := reader(t, s, name)
		r.Rewind()
		if list := rest(t, r); uint64(len(list)) != r.Stats().Pending {
			t.Errorf("%s: %d came, %+v", name, len(list), r.Stats())
		}
	}
	s.Close()
}
