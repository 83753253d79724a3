// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// fields are what the goldens tell of an event, by the text in front of each. The
// first is the beginning of the line.
var fields = []struct{ sep, format string }{
	{"", "%evt.num %evt.rawtime %evt.cpu %evt.dir %evt.type"},
	{" [", "%thread.tid %proc.pid %proc.ppid %proc.vpid %proc.name"},
	{" pname=", "%proc.pname"}, {" exe=", "%proc.exepath"}, {" cmd=", "%proc.cmdline"}, {" cwd=", "%proc.cwd"},
	{" sid=", "%proc.sid"}, {" pg=", "%proc.pgid"}, {" tty=", "%proc.tty"}, {" uid=", "%user.uid"},
	{" luid=", "%user.loginuid"}, {" user=", "%user.name"}, {" gid=", "%group.gid"}, {" anc=", "%proc.aname[2]"},
	{"] fd=", "%fd.num:%fd.typechar:%fd.name"}, {" res=", "%evt.res"}, {" | ", "%evt.args"},
}

// Reasons why an event of ours may read differently; reasons_test.go argues them.
const (
	// Users that the file tells of in events of their own: the original's library
	// keeps them to itself, here they are events like others.
	userEvents = "events that tell of users are shown"
	// state.md, setpgid: the original reads a process group at fork and exec alone.
	groups = "setsid and setpgid change the process group"
	// What dup2 replaced is closed, also if nobody knows what replaced it. The
	// original goes on believing in the old one.
	replaced = "a descriptor that an unknown one replaced is forgotten"
	// The server's end is the one that was bound, for IPv6 as for IPv4.
	ends = "the ends of a UDP socket over IPv6 are not swapped"
)

// meant lists the differences that are meant: field and reason, and how the
// original's text becomes ours.
var meant = []struct {
	field, why string
	fits       func(ours, golden string) bool
}{
	{" pg=", groups, func(ours, golden string) bool {
		return integer.MatchString(ours) && integer.MatchString(golden)
	}},
	{"] fd=", replaced, func(ours, golden string) bool {
		return strings.HasSuffix(ours, ":o:") && (strings.HasSuffix(golden, ".log") || strings.HasSuffix(golden, ":p:"))
	}},
	{" | ", replaced, func(ours, golden string) bool { return ours == output.ReplaceAllString(golden, "") }},
	{"] fd=", ends, swapped},
	{" | ", ends, swapped},
}

var (
	integer = regexp.MustCompile(`^-?\d+$`)
	output  = regexp.MustCompile(`\(<(p|f>/out/[^)]*\.log)>?\)`) // where the script's input and output went before
	pair    = regexp.MustCompile(`(::1:\d+)->(::1:\d+)`)
)

// swapped reports whether the last pair of addresses is turned round, and nothing
// else is different.
func swapped(ours, golden string) bool {
	all := pair.FindAllStringSubmatchIndex(golden, -1)
	if len(all) == 0 {
		return false
	}
	m := all[len(all)-1]
	return ours == golden[:m[0]]+golden[m[4]:m[5]]+"->"+golden[m[2]:m[3]]+golden[m[1]:]
}

// Every event says the same, field by field, as with the original's libraries.
func TestConformanceEvents(t *testing.T) {
	for _, tc := range []struct {
		capture string
		events  int
		differ  reasons
	}{
		{"sysdig029-a-shell", 23284, reasons{groups: 373, replaced: 217}},
		{"sysdig029-d-net", 39417, reasons{groups: 4, ends: 402}},
		{"libs0254-a-shell", 33100, reasons{userEvents: 58, groups: 521, replaced: 221}},
		{"libs0254-d-net", 60827, reasons{userEvents: 58, groups: 7, ends: 402}},
		{"libs0254-f-build", 68636, reasons{userEvents: 58, groups: 6}},
	} {
		t.Run(tc.capture, func(t *testing.T) {
			t.Parallel()
			want := goldenEvents(t, shared(t, "data/captures/golden/"+tc.capture+".events.txt.gz"))
			if len(want) != tc.events {
				t.Fatalf("the original has %d events, not %d", len(want), tc.events)
			}
			seen, bad := reasons{}, 0
			for _, ours := range readEvents(t, shared(t, "data/captures/"+tc.capture+".scap")) {
				num, _, _ := strings.Cut(ours, " ")
				golden, ok := want[num]
				delete(want, num)
				if !ok && (strings.Contains(ours, "> useradded [") || strings.Contains(ours, "> groupadded [")) {
					seen[userEvents]++
					continue
				}
				if err := sameEvent(ours, golden, seen); err != nil {
					if bad++; bad <= 10 {
						t.Errorf("%v\nours     %q\noriginal %q", err, ours, golden)
					}
				}
			}
			for _, golden := range want {
				t.Errorf("missing: %q", golden)
				break
			}
			if bad > 0 || len(want) > 0 {
				t.Errorf("%d events differ, %d are missing", bad, len(want))
			}
			seen.check(t, tc.differ)
		})
	}
}

// sameEvent compares two lines. The original's ends where a field is missing, and
// ours has <NA> there; what comes behind it nobody can compare.
func sameEvent(ours, golden string, seen reasons) error {
	for i, f := range fields {
		last := i == len(fields)-1
		var a, b string
		whole := true
		if last {
			a, b = ours, golden
		} else {
			next := fields[i+1].sep
			a, ours, _ = strings.Cut(ours, next)
			b, golden, whole = strings.Cut(golden, next)
		}
		if !whole {
			if rest, ok := strings.CutPrefix(a, b); !ok || !strings.HasPrefix(rest, "<NA>") {
				return fmt.Errorf("field %q: %q, original %q", f.sep, a, b)
			}
			return nil
		}
		if a != b && !isMeant(f.sep, a, b, seen) {
			return fmt.Errorf("field %q: %q, original %q", f.sep, a, b)
		}
	}
	return nil
}

func isMeant(field, ours, golden string, seen reasons) bool {
	for _, m := range meant {
		if m.field == field && m.fits(ours, golden) {
			seen[m.why]++
			return true
		}
	}
	return false
}

// readEvents returns a line for each event of a capture. Values may hold newlines.
func readEvents(t *testing.T, capture string) []string {
	t.Helper()
	format := "*\x01"
	for _, f := range fields {
		format += f.sep + f.format
	}
	out := string(falco(t, "read", capture, "-p", format+"\x02"))
	lines := strings.Split(strings.TrimSuffix(out, "\x02\n"), "\x02\n\x01")
	lines[0] = strings.TrimPrefix(lines[0], "\x01")
	return lines
}

// goldenEvents returns the original's lines by the number of the event.
func goldenEvents(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	text, _, ok := strings.Cut(string(b), "\n-- EOF\n") // what follows is about the run
	if !ok {
		t.Fatal("the golden has no end")
	}
	events := map[string]string{}
	start, last, num := -1, 0, ""
	keep := func(end int) {
		if start >= 0 {
			events[num] = text[start:end]
		}
	}
	for at := 0; at < len(text); {
		line, _, _ := strings.Cut(text[at:], "\n")
		if m := begins.FindStringSubmatch(line); m != nil {
			if n, _ := strconv.Atoi(m[1]); n > last { // else a value that looks like a beginning
				keep(at - 1)
				start, last, num = at, n, m[1]
			}
		}
		at += len(line) + 1
	}
	keep(len(text))
	return events
}

var begins = regexp.MustCompile(`^(\d+) \d{19} \d+ [<>] \S+ \[`)
