// SPDX-License-Identifier: Apache-2.0

package field

import (
	"strconv"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

var fdListFields = []Def{
	{Name: "fdlist.nums", Type: String, Get: fdList(listNum),
		Desc: "Numbers of the descriptors that poll or ppoll waits for."},
	{Name: "fdlist.names", Type: String, Get: fdList(listName),
		Desc: "Names of the descriptors that poll or ppoll waits for."},
	{Name: "fdlist.cips", Type: String, Get: fdList(listClientIP),
		Desc: "Client addresses of the sockets that poll or ppoll waits for."},
	{Name: "fdlist.sips", Type: String, Get: fdList(listServerIP),
		Desc: "Server addresses of the sockets that poll or ppoll waits for."},
	{Name: "fdlist.cports", Type: String, Get: fdList(listClientPort),
		Desc: "Client ports of the sockets that poll or ppoll waits for."},
	{Name: "fdlist.sports", Type: String, Get: fdList(listServerPort),
		Desc: "Server ports of the sockets that poll or ppoll waits for."},
}

// fdList joins what item says about each descriptor of poll and ppoll with
// commas; an item that says nothing takes no place.
func fdList(item func(buf []byte, num int64, f *state.FD) []byte) getter {
	return func(s *state.Scene, a *Arg, out []Value) []Value {
		switch s.Event.Type {
		case schema.PollX, schema.PpollX:
		default:
			return out
		}
		a.buf = a.buf[:0]
		for p := range event.FDList(s.Event.Param(1)) {
			n := len(a.buf)
			if n > 0 {
				a.buf = append(a.buf, ',')
			}
			start := len(a.buf)
			if a.buf = item(a.buf, p.FD, fdOf(s, p.FD)); len(a.buf) == start {
				a.buf = a.buf[:n]
			}
		}
		if len(a.buf) == 0 {
			return out
		}
		return text(out, event.View(a.buf))
	}
}

func listNum(buf []byte, num int64, _ *state.FD) []byte { return strconv.AppendInt(buf, num, 10) }

func listName(buf []byte, _ int64, f *state.FD) []byte {
	if f == nil || f.Name == "" {
		return append(buf, NA...)
	}
	return append(buf, f.Name...)
}

func listClientIP(buf []byte, _ int64, f *state.FD) []byte {
	if f == nil || !isConnection(f) {
		return buf
	}
	return ipOf(f, f.Src).AppendTo(buf)
}

func listServerIP(buf []byte, _ int64, f *state.FD) []byte {
	if f == nil || !f.Type.IsIP() {
		return buf
	}
	return ipOf(f, f.Dst).AppendTo(buf)
}

func listClientPort(buf []byte, _ int64, f *state.FD) []byte {
	if f == nil || !isConnection(f) {
		return buf
	}
	return strconv.AppendUint(buf, uint64(f.Src.Port()), 10)
}

func listServerPort(buf []byte, _ int64, f *state.FD) []byte {
	if f == nil || !isConnection(f) {
		return buf
	}
	return strconv.AppendUint(buf, uint64(f.Dst.Port()), 10)
}
