// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/falco-go/falco/pkg/schema"
)

func TestSmallestFile(t *testing.T) {
	s := mustRead(t, section(), evBlock(3, closeX(5)))
	if len(s.Events) != 1 || s.Events[0].CPU != 3 || s.Events[0].Num != 1 || !bytes.Equal(s.Events[0].Event, closeX(5)) {
		t.Errorf("%+v", s.Events)
	}
	if s.Begins != 1 || s.Ends != 1 {
		t.Errorf("%d times begun, %d times ended", s.Begins, s.Ends)
	}
}

// pack packs b in all ways that are read.
func pack(t testing.TB, b []byte) map[string][]byte {
	t.Helper()
	gz := func(b []byte) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		z.Write(b)
		z.Close()
		return out.Bytes()
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	half := len(b) / 2
	return map[string][]byte{
		"plain": b, "gzip": gz(b), "gzip members": append(gz(b[:half]), gz(b[half:])...), "zstd": enc.EncodeAll(b, nil),
		"zstd frames": append(enc.EncodeAll(b[:half], nil), enc.EncodeAll(b[half:], nil)...),
	}
}

// A reader that is closed in the middle leaves nobody behind.
func TestCloseEndsUnpacking(t *testing.T) {
	before := runtime.NumGoroutine()
	b := sample()
	for len(b) < 16*chunkBytes {
		b = append(b, sample()[len(section()):]...)
	}
	for name, data := range pack(t, b) {
		for range 5 {
			r, err := NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Next(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			r.Close()
			r.Close()
		}
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func sample() []byte {
	b := section()
	for i := range 500 {
		b = append(b, evBlock(i%4, closeX(uint64(i)))...)
	}
	return b
}

func TestPackings(t *testing.T) {
	for name, data := range pack(t, sample()) {
		for from, r := range map[string]io.Reader{
			"whole": bytes.NewReader(data), "bytewise": iotest.OneByteReader(bytes.NewReader(data)),
			"with its end": iotest.DataErrReader(bytes.NewReader(data)),
		} {
			s, err := readFrom(t, r)
			if err != nil || len(s.Events) != 500 {
				t.Errorf("%s, %s: %d events, %v", name, from, len(s.Events), err)
			}
			if kind, _, _ := strings.Cut(name, " "); s.Stats.Packed.String() != kind ||
				s.Stats.Bytes != int64(len(sample())) || s.Stats.FileBytes != int64(len(data)) {
				t.Errorf("%s: %v, %d bytes of %d in %d", name, s.Stats.Packed, s.Stats.Bytes, len(sample()), s.Stats.FileBytes)
			}
		}
	}
}

// Wherever a file is cut, all that is whole before comes out.
func TestCutFiles(t *testing.T) {
	whole := file(section(), block(BlockMachine, make([]byte, machineBody)), evBlock(0, closeX(1)),
		block(0x4711, "an unknown block"), evBlock(0, closeX(2)), evBlock(1, closeX(3)))
	ends := map[int]int{} // offset of a block's end: events up to there
	n := 0
	for b, at := whole, 0; len(b) > 0; {
		size := int(le.Uint32(b[4:]))
		if BlockType(le.Uint32(b)).isEvent() {
			n++
		}
		at += size
		ends[at] = n
		b = b[size:]
	}
	events := 0
	for cut := 1; cut < len(whole); cut++ {
		s, err := read(t, whole[:cut])
		n, atEnd := ends[cut]
		if atEnd {
			events = n
		}
		switch {
		case len(s.Events) != events:
			t.Fatalf("cut at %d: %d events, expected %d", cut, len(s.Events), events)
		case cut < len(section()) && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrFormat):
			t.Fatalf("cut at %d: %v", cut, err)
		case cut < len(section()):
		case atEnd && events == 0 && !errors.Is(err, ErrNoEvents), atEnd && events > 0 && err != nil:
			t.Fatalf("cut at %d, the end of a block: %v", cut, err)
		case !atEnd && !errors.Is(err, ErrTruncated):
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	for name, data := range pack(t, sample()) {
		if name == "plain" {
			continue
		}
		s, err := read(t, data[:len(data)-1])
		if !errors.Is(err, ErrTruncated) {
			t.Errorf("%s without its last byte: %d events, %v", name, len(s.Events), err)
		}
	}
}

func TestNotCaptures(t *testing.T) {
	swapped := section()
	binary.BigEndian.PutUint32(swapped[4:], uint32(len(swapped)))
	binary.BigEndian.PutUint32(swapped[8:], sectionMagic)
	newer := section()
	newer[12] = 2
	magic := section()
	magic[8]++
	short := section()
	short[4] = 24
	badTail := section()
	badTail[len(badTail)-4]++
	for name, c := range map[string]struct {
		data []byte
		kind error
		want string
	}{
		"empty":      {nil, ErrFormat, "empty"},
		"a byte":     {[]byte{1}, ErrFormat, "shorter"},
		"text":       {[]byte("hello, world, how are you"), ErrFormat, "it begins with 0x6c6c6568"},
		"big-endian": {swapped, ErrFormat, "written on a big-endian machine"},
		"newer":      {newer, ErrFormat, "version 2 of the format"},
		"magic":      {magic, ErrFormat, "magic number"},
		"short":      {short, nil, "length 24 is impossible"},
		"tail":       {badTail, nil, "length 28 at its start, 29 at its end"},
		"bad gzip":   {[]byte{0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, nil, "gzip"},
		"no events":  {section(), ErrNoEvents, "no events in file"},
	} {
		_, err := read(t, c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A corrupt file says where, after all that came before.
func TestCorruptFiles(t *testing.T) {
	good := file(section(), evBlock(0, closeX(1)))
	bad := func(at int, v uint32) []byte {
		b := evBlock(0, closeX(2))
		if at < 0 {
			at += len(b)
		}
		le.PutUint32(b[at:], v)
		return append(bytes.Clone(good), b...)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"tail":     {bad(-4, 99), "length 60 at its start, 99 at its end"},
		"too long": {bad(4, 1<<20), "length 1048576 is impossible"},
		"4 GiB":    {bad(4, 0xfffffffc), "length 4294967292 is impossible"},
		"short":    {bad(4, 12), "length 12 is impossible"},
		"a list of 4 GiB": {file(good, bin(uint32(BlockProcs9), uint32(0xfffffff0), "x", make([]byte, 900))),
			"length 4294967280 is impossible"},
		"tail of an unknown block": {file(good, bin(uint32(0x4711), uint32(16), uint32(0), uint32(20))), "length 16 at its start"},
	} {
		s, err := read(t, c.data)
		var e *Error
		if !errors.As(err, &e) || e.Offset != int64(len(good)) || !strings.Contains(err.Error(), c.want) || len(s.Events) != 1 {
			t.Errorf("%s: %d events, %v", name, len(s.Events), err)
		}
	}
}

// A length takes no memory before its bytes are there.
func TestLengthsTakeNoMemory(t *testing.T) {
	head := section()
	for name, data := range map[string][]byte{
		"large event":        file(head, bin(uint32(BlockEventLarge), uint32(MaxLargeBlock), make([]byte, 900))),
		"large event, begun": file(head, bin(uint32(BlockEventLarge), uint32(MaxLargeBlock), make([]byte, window))),
		"processes":          file(head, bin(uint32(BlockProcs9), uint32(MaxBlock), uint32(MaxBlock-40), make([]byte, 900))),
		"unknown":            file(head, bin(uint32(0x4711), uint32(MaxBlock), make([]byte, 900))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := read(t, data); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, n, len(data))
		}
	}
}

func TestBlocksBetweenEvents(t *testing.T) {
	user := block(BlockUsers, entry(true, u8(0), uint32(1), uint32(2), "a", "b", "c"))
	s := mustRead(t, section(), block(0x4711, "?"), evBlock(0, closeX(1)), block(0x4711, "?"), user, evBlock(0, closeX(2)))
	if len(s.Events) != 2 || s.Stats.Skipped != 2 || s.Stats.Misplaced != 1 || len(s.Users) != 0 {
		t.Errorf("%d events, %d blocks skipped, %d misplaced, users %v", len(s.Events), s.Stats.Skipped, s.Stats.Misplaced, s.Users)
	}
}

// Captures can be put one behind the other.
func TestSections(t *testing.T) {
	one := file(section(), block(BlockUsers, entry(true, u8(0), uint32(1), uint32(2), "a", "b", "c")),
		evBlock(0, rawEvent(1, 7, schema.CloseE, i64(99))))
	two := file(section(), evBlock(0, rawEvent(2, 7, schema.CloseX, i64(0))))
	s := mustRead(t, one, two)
	if s.Begins != 2 || s.Ends != 2 || s.Stats.Sections != 2 || len(s.Users) != 1 || len(s.Events) != 1 {
		t.Errorf("%+v", s)
	}
	// What waited in the first section is forgotten.
	if _, v := values(t, s.Events[0].Event); le.Uint64(v[1]) != 0 {
		t.Errorf("descriptor %d", le.Uint64(v[1]))
	}
	if s, err := read(t, file(section(), evBlock(0, closeX(1)), section())); err != nil || s.Ends != 2 {
		t.Errorf("a section without events behind one that has some: %v, %d ends", err, s.Ends)
	}
}

func TestFlagsAndExtensions(t *testing.T) {
	s := mustRead(t, section(), block(BlockEventFlags, uint16(1), uint32(StateOnly), closeX(1)),
		block(BlockEvent, uint16(2), closeX(2), make([]byte, -(2+len(closeX(2)))&3), []byte("options!")),
		block(BlockEventFlags1, uint16(1), uint32(0), eventV1(3, 7, schema.CloseX, i64(0), i64(3))))
	if len(s.Events) != 3 || s.Events[0].Flags != StateOnly || s.Events[0].Num != 0 || s.Events[1].Num != 1 || s.Events[2].Num != 2 {
		t.Errorf("%+v", s.Events)
	}
	if string(s.Events[1].Options) != "options!" || !bytes.Equal(s.Events[2].Event, closeX(3)) {
		t.Errorf("%q, %x", s.Events[1].Options, s.Events[2].Event)
	}
}

// Options belong to an event as it stands in the file: that it becomes longer
// afterwards does not move them.
func TestOptionsOfOldEvents(t *testing.T) {
	for name := range 4 {
		old := rawEvent(1, 7, schema.OpenX, i64(3), append(make([]byte, name), 0), u32(0), u32(0))
		s := mustRead(t, section(), block(BlockEvent, uint16(2), old, make([]byte, -(2+len(old))&3), AppendOptions(nil, 0x24, nil)))
		if len(s.Events) != 1 || bytes.Equal(s.Events[0].Event, old) {
			t.Fatalf("%d events", len(s.Events))
		}
		if got := s.Events[0].Prefix(); got != 0x24 {
			t.Errorf("%d bytes, now %d: flags %#x", len(old), len(s.Events[0].Event), got)
		}
	}
}

func TestOddEvents(t *testing.T) {
	short := closeX(1)
	le.PutUint32(short[16:], 20)
	long := closeX(1)
	le.PutUint32(long[16:], 4000)
	lens := rawEvent(1, 7, schema.CloseX, i64(0))
	le.PutUint16(lens[26:], 9)
	count := rawEvent(1, 7, schema.CloseX, i64(0))
	le.PutUint32(count[22:], 1<<31)
	s := mustRead(t, section(), evBlock(0, short), evBlock(0, long), evBlock(0, lens), evBlock(0, count),
		evBlock(0, []byte{1, 2, 3, 4}), block(BlockEvent1, uint16(0), make([]byte, 8)),
		evBlock(0, rawEvent(1, 1, schema.NumEvents)), evBlock(0, rawEvent(1, 1, schema.CloseX+60000)),
		evBlock(0, rawEvent(1, 1, schema.Procexit0X)),
		evBlock(0, rawEvent(1, 1, schema.Execve8X, i64(0))), // no conversion for so few
		evBlock(0, rawEvent(9, 1, schema.CloseX, i64(0), i64(3), i64(5))))
	st := s.Stats
	if st.Malformed != 6 || st.Unknown != 2 || st.Unused != 1 || st.Stranded != 1 || st.Delivered != 1 {
		t.Errorf("%d malformed, %d unknown, %d unused, %d stranded, %d delivered", st.Malformed, st.Unknown, st.Unused, st.Stranded, st.Delivered)
	}
	// What a newer schema has appended is left out.
	if _, v := values(t, s.Events[0].Event); len(v) != 2 || le.Uint64(v[1]) != 3 || le.Uint32(s.Events[0].Event[22:]) != 2 {
		t.Errorf("%x", s.Events[0].Event)
	}
}

func TestLargeEvents(t *testing.T) {
	json := bytes.Repeat([]byte("x"), 3<<20)
	s := mustRead(t, section(), block(BlockEventLarge, uint16(1), rawEvent(4, 1, schema.ContainerJsonE, json)), evBlock(0, closeX(5)),
		block(BlockEventLargeFl, uint16(1), uint32(0), rawEvent(4, 1, schema.ContainerJsonE, json)))
	if len(s.Events) != 3 {
		t.Fatalf("%d events, %d malformed", len(s.Events), s.Stats.Malformed)
	}
	if _, v := values(t, s.Events[2].Event); !bytes.Equal(v[0], json) {
		t.Errorf("%d bytes of JSON", len(v[0]))
	}
}

// A number of parameters that is as large as can be is that of no event of today, of whatever type.
func TestManyParameters(t *testing.T) {
	data := file(section(), evBlock(0, closeX(1)))
	for typ := range schema.NumEvents {
		ev := rawEvent(2, 1, schema.EventType(typ))
		le.PutUint32(ev[22:], math.MaxUint32)
		data = append(data, evBlock(0, ev)...)
	}
	s := mustRead(t, data)
	if st := s.Stats; len(s.Events) != 1 || st.Malformed+st.Unused+st.Enters != uint64(schema.NumEvents) {
		t.Errorf("%d events, %d malformed, %d unused, %d enter events", len(s.Events), st.Malformed, st.Unused, st.Enters)
	}
}

// What ends a file ends it, whatever stands behind.
func TestEndsForGood(t *testing.T) {
	users := block(BlockUsers, entry(true, u8(0), uint32(1), uint32(2), "a", "b", "c"))
	_, err := read(t, file(section(), evBlock(0, closeX(1)), users[:len(users)-blockTail], evBlock(0, closeX(2)), evBlock(0, closeX(3))))
	var place *Error
	if !errors.As(err, &place) || place.Block != BlockUsers {
		t.Error(err)
	}
}

// The memory that one takes is given back.
func TestLargeEventsGoAway(t *testing.T) {
	large := block(BlockEventLarge, uint16(1), rawEvent(4, 1, schema.ContainerJsonE, make([]byte, 3<<20)))
	data := file(section(), large, bytes.Repeat(evBlock(0, closeX(5)), 20_000))
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	most, n := 0, 0
	for ; err == nil; n++ {
		_, err = r.Next()
		most = max(most, len(r.src.buf))
	}
	if n != 20_002 || !errors.Is(err, io.EOF) || most < len(large) || len(r.src.buf) != window {
		t.Errorf("%d events, %v; a window of %d bytes, at most %d", n, err, len(r.src.buf), most)
	}
}

// Events of before 2018 do not say how many parameters they have.
func TestEventsOfVersion1(t *testing.T) {
	v1 := func(b []byte) []byte { return block(BlockEvent1, uint16(0), b) }
	off := eventV1(3, 1, schema.NotificationE, text("id"), text("description"))
	le.PutUint32(off[16:], le.Uint32(off[16:])+3)
	unsure := eventV1(4, 1, schema.CloseX, i64(0))
	le.PutUint16(unsure[22:], 7)
	s := mustRead(t, section(), v1(eventV1(1, 7, schema.OpenX, i64(3), text("/a"), u32(1), u32(0))),
		v1(eventV1(2, 7, schema.Execve8X, i64(0), text("sh"), nil, i64(7), i64(7), i64(1), text("/"), i64(9))),
		block(0x8010ABCD, uint16(0), off), v1(unsure), v1(eventV1(5, 7, schema.GetsocknameX)))
	if s.Stats.Malformed != 1 || len(s.Events) != 4 {
		t.Fatalf("%d malformed, %d events", s.Stats.Malformed, len(s.Events))
	}
	for i, want := range []struct {
		typ schema.EventType
		n   int
	}{{schema.OpenX, 6}, {schema.ExecveX, 31}, {schema.NotificationE, 2}, {schema.GetsocknameX, 0}} {
		if typ, v := values(t, s.Events[i].Event); typ != want.typ || len(v) != want.n {
			t.Errorf("event %d: %v with %d parameters, expected %v with %d", i, typ, len(v), want.typ, want.n)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	b := section()
	for i := range 64 {
		tid := int64(i % 5)
		b = append(b, evBlock(i, closeX(uint64(i)))...)
		b = append(b, evBlock(i, rawEvent(1, tid, schema.Openat0E, i64(-100), text("/etc/passwd"), u32(1), u32(0)))...)
		b = append(b, evBlock(i, rawEvent(2, tid, schema.Openat0X, i64(3)))...)
		b = append(b, evBlock(i, rawEvent(2, tid, schema.Execve17X, make([][]byte, 17)...))...)
	}
	events := b[len(section()):]
	// A file without end.
	again := &endless{b: events}
	r, err := NewReader(io.MultiReader(bytes.NewReader(b), again))
	if err != nil {
		t.Fatal(err)
	}
	next := func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	for range 10_000 {
		next()
	}
	if n := testing.AllocsPerRun(50_000, next); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
	if st := r.Stats(); st.Enters == 0 || st.Stranded+st.Malformed > 0 {
		t.Errorf("%d enter events, %d stranded, %d malformed", st.Enters, st.Stranded, st.Malformed)
	}
}

// endless repeats b.
type endless struct {
	b  []byte
	at int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.b[e.at:])
	e.at = (e.at + n) % len(e.b)
	return n, nil
}
