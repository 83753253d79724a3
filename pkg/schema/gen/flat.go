// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
)

// cTypes are the C types of parameters that have a width.
var cTypes = map[string]string{
	"int8": "u8", "uint8": "u8", "flags8": "u8", "enumflags8": "u8", "sigtype": "u8",
	"int16": "u16", "uint16": "u16", "flags16": "u16", "enumflags16": "u16", "syscallid": "u16", "port": "u16",
	"int32": "u32", "uint32": "u32", "flags32": "u32", "enumflags32": "u32", "uid": "u32", "gid": "u32", "mode": "u32",
	"sigset": "u32", "fd32": "u32", "pid32": "u32",
	"int64": "u64", "uint64": "u64", "reltime": "u64", "abstime": "u64", "errno": "u64", "fd": "u64", "pid": "u64",
}

// isFlat is whether an event is nothing but registers: its layout is a C struct, and needs no gathering.
func isFlat(e *event) bool {
	if e.fill != "auto" || len(e.params) == 0 {
		return false
	}
	for i := range e.params {
		if cTypes[e.params[i].typ] == "" {
			return false
		}
	}
	return true
}

// flatValue says in C what driver/fill_auto.c finds by walking the table.
func flatValue(p *param) string {
	from, arg, m := cFrom(p.from)
	value := ""
	switch from {
	case "RET":
		value = "ret"
	case "ARG":
		value = fmt.Sprintf("falco_arg(regs, %d)", arg)
	case "ARG32":
		return fmt.Sprintf("(u32)falco_arg(regs, %d)", arg)
	default:
		return "0"
	}
	if m != "NONE" {
		return fmt.Sprintf("falco_map(FALCO_MAP_%s, %s)", m, value)
	}
	switch p.typ {
	case "fd", "pid", "errno", "int64":
		if from == "ARG" {
			return "(s32)" + value
		}
	}
	return value
}

// isString is whether a parameter is a string of the caller's.
func isString(p *param) bool { return p.typ == "fspath" || p.typ == "fsrelpath" || p.typ == "charbuf" }

// hasStrings is whether an event is registers and strings that they point to.
func hasStrings(e *event) bool {
	strings := 0
	for i := range e.params {
		if isString(&e.params[i]) {
			strings++
		} else if cTypes[e.params[i].typ] == "" {
			return false
		}
	}
	return e.fill == "auto" && strings > 0
}

func cStrings(t *tables, b *bytes.Buffer) {
	for i := range t.events {
		e := &t.events[i]
		if !hasStrings(e) {
			continue
		}
		fmt.Fprintf(b, "\nstatic notrace u32 put_%s(void *to, const struct pt_regs *regs, s64 ret, u32 snaplen)\n{\n", e.id)
		b.WriteString("\tstruct falco_event_header *header = to;\n\tu16 *lengths = (u16 *)(header + 1);\n")
		fmt.Fprintf(b, "\tu8 *p = (u8 *)(lengths + %d);\n\tu32 left = FALCO_DATA_MAX;\n\n", len(e.params))
		for j := range e.params {
			if p := &e.params[j]; isString(p) {
				fmt.Fprintf(b, "\tPUT_STRING(%d, %s);\n", j, flatValue(p))
			} else {
				fmt.Fprintf(b, "\tPUT_VALUE(%d, %s, %s);\n", j, cTypes[p.typ], flatValue(p))
			}
		}
		fmt.Fprintf(b, "\tPUT_END(FALCO_EV_%s, %d);\n\treturn 0;\n}\n", strings.ToUpper(e.id), len(e.params))
	}
	b.WriteString("\nconst struct falco_data falco_strings[FALCO_EV_MAX] = {\n")
	for i := range t.events {
		if e := &t.events[i]; hasStrings(e) {
			id := strings.ToUpper(e.id)
			fmt.Fprintf(b, "\t[FALCO_EV_%s] = STRINGS(%s, FALCO_EV_%s, %d),\n", id, e.id, id, len(e.params))
		}
	}
	b.WriteString("};\n")
}

func cFlat(t *tables, b *bytes.Buffer) {
	b.WriteString("\n#include \"flat.h\"\n")
	for i := range t.events {
		e := &t.events[i]
		if !isFlat(e) {
			continue
		}
		fmt.Fprintf(b, "\nstruct %s {\n\tstruct falco_event_header header;\n\tu16 lengths[%d];\n", e.id, len(e.params))
		for j := range e.params {
			fmt.Fprintf(b, "\t%s %s;\n", cTypes[e.params[j].typ], cName(e.params[j].name))
		}
		fmt.Fprintf(b, "} __packed;\n\nstatic notrace void put_%s(void *to, const struct pt_regs *regs, s64 ret)\n{\n\tstruct %s *e = to;\n\n", e.id, e.id)
		fmt.Fprintf(b, "\tPUT_HEADER(e, FALCO_EV_%s);\n", strings.ToUpper(e.id))
		for j := range e.params {
			fmt.Fprintf(b, "\tPUT_LENGTH(e, %d, %s);\n", j, cName(e.params[j].name))
		}
		for j := range e.params {
			fmt.Fprintf(b, "\te->%s = %s;\n", cName(e.params[j].name), flatValue(&e.params[j]))
		}
		b.WriteString("}\n")
	}
	b.WriteString("\nconst struct falco_flat falco_flats[FALCO_EV_MAX] = {\n")
	for i := range t.events {
		if e := &t.events[i]; isFlat(e) {
			fmt.Fprintf(b, "\t[FALCO_EV_%s] = FLAT(%s, FALCO_EV_%s),\n", strings.ToUpper(e.id), e.id, strings.ToUpper(e.id))
		}
	}
	b.WriteString("};\n")
	cStrings(t, b)
}

// cName is a parameter's name as a member's.
func cName(name string) string { return strings.ToLower(name) }
