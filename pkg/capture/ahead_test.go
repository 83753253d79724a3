// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"io"
	"math/rand"
	"reflect"
	"testing"
	"testing/iotest"

	"github.com/falco-go/falco/pkg/schema"
)

// readAhead is readFrom with a reader that does not wait.
func readAhead(t testing.TB, from io.Reader, pauses bool) (*seen, error) {
	t.Helper()
	wake := make(chan struct{}, 1)
	return collect(t, func() (*Reader, error) {
		return NewReaderAhead(from, Ahead{Pauses: pauses, Wake: func() {
			select {
			case wake <- struct{}{}:
			default:
			}
		}})
	}, func() { <-wake })
}

// pieces gives r in pieces of any size.
type pieces struct {
	r    io.Reader
	rand *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	return p.r.Read(b[:min(len(b), 1+p.rand.Intn(1<<p.rand.Intn(20)))])
}

// Whoever reads ahead reads the same, whatever pieces a file comes in.
func TestAheadReadsTheSame(t *testing.T) {
	all := seeds(t)
	var many [][]byte
	for len(many) < 3 { // further sections have their lists in the middle of the stream
		many = append(many, all["now"], bytes.Repeat(evBlock(1, closeX(1)), 5000))
	}
	var users []byte
	for len(users) < maxPatience+chunkBytes {
		users = append(users, entry(true, u8(0), uint32(1), uint32(2), "a", "b", "c")...)
	}
	giant := block(BlockEventLarge, uint16(1), rawEvent(4, 1, schema.ContainerJsonE, make([]byte, 3<<20)))
	near := func(size int) []byte { // that it does or does not fit into the room in front of a chunk
		return block(BlockEventLarge, uint16(1), rawEvent(4, 1, schema.ContainerJsonE, make([]byte, size-schema.HeaderSize-22)))
	}
	many = append(many, giant, evBlock(0, closeX(2)), giant, all["old"], block(BlockUsers, users), bytes.Repeat(evBlock(1, closeX(1)), 5000),
		near(chunkRoom), near(chunkRoom-4), near(chunkRoom+4), giant)
	all["much"] = file(many...)
	for i, b := range cuttings(t) {
		all["cutting "+string(rune('a'+i))] = b
	}
	for name, b := range pack(t, all["much"]) {
		all["much, "+name] = b
	}
	for name, data := range all {
		for _, data := range [][]byte{data, data[:len(data)-3], data[:len(data)/2]} {
			want, wantErr := read(t, data)
			for how, r := range map[string]io.Reader{
				"whole": bytes.NewReader(data), "with its end": iotest.DataErrReader(bytes.NewReader(data)),
				"in pieces": &pieces{bytes.NewReader(data), rand.New(rand.NewSource(int64(len(data))))},
			} {
				for _, pauses := range []bool{false, true} {
					got, err := readAhead(t, r, pauses)
					if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() || !reflect.DeepEqual(got, want) {
						t.Fatalf("%s, %s, %v: %d events, %+v, %v, not %d, %+v, %v", name, how, pauses, len(got.Events), got.Stats, err, len(want.Events), want.Stats, wantErr)
					}
					if s, ok := r.(io.Seeker); ok && !pauses {
						s.Seek(0, io.SeekStart)
					} else {
						break
					}
				}
			}
		}
	}
}

// Next says that it would have to wait, wherever a file pauses, and goes on from there.
func TestNextWaits(t *testing.T) {
	first, rest := file(section(), evBlock(0, closeX(1))), file(evBlock(0, closeX(2)), seeds(t)["now"], evBlock(0, closeX(3)))
	whole := mustRead(t, first, rest)
	in, out := io.Pipe()
	go out.Write(first)
	wake := make(chan struct{}, 1)
	r, err := NewReaderAhead(in, Ahead{Pauses: true, Wake: func() { wake <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	to := &seen{}
	if err := r.Seed(to); err != nil {
		t.Fatal(err)
	}
	waits := 0
	next := func() { // up to where the file pauses
		for {
			rec, err := r.Next()
			if err == ErrWait || err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			to.Events = append(to.Events, *rec)
		}
	}
	<-wake
	next()
	if len(to.Events) != 1 {
		t.Fatalf("%d events of the first piece", len(to.Events))
	}
	for i := range rest {
		out.Write(rest[i : i+1])
		<-wake
		before := len(to.Events)
		next()
		if len(to.Events) == before {
			waits++
		}
	}
	out.Close()
	<-wake
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if len(to.Events) != len(whole.Events) || waits != len(rest)-len(whole.Events)+1 || to.Begins != whole.Begins || to.Ends != to.Begins || len(to.Procs) != len(whole.Procs) {
		t.Errorf("%d events and %d waits, %d sections, %d ended, %d threads", len(to.Events), waits, to.Begins, to.Ends, len(to.Procs))
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("behind the end: %v", err)
	}
}
