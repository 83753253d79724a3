// SPDX-License-Identifier: Apache-2.0

// Package schema names every event, parameter, flag and system call that can
// cross from the kernel to us, and is the same table on both sides.
//
// The texts events.tbl, syscalls.tbl, flags.tbl, abi.tbl, legacy.tbl and convert.tbl here
// are the source of truth. gen/ turns them into the Go tables here (z*.go) and
// into driver/schema_gen.{h,c} and driver/flags_gen.c; "make generate" runs it.
// Numbers, names, parameters and encodings are those of the public scap schema
// 4.5.1, so that captures travel between us, sysdig, Falco and Wireshark.
package schema

//go:generate go run ./gen -driver ../../driver

// Limits of the wire format.
const (
	HeaderSize   = 26    // bytes before the length array
	MaxParams    = 32    // parameters of one event
	MaxParamSize = 65000 // bytes of one parameter
	MaxEventSize = 65535 // bytes of a whole kernel event
)

// EventType is the code of an event: even codes are entries, odd ones exits.
type EventType uint16

// Info returns the row of t, or nil if t is not in the table.
func (t EventType) Info() *Event {
	if int(t) >= len(Events) {
		return nil
	}
	return &Events[t]
}

// IsEnter reports whether t has an even code.
func (t EventType) IsEnter() bool { return t&1 == 0 }

// String returns the event's own id, such as "openat_x".
func (t EventType) String() string {
	if e := t.Info(); e != nil {
		return e.ID
	}
	return "unknown"
}

// Event is a row of events.tbl.
type Event struct {
	Type     EventType
	ID       string // one name everywhere: "openat_x"; old layouts carry a number: "openat_1_x"
	Name     string // what evt.type prints: "openat"
	Category Category
	Class    Class
	Flags    EventFlags
	Params   []Param
}

// Param returns the index of the parameter called name, or -1.
func (e *Event) Param(name string) int {
	for i := range e.Params {
		if e.Params[i].Name == name {
			return i
		}
	}
	return -1
}

// Param describes one parameter of an event.
type Param struct {
	Name  string
	Type  ParamType
	Fmt   Format
	Set   *FlagSet // names of the bits or values; nil if there are none
	Dyn   *DynSet  // members of a TypeDyn; nil otherwise
	DirFD int8     // for TypeFSRelPath: index of the directory descriptor's parameter; -1 otherwise
}

// DynSet lists what a TypeDyn parameter can hold, by its selector byte.
type DynSet struct {
	Name    string
	Members []DynMember
}

// DynMember is one alternative of a DynSet; its index is the selector.
type DynMember struct {
	Type ParamType
	Fmt  Format
}

// FlagSet names the values of a flags or enum parameter, in print order.
type FlagSet struct {
	Name   string
	Values []FlagValue
}

// FlagValue is one name of a FlagSet.
type FlagValue struct {
	Name  string
	Value uint32
}

// EventFlags are the properties of an event that the state and the merge need.
type EventFlags uint16

// Values of EventFlags (scap schema, event flags).
const (
	CreatesFD        EventFlags = 1
	DestroysFD       EventFlags = 2
	UsesFD           EventFlags = 4
	ReadsFromFD      EventFlags = 8
	WritesToFD       EventFlags = 16
	ModifiesState    EventFlags = 32
	Unused           EventFlags = 64
	Waits            EventFlags = 128
	SkipParseReset   EventFlags = 256
	OldVersion       EventFlags = 512
	LargePayload     EventFlags = 2048
	ConverterManaged EventFlags = 4096
)

// Category is the kind of work that an event does.
type Category uint16

// Values of Category (scap schema, low bits of the event category).
const (
	CategoryUnknown    Category = 0
	CategoryOther      Category = 1
	CategoryFile       Category = 2
	CategoryNet        Category = 3
	CategoryIPC        Category = 4
	CategoryMemory     Category = 5
	CategoryProcess    Category = 6
	CategorySleep      Category = 7
	CategorySystem     Category = 8
	CategorySignal     Category = 9
	CategoryUser       Category = 10
	CategoryTime       Category = 11
	CategoryProcessing Category = 12
	CategoryIORead     Category = 32
	CategoryIOWrite    Category = 33
	CategoryIOOther    Category = 34
	CategoryWait       Category = 64
	CategoryScheduler  Category = 128
	CategoryInternal   Category = 256
)

// Class says where an event comes from.
type Class uint8

// Values of Class.
const (
	ClassUnknown Class = iota
	ClassSyscall
	ClassTracepoint
	ClassInternal
	ClassPlugin
	ClassMeta
	ClassIter
)

// SyscallCode numbers system calls independently of the architecture (scap
// "ppm_sc" codes).
type SyscallCode uint16

// Info returns the row of c, or nil if c is not in the table.
func (c SyscallCode) Info() *Syscall {
	if int(c) >= len(Syscalls) || Syscalls[c].Name == "" {
		return nil
	}
	return &Syscalls[c]
}

// Syscall is a row of syscalls.tbl. Pseudo rows stand for tracepoints: they have
// no number, and their event in both Enter and Exit.
type Syscall struct {
	Code    SyscallCode
	Name    string    // "openat"
	X8664   int16     // native number on x86_64, -1 if it has none
	AArch64 int16     // native number on aarch64, -1 if it has none
	Enter   EventType // GenericE if the call has no event of its own
	Exit    EventType // GenericX if the call has no event of its own
}

// Legacy is a row of legacy.tbl: how an event is told to readers of early 2022.
type Legacy struct {
	Known bool
	As    EventType // the event that is written in its place
	Keep  int       // how many parameters of As are written, filled from its own first ones
	Enter EventType // the event that is written in front of it; NumEvents if there is none
	From  []int8    // which of its own parameters fill those of Enter; -1 where nobody knows
}

// EventByID returns the event called id ("openat_x").
func EventByID(id string) (*Event, bool) {
	for i := range Events {
		if Events[i].ID == id {
			return &Events[i], true
		}
	}
	return nil, false
}

// SyscallByName returns the system call called name.
func SyscallByName(name string) (*Syscall, bool) {
	for i := range Syscalls {
		if Syscalls[i].Name == name && name != "" {
			return &Syscalls[i], true
		}
	}
	return nil, false
}
