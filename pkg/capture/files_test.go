// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// shared returns the files of the given material that match.
func shared(pattern string) []string {
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	files, _ := filepath.Glob(filepath.Join(dir, pattern))
	return files
}

// captures returns the recordings of the given material.
func captures(t testing.TB) []string {
	t.Helper()
	files := shared("data/captures/*.scap")
	if len(files) == 0 {
		t.Skip("SKIP 9 cases: FALCO_SHARED not found")
	}
	return files
}

// oldest returns those of 2016 to 2018.
func oldest() []string { return shared("data/cases/cap/*.scap") }

func open(t testing.TB, file string) *Reader {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	r, err := NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func skipLarge(t *testing.T, file string) {
	if testing.Short() && strings.HasSuffix(file, "-large.scap") {
		t.Skip("5 million events, not in short mode")
	}
}

// oldNames are what sysdig 0.29 calls calls that have other names since.
var oldNames = map[string]string{"unknown": "<unknown>", "rt_sigreturn": "sigreturn"}

// Every recording plays to its end, holds what is known to be in it, and what
// comes out decodes.
func TestRecordingsHoldTheirTypes(t *testing.T) {
	for _, file := range captures(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			skipLarge(t, file)
			want := map[string]uint64{}
			text, err := os.ReadFile(strings.TrimSuffix(file, ".scap") + ".types")
			if err != nil {
				t.Fatal(err)
			}
			byName := strings.Contains(file, "sysdig")
			for line := range strings.Lines(string(text)) {
				n, what, _ := strings.Cut(strings.TrimSpace(line), " ")
				if want[what], err = strconv.ParseUint(n, 10, 64); err != nil {
					t.Fatal(err)
				}
			}
			r := open(t, file)
			if err := r.Seed(&seen{}); err != nil {
				t.Fatal(err)
			}
			got := map[string]uint64{}
			started := false
			r.raw = func(rec *Record) {
				typ := schema.EventType(binary.LittleEndian.Uint16(rec.Event[20:]))
				switch typ {
				case schema.ProcinfoE:
					return
				case schema.UserAddedE, schema.GroupAddedE:
					if !started {
						return // those of the start are left out of the lists
					}
				}
				started = true
				if byName {
					got[sysdigName(rec.Event)]++
				} else {
					got[codeName(typ)]++
				}
			}
			var ev event.Event
			for {
				var rec *Record
				if rec, err = r.Next(); err != nil {
					break
				}
				if _, err := ev.Decode(rec.Event); err != nil {
					t.Fatalf("event %d: %v", rec.Num, err)
				}
			}
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			s := r.Stats()
			for what, n := range got {
				if want[what] != n {
					t.Errorf("%s: %d events, expected %d", what, n, want[what])
				}
				delete(want, what)
			}
			for what, n := range want {
				t.Errorf("%s: none, expected %d", what, n)
			}
			if bad := s.Unknown + s.Malformed + s.Stranded + s.Skipped + s.Misplaced + s.BadEntries + s.Evicted; bad > 0 {
				t.Errorf("not understood: %d unknown, %d malformed, %d stranded, %d evicted events; %d skipped, %d misplaced blocks; %d entries",
					s.Unknown, s.Malformed, s.Stranded, s.Evicted, s.Skipped, s.Misplaced, s.BadEntries)
			}
		})
	}
}

func codeName(t schema.EventType) string {
	dir := "X"
	if t.IsEnter() {
		dir = "E"
	}
	return fmt.Sprintf("%d %s_%s", t, t.Info().Name, dir)
}

// sysdigName is what sysdig 0.29 prints of an event.
func sysdigName(ev []byte) string {
	typ := schema.EventType(binary.LittleEndian.Uint16(ev[20:]))
	name := typ.Info().Name
	if typ == schema.GenericE || typ == schema.GenericX {
		n := int(binary.LittleEndian.Uint32(ev[22:]))
		name = schema.Syscalls[binary.LittleEndian.Uint16(ev[schema.HeaderSize+2*n:])].Name
	}
	if old, ok := oldNames[name]; ok {
		name = old
	}
	if typ.IsEnter() {
		return "> " + name
	}
	return "< " + name
}

// What is delivered has the number, time, CPU and name that the original's own
// libraries print, in their order.
func TestRecordingsReadAsGolden(t *testing.T) {
	for _, file := range captures(t) {
		golden := filepath.Join(filepath.Dir(file), "golden", strings.TrimSuffix(filepath.Base(file), ".scap")+".events.txt.gz")
		f, err := os.Open(golden)
		if err != nil {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReaderSize(z, 1<<20)
			r := open(t, file)
			n, bad := 0, 0
			for {
				rec, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				typ := schema.EventType(binary.LittleEndian.Uint16(rec.Event[20:]))
				if typ.IsEnter() && typ.Info().Class == schema.ClassSyscall || typ == schema.UserAddedE || typ == schema.GroupAddedE {
					continue // it prints no line
				}
				want, ok := nextLine(lines)
				if !ok {
					t.Fatalf("event %d has no line", rec.Num)
				}
				dir := "<"
				if typ.IsEnter() {
					dir = ">"
				}
				name := typ.Info().Name
				if typ == schema.GenericX {
					name = schema.Syscalls[binary.LittleEndian.Uint16(rec.Event[schema.HeaderSize+2*binary.LittleEndian.Uint32(rec.Event[22:]):])].Name
				}
				got := fmt.Sprintf("%d %d %d %s %s", rec.Num, binary.LittleEndian.Uint64(rec.Event), rec.CPU, dir, name)
				if got != want {
					if bad++; bad > 10 {
						t.FailNow()
					}
					t.Errorf("%s, expected %s", got, want)
				}
				n++
			}
			if want, ok := nextLine(lines); ok {
				t.Errorf("%s: not delivered", want)
			}
			t.Logf("%d events agree", n-bad)
		})
	}
}

// nextLine returns the head of the next line that begins with two numbers: number,
// time, CPU, direction, name. Values hold newlines, and there are banners.
func nextLine(r *bufio.Reader) (string, bool) {
	for {
		line, err := r.ReadBytes('\n')
		f := bytes.SplitN(line, []byte(" "), 6)
		if len(f) >= 5 && (string(f[3]) == "<" || string(f[3]) == ">") && len(f[1]) == 19 {
			return string(bytes.TrimSpace(bytes.Join(f[:5], []byte(" ")))), true
		}
		if err != nil {
			return "", false
		}
	}
}
