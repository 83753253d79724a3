// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// sysdig returns the path of the reader of 2022, which it installs if it can.
func sysdig(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("sysdig")
	if err != nil && os.Geteuid() == 0 {
		out, _ := exec.Command("apt-get", "install", "-y", "--no-install-recommends", "sysdig").CombinedOutput()
		if path, err = exec.LookPath("sysdig"); err != nil {
			t.Logf("apt-get install sysdig: %s", bytes.TrimSpace(out))
		}
	}
	if err != nil {
		t.Skip("SKIP 1 cases: sysdig not found")
	}
	return path
}

// told is what sysdig prints of the exits in a capture. It crashes now and then
// on what it does not know; then what it printed is what counts.
func told(t *testing.T, path, file string) []string {
	t.Helper()
	const format = "*%evt.rawtime %evt.cpu %thread.tid %evt.type|%fd.num|%fd.name|%proc.cmdline"
	out, err := exec.Command(path, "-r", file, "-p", format, "evt.dir=<").Output()
	if err != nil {
		t.Errorf("sysdig -r %s: %v", filepath.Base(file), err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// Whoever has a sysdig of 2022 sees in our legacy captures what it would have
// seen in its own: descriptors and command lines agree to the last event.
func TestLegacyIsUnderstood(t *testing.T) {
	path := sysdig(t)
	for _, name := range given(t) {
		base := filepath.Base(name)
		if strings.HasSuffix(base, "-adaptive.scap") || strings.HasSuffix(base, "-b-files.scap") {
			continue // the others have everything in them, and are quicker
		}
		t.Run(base, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), base)
			f, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			raw := unpacked(t, name)
			w := rewrite(t, bytes.NewReader(raw), f, true)
			got := told(t, path, file)
			if strings.HasPrefix(base, "sysdig029") {
				want := told(t, path, name)
				for i := range min(len(want), len(got)) {
					if want[i] != got[i] {
						t.Fatalf("line %d is\n%s\nexpected\n%s", i, got[i], want[i])
					}
				}
				if len(want) != len(got) {
					t.Errorf("%d lines, expected %d", len(got), len(want))
				}
				return
			}
			// It dies early in the file as it was; now it gets to the end. Names of
			// calls that changed since then differ, times do not.
			if last, want := lastTime(t, raw), strings.SplitN(got[len(got)-1], " ", 2)[0]; last != want {
				t.Errorf("sysdig printed %d lines, up to %s; the last exit of %d events was at %s", len(got), want, w.Stats().Events, last)
			}
		})
	}
}

// lastTime returns when the last exit happened that the reader of 2022 knows.
func lastTime(t *testing.T, raw []byte) string {
	var out bytes.Buffer
	rewrite(t, bytes.NewReader(raw), &out, true)
	r, err := NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	r.raw = func(rec *Record) {
		e, at := decode(rec)
		if e.Class == schema.ClassSyscall && !e.Type.IsEnter() {
			last = at
		}
	}
	for err == nil {
		_, err = r.Next()
	}
	return last
}
