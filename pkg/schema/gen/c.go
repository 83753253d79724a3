// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
)

func cHeader(t *tables, b *bytes.Buffer) {
	b.WriteString(`#ifndef _FALCO_SCHEMA_GEN_H
#define _FALCO_SCHEMA_GEN_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* ---- abi.tbl ---- */

`)
	for _, c := range t.consts {
		fmt.Fprintf(b, "#define FALCO_%-24s %s\n", c.name, cNumber(c.num))
	}
	for i := range t.structs {
		cStruct(&t.structs[i], b)
	}
	b.WriteString("\n#define FALCO_IOC_MAGIC 0xfa\n")
	dirs := map[string]string{"-": "_IO", "w": "_IOW", "r": "_IOR", "rw": "_IOWR"}
	for _, i := range t.ioctls {
		arg := ""
		if i.arg != "-" {
			arg = ", struct falco_" + i.arg
		}
		fmt.Fprintf(b, "#define FALCO_IOC_%-14s %s(FALCO_IOC_MAGIC, %#x%s)\n", i.name, dirs[i.dir], i.nr, arg)
	}
	b.WriteString("\n#ifdef __KERNEL__\n\n/* ---- events.tbl ---- */\n\n/* Events that this module can produce. */\nenum falco_event_type {\n")
	for _, e := range t.events {
		if e.fill != "-" {
			fmt.Fprintf(b, "\tFALCO_EV_%s = %d,\n", strings.ToUpper(e.id), e.code)
		}
	}
	fmt.Fprintf(b, "\tFALCO_EV_MAX = %d,\n};\n\nenum falco_param_type {\n", len(t.events))
	for i, name := range types {
		fmt.Fprintf(b, "\tFALCO_PT_%s = %d,\n", strings.ToUpper(name), i)
	}
	b.WriteString(`};

/* Where fill_auto.c takes a parameter from. */
enum falco_from {
	FALCO_FROM_CODE,	/* a filler knows */
	FALCO_FROM_RET,		/* what the call returned */
	FALCO_FROM_ARG,		/* an argument, cut to the type's width */
	FALCO_FROM_ARG32,	/* the low half of an argument */
	FALCO_FROM_ZERO,
};

/* ---- flags.tbl ---- */

enum falco_map {
	FALCO_MAP_NONE,
`)
	for _, m := range t.maps {
		fmt.Fprintf(b, "\tFALCO_MAP_%s,\n", strings.ToUpper(m.name))
	}
	b.WriteString(`	FALCO_MAP_MAX
};

/* Translates a word of the host into one of the schema. */
u32 falco_map(enum falco_map map, u64 host);

`)
	for _, s := range t.sets {
		if !s.consts {
			continue
		}
		for _, f := range s.flags {
			fmt.Fprintf(b, "#define FALCO_%-28s %#x\n", f.name, f.value)
		}
		b.WriteString("\n")
	}
	b.WriteString(`
/* ---- tables ---- */

struct falco_frame;
struct falco_call;

typedef void (*falco_fill_t)(struct falco_frame *f, const struct falco_call *c);

struct falco_param_desc {
	u8 type;	/* enum falco_param_type */
	u8 from;	/* enum falco_from */
	u8 arg;		/* which argument */
	u8 map;		/* enum falco_map */
};

struct falco_event_desc {
	falco_fill_t fill;			/* NULL: never produced */
	const struct falco_param_desc *params;
	u8 nparams;
};

/* By event type; FALCO_EV_MAX entries. */
extern const struct falco_event_desc falco_events[FALCO_EV_MAX];

struct falco_syscall_desc {
	u16 sc;		/* SC code, 0 = unknown */
	u16 exit;	/* event at return, 0 = generic */
	u16 enter;	/* event at entry, 0 = none */
};

`)
	fmt.Fprintf(b, "#define FALCO_SC_MAX %d\n", t.syscalls[len(t.syscalls)-1].sc+1)
	for _, s := range t.syscalls {
		fmt.Fprintf(b, "#define FALCO_SC_%-27s %d\n", strings.ToUpper(s.name), s.sc)
	}
	b.WriteString(`#define FALCO_NR_MAX 512		/* native numbers that the tables cover */

/* By number of a 64-bit caller, and of a 32-bit one. */
extern const struct falco_syscall_desc falco_syscalls[FALCO_NR_MAX];
extern const struct falco_syscall_desc falco_syscalls32[FALCO_NR_MAX];

void falco_fill_auto(struct falco_frame *f, const struct falco_call *c);
`)
	for _, e := range t.events {
		if e.fill == "code" {
			fmt.Fprintf(b, "void falco_fill_%s(struct falco_frame *f, const struct falco_call *c);\n", e.id)
		}
	}
	b.WriteString("\n#endif /* __KERNEL__ */\n#endif /* _FALCO_SCHEMA_GEN_H */\n")
}

func cNumber(v uint64) string {
	if v > 9 {
		return fmt.Sprintf("%#x", v)
	}
	return fmt.Sprint(v)
}

func cStruct(s *abiStruct, b *bytes.Buffer) {
	fmt.Fprintf(b, "\nstruct falco_%s {\n", s.name)
	end, gap := 0, 0
	for _, f := range s.fields {
		size := abiSizes[f.typ]
		if natural := (end + size - 1) / size * size; f.offset > natural {
			fmt.Fprintf(b, "\t__u8 gap%d[%d];\n", gap, f.offset-end)
			gap++
		}
		array := ""
		if f.count > 0 {
			array = fmt.Sprintf("[%d]", f.count)
		}
		fmt.Fprintf(b, "\t__%s %s%s;\n", f.typ, f.name, array)
		end = f.offset + size*max(f.count, 1)
	}
	b.WriteString("};\n")
	for _, f := range s.fields {
		fmt.Fprintf(b, "_Static_assert(__builtin_offsetof(struct falco_%s, %s) == %d, \"%s.%s moved\");\n",
			s.name, f.name, f.offset, s.name, f.name)
	}
	fmt.Fprintf(b, "_Static_assert(sizeof(struct falco_%s) == %d, \"%s has another size\");\n", s.name, s.sizeof(), s.name)
}

func cEvents(t *tables, b *bytes.Buffer) {
	b.WriteString("\n#include <linux/kernel.h>\n#include \"schema_gen.h\"\n\n")
	b.WriteString("#define P(type, from, arg, map) \\\n\t{ FALCO_PT_##type, FALCO_FROM_##from, arg, FALCO_MAP_##map }\n")
	for _, e := range t.events {
		if e.fill == "-" || len(e.params) == 0 {
			continue
		}
		fmt.Fprintf(b, "\nstatic const struct falco_param_desc %s_params[] = {\n", e.id)
		for _, p := range e.params {
			from, arg, m := cFrom(p.from)
			fmt.Fprintf(b, "\tP(%s, %s, %d, %s),\t/* %s */\n", strings.ToUpper(p.typ), from, arg, m, p.name)
		}
		b.WriteString("};\n")
	}
	b.WriteString("\nconst struct falco_event_desc falco_events[FALCO_EV_MAX] = {\n")
	for _, e := range t.events {
		if e.fill == "-" {
			continue
		}
		fill, params := "falco_fill_auto", "NULL"
		if e.fill == "code" {
			fill = "falco_fill_" + e.id
		}
		if len(e.params) > 0 {
			params = e.id + "_params"
		}
		fmt.Fprintf(b, "\t[FALCO_EV_%s] = { %s, %s, %d },\n", strings.ToUpper(e.id), fill, params, len(e.params))
	}
	b.WriteString("};\n")
	produced := map[string]bool{}
	for _, e := range t.events {
		produced[e.id] = e.fill != "-"
	}
	row := func(nr int, s *syscall) {
		exit, enter := "FALCO_EV_GENERIC_X", "0"
		if produced[s.exit] {
			exit = "FALCO_EV_" + strings.ToUpper(s.exit)
		}
		if produced[s.enter] {
			enter = "FALCO_EV_" + strings.ToUpper(s.enter)
		}
		fmt.Fprintf(b, "\t[%d] = { %d, %s, %s },\t/* %s */\n", nr, s.sc, exit, enter, s.name)
	}
	table := func(name string, numbers func(*syscall) []int) {
		fmt.Fprintf(b, "const struct falco_syscall_desc %s[FALCO_NR_MAX] = {\n", name)
		// Numbers that the table has not heard of have a zero row: driver/record.c makes them generic.
		for i := range t.syscalls {
			for _, nr := range numbers(&t.syscalls[i]) {
				row(nr, &t.syscalls[i])
			}
		}
		b.WriteString("};\n")
	}
	one := func(nr int) []int {
		if nr < 0 {
			return nil
		}
		return []int{nr}
	}
	b.WriteString("\n#if defined(CONFIG_X86_64)\n")
	table("falco_syscalls", func(s *syscall) []int { return one(s.x86) })
	b.WriteString("\n")
	table("falco_syscalls32", func(s *syscall) []int { return s.ia32 })
	b.WriteString("#elif defined(CONFIG_ARM64)\n")
	table("falco_syscalls", func(s *syscall) []int { return one(s.arm64) })
	b.WriteString("\n")
	table("falco_syscalls32", func(s *syscall) []int { return s.arm })
	b.WriteString("#else\n#error \"falco: this architecture has no column in pkg/schema/syscalls.tbl\"\n#endif\n")
}

// cFrom splits a FROM word into the three columns of struct falco_param_desc.
func cFrom(from string) (kind string, arg int, m string) {
	src, name, _ := strings.Cut(from, ":")
	m = "NONE"
	if name != "" {
		m = strings.ToUpper(name)
	}
	switch {
	case src == "ret":
		return "RET", 0, m
	case src == "zero":
		return "ZERO", 0, m
	case strings.HasPrefix(src, "arg"):
		kind = "ARG"
		if strings.HasSuffix(src, "w") {
			kind, src = "ARG32", strings.TrimSuffix(src, "w")
		}
		return kind, int(src[3] - '0'), m
	}
	return "CODE", 0, m
}

func cFlags(t *tables, b *bytes.Buffer) {
	b.WriteString("\n#include <linux/kernel.h>\n#include \"schema_gen.h\"\n\n")
	b.WriteString("/* Bits: where host & mask == value, gives is ored in. Values: the first equal one decides. */\n")
	b.WriteString("struct row {\n\tu32 mask;\n\tu32 value;\n\tu32 gives;\n};\n\n")
	b.WriteString("#ifdef CONFIG_ARM64\n#define HOST(x86, arm64) arm64, arm64\n#else\n#define HOST(x86, arm64) x86, x86\n#endif\n")
	for _, m := range t.maps {
		fmt.Fprintf(b, "\nstatic const struct row %s[] = {\n", m.name)
		for _, r := range m.rows {
			if r.arm64 != 0 {
				fmt.Fprintf(b, "\t{ HOST(%#x, %#x), %#x },\t/* %s */\n", r.mask, r.arm64, r.gives, r.name)
			} else {
				fmt.Fprintf(b, "\t{ %#x, %#x, %#x },\t/* %s */\n", r.mask, r.value, r.gives, r.name)
			}
		}
		b.WriteString("};\n")
	}
	b.WriteString("\nstatic const struct {\n\tconst struct row *rows;\n\tu16 n;\n\tbool bits;\n\tu32 otherwise;\n} maps[FALCO_MAP_MAX] = {\n")
	for _, m := range t.maps {
		fmt.Fprintf(b, "\t[FALCO_MAP_%s] = { %s, ARRAY_SIZE(%s), %v, %#x },\n", strings.ToUpper(m.name), m.name, m.name, !m.enum, m.def)
	}
	b.WriteString(`};

u32 falco_map(enum falco_map map, u64 host)
{
	const struct row *r = maps[map].rows;
	const struct row *end = r + maps[map].n;
	u32 out = 0;

	if (!maps[map].bits) {
		for (; r < end; r++)
			if ((u32)host == r->value) /* an int, whatever the register's upper half holds */
				return r->gives;
		return maps[map].otherwise;
	}
	for (; r < end; r++)
		if ((host & r->mask) == r->value)
			out |= r->gives;
	return out;
}
`)
}
