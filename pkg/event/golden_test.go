// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/event"
)

// The recordings of the given material are decoded, and the parameters of each
// event compared with what others print for them. What depends on tables, the
// names of descriptors and threads, is skipped here.
func TestConformanceGoldenText(t *testing.T) {
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "data", "captures")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIP 3 cases: FALCO_SHARED not found: %v", err)
	}
	for _, name := range []string{"libs0254-a-shell", "libs0254-d-net", "libs0254-f-build"} {
		t.Run(name, func(t *testing.T) {
			lines := goldenLines(t, filepath.Join(dir, "golden", name+".events.txt.gz"))
			compared, bad := 0, 0
			eachEvent(t, filepath.Join(dir, name+".scap"), func(ev *event.Event) {
				line, ok := lines[ev.Num]
				if !ok || ev.Type.IsEnter() {
					return
				}
				res := "SUCCESS"
				if v, ok := ev.Return(); ok && v < 0 {
					res = event.ErrnoName(v)
				}
				_, args, ok := strings.Cut(line, " res="+res+" | ")
				if !ok {
					return // the line ends before the parameters
				}
				compared++
				if diff := compareArgs(ev, args); diff != "" {
					if bad++; bad < 10 {
						t.Errorf("event %d, %s: %s in %.200q", ev.Num, ev.Info.ID, diff, args)
					}
				}
			})
			if compared < 10_000 {
				t.Errorf("only %d events were compared", compared)
			}
			t.Logf("%d of %d events compared", compared, len(lines))
		})
	}
}

// compareArgs tells what is wrong with the texts of ev's parameters.
func compareArgs(ev *event.Event, args string) string {
	for i := range ev.NumParams() {
		p := &ev.Info.Params[i]
		want := p.Name + "=" + string(ev.AppendRaw(nil, i, nil))
		if i > 0 {
			want = " " + want
		}
		rest, ok := strings.CutPrefix(args, want)
		if !ok {
			return fmt.Sprintf("no %q", want)
		}
		resolved := string(ev.AppendResolved(nil, i, nil))
		switch {
		case resolved != "" && resolved != event.NA:
			if rest, ok = strings.CutPrefix(rest, "("+resolved+")"); !ok {
				return fmt.Sprintf("no %q behind %q", resolved, want)
			}
		case strings.HasPrefix(rest, "("): // a name that only tables know
			if i+1 == ev.NumParams() {
				return ""
			}
			end := strings.Index(rest, ") "+ev.Info.Params[i+1].Name+"=")
			if end < 0 {
				return fmt.Sprintf("no parameter behind %q", want)
			}
			rest = rest[end+1:]
		}
		args = rest
	}
	if args = strings.TrimRight(args, "\n"); args != "" {
		return fmt.Sprintf("%q left over", args)
	}
	return ""
}

// goldenLines reads the printed events, by number. Values may hold newlines.
func goldenLines(t *testing.T, path string) map[uint64]string {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[uint64]string)
	var last uint64
	sc := bufio.NewScanner(zr)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var num, ts uint64
		n, _ := fmt.Sscanf(sc.Text(), "%d %d ", &num, &ts)
		switch {
		case n == 2 && ts > 1e18 && num > last:
			lines[num], last = sc.Text(), num
		case last > 0:
			lines[last] += "\n" + sc.Text()
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// eachEvent decodes the events of a capture: blocks of a type and a length,
// with the CPU, and perhaps flags, in front of the event.
func eachEvent(t *testing.T, path string, visit func(*event.Event)) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(zr)
	var ev event.Event
	var num uint64
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		block := make([]byte, binary.LittleEndian.Uint32(head[4:])-8)
		if _, err := io.ReadFull(r, block); err != nil {
			t.Fatal(err)
		}
		switch binary.LittleEndian.Uint32(head[:]) {
		case 0x204, 0x216, 0x221:
			block = block[2:]
		case 0x208, 0x217, 0x222:
			block = block[6:]
		default:
			continue
		}
		if _, err := ev.Decode(block); err != nil {
			t.Fatalf("event %d: %v", num+1, err)
		}
		num++
		ev.Num = num
		visit(&ev)
	}
}
