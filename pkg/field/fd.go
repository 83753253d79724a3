// SPDX-License-Identifier: Apache-2.0

package field

import (
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// A filter-only address field is compared in its own way, see pkg/filter.
const (
	anyEndTraits  = FilterOnly | NoRHS | NoTransform | Multi
	networkTraits = FilterOnly | NoRHS | NoTransform
	hostTraits    = HostName | NoRHS | NoTransform
)

var fdFields = []Def{
	{Name: "fd.num", Type: Int64, Get: fdNum, Number: fdNumOwn,
		Desc: "Number of the descriptor that the event is about; -1 if opening it has failed."},
	{Name: "fd.type", Type: String, Get: fdText(fdType),
		Desc: "What is behind the descriptor: file, directory, ipv4, ipv6, unix, pipe, event, signalfd, eventpoll, inotify, timerfd, netlink, bpf, userfaultfd, io_uring, memfd or pidfd."},
	{Name: "fd.typechar", Type: String, Get: fdTypeChar,
		Desc: "fd.type as one letter: f is a file, d a directory, 4 and 6 are internet sockets, u a unix socket, p a pipe, and so on."},
	{Name: "fd.name", Type: String, Get: fdNameText,
		Desc: "Full name of what is behind the descriptor: the path of a file, the two ends of a connection."},
	{Name: "fd.nameraw", Type: String, Get: fdNameRaw,
		Desc: "Path of the file as the caller gave it."},
	{Name: "fd.directory", Type: String, Get: fdDirectory,
		Desc: "Directory of the file."},
	{Name: "fd.filename", Type: String, Get: fdFilename,
		Desc: "Name of the file without its directory."},
	{Name: "fd.ip", Type: IP, Traits: anyEndTraits, Get: fdAnyIP,
		Desc: "Address of either end of the connection."},
	{Name: "fd.cip", Type: IP, Get: fdIP(clientEnd),
		Desc: "Address of the client."},
	{Name: "fd.sip", Type: IP, Get: fdIP(serverIPEnd),
		Desc: "Address of the server."},
	{Name: "fd.lip", Type: IP, Get: fdIP(localEnd),
		Desc: "Address of this machine's end of the connection."},
	{Name: "fd.rip", Type: IP, Get: fdIP(remoteEnd),
		Desc: "Address of the other end of the connection."},
	{Name: "fd.port", Type: Port, Traits: anyEndTraits, Get: fdAnyPort,
		Desc: "Port of either end of the connection."},
	{Name: "fd.cport", Type: Port, Get: fdPort(clientEnd),
		Desc: "Port of the client."},
	{Name: "fd.sport", Type: Port, Get: fdPort(serverEnd),
		Desc: "Port of the server."},
	{Name: "fd.lport", Type: Port, Get: fdPort(localEnd),
		Desc: "Port of this machine's end of the connection."},
	{Name: "fd.rport", Type: Port, Get: fdPort(remoteEnd),
		Desc: "Port of the other end of the connection."},
	{Name: "fd.l4proto", Type: String, Get: fdText(l4proto),
		Desc: "Transport of the socket: tcp, udp, icmp or raw."},
	{Name: "fd.sockfamily", Type: String, Get: sockFamily,
		Desc: "Family of the socket: ip or unix."},
	{Name: "fd.is_server", Type: Bool, Get: fdBool(isServer),
		Desc: "Whether this machine is the server of the connection."},
	{Name: "fd.uid", Type: String, Get: fdUID,
		Desc: "Thread id and descriptor number in one word, which tells apart all descriptors of the machine."},
	{Name: "fd.containername", Type: String, Get: inContainer(fdNameText),
		Desc: "container.id and fd.name, with a colon between."},
	{Name: "fd.containerdirectory", Type: String, Get: inContainer(fdDirectory),
		Desc: "container.id and fd.directory, with a colon between."},
	{Name: "fd.proto", Type: Port, Traits: anyEndTraits, Get: fdAnyPort,
		Desc: "The same as fd.port."},
	{Name: "fd.cproto", Type: String, Get: fdProto(clientEnd),
		Desc: "Port of the client as text."},
	{Name: "fd.sproto", Type: String, Get: fdProto(serverEnd),
		Desc: "Port of the server as text."},
	{Name: "fd.lproto", Type: String, Get: fdProto(localEnd),
		Desc: "Port of this machine's end of the connection as text."},
	{Name: "fd.rproto", Type: String, Get: fdProto(remoteEnd),
		Desc: "Port of the other end of the connection as text."},
	{Name: "fd.net", Type: IPNet, Traits: anyEndTraits, Get: fdAnyIP,
		Desc: "Network of either end of the connection."},
	{Name: "fd.cnet", Type: IPNet, Traits: networkTraits, Get: fdIP(clientEnd),
		Desc: "Network of the client."},
	{Name: "fd.snet", Type: IPNet, Traits: networkTraits, Get: fdIP(serverIPEnd),
		Desc: "Network of the server."},
	{Name: "fd.lnet", Type: IPNet, Traits: networkTraits, Get: fdIP(localEnd),
		Desc: "Network of this machine's end of the connection."},
	{Name: "fd.rnet", Type: IPNet, Traits: networkTraits, Get: fdIP(remoteEnd),
		Desc: "Network of the other end of the connection."},
	{Name: "fd.connected", Type: Bool, Get: fdBool(func(_ *state.Scene, f *state.FD) bool { return f.Has(state.FDConnected) }),
		Desc: "Whether the socket is, or was, connected."},
	{Name: "fd.name_changed", Type: Bool, Get: fdBool(func(s *state.Scene, _ *state.FD) bool { return s.NameChanged }),
		Desc: "Whether the event has given the descriptor another name, as sending to another address does."},
	{Name: "fd.dev", Type: Int32, Fmt: schema.FormatHex, Get: fdNumber(func(f *state.FD) uint64 { return uint64(f.Dev) }),
		Desc: "Number of the device that holds the file, in hexadecimal."},
	{Name: "fd.dev.major", Type: Int32, Get: fdNumber(func(f *state.FD) uint64 { return uint64(f.Dev&0xfff00) >> 8 }),
		Desc: "Major number of the device that holds the file."},
	{Name: "fd.dev.minor", Type: Int32, Get: fdNumber(func(f *state.FD) uint64 { return uint64(f.Dev&0xff | f.Dev>>12&0xfff00) }),
		Desc: "Minor number of the device that holds the file."},
	{Name: "fd.ino", Type: Int64, Get: fdNumber(func(f *state.FD) uint64 { return f.Ino }),
		Desc: "Inode number of the file."},
	{Name: "fd.cip.name", Type: String, Traits: hostTraits, Get: fdHost(clientEnd), Print: fdHostName(clientEnd),
		Desc: "Host name of the client; a condition compares the addresses that the name on its right stands for."},
	{Name: "fd.sip.name", Type: String, Traits: hostTraits, Get: fdHost(serverIPEnd), Print: fdHostName(serverIPEnd),
		Desc: "Host name of the server; a condition compares the addresses that the name on its right stands for."},
	{Name: "fd.lip.name", Type: String, Traits: hostTraits, Get: fdHost(localEnd), Print: fdHostName(localEnd),
		Desc: "Host name of this machine's end; a condition compares the addresses that the name on its right stands for."},
	{Name: "fd.rip.name", Type: String, Traits: hostTraits, Get: fdHost(remoteEnd), Print: fdHostName(remoteEnd),
		Desc: "Host name of the other end; a condition compares the addresses that the name on its right stands for."},
	{Name: "fd.types", Type: String, Args: ArgIndex, Traits: List | NoRHS, Get: fdTypes,
		Desc: "The kinds of all descriptors of the process, each once, or the kind of the one whose number is given."},
	{Name: "fd.is_upper_layer", Type: Bool, Get: fdBool(func(_ *state.Scene, f *state.FD) bool { return f.Has(state.FDUpper) }),
		Desc: "Whether the file lies in the upper layer of an overlay."},
	{Name: "fd.is_lower_layer", Type: Bool, Get: fdBool(func(_ *state.Scene, f *state.FD) bool { return f.Has(state.FDLower) }),
		Desc: "Whether the file lies in a lower layer of an overlay."},
}

// aboutFD reports whether the event has to do with a descriptor at all. Without
// that no fd field has a value.
func aboutFD(s *state.Scene) bool {
	return s.Event.Info.Flags&(schema.CreatesFD|schema.UsesFD|schema.DestroysFD) != 0
}

// record returns the record of the event's descriptor, nil if there is none.
func record(s *state.Scene) *state.FD {
	if !aboutFD(s) {
		return nil
	}
	return s.FD
}

func fdNum(s *state.Scene, _ *Arg, out []Value) []Value {
	if !aboutFD(s) {
		return out
	}
	return number(out, uint64(s.FDNum))
}

func fdNumOwn(s *state.Scene) (uint64, bool) { return uint64(s.FDNum), aboutFD(s) }

func fdText(f func(*state.FD) string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if fd := record(s); fd != nil {
			return text(out, f(fd))
		}
		return out
	}
}

func fdNumber(f func(*state.FD) uint64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if fd := record(s); fd != nil {
			return number(out, f(fd))
		}
		return out
	}
}

func fdBool(f func(*state.Scene, *state.FD) bool) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if fd := record(s); fd != nil {
			return boolean(out, f(s, fd))
		}
		return out
	}
}

// fdTypeChar guesses from the event where there is no record.
func fdTypeChar(s *state.Scene, _ *Arg, out []Value) []Value {
	if !aboutFD(s) {
		return out
	}
	if s.FD != nil {
		c := s.FD.Type.Char()
		return text(out, chars[c:c+1])
	}
	switch s.Event.Type {
	case schema.OpenatX, schema.Openat2X, schema.CreatX:
		return text(out, "f")
	case schema.SocketX, schema.AcceptX, schema.Accept4X:
		return text(out, "4")
	case schema.PipeX, schema.Pipe2X:
		return text(out, "p")
	case schema.EventfdX, schema.Eventfd2X:
		return text(out, "e")
	case schema.SignalfdX, schema.Signalfd4X:
		return text(out, "s")
	case schema.TimerfdCreateX:
		return text(out, "t")
	case schema.InotifyInitX, schema.InotifyInit1X:
		return text(out, "i")
	}
	return text(out, "o")
}

// chars holds every ASCII character at its own place, to cut strings from.
var chars = func() string {
	var b [128]byte
	for i := range b {
		b[i] = byte(i)
	}
	return string(b[:])
}()

func fdNameText(s *state.Scene, a *Arg, out []Value) []Value {
	if !aboutFD(s) {
		return out
	}
	if s.FD != nil {
		return text(out, s.FD.Name)
	}
	return wantedName(s, a, out, false)
}

func fdNameRaw(s *state.Scene, a *Arg, out []Value) []Value {
	if !aboutFD(s) {
		return out
	}
	if s.FD != nil {
		return text(out, s.FD.RawName)
	}
	return wantedName(s, a, out, true)
}

// wantedName tells what a call that got no descriptor has asked for.
func wantedName(s *state.Scene, a *Arg, out []Value, raw bool) []Value {
	e := s.Event
	if e.Type.IsEnter() {
		return out
	}
	switch e.Type {
	case schema.OpenX, schema.CreatX, schema.AcceptX, schema.Accept4X, schema.ConnectX:
		a.buf = e.AppendArg(a.buf[:0], 1, names{s})
		return text(out, event.View(a.buf))
	case schema.OpenatX, schema.Openat2X:
		p := pathArg{param: 2, dir: 1}
		name, ok := e.Str(2)
		switch {
		case !ok || e.Param(1) == nil:
			return out
		case raw:
			return text(out, name)
		}
		return absolute(s, a, out, p, unknownDir)
	case schema.OpenByHandleAtX:
		if path, ok := e.Str(3); ok {
			return text(out, path)
		}
		return out
	}
	return text(out, "")
}

func fdDirectory(s *state.Scene, a *Arg, out []Value) []Value {
	n := len(out)
	if out = fdNameText(s, a, out); len(out) == n || s.FD == nil && out[n].Str == "" {
		return out
	}
	if s.FD != nil {
		switch s.FD.Type {
		case state.FDDirectory:
			return out
		case state.FDFile:
		default:
			return out[:n]
		}
	}
	out[n].Str = directory(out[n].Str)
	return out
}

// directory cuts a path at its last slash; one that ends with a slash stays.
func directory(name string) string {
	switch i := strings.LastIndexByte(name, '/'); {
	case i >= 0 && i == len(name)-1:
		return name
	case i <= 0:
		return "/"
	default:
		return name[:i]
	}
}

func fdFilename(s *state.Scene, _ *Arg, out []Value) []Value {
	f := record(s)
	if f == nil || f.Type != state.FDFile {
		return out
	}
	switch i := strings.LastIndexByte(f.Name, '/'); {
	case i < 0:
		return text(out, "/")
	case i == len(f.Name)-1:
		return text(out, f.Name)
	default:
		return text(out, f.Name[i+1:])
	}
}

func l4proto(f *state.FD) string { return transportOf(f).String() }

// transportOf is unknown for a connection that has not talked to anybody yet.
func transportOf(f *state.FD) state.L4 {
	if f.Type.IsServer() || isConnection(f) && (f.HasRole() || f.L4 == state.L4Raw) {
		return f.L4
	}
	return state.L4Unknown
}

func sockFamily(s *state.Scene, _ *Arg, out []Value) []Value {
	switch f := record(s); {
	case f == nil:
	case f.Type.IsIP():
		return text(out, "ip")
	case f.Type == state.FDUnix:
		return text(out, "unix")
	}
	return out
}

func isServer(s *state.Scene, f *state.FD) bool {
	return f.Type.IsServer() || isConnection(f) && s.State.IsLocal(s.Thread, f.Dst.Addr())
}

func fdUID(s *state.Scene, a *Arg, out []Value) []Value {
	if !aboutFD(s) {
		return out
	}
	a.buf = strconv.AppendInt(a.buf[:0], s.Event.Tid, 10)
	a.buf = strconv.AppendInt(a.buf, s.FDNum, 10)
	return text(out, event.View(a.buf))
}

// inContainer puts the id of the container, which the host does not have, in
// front of a text.
func inContainer(f getter) getter {
	return func(s *state.Scene, a *Arg, out []Value) []Value {
		n := len(out)
		if out = f(s, a, out); len(out) == n {
			return out
		}
		id := ""
		if s.Thread != nil {
			id = s.Thread.ContainerID
		}
		// The text may lie in a.buf itself: it is moved, not overwritten.
		name := out[n].Str
		a.tail = append(append(append(a.tail[:0], id...), ':'), name...)
		out[n].Str = event.View(a.tail)
		return out
	}
}

// fdTypes lists the newest kinds first: those that the lower descriptors do not
// have yet.
func fdTypes(s *state.Scene, a *Arg, out []Value) []Value {
	if !aboutFD(s) || s.Thread == nil {
		return out
	}
	if a.Given {
		if f := s.State.FD(s.Thread, int64(a.Index)); f != nil {
			return text(out, f.Type.String())
		}
		return out
	}
	start := len(out)
	s.State.FDs(s.Thread, func(_ int64, f *state.FD) bool {
		name := f.Type.String()
		for _, v := range out[start:] {
			if v.Str == name {
				return true
			}
		}
		out = text(out, name)
		return true
	})
	for i, j := start, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}
