// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

var evtFields = []Def{
	{Name: "evt.num", Type: Uint64, Get: func(s *state.Scene, _ *Arg, out []Value) []Value { return number(out, s.Event.Num) },
		Desc: "Running number of the event, from 1. Events that no rule looks at count too."},
	{Name: "evt.time", Type: String, Traits: JSONNum, Get: evtTime(event.AppendClockNs),
		Desc: "Local time of the event with nanoseconds."},
	{Name: "evt.time.s", Type: String, Traits: JSONNum, Get: evtTime(event.AppendClock),
		Desc: "Local time of the event in whole seconds."},
	{Name: "evt.time.iso8601", Type: String, Traits: JSONNum, Get: evtTime(event.AppendISO8601),
		Desc: "Date and time of the event as ISO 8601, in UTC with nanoseconds."},
	{Name: "evt.datetime", Type: String, Traits: JSONNum, Get: evtTime(event.AppendDateTime),
		Desc: "Local date and time of the event with nanoseconds."},
	{Name: "evt.datetime.s", Type: String, Traits: JSONNum, Get: evtTime(event.AppendDateTimeS),
		Desc: "Local date and time of the event in whole seconds."},
	{Name: "evt.rawtime", Type: AbsTime, Get: evtNum(func(s *state.Scene) uint64 { return s.Event.TS }),
		Desc: "Time of the event in nanoseconds since 1970."},
	{Name: "evt.rawtime.s", Type: AbsTime, Get: evtNum(func(s *state.Scene) uint64 { return s.Event.TS / second }),
		Desc: "Time of the event in whole seconds since 1970."},
	{Name: "evt.rawtime.ns", Type: AbsTime, Fmt: schema.FormatPaddedDec, Get: evtNum(func(s *state.Scene) uint64 { return s.Event.TS % second }),
		Desc: "The part of the event's time that is less than a second, in nanoseconds."},
	{Name: "evt.reltime", Type: RelTime, Fmt: schema.FormatPaddedDec, Get: evtNum(sinceFirst),
		Desc: "Nanoseconds since the first event."},
	{Name: "evt.reltime.s", Type: RelTime, Get: evtNum(func(s *state.Scene) uint64 { return sinceFirst(s) / second }),
		Desc: "Whole seconds since the first event."},
	{Name: "evt.reltime.ns", Type: RelTime, Fmt: schema.FormatPaddedDec, Get: evtNum(func(s *state.Scene) uint64 { return sinceFirst(s) % second }),
		Desc: "The part of the time since the first event that is less than a second, in nanoseconds."},
	{Name: "evt.pluginname", Type: String, Get: never,
		Desc: "Name of the plugin that made the event; events of the kernel have none."},
	{Name: "evt.plugininfo", Type: String, Get: never,
		Desc: "What the plugin that made the event says about it; events of the kernel have nothing."},
	{Name: "evt.source", Type: String, Get: constant(Value{Str: "syscall"}),
		Desc: "Where the event comes from: syscall for all that the kernel tells."},
	{Name: "evt.is_async", Type: Bool, Get: always(isMeta),
		Desc: "Whether the event reports a change that no system call stands for, such as a new container."},
	{Name: "evt.asynctype", Type: String, Get: asyncType,
		Desc: "Name of such an event; others have none."},
	{Name: "evt.hostname", Type: String, Get: hostname,
		Desc: "Name of this machine; the environment variable FALCO_HOSTNAME can change it."},

	{Name: "evt.latency", Type: RelTime, Traits: Deprecated, Get: constant(Value{}),
		Desc: "Always 0: a system call is reported once, when it returns."},
	{Name: "evt.latency.s", Type: RelTime, Traits: Deprecated, Get: constant(Value{}),
		Desc: "Always 0, like evt.latency."},
	{Name: "evt.latency.ns", Type: RelTime, Fmt: schema.FormatPaddedDec, Traits: Deprecated, Get: constant(Value{}),
		Desc: "Always 0, like evt.latency."},
	{Name: "evt.latency.quantized", Type: Uint64, Traits: Deprecated | Hidden, Get: constant(Value{}),
		Desc: "Always 0, like evt.latency."},
	{Name: "evt.latency.human", Type: String, Traits: Deprecated, Get: constant(Value{Str: "0ns"}),
		Desc: "Always 0ns, like evt.latency."},
	{Name: "evt.wait_latency", Type: RelTime, Traits: Deprecated, Get: constant(Value{}),
		Desc: "Always 0, like evt.latency."},
	{Name: "evt.deltatime", Type: RelTime, Traits: Stateful, Get: delta(func(ns uint64) uint64 { return ns }),
		Desc: "Nanoseconds since this very check last looked at an event."},
	{Name: "evt.deltatime.s", Type: RelTime, Traits: Stateful, Get: delta(func(ns uint64) uint64 { return ns / second }),
		Desc: "Whole seconds since this very check last looked at an event."},
	{Name: "evt.deltatime.ns", Type: RelTime, Fmt: schema.FormatPaddedDec, Traits: Stateful, Get: delta(func(ns uint64) uint64 { return ns % second }),
		Desc: "The part of evt.deltatime that is less than a second, in nanoseconds."},
	{Name: "evt.outputtime", Type: String, Traits: PrintOnly | JSONNum, Get: evtTime(event.AppendClockNs),
		Desc: "Time of the event as outputs show it."},

	{Name: "evt.dir", Type: String, Traits: Deprecated, Get: direction,
		Desc: "< for system calls, which are reported when they return, and > for all other events."},
	{Name: "evt.type", Type: String, Get: func(s *state.Scene, _ *Arg, out []Value) []Value { return text(out, TypeName(s.Event)) },
		Desc: "Name of the event; for a system call, the name of the call."},
	{Name: "evt.type.is", Type: Uint32, Args: ArgDot | ArgRequired, Bind: bindTypeIs, Get: typeIs,
		Desc: "1 if the event has the name, or the number, that follows: evt.type.is.open. 0 otherwise."},
	{Name: "syscall.type", Type: String, Get: syscallType,
		Desc: "Name of the system call; events that are none have no value."},
	{Name: "evt.category", Type: String, Get: func(s *state.Scene, _ *Arg, out []Value) []Value { return text(out, category(s)) },
		Desc: "Kind of the event: file, net, memory, process, … Reading and writing count by what is behind the descriptor."},
	{Name: "evt.cpu", Type: Int16, Get: evtNum(func(s *state.Scene) uint64 { return uint64(s.Event.CPU) }),
		Desc: "Number of the CPU on which the event happened."},
	{Name: "evt.args", Type: String, Get: args,
		Desc: "All parameters of the event in one line."},
	{Name: "evt.arg", Type: String, Args: ArgIndex | ArgDot | ArgRequired, dots: paramName, Bind: bindArg, Get: arg,
		Desc: "Text of one parameter, by name (evt.arg.flags) or position (evt.arg[0]); numbers that have a name are shown by it."},
	{Name: "evt.rawarg", Type: Other, Args: ArgDot | ArgRequired, Traits: NoRHS | NoTransform, dots: paramName, Bind: bindRawArg, Get: rawArg,
		Desc: "Value of one parameter as the kernel gave it, by name: evt.rawarg.flags."},
	{Name: "evt.info", Type: String, Get: args,
		Desc: "The same as evt.args."},
	{Name: "evt.buffer", Type: Bytes, Get: buffer,
		Desc: "Bytes that were read or written, as far as they were captured."},
	{Name: "evt.buflen", Type: Uint64, Get: buflen(0, anyFD),
		Desc: "How many bytes were read or written."},
	{Name: "evt.buflen.in", Type: Uint64, Traits: Hidden, Get: buflen(schema.ReadsFromFD, anyFD),
		Desc: "How many bytes were read."},
	{Name: "evt.buflen.out", Type: Uint64, Traits: Hidden, Get: buflen(schema.WritesToFD, anyFD),
		Desc: "How many bytes were written."},
	{Name: "evt.buflen.file", Type: Uint64, Traits: Hidden, Get: buflen(0, isFile),
		Desc: "How many bytes were read from or written to a file."},
	{Name: "evt.buflen.file.in", Type: Uint64, Traits: Hidden, Get: buflen(schema.ReadsFromFD, isFile),
		Desc: "How many bytes were read from a file."},
	{Name: "evt.buflen.file.out", Type: Uint64, Traits: Hidden, Get: buflen(schema.WritesToFD, isFile),
		Desc: "How many bytes were written to a file."},
	{Name: "evt.buflen.net", Type: Uint64, Traits: Hidden, Get: buflen(0, isNet),
		Desc: "How many bytes went over a network socket."},
	{Name: "evt.buflen.net.in", Type: Uint64, Traits: Hidden, Get: buflen(schema.ReadsFromFD, isNet),
		Desc: "How many bytes were read from a network socket."},
	{Name: "evt.buflen.net.out", Type: Uint64, Traits: Hidden, Get: buflen(schema.WritesToFD, isNet),
		Desc: "How many bytes were written to a network socket."},

	{Name: "evt.res", Type: String, Get: result,
		Desc: "SUCCESS, or the name of the error: ENOENT."},
	{Name: "evt.rawres", Type: Int64, Get: returned(func(v int64) uint64 { return uint64(v) }), Number: rawResult,
		Desc: "What the system call returned, as a number."},
	{Name: "evt.failed", Type: Bool, Get: returned(failed),
		Desc: "Whether the system call returned an error."},
	{Name: "evt.is_io", Type: Bool, Get: hasFlag(schema.ReadsFromFD | schema.WritesToFD),
		Desc: "Whether the event reads from or writes to a descriptor."},
	{Name: "evt.is_io_read", Type: Bool, Get: hasFlag(schema.ReadsFromFD),
		Desc: "Whether the event reads from a descriptor."},
	{Name: "evt.is_io_write", Type: Bool, Get: hasFlag(schema.WritesToFD),
		Desc: "Whether the event writes to a descriptor."},
	{Name: "evt.io_dir", Type: String, Get: ioDir,
		Desc: "read or write; events that are neither have no value."},
	{Name: "evt.is_wait", Type: Bool, Get: hasFlag(schema.Waits),
		Desc: "Whether the event makes its thread wait, as sleep, select and poll do."},
	{Name: "evt.is_syslog", Type: Bool, Get: always(isSyslog),
		Desc: "Whether the event writes to /dev/log."},
	{Name: "evt.count", Type: Uint32, Get: constant(Value{Num: 1}),
		Desc: "Always 1, to count events with."},
	{Name: "evt.count.error", Type: Uint32, Get: countError(func(*state.Scene) bool { return true }),
		Desc: "1 if the system call returned an error, else 0."},
	{Name: "evt.count.error.file", Type: Uint32, Get: countError(aboutFile),
		Desc: "1 if the system call returned an error and is about a file."},
	{Name: "evt.count.error.net", Type: Uint32, Get: countError(aboutNet),
		Desc: "1 if the system call returned an error and is about a socket."},
	{Name: "evt.count.error.memory", Type: Uint32, Get: countError(aboutMemory),
		Desc: "1 if the system call returned an error and is about memory."},
	{Name: "evt.count.error.other", Type: Uint32, Get: countError(aboutOther),
		Desc: "1 if the system call returned an error and is about neither files nor sockets nor memory."},
	{Name: "evt.count.exit", Type: Uint32, Get: countExit,
		Desc: "1 for events that report the end of a system call."},
	{Name: "evt.count.procinfo", Type: Uint32, Traits: Hidden, Get: countProcinfo(true),
		Desc: "1 for events with the load of a process."},
	{Name: "evt.count.threadinfo", Type: Uint32, Traits: Hidden, Get: countProcinfo(false),
		Desc: "1 for events with the load of a thread."},
	{Name: "evt.around", Type: Uint64, Args: ArgIndex | ArgRequired, Traits: FilterOnly | NoRHS | NoTransform | AtMost, Get: around,
		Desc: "evt.around[T]=D holds for events at most D milliseconds away from the time T, which is in nanoseconds since 1970."},
	{Name: "evt.abspath", Type: String, Args: ArgDot, dots: abspathSide, Get: abspath,
		Desc: "Absolute path that the event is about. Of two paths, evt.abspath.src is the first and evt.abspath.dst the second."},
	{Name: "evt.is_open_read", Type: Bool, Get: always(func(s *state.Scene) bool { return openedWith(s.Event, schema.ORdonly) }),
		Desc: "Whether the event opens, or tries to open, a file for reading."},
	{Name: "evt.is_open_write", Type: Bool, Get: always(func(s *state.Scene) bool { return openedWith(s.Event, schema.OWronly) }),
		Desc: "Whether the event opens, or tries to open, a file for writing."},
	{Name: "evt.is_open_exec", Type: Bool, Get: always(func(s *state.Scene) bool { return isOpenExec(s.Event) }),
		Desc: "Whether the event creates, or tries to create, a file that may be executed."},
	{Name: "evt.is_open_create", Type: Bool, Get: always(func(s *state.Scene) bool { return isOpenCreate(s.Event) }),
		Desc: "Whether the event has created a file by opening it."},
	{Name: "evt.metadata", Type: String, Traits: Metadata, Get: evtMetadata,
		Desc: "Why container.name and its kin have a value, or none: known, gone (known for a while longer), pending, unasked, or missing and the reason; no value on the host."},
	{Name: "evt.realpath", Type: String, Traits: Realpath, Get: realpath,
		Desc: "Path of the file that was opened, as the kernel knows it: all symbolic links followed, whatever name the caller gave."},
	{Name: "evt.mismatch", Type: Bool, Traits: Realpath, Get: mismatch,
		Desc: "Whether the file that was opened has another path than fd.name says: there was a symbolic link, or the name was changed under way."},
	{Name: "evt.infra.docker.name", Type: String, Traits: Hidden, Get: infra("Event"),
		Desc: "What happened, in an event that the Docker daemon reported; only in old captures."},
	{Name: "evt.infra.docker.container.id", Type: String, Traits: Hidden, Get: infra("ID"),
		Desc: "Container of an event that the Docker daemon reported; only in old captures."},
	{Name: "evt.infra.docker.container.name", Type: String, Traits: Hidden, Get: infra("name"),
		Desc: "Container's name in an event that the Docker daemon reported; only in old captures."},
	{Name: "evt.infra.docker.container.image", Type: String, Traits: Hidden, Get: infra("Image"),
		Desc: "Container's image in an event that the Docker daemon reported; only in old captures."},
}

const second = 1_000_000_000

func evtNum(f func(s *state.Scene) uint64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value { return number(out, f(s)) }
}

// evtTime prints the event's time; JSON gets it as a number.
func evtTime(print func(buf []byte, ns uint64) []byte) getter {
	return func(s *state.Scene, a *Arg, out []Value) []Value {
		a.buf = print(a.buf[:0], s.Event.TS)
		return append(out, Value{Str: event.View(a.buf), Num: s.Event.TS})
	}
}

// sinceFirst is 0 for an event that is older than the first one, as a capture
// may contain.
func sinceFirst(s *state.Scene) uint64 {
	first := s.State.FirstTS()
	if first == 0 || s.Event.TS < first {
		return 0
	}
	return s.Event.TS - first
}

// delta remembers, in the argument of its own Ref, when it was asked last.
func delta(part func(ns uint64) uint64) getter {
	return func(s *state.Scene, a *Arg, out []Value) []Value {
		var d uint64
		if a.last != 0 && s.Event.TS > a.last {
			d = s.Event.TS - a.last
		}
		a.last = s.Event.TS
		return number(out, part(d))
	}
}

func hostname(s *state.Scene, _ *Arg, out []Value) []Value {
	if s.State.Machine.Hostname == "" {
		return out
	}
	return text(out, s.State.Machine.Hostname)
}

func direction(s *state.Scene, _ *Arg, out []Value) []Value {
	if s.Event.Type.IsEnter() {
		return text(out, ">")
	}
	return text(out, "<")
}

// result is "SUCCESS" or the name of the error. A number that is no error, or
// that has no name, is printed as it is.
func result(s *state.Scene, a *Arg, out []Value) []Value {
	v, ok := s.Event.Return()
	switch {
	case !ok:
		return out
	case v >= 0:
		return text(out, "SUCCESS")
	}
	if name := event.ErrnoName(v); name != "" {
		return text(out, name)
	}
	a.buf = s.Event.AppendRaw(a.buf[:0], 0, nil)
	return text(out, event.View(a.buf))
}

// returned has no value where the event has no result.
func returned(f func(v int64) uint64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		v, ok := s.Event.Return()
		if !ok {
			return out
		}
		return number(out, f(v))
	}
}

func rawResult(s *state.Scene) (uint64, bool) {
	v, ok := s.Event.Return()
	return uint64(v), ok
}

func failed(v int64) uint64 {
	if v < 0 {
		return 1
	}
	return 0
}

func hasFlag(f schema.EventFlags) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value { return boolean(out, s.Event.Info.Flags&f != 0) }
}

// around gives the distance from the event to the time in its argument, in
// milliseconds, rounded up.
func around(s *state.Scene, a *Arg, out []Value) []Value {
	at, ok := a.Data.(uint64)
	if !ok {
		at = uint64(a.Index)
	}
	d := s.Event.TS - at
	if at > s.Event.TS {
		d = at - s.Event.TS
	}
	return number(out, d/1e6+min(d%1e6, 1))
}
