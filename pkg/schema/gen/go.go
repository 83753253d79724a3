// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
)

// camel turns "openat_x" into "OpenatX" and "O_CLOEXEC" into "OCloexec".
func camel(s string) string {
	var b strings.Builder
	for _, part := range strings.Split(strings.ToLower(s), "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

var goTypes = map[string]string{
	"none": "TypeNone", "int8": "TypeInt8", "int16": "TypeInt16", "int32": "TypeInt32", "int64": "TypeInt64",
	"uint8": "TypeUint8", "uint16": "TypeUint16", "uint32": "TypeUint32", "uint64": "TypeUint64",
	"charbuf": "TypeCharBuf", "bytebuf": "TypeByteBuf", "errno": "TypeErrno", "sockaddr": "TypeSockAddr",
	"socktuple": "TypeSockTuple", "fd": "TypeFD", "pid": "TypePID", "fdlist": "TypeFDList", "fspath": "TypeFSPath",
	"syscallid": "TypeSyscallID", "sigtype": "TypeSigType", "reltime": "TypeRelTime", "abstime": "TypeAbsTime",
	"port": "TypePort", "l4proto": "TypeL4Proto", "sockfamily": "TypeSockFamily", "bool": "TypeBool",
	"ipv4addr": "TypeIPv4Addr", "dyn": "TypeDyn", "flags8": "TypeFlags8", "flags16": "TypeFlags16",
	"flags32": "TypeFlags32", "uid": "TypeUID", "gid": "TypeGID", "double": "TypeDouble", "sigset": "TypeSigSet",
	"charbufarray": "TypeCharBufArray", "charbufpairarray": "TypeCharBufPairArray", "ipv4net": "TypeIPv4Net",
	"ipv6addr": "TypeIPv6Addr", "ipv6net": "TypeIPv6Net", "ipaddr": "TypeIPAddr", "ipnet": "TypeIPNet",
	"mode": "TypeMode", "fsrelpath": "TypeFSRelPath", "enumflags8": "TypeEnumFlags8",
	"enumflags16": "TypeEnumFlags16", "enumflags32": "TypeEnumFlags32", "fd32": "TypeFD32", "pid32": "TypePID32",
}

var goFormats = map[string]string{
	"na": "FormatNA", "dec": "FormatDec", "hex": "FormatHex", "padded": "FormatPaddedDec",
	"id": "FormatID", "dir": "FormatDir", "oct": "FormatOct",
}

var goEventFlags = map[string]string{
	"creates_fd": "CreatesFD", "destroys_fd": "DestroysFD", "uses_fd": "UsesFD", "reads_from_fd": "ReadsFromFD",
	"writes_to_fd": "WritesToFD", "modifies_state": "ModifiesState", "unused": "Unused", "waits": "Waits",
	"skipparsereset": "SkipParseReset", "old_version": "OldVersion", "large_payload": "LargePayload",
	"converter_managed": "ConverterManaged",
}

var goCategories = map[string]string{
	"unknown": "CategoryUnknown", "other": "CategoryOther", "file": "CategoryFile", "net": "CategoryNet",
	"ipc": "CategoryIPC", "memory": "CategoryMemory", "process": "CategoryProcess", "sleep": "CategorySleep",
	"system": "CategorySystem", "signal": "CategorySignal", "user": "CategoryUser", "time": "CategoryTime",
	"processing": "CategoryProcessing", "io_read": "CategoryIORead", "io_write": "CategoryIOWrite",
	"io_other": "CategoryIOOther", "wait": "CategoryWait", "scheduler": "CategoryScheduler", "internal": "CategoryInternal",
}

var goClasses = map[string]string{
	"unknown": "ClassUnknown", "syscall": "ClassSyscall", "tracepoint": "ClassTracepoint",
	"internal": "ClassInternal", "plugin": "ClassPlugin", "meta": "ClassMeta", "iter": "ClassIter",
}

// word looks key up and fails loudly: a table with an unknown word is a bug.
func word(m map[string]string, key string) string {
	if v, ok := m[key]; ok {
		return v
	}
	panic(fmt.Errorf("no Go name for %q", key))
}

func goEvents(t *tables, b *bytes.Buffer) {
	b.WriteString("// Event types by code.\nconst (\n")
	for _, e := range t.events {
		fmt.Fprintf(b, "%s EventType = %d\n", camel(e.id), e.code)
	}
	fmt.Fprintf(b, ")\n\n// NumEvents is the number of event types.\nconst NumEvents = %d\n\n", len(t.events))
	for _, d := range t.dyns {
		fmt.Fprintf(b, "var dyn%s = DynSet{%q, []DynMember{", camel(d.name), d.name)
		for _, m := range d.members {
			fmt.Fprintf(b, "{%s, %s},", word(goTypes, m[0]), word(goFormats, m[1]))
		}
		b.WriteString("}}\n")
	}
	b.WriteString("\n// Events is the event table, by code.\nvar Events = [NumEvents]Event{\n")
	for _, e := range t.events {
		flags := "0"
		if len(e.flags) > 0 {
			var names []string
			for _, f := range e.flags {
				names = append(names, word(goEventFlags, f))
			}
			flags = strings.Join(names, "|")
		}
		fmt.Fprintf(b, "{%s, %q, %q, %s, %s, %s, ", camel(e.id), e.id, e.name,
			word(goCategories, e.category), word(goClasses, e.class), flags)
		if len(e.params) == 0 {
			b.WriteString("nil},\n")
			continue
		}
		b.WriteString("[]Param{\n")
		for _, p := range e.params {
			set, dyn := "nil", "nil"
			if p.set != "" {
				set = "&Set" + camel(p.set)
			}
			if p.dyn != "" {
				dyn = "&dyn" + camel(p.dyn)
			}
			fmt.Fprintf(b, "{%q, %s, %s, %s, %s, %d},\n", p.name, word(goTypes, p.typ), word(goFormats, p.format), set, dyn, p.dirfd)
		}
		b.WriteString("}},\n")
	}
	b.WriteString("}\n")
}

func goSyscalls(t *tables, b *bytes.Buffer) {
	b.WriteString("// System call codes, the same on every architecture.\nconst (\n")
	for _, s := range t.syscalls {
		fmt.Fprintf(b, "Sc%s SyscallCode = %d\n", camel(s.name), s.sc)
	}
	fmt.Fprintf(b, ")\n\n// NumSyscalls is the number of system call codes.\nconst NumSyscalls = %d\n\n", t.syscalls[len(t.syscalls)-1].sc+1)
	b.WriteString("// Syscalls is the system call table, by code; a hole has no name.\nvar Syscalls = [NumSyscalls]Syscall{\n")
	for _, s := range t.syscalls {
		enter, exit := "GenericE", "GenericX"
		if s.enter != "-" {
			enter = camel(s.enter)
		}
		switch {
		case s.exit != "-":
			exit = camel(s.exit)
		case s.tracepoint():
			exit = enter
		}
		fmt.Fprintf(b, "Sc%s: {Sc%s, %q, %d, %d, %s, %s},\n", camel(s.name), camel(s.name), s.name, s.x86, s.arm64, enter, exit)
	}
	b.WriteString("}\n")
}

// tracepoint reports whether s is a pseudo row: no call, but an event.
func (s *syscall) tracepoint() bool {
	return s.x86 < 0 && s.arm64 < 0 && s.exit == "-" && s.enter != "-"
}

func goFlags(t *tables, b *bytes.Buffer) {
	for _, s := range t.sets {
		if s.consts {
			fmt.Fprintf(b, "// Values of %s.\nconst (\n", s.name)
			for _, f := range s.flags {
				fmt.Fprintf(b, "%s = %#x\n", camel(f.name), f.value)
			}
			b.WriteString(")\n\n")
		}
	}
	b.WriteString("// Flag sets, in print order.\nvar (\n")
	for _, s := range t.sets {
		fmt.Fprintf(b, "Set%s = FlagSet{%q, []FlagValue{\n", camel(s.name), s.name)
		for _, f := range s.flags {
			fmt.Fprintf(b, "{%q, %#x},\n", f.name, f.value)
		}
		b.WriteString("}}\n")
	}
	b.WriteString(")\n\n// FlagSets lists all flag sets.\nvar FlagSets = []*FlagSet{\n")
	for _, s := range t.sets {
		fmt.Fprintf(b, "&Set%s,\n", camel(s.name))
	}
	b.WriteString("}\n")
}

func goABI(t *tables, b *bytes.Buffer) {
	b.WriteString("import \"unsafe\"\n\n// Sizes of the shared structs, bytes.\nconst (\n")
	for _, s := range t.structs {
		fmt.Fprintf(b, "ABI%sBytes = %d\n", camel(s.name), s.sizeof())
	}
	b.WriteString(")\n\n")
	b.WriteString("// Constants of abi.tbl.\nconst (\n")
	for _, c := range t.consts {
		fmt.Fprintf(b, "ABI%s = %s\n", camel(c.name), c.value)
	}
	b.WriteString(")\n\n// Numbers of the ioctls on /dev/falco.\nconst (\n")
	for _, i := range t.ioctls {
		fmt.Fprintf(b, "ABIIoc%s = %#x\n", camel(i.name), t.ioctlNumber(i))
	}
	b.WriteString(")\n")
	for i := range t.structs {
		goStruct(&t.structs[i], b)
	}
}

// goStruct writes s with the layout that C gives it, and a line that does not
// compile should the two differ in size.
func goStruct(s *abiStruct, b *bytes.Buffer) {
	name := "ABI" + camel(s.name)
	fmt.Fprintf(b, "\n// %s is struct falco_%s.\ntype %s struct {\n", name, s.name, name)
	end := 0
	for _, f := range s.fields {
		size := abiSizes[f.typ]
		if natural := (end + size - 1) / size * size; f.offset > natural {
			fmt.Fprintf(b, "_ [%d]uint8\n", f.offset-end)
		}
		array := ""
		if f.count > 0 {
			array = fmt.Sprintf("[%d]", f.count)
		}
		fmt.Fprintf(b, "%s %suint%d\n", camel(f.name), array, 8*size)
		end = f.offset + size*max(f.count, 1)
	}
	fmt.Fprintf(b, "}\n\nvar _ = [1]struct{}{}[unsafe.Sizeof(%s{})-%d]\n", name, s.sizeof())
}

// ioctlNumber encodes i as asm-generic/ioctl.h does.
func (t *tables) ioctlNumber(i ioctl) uint32 {
	const magic = 0xfa
	dir := map[string]uint32{"-": 0, "w": 1, "r": 2, "rw": 3}[i.dir]
	size := 0
	for _, s := range t.structs {
		if s.name == i.arg {
			size = s.sizeof()
		}
	}
	return dir<<30 | uint32(size)<<16 | magic<<8 | uint32(i.nr)
}
