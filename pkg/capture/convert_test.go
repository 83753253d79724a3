// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// made is an event that comes out: its type and its values.
type made struct {
	typ  schema.EventType
	vals [][]byte
}

// convertAll plays events and returns what comes out.
func convertAll(t *testing.T, events ...[]byte) ([]made, Stats) {
	t.Helper()
	b := section()
	for _, ev := range events {
		b = append(b, evBlock(0, ev)...)
	}
	s := mustRead(t, b)
	var out []made
	for _, rec := range s.Events {
		var e event.Event
		if _, err := e.Decode(rec.Event); err != nil {
			t.Errorf("%v", err)
		}
		typ, v := values(t, rec.Event)
		out = append(out, made{typ, v})
	}
	return out, s.Stats
}

func TestConversions(t *testing.T) {
	const tid = 7
	zero := make([]byte, 8)
	path := text("/etc/passwd")
	ev := func(typ schema.EventType, params ...[]byte) []byte { return rawEvent(1, tid, typ, params...) }
	other := func(typ schema.EventType, params ...[]byte) []byte { return rawEvent(1, tid+1, typ, params...) }
	openE := ev(schema.Openat0E, i64(-100), path, u32(1), u32(0o644))
	openX := ev(schema.Openat0X, i64(3))
	opened := made{schema.OpenatX, [][]byte{i64(3), i64(-100), path, u32(1), u32(0o644), nil, nil}}
	bare := made{schema.OpenatX, [][]byte{i64(3), nil, nil, nil, nil, nil, nil}}
	tests := map[string]struct {
		in  [][]byte
		out []made
	}{
		"the enter event's parameters move":   {[][]byte{openE, openX}, []made{opened}},
		"without it they are missing":         {[][]byte{openX}, []made{bare}},
		"another thread's is not it":          {[][]byte{other(schema.Openat0E, i64(5), path, u32(1), u32(0)), openX}, []made{bare}},
		"another call's is not it":            {[][]byte{ev(schema.CloseE, i64(5)), openX}, []made{bare}},
		"it is used once":                     {[][]byte{openE, openX, openX}, []made{opened, bare}},
		"the last one counts":                 {[][]byte{ev(schema.Openat0E, i64(5), text("x"), u32(0), u32(0)), openE, openX}, []made{opened}},
		"defaults fill numbers":               {[][]byte{ev(schema.CloseX, i64(0))}, []made{{schema.CloseX, [][]byte{i64(0), zero}}}},
		"defaults of texts are empty":         {[][]byte{ev(schema.AccessX, i64(0), path)}, []made{{schema.AccessX, [][]byte{i64(0), path, zero[:4]}}}},
		"several steps":                       {[][]byte{ev(schema.RecvmsgE, i64(9)), ev(schema.RecvmsgX, i64(4), u32(4), []byte("data"), nil)}, []made{{schema.RecvmsgX, [][]byte{i64(4), u32(4), []byte("data"), nil, nil, i64(9)}}}},
		"as the table says":                   {[][]byte{ev(schema.Brk1E, u32(0x1234)), ev(schema.Brk1X, i64(0x77))}, []made{{schema.BrkX, [][]byte{i64(0x77), u32(0x1234), nil, nil, nil}}}},
		"of today":                            {[][]byte{ev(schema.CloseX, i64(0), i64(3))}, []made{{schema.CloseX, [][]byte{i64(0), i64(3)}}}},
		"enters of today pass":                {[][]byte{ev(schema.OpenatE, i64(-100), path, u32(1), u32(0))}, []made{{schema.OpenatE, [][]byte{i64(-100), path, u32(1), u32(0)}}}},
		"what could not be read is absent":    {[][]byte{ev(schema.OpenatE, i64(-100), text("(NULL)"), u32(1), u32(0))}, []made{{schema.OpenatE, [][]byte{i64(-100), nil, u32(1), u32(0)}}}},
		"stored and passed":                   {[][]byte{ev(schema.ConnectE, i64(4), []byte{2, 1, 2, 3, 4, 80, 0}), ev(schema.ConnectX, i64(0), nil)}, []made{{schema.ConnectE, [][]byte{i64(4), {2, 1, 2, 3, 4, 80, 0}}}, {schema.ConnectX, [][]byte{i64(0), nil, i64(4), nil}}}},
		"enters without a use go":             {[][]byte{ev(schema.Clone11E), ev(schema.CloseE)}, nil},
		"a call that had no code":             {[][]byte{ev(schema.GenericE, bin(uint16(0)), bin(uint16(334))), ev(schema.GenericX, bin(uint16(0)))}, []made{{schema.GenericX, [][]byte{bin(uint16(schema.ScRseq)), bin(uint16(334))}}}},
		"tracepoints that are even are alive": {[][]byte{ev(schema.Procexit0E)}, []made{{schema.ProcexitE, make([][]byte, 5)}}},
	}
	for name, c := range tests {
		out, st := convertAll(t, c.in...)
		if len(out) != len(c.out) {
			t.Errorf("%s: %d events, expected %d", name, len(out), len(c.out))
			continue
		}
		if st.Delivered+st.Enters != uint64(len(c.in)) || st.Stranded+st.Malformed > 0 {
			t.Errorf("%s: %d delivered, %d enters, %d stranded, %d malformed", name, st.Delivered, st.Enters, st.Stranded, st.Malformed)
		}
		for i, want := range c.out {
			got := out[i]
			if got.typ != want.typ || len(got.vals) != len(want.vals) {
				t.Errorf("%s: %v with %d parameters, expected %v with %d", name, got.typ, len(got.vals), want.typ, len(want.vals))
				continue
			}
			for j := range want.vals {
				if !bytes.Equal(got.vals[j], want.vals[j]) {
					t.Errorf("%s: %v.%s is %x, expected %x", name, got.typ, got.typ.Info().Params[j].Name, got.vals[j], want.vals[j])
				}
			}
		}
	}
}

// Numbers take the width of their new type.
func TestFit(t *testing.T) {
	var c converter
	c.init()
	for _, x := range []struct{ in, want []byte }{
		{u32(0xfffffffe), bin(uint64(0xfffffffe))}, {i64(-2), u32(0xfffffffe)}, {i64(5), i64(5)}, {nil, nil},
	} {
		width := len(x.want)
		if width == 0 {
			width = 8
		}
		if got := c.fit(x.in, width); !bytes.Equal(got, x.want) {
			t.Errorf("%x in %d bytes is %x", x.in, width, got)
		}
	}
	for typ, want := range map[schema.ParamType][]byte{
		schema.TypeUID: u32(NoID), schema.TypeGID: u32(NoID), schema.TypeFD: i64(0), schema.TypeFlags32: u32(0), schema.TypeFSPath: nil,
	} {
		if got := fallback(typ); !bytes.Equal(got, want) {
			t.Errorf("the default of %v is %x, expected %x", typ, got, want)
		}
	}
	if got := c.fit(text("any length"), 0); string(got) != "any length\x00" {
		t.Errorf("%q", got)
	}
}

// An exec of 2013 goes through seven layouts.
func TestOldExec(t *testing.T) {
	out, st := convertAll(t, rawEvent(1, 7, schema.Execve8E),
		rawEvent(2, 7, schema.Execve8X, i64(0), text("/bin/sh"), []byte("-c\x00true\x00"), i64(7), i64(7), i64(1), text("/"), i64(1024)))
	if len(out) != 2 || out[0].typ != schema.ExecveE || out[1].typ != schema.ExecveX || st.Delivered != 2 {
		t.Fatalf("%v", out)
	}
	v := out[1].vals
	if len(v) != len(schema.Events[schema.ExecveX].Params) || string(v[1]) != "/bin/sh\x00" || string(v[2]) != "-c\x00true\x00" ||
		string(v[6]) != "/\x00" && len(v[6]) != 0 || !bytes.Equal(v[7], i64(1024)) {
		t.Errorf("%q", v)
	}
}

// Container events told four things, later all as JSON.
func TestOldContainer(t *testing.T) {
	out, _ := convertAll(t, rawEvent(1, -1, schema.ContainerE, text("3ad7b26ded6d"), u32(0), text("a \"b\"\n\xff"), text("busybox:1")),
		rawEvent(1, -1, schema.ContainerJson0E, text(`{"container":{}}`)))
	if len(out) != 2 || out[0].typ != schema.ContainerJsonE || out[1].typ != schema.ContainerJsonE {
		t.Fatalf("%v", out)
	}
	var got struct {
		Container struct {
			ID, Name, Image string
			Type            int
		}
	}
	if err := json.Unmarshal(bytes.TrimSuffix(out[0].vals[0], []byte{0}), &got); err != nil {
		t.Fatal(err)
	}
	if c := got.Container; c.ID != "3ad7b26ded6d" || c.Name != "a \"b\"\n\ufffd" || c.Image != "busybox:1" || c.Type != 0 {
		t.Errorf("%+v", c)
	}
	if string(out[1].vals[0]) != "{\"container\":{}}\x00" {
		t.Errorf("%q", out[1].vals[0])
	}
}

// Every row of the table gives an event that decodes, with as many parameters as
// its row says; and following the rows ends.
func TestAllConversions(t *testing.T) {
	for _, c := range schema.Conversions {
		info := c.Type.Info()
		var params [][]byte
		for _, p := range info.Params[:c.Params] {
			if w := p.Type.Width(); w > 0 {
				params = append(params, bytes.Repeat([]byte{1}, w))
			} else {
				params = append(params, text("x"))
			}
		}
		out, st := convertAll(t, rawEvent(1, 1, c.Type, params...))
		switch {
		case c.Action == schema.ConvertStore:
			if len(out) != 0 || st.Enters != 1 {
				t.Errorf("%v with %d parameters: %d events", c.Type, c.Params, len(out))
			}
			continue
		case len(out) == 0 && st.Enters == 1 && c.Type.IsEnter():
			continue // it became one that is stored
		case len(out) != 1 || st.Stranded+st.Malformed > 0:
			t.Errorf("%v with %d parameters: %d events, %d stranded", c.Type, c.Params, len(out), st.Stranded)
			continue
		}
		end := out[0].typ.Info()
		if !out[0].typ.IsEnter() && (end.Flags&schema.OldVersion != 0 || len(out[0].vals) != len(end.Params)) {
			t.Errorf("%v with %d parameters ends as %s with %d of %d", c.Type, c.Params, end.ID, len(out[0].vals), len(end.Params))
		}
	}
}

// Enter events that wait for an exit that never comes take bounded memory.
func TestPendingIsBounded(t *testing.T) {
	var p pending
	p.init()
	name := bytes.Repeat([]byte("n"), 12_000)
	for tid := range int64(3 * maxPending) {
		p.store(rawEvent(1, tid, schema.Openat0E, i64(0), name[:tid%12_000], u32(0), u32(0)))
	}
	if len(p.slots) > maxPending || len(p.byTid) > maxPending || p.bytes > maxPendingBytes || p.evicted < maxPending {
		t.Errorf("%d slots of %d threads hold %d bytes, %d evicted", len(p.slots), len(p.byTid), p.bytes, p.evicted)
	}
	sum := 0
	for i := range p.slots {
		sum += cap(p.slots[i].ev)
	}
	if sum != p.bytes {
		t.Errorf("%d bytes are kept, %d counted", sum, p.bytes)
	}
	last := int64(3*maxPending - 1)
	if got := p.take(last, schema.Openat0E); got.n != 4 {
		t.Error("the latest is gone")
	}
	// One that is too long is not kept, nor what was there before it.
	p.store(rawEvent(1, last, schema.CloseE, i64(1)))
	p.store(rawEvent(1, last, schema.Openat0E, i64(0), make([]byte, maxEnter), u32(0), u32(0)))
	if p.take(last, schema.CloseE).n != 0 || p.take(last, schema.Openat0E).n != 0 {
		t.Error("something older or too long was kept")
	}
}

// Threads without anything to lose make room first.
func TestRoomComesFromTheIdle(t *testing.T) {
	var p pending
	p.init()
	for tid := range int64(maxPending) {
		p.store(rawEvent(1, tid, schema.CloseE, i64(1)))
	}
	p.take(20, schema.CloseE)
	p.store(rawEvent(1, maxPending, schema.CloseE, i64(1)))
	if p.evicted != 0 {
		t.Error("a waiting event had to go although a thread had none")
	}
}
