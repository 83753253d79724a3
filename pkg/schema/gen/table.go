// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tables is everything that the four texts say.
type tables struct {
	dyns     []dyn
	events   []event // by code, complete
	sets     []flagSet
	maps     []flagMap
	syscalls []syscall // by SC code, which may have holes
	consts   []constant
	structs  []abiStruct
	ioctls   []ioctl
	legacy   legacyTable

	conversions []conversion // by event and number of parameters
}

type dyn struct {
	name    string
	members [][2]string // type, format
}

type event struct {
	code                  int
	id, name              string
	category, class, fill string
	flags                 []string
	params                []param
}

type param struct {
	name, typ, format, from string
	set, dyn                string
	dirfd                   int
}

type flagSet struct {
	name   string
	consts bool
	flags  []flagValue
}

type flagValue struct {
	name  string
	value uint32
}

type flagMap struct {
	name, set string
	enum      bool
	def       uint32
	rows      []mapRow
}

type mapRow struct {
	mask, value, gives uint32
	arm64              uint32 // mask and value there, if not 0
	name               string
}

type syscall struct {
	sc          int
	name        string
	x86, arm64  int
	ia32, arm   []int
	enter, exit string
	family      string
}

type constant struct {
	name  string
	value string
	num   uint64
}

type abiStruct struct {
	name   string
	size   int // asserted if not 0
	fields []abiField
}

type abiField struct {
	name, typ string
	count     int // 0 = no array
	offset    int
}

type ioctl struct {
	name string
	nr   int
	dir  string
	arg  string
}

// reader hands out the lines of a table, without comments, as words.
type reader struct {
	file string
	line int
	scan *bufio.Scanner
}

func (r *reader) next() (words []string, indented bool, ok bool) {
	for r.scan.Scan() {
		r.line++
		text, _, _ := strings.Cut(r.scan.Text(), "#")
		if words = strings.Fields(text); len(words) > 0 {
			return words, text[0] == ' ' || text[0] == '\t', true
		}
	}
	return nil, false, false
}

func (r *reader) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", r.file, r.line, fmt.Sprintf(format, args...))
}

func (r *reader) num(s string) uint64 {
	v, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		panic(r.errorf("%q is not a number", s))
	}
	return v
}

// readTables reads and cross-checks the texts in dir.
func readTables(dir string) (t *tables, err error) {
	// A bad word deep in a table ends the run with its file and line.
	defer func() {
		if p := recover(); p != nil {
			e, isErr := p.(error)
			if !isErr {
				panic(p)
			}
			err = e
		}
	}()
	t = &tables{}
	for _, f := range []struct {
		name string
		read func(*reader)
	}{
		{"events.tbl", t.readEvents}, {"flags.tbl", t.readFlags},
		{"syscalls.tbl", t.readSyscalls}, {"abi.tbl", t.readABI}, {"legacy.tbl", t.readLegacy},
		{"convert.tbl", t.readConvert},
	} {
		file, err := os.Open(filepath.Join(dir, f.name))
		if err != nil {
			return nil, err
		}
		f.read(&reader{file: f.name, scan: bufio.NewScanner(file)})
		file.Close()
	}
	return t, t.check()
}

func (t *tables) readEvents(r *reader) {
	for words, indented, ok := r.next(); ok; words, indented, ok = r.next() {
		switch {
		case !indented && words[0] == "dyn":
			d := dyn{name: words[1]}
			for _, m := range words[2:] {
				typ, format, _ := strings.Cut(m, ":")
				d.members = append(d.members, [2]string{typ, format})
			}
			t.dyns = append(t.dyns, d)
		case !indented && words[0] == "event" && len(words) == 8:
			e := event{code: int(r.num(words[1])), id: words[2], name: words[3],
				category: words[4], class: words[5], fill: words[7]}
			if words[6] != "-" {
				e.flags = strings.Split(words[6], ",")
			}
			if e.code != len(t.events) {
				panic(r.errorf("event code %d, expected %d", e.code, len(t.events)))
			}
			t.events = append(t.events, e)
		case indented && len(words) >= 4 && len(t.events) > 0:
			p := param{name: words[0], typ: words[1], format: words[2], from: words[3], dirfd: -1}
			for _, w := range words[4:] {
				switch k, v, _ := strings.Cut(w, "="); k {
				case "set":
					p.set = v
				case "dyn":
					p.dyn = v
				case "dirfd":
					p.dirfd = int(r.num(v))
				default:
					panic(r.errorf("what is %q?", w))
				}
			}
			e := &t.events[len(t.events)-1]
			if e.fill == "auto" && p.from == "-" {
				panic(r.errorf("%s is auto, but nothing says where %s is from", e.id, p.name))
			}
			e.params = append(e.params, p)
		default:
			panic(r.errorf("not a line of this table: %q", words))
		}
	}
}

// has reports whether a set that was read already has a flag of that name and value.
func (t *tables) has(set string, want flagValue) bool {
	for i := range t.sets {
		if t.sets[i].name == set {
			return slices.Contains(t.sets[i].flags, want)
		}
	}
	return false
}

func (t *tables) readFlags(r *reader) {
	inMap := false
	for words, indented, ok := r.next(); ok; words, indented, ok = r.next() {
		switch {
		case !indented && words[0] == "set":
			t.sets = append(t.sets, flagSet{name: words[1], consts: len(words) > 2 && words[2] == "consts"})
			inMap = false
		case !indented && words[0] == "map":
			m := flagMap{name: words[1], set: words[2]}
			if len(words) > 3 {
				m.enum = true
				m.def = uint32(r.num(strings.TrimPrefix(words[3], "default=")))
			}
			t.maps = append(t.maps, m)
			inMap = true
		case indented && !inMap && len(words) == 2:
			s := &t.sets[len(t.sets)-1]
			s.flags = append(s.flags, flagValue{words[0], uint32(r.num(words[1]))})
		case indented && inMap && len(words) >= 4:
			m := &t.maps[len(t.maps)-1]
			row := mapRow{gives: uint32(r.num(words[2])), name: words[3]}
			if m.enum != (words[0] == "=") {
				panic(r.errorf("%s mixes bits and values", m.name))
			}
			if !t.has(m.set, flagValue{row.name, row.gives}) {
				panic(r.errorf("%s has no %s of %#x", m.set, row.name, row.gives))
			}
			row.value = uint32(r.num(words[1]))
			if !m.enum {
				row.mask = uint32(r.num(words[0]))
			}
			if len(words) > 4 {
				row.arm64 = uint32(r.num(strings.TrimPrefix(words[4], "aarch64=")))
			}
			m.rows = append(m.rows, row)
		default:
			panic(r.errorf("not a line of this table: %q", words))
		}
	}
}

func (t *tables) readSyscalls(r *reader) {
	number := func(s string) int {
		if s == "-" {
			return -1
		}
		return int(r.num(s))
	}
	numbers := func(s string) (list []int) {
		if s != "-" {
			for _, n := range strings.Split(s, ",") {
				list = append(list, int(r.num(n)))
			}
		}
		return list
	}
	last := -1
	for words, _, ok := r.next(); ok; words, _, ok = r.next() {
		if len(words) != 9 {
			panic(r.errorf("%d columns, expected 9", len(words)))
		}
		s := syscall{sc: int(r.num(words[0])), name: words[1], x86: number(words[2]), arm64: number(words[3]),
			ia32: numbers(words[4]), arm: numbers(words[5]), enter: words[6], exit: words[7], family: words[8]}
		if s.sc <= last {
			panic(r.errorf("code %d after %d", s.sc, last))
		}
		last = s.sc
		t.syscalls = append(t.syscalls, s)
	}
}

var abiSizes = map[string]int{"u8": 1, "u16": 2, "u32": 4, "u64": 8}

func (t *tables) readABI(r *reader) {
	end := 0
	for words, indented, ok := r.next(); ok; words, indented, ok = r.next() {
		switch {
		case !indented && words[0] == "const":
			t.consts = append(t.consts, constant{words[1], words[2], r.num(words[2])})
		case !indented && words[0] == "struct":
			s := abiStruct{name: words[1]}
			if len(words) > 2 {
				s.size = int(r.num(words[2]))
			}
			t.structs = append(t.structs, s)
			end = 0
		case !indented && words[0] == "ioctl":
			t.ioctls = append(t.ioctls, ioctl{words[1], int(r.num(words[2])), words[3], words[4]})
		case indented && len(t.structs) > 0:
			f := abiField{name: words[0], typ: words[1]}
			if typ, count, isArray := strings.Cut(words[1], "["); isArray {
				f.typ, f.count = typ, int(r.num(strings.TrimSuffix(count, "]")))
			}
			size := abiSizes[f.typ]
			if size == 0 {
				panic(r.errorf("unknown type %q", f.typ))
			}
			f.offset = (end + size - 1) / size * size
			if len(words) > 2 {
				f.offset = int(r.num(strings.TrimPrefix(words[2], "@")))
				if f.offset < end {
					panic(r.errorf("%s overlaps what is before it", f.name))
				}
			}
			end = f.offset + size*max(f.count, 1)
			s := &t.structs[len(t.structs)-1]
			s.fields = append(s.fields, f)
		default:
			panic(r.errorf("not a line of this table: %q", words))
		}
	}
}

// sizeof returns the bytes of s: its end, padded to eight.
func (s *abiStruct) sizeof() int {
	if s.size != 0 {
		return s.size
	}
	last := s.fields[len(s.fields)-1]
	return (last.offset + abiSizes[last.typ]*max(last.count, 1) + 7) / 8 * 8
}
