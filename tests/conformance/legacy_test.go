// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// Reasons why a sysdig of 2022 names another descriptor than we do, in a capture
// that we wrote for it.
const (
	// mmap, newfstatat, unlinkat and a few more had none that it could know of.
	noneThen = "it names none"
	// It keeps the address of a connect that has failed. The original did so then,
	// and does no more.
	neverConnected = "a socket that was never connected"
	// It does not see that a descriptor was replaced by one that nobody knows.
	replacedThen = "a replaced descriptor"
	// Of the address in a recvfrom it reads the wrong bytes; in captures of its own too.
	misread = "it misreads the sender of a datagram"
	// UDP over IPv6, as in golden_test.go.
	endsThen = "the ends of a UDP socket over IPv6 are not swapped"
	slashes  = "a name below / has two slashes"
	// So it does in captures of its own.
	directory = "an openat that fails is about the directory"
	// Which of its two descriptors is meant has changed.
	other = "copy_file_range is about the other file"
)

// What a sysdig of 2022 says of our legacy captures, to the last event: the same
// command lines, and the same descriptors but for reasons of its own.
func TestLegacyReadsAsOurs(t *testing.T) {
	for _, tc := range []struct {
		capture string
		agree   int // events of which both name the same descriptor
		differ  reasons
	}{
		{"libs0254-a-shell", 13536, reasons{noneThen: 2736, neverConnected: 40, replacedThen: 50, other: 1}},
		{"libs0254-b-files", 141981, reasons{noneThen: 65511, neverConnected: 852, slashes: 21867, directory: 103, other: 9}},
		{"libs0254-d-net", 19989, reasons{noneThen: 4451, neverConnected: 26, misread: 1, endsThen: 201}},
		{"libs0254-f-build", 27793, reasons{noneThen: 3197, neverConnected: 2}},
	} {
		t.Run(tc.capture, func(t *testing.T) {
			t.Parallel()
			sysdig := vm.Tool(t, "sysdig", "sysdig")
			given := shared(t, "data/captures/"+tc.capture+".scap")
			legacy := filepath.Join(t.TempDir(), "legacy.scap")
			falco(t, "record", "-e", given, "-w", legacy, "--legacy")
			const format = "*\x01%evt.rawtime %evt.cpu %thread.tid|%evt.type|%fd.name|%evt.res|%proc.cmdline"
			theirs, err := exec.Command(sysdig, "-r", legacy, "-p", format, "evt.dir=<").Output()
			if err != nil {
				t.Fatal(err)
			}
			a := strings.Split(string(falco(t, "read", given, "-p", format, "evt.dir=<")), "\x01")
			b := strings.Split(string(theirs), "\x01")
			if len(a) != len(b) || len(a) < 10_000 {
				t.Fatalf("we see %d events, they %d", len(a), len(b))
			}
			seen, agree := reasons{}, 0
			for i := range a {
				if a[i] == "" && b[i] == "" {
					continue
				}
				ours, theirs := strings.SplitN(a[i], "|", 5), strings.SplitN(b[i], "|", 5)
				if ours[0] != theirs[0] || ours[4] != theirs[4] {
					t.Fatalf("ours %q, theirs %q", a[i], b[i])
				}
				switch call, x, y := ours[1], ours[2], theirs[2]; {
				case x == y && x != "":
					agree++
				case x == y:
				case y == "" || y == "<NA>" || y == "NULL":
					if x != "" && x != "<NA>" {
						seen[noneThen]++
					}
				case x == "" && strings.HasSuffix(y, "/nscd/socket"):
					seen[neverConnected]++
				case x == "" && strings.HasSuffix(y, ".log"):
					seen[replacedThen]++
				case call == "recvfrom" && strings.Contains(y, "->91.27.3.0:"): // 7003 is 0x1b5b
					seen[misread]++
				case call == "copy_file_range":
					seen[other]++
				case swapped(x, y):
					seen[endsThen]++
				case call == "openat" && ours[3] != "SUCCESS" && strings.HasPrefix(x, y):
					seen[directory]++
				case "/"+x == y:
					seen[slashes]++
				default:
					t.Fatalf("ours %q, theirs %q", a[i], b[i])
				}
			}
			if agree != tc.agree {
				t.Errorf("%d descriptors agree, want %d", agree, tc.agree)
			}
			seen.check(t, tc.differ)
		})
	}
}
