// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/merge"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/schema"
)

// cpu plays the kernel's end of a ring.
type cpu struct {
	control []byte
	data    []byte
	pos     uint64
	seq     uint64
}

func newCPU(t *testing.T) (*cpu, *ring.Ring) {
	words := make([]uint64, schema.ABIRingControlBytes/8)
	c := &cpu{data: make([]byte, 2<<16), control: unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), schema.ABIRingControlBytes)}
	r, err := ring.New(3, c.control, c.data)
	if err != nil {
		t.Fatal(err)
	}
	return c, r
}

func (c *cpu) publish(flags uint32, rec []byte) {
	n := (schema.ABIRecordPrefixBytes + len(rec) + 7) &^ 7
	p := c.data[c.pos:]
	binary.LittleEndian.PutUint32(p, uint32(n))
	binary.LittleEndian.PutUint32(p[4:], flags)
	binary.LittleEndian.PutUint64(p[8:], c.seq)
	copy(p[schema.ABIRecordPrefixBytes:], rec)
	c.pos += uint64(n)
	c.seq++
	binary.LittleEndian.PutUint64(c.control[unsafe.Offsetof(schema.ABIRingControl{}.ProducerPos):], c.pos)
}

// What is no event is left out and counted; what is one gets the wall clock, its
// CPU and its flags.
func TestKmodNext(t *testing.T) {
	c, r := newCPU(t)
	var drops drops
	k := &kmod{merge: merge.New([]*ring.Ring{r}, func() uint64 { return 1 << 40 }), offset: 1_000_000, gap: drops.gap}
	rec := closeFD(7, 50).Bytes()
	strange := eventtest.New(schema.CloseX).TS(51).Bytes()
	binary.LittleEndian.PutUint16(strange[20:], 9999)
	gap := make([]byte, schema.ABIGapBytes)
	binary.LittleEndian.PutUint64(gap[16:], 52)
	binary.LittleEndian.PutUint64(gap[32:], 5)

	c.publish(ring.Fault, rec)
	c.publish(0, strange)
	c.publish(ring.Gap, gap)
	c.publish(ring.Discard, rec)
	c.publish(0, closeFD(8, 53).Bytes())

	var ev event.Event
	for _, want := range []struct {
		tid   int64
		ts    uint64
		flags event.PrefixFlags
	}{{7, 1_000_050, ring.Fault}, {8, 1_000_053, 0}} {
		ok, err := k.Next(&ev)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if ev.Tid != want.tid || ev.TS != want.ts || ev.Flags != want.flags || ev.CPU != 3 {
			t.Errorf("got %+v, want %+v", ev, want)
		}
	}
	if ok, err := k.Next(&ev); ok || err != nil {
		t.Error(ok, err)
	}
	if g := drops.all; g.records != 1 || g.events != 5 || g.first != 1_000_052 || !slices.Equal(g.cpus, []int{3}) {
		t.Errorf("the gap was told as %+v", g)
	}
	if k.unread != 1 {
		t.Errorf("%d records were not understood, want 1", k.unread)
	}

	// A ring that lies ends the stream.
	binary.LittleEndian.PutUint32(c.data[c.pos:], 3)
	c.pos += 64
	binary.LittleEndian.PutUint64(c.control[64:], c.pos)
	if ok, err := k.Next(&ev); ok || !errors.Is(err, ring.ErrCorrupt) {
		t.Errorf("a corrupt ring gives %v, %v", ok, err)
	}
}

func TestDeviceError(t *testing.T) {
	for _, tc := range []struct {
		err        error
		text, hint string
	}{
		{&os.PathError{Op: "open", Path: "/dev/falco", Err: syscall.ENOENT},
			"error opening device /dev/falco. Make sure you have root credentials and that the falco module is loaded: no such file or directory", "modprobe falco"},
		{&os.PathError{Op: "open", Path: "/dev/falco", Err: syscall.EACCES},
			"error opening device /dev/falco. Make sure you have root credentials and that the falco module is loaded: permission denied", "as root"},
		{errors.Join(driver.ErrVersion), driver.ErrVersion.Error(), ""},
	} {
		f := deviceError("/dev/falco", tc.err).(*failure)
		if f.text != tc.text || !strings.Contains(f.hint, tc.hint) {
			t.Errorf("%q, hint %q", f.text, f.hint)
		}
	}
}
