// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// seeds are small captures of all kinds of blocks.
func seeds(t testing.TB) map[string][]byte {
	proc := func(v int) []byte { b, _ := procOf(v); return b }
	old := file(section(), block(BlockMachine, make([]byte, machineBody)),
		block(BlockInterfaces1, uint16(1), uint16(2), make([]byte, 20), []byte("lo")),
		block(BlockUsers1, u8(0), uint32(1), uint32(2), "a", "b", "c", u8(1), uint32(1), "g"),
		block(BlockProcs1, proc(1)), block(BlockProcs5, proc(5)), block(BlockProcs8, proc(8)),
		block(BlockFDs1, int64(7), int64(1), uint64(2), u8(1), "/x"),
		block(BlockEvent1, uint16(0), eventV1(1, 7, schema.Openat0E, i64(-100), text("/a"), u32(1), u32(0))),
		block(BlockEvent1, uint16(0), eventV1(2, 7, schema.Openat0X, i64(3))),
		block(BlockEventFlags1, uint16(0), uint32(1), eventV1(2, 7, schema.Execve8X, make([][]byte, 8)...)),
		block(BlockEvent1, uint16(0), eventV1(3, 7, schema.ContainerE, text("id"), u32(1), text("n"), text("i"))))
	now := file(section(), block(BlockInterfaces, entry(false, uint16(2), uint16(2), make([]byte, 56), []byte("lo"))),
		block(BlockUsers, entry(true, u8(0), uint32(1), uint32(2), "a", "b", "c")),
		block(BlockProcs9, entry(true, proc(9), make([]byte, 76))),
		block(BlockFDs, int64(7), entry(true, int64(1), uint64(2), u8(16), uint32(1), "/x", uint32(5))),
		evBlock(0, closeX(1)), block(BlockEventLarge, uint16(0), rawEvent(1, 1, schema.ContainerJsonE, text("{}"))),
		block(BlockEventFlags, uint16(0), uint32(1), closeX(2), []byte("\x01\x00\x04\x00abcd")),
		block(0x4711, "unknown"), section(), evBlock(1, rawEvent(1, 7, schema.Clone16X, make([][]byte, 16)...)))
	all := map[string][]byte{"old": old, "now": now}
	for name, b := range pack(t, now) {
		all["now, "+name] = b
	}
	return all
}

// cuttings are the beginnings of real recordings: of each list a piece, of each
// kind of event the first.
func cuttings(t testing.TB) (all [][]byte) {
	const most = 1 << 10 // bytes of a list, and of an event
	for _, name := range append(shared("data/captures/*.scap"), oldest()...) {
		if filepath.Base(name) == "libs0254-large.scap" {
			continue // nothing that the others have not
		}
		var out []byte
		met := map[uint32]int{}
		for _, b := range blocks(unpacked(t, name)) {
			typ := BlockType(le.Uint32(b))
			body, key := b[blockHead:len(b)-blockTail], uint32(typ)
			if typ.isEvent() {
				at := 2
				if typ.flagged() {
					at += 4
				}
				key |= uint32(le.Uint16(body[at+20:])) << 16
			} else {
				body = body[:min(len(body), most)]
			}
			if met[key]++; met[key] == 1 && len(body) <= most {
				out = append(out, block(typ, body)...)
			}
		}
		all = append(all, out)
	}
	return all
}

// FuzzReader reads whatever comes. Nothing panics or goes on for ever; what comes
// out is of today, and no more of it than was in the file; it is the same when no block
// takes the short way.
func FuzzReader(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	for _, b := range cuttings(f) {
		f.Add(b)
	}
	for _, name := range corpus(f) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer r.Close()
		to := &seen{}
		err = r.Seed(to)
		long, _ := NewReader(bytes.NewReader(data))
		defer long.Close()
		long.raw = func(*Record) {}
		long.Seed(&seen{})
		num := uint64(0)
		for err == nil {
			var rec, same *Record
			rec, err = r.Next()
			if same, _ = long.Next(); !reflect.DeepEqual(rec, same) {
				t.Fatalf("%+v the short way, %+v the long way", rec, same)
			}
			if err != nil {
				break
			}
			if rec.Flags&StateOnly == 0 {
				num++
			}
			if rec.Num != num && rec.Num != 0 {
				t.Fatalf("number %d, expected %d", rec.Num, num)
			}
			if len(rec.Event) < schema.HeaderSize || int(le.Uint32(rec.Event[16:])) != len(rec.Event) {
				t.Fatalf("an event of %d bytes: %x", len(rec.Event), rec.Event)
			}
			info := schema.EventType(le.Uint16(rec.Event[20:])).Info()
			if info == nil || info.Flags&schema.Unused != 0 || le.Uint32(rec.Event[22:]) > uint32(len(info.Params)) {
				t.Fatalf("an event of no use: %x", rec.Event)
			}
			if info.Flags&schema.OldVersion != 0 && !info.Type.IsEnter() {
				t.Fatalf("an event of old: %s", info.ID)
			}
		}
		if rec, again := r.Next(); rec != nil || !errors.Is(again, err) {
			t.Fatalf("after %v comes %v, %v", err, rec, again)
		}
		var place *Error
		if !errors.Is(err, io.EOF) && !errors.As(err, &place) {
			t.Fatalf("an error without a place: %v", err)
		}
		st := r.Stats()
		if other := long.Stats(); st != other && st.Packed == Plain { // what is packed is read ahead, as far as one gets
			t.Fatalf("%+v the short way, %+v the long way", st, other)
		}
		if st.Bytes > int64(len(data)) && st.Packed == Plain || to.Begins != to.Ends {
			t.Fatalf("%d bytes read of %d, %d sections begun, %d ended", st.Bytes, len(data), to.Begins, to.Ends)
		}
	})
}

// Of real recordings more is cut off than is left, but not of their events.
func TestCuttings(t *testing.T) {
	captures(t)
	for _, b := range cuttings(t) {
		s, err := read(t, b)
		if err != nil || len(s.Events) == 0 || len(s.Procs) == 0 || s.Stats.Malformed+s.Stats.Stranded+s.Stats.Unknown > 0 || len(b) > 64<<10 {
			t.Errorf("%v: %d bytes, %d events, %d threads", err, len(b), len(s.Events), len(s.Procs))
		}
	}
}

// The seeds are what they are meant to be.
func TestSeeds(t *testing.T) {
	for name, b := range seeds(t) {
		s, err := read(t, b)
		if err != nil || len(s.Events) < 3 || len(s.Procs) == 0 || len(s.FDs) == 0 || s.Stats.BadEntries+s.Stats.Malformed+s.Stats.Stranded > 0 {
			t.Errorf("%s: %v, %d events, %d processes, %d descriptors, %d entries, %d events not understood", name, err, len(s.Events),
				len(s.Procs), len(s.FDs), s.Stats.BadEntries, s.Stats.Malformed+s.Stats.Stranded)
		}
	}
}
