// SPDX-License-Identifier: Apache-2.0

// Program watch prints, in a guest, every event that the module produces while
// a command runs, as one line of text each:
//
//	E <tid> <event> abi=<64 or 32> rec=<flags> <param>=<value> …
//
// Numbers are decimal and signed as their type is, text and bytes are quoted
// with ” and Go's escapes, an absent parameter is "-". Parts of a value are
// parameters of their own: tuple, tuple.dst, tuple.src, tuple.path. What the
// command prints comes first, the books come last:
//
//	S produced=… published=… lost=…
//
// Without -only it asks for all calls, and for no tracepoint but the end of a
// process; with it, for what it names, as syscalls.tbl does.
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/schema"
)

func main() {
	only := flag.String("only", "", "comma-separated calls and tracepoints")
	snaplen := flag.Int("snaplen", 0, "bytes of data in an event")
	flag.Parse()
	if flag.NArg() < 1 {
		fmt.Fprintln(os.Stderr, "usage: watch [-only NAME,…] [-snaplen N] COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	if err := run(*only, *snaplen, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "watch: %v\n", err)
		os.Exit(1)
	}
}

// record is a copy of a frame: the rings are read once, when all is over.
type record struct {
	event event.Event
	flags uint32
}

// wanted are the codes of what is named, or of all system calls.
func wanted(only string) ([]schema.SyscallCode, error) {
	var codes []schema.SyscallCode
	names := strings.Split(only, ",")
	for i := range schema.Syscalls {
		sc := &schema.Syscalls[i]
		switch {
		case only != "":
			if slices.Contains(names, sc.Name) {
				codes = append(codes, sc.Code)
			}
		case sc.Name == "sched_switch", sc.Name == "page_fault_user", sc.Name == "page_fault_kernel", sc.Name == "signal_deliver":
		default:
			codes = append(codes, sc.Code)
		}
	}
	if only != "" && len(codes) != len(names) {
		return nil, fmt.Errorf("-only %s: %d of these are known", only, len(codes))
	}
	return codes, nil
}

func run(only string, snaplen int, argv []string) error {
	codes, err := wanted(only)
	if err != nil {
		return err
	}
	dev, err := driver.Open(driver.Path)
	if err != nil {
		return err
	}
	defer dev.Close()
	if err := dev.Configure(driver.Config{RingBytes: 8 << 20, Snaplen: snaplen}); err != nil {
		return err
	}
	filter := driver.Filter{Enter: true, IgnoredTgids: []int{os.Getpid()}, Syscalls: codes}
	if err := dev.SetFilter(filter); err != nil {
		return err
	}
	if err := dev.Start(); err != nil {
		return err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	failed := cmd.Run()
	if err := dev.Stop(); err != nil {
		return err
	}
	records, read, err := drain(dev)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	for i := range records {
		fmt.Fprintln(out, line(&records[i]))
	}
	info, err := dev.Info()
	if err != nil {
		return err
	}
	var books driver.Stats
	for cpu := range info.CPUs {
		stats, err := dev.Stats(cpu)
		if err != nil {
			return err
		}
		books.Add(stats)
		if err := balance(dev, cpu, read[cpu]); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "S produced=%d published=%d lost=%d delivered=%d\n",
		books.Produced, books.Published, books.Lost.Total(), len(records))
	if failed != nil {
		return fmt.Errorf("%s: %w", argv[0], failed)
	}
	return nil
}

// counts are the events of a CPU that were read, by type.
type counts [schema.NumEvents]uint64

// balance compares, type by type, what the module says of a CPU with what was read there.
func balance(dev *driver.Device, cpu int, read counts) error {
	types, err := dev.TypeStats(cpu)
	if err != nil {
		return err
	}
	for typ, s := range types {
		if s.Produced != read[typ]+s.Lost.Total() {
			return fmt.Errorf("the books of CPU %d, %s: %d produced, %d read, lost %+v", cpu, schema.Events[typ].ID, s.Produced, read[typ], s.Lost)
		}
	}
	return nil
}

// drain reads all rings and puts their records in order; and counts them by CPU.
func drain(dev *driver.Device) ([]record, []counts, error) {
	info, err := dev.Info()
	if err != nil {
		return nil, nil, err
	}
	var records []record
	read := make([]counts, info.CPUs)
	for cpu := range info.CPUs {
		m, ok, err := dev.Map(cpu)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		r, err := ring.New(cpu, m.Control, m.Data)
		if err != nil {
			return nil, nil, err
		}
		for r.Refill(); ; r.Next() {
			frame, ok := r.Peek()
			if !ok {
				break
			}
			if frame.Flags&ring.Gap != 0 {
				continue
			}
			rec := record{flags: frame.Flags}
			if _, err := rec.event.Decode(slices.Clone(frame.Record)); err != nil {
				return nil, nil, fmt.Errorf("CPU %d, record %d: %w", cpu, frame.Seq, err)
			}
			records = append(records, rec)
			read[cpu][rec.event.Type]++
		}
		if err := r.Err(); err != nil {
			return nil, nil, err
		}
	}
	slices.SortStableFunc(records, func(a, b record) int {
		switch {
		case a.event.TS < b.event.TS:
			return -1
		case a.event.TS > b.event.TS:
			return 1
		}
		return 0
	})
	return records, read, nil
}

func line(r *record) string {
	e := &r.event
	var b strings.Builder
	fmt.Fprintf(&b, "E %d %s abi=%d rec=%s", e.Tid, e.Info.ID, abi(r.flags), marks(r.flags))
	for i := range e.Info.Params {
		p := &e.Info.Params[i]
		if i >= e.NumParams() {
			break
		}
		value(&b, p, e.Param(i))
	}
	return b.String()
}

// abi is the width of the caller's words.
func abi(flags uint32) int {
	if flags&ring.Compat != 0 {
		return 32
	}
	return 64
}

// marks are what a record's flags say against it. That it came in the middle of another is no fault of its own.
func marks(flags uint32) string {
	var words []string
	if flags&ring.Fault != 0 {
		words = append(words, "fault")
	}
	if flags&ring.Truncated != 0 {
		words = append(words, "cut")
	}
	if unknown := flags &^ (ring.Fault | ring.Truncated | ring.Compat | ring.Nested | ring.Ext); unknown != 0 {
		words = append(words, fmt.Sprintf("%#x", unknown))
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, "|")
}

// value writes one parameter, or several for one that has parts.
func value(b *strings.Builder, p *schema.Param, v []byte) {
	put := func(suffix, text string) { fmt.Fprintf(b, " %s%s=%s", p.Name, suffix, text) }
	if len(v) == 0 {
		put("", "-")
		return
	}
	switch p.Type {
	case schema.TypeCharBuf, schema.TypeFSPath, schema.TypeFSRelPath:
		if v[len(v)-1] != 0 {
			put("", "unterminated:"+strconv.Quote(string(v)))
			return
		}
		put("", quote(v[:len(v)-1]))
	case schema.TypeSockAddr:
		a, ok := event.ParseAddr(v)
		switch {
		case !ok:
			put("", "bad:"+quote(v))
		case a.Family == event.FamilyUnix:
			put("", "unix:"+a.Path)
		default:
			put("", fmt.Sprintf("%s|%d", a.IP, a.Port))
		}
	case schema.TypeSockTuple:
		t, ok := event.ParseTuple(v)
		switch {
		case !ok:
			put("", "bad:"+quote(v))
		case t.Family == event.FamilyUnix:
			put("", "unix")
			put(".dst", strconv.FormatUint(binary.LittleEndian.Uint64(v[1:]), 10))
			put(".src", strconv.FormatUint(binary.LittleEndian.Uint64(v[9:]), 10))
			put(".path", quote([]byte(t.Path)))
		default:
			put("", fmt.Sprintf("%s|%d>%s|%d", t.Src.Addr(), t.Src.Port(), t.Dst.Addr(), t.Dst.Port()))
		}
	case schema.TypeFDList:
		text := strconv.Itoa(int(binary.LittleEndian.Uint16(v)))
		for v = v[2:]; len(v) >= 10; v = v[10:] {
			text += fmt.Sprintf(",%d:%d", int64(binary.LittleEndian.Uint64(v)), binary.LittleEndian.Uint16(v[8:]))
		}
		put("", text)
	case schema.TypeDyn:
		if int(v[0]) >= len(p.Dyn.Members) {
			put("", "bad:"+quote(v))
			return
		}
		put("", fmt.Sprintf("%d:%s", v[0], plain(p.Dyn.Members[v[0]].Type, v[1:])))
	default:
		put("", plain(p.Type, v))
	}
}

// plain renders numbers and bytes.
func plain(t schema.ParamType, v []byte) string {
	var u uint64
	if n := len(v); t == schema.TypeCharBuf && n > 0 && v[n-1] == 0 {
		return quote(v[:n-1])
	}
	switch t.Width() {
	case 1, 2, 4, 8:
	default:
		return quote(v)
	}
	if len(v) != t.Width() {
		return "bad:" + quote(v)
	}
	for i := len(v) - 1; i >= 0; i-- {
		u = u<<8 | uint64(v[i])
	}
	if t.Signed() {
		shift := 64 - 8*len(v)
		return strconv.FormatInt(int64(u<<shift)>>shift, 10)
	}
	return strconv.FormatUint(u, 10)
}

var oneWord = strings.NewReplacer(" ", `\x20`, "'", `\x27`, `\"`, `"`)

// quote keeps a value one word of the line.
func quote(v []byte) string {
	q := strconv.Quote(string(v))
	return "'" + oneWord.Replace(q[1:len(q)-1]) + "'"
}
