// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/spool/spooltest"
)

// A full disk ends a recording with a word that says so. What the file has can be
// read to its last event, and is what came first. The disk is a real one; it is
// mounted in a namespace that ends with the process.
func TestFullDisk(t *testing.T) {
	out := spooltest.OnSmallDisk(t, "1m", recordUntilFull)
	if out != nil && bytes.Count(out, []byte("--- PASS: TestFullDisk/")) != 4 {
		t.Errorf("not all was tried:\n%s", out)
	}
}

func recordUntilFull(t *testing.T, disk string) {
	m := newMade(t, "host")
	data := noise(3_000_000)
	const events = 1000
	for i := range events {
		m.add(float64(i)/1000, 0, eventtest.New(schema.WriteX).Set("res", 3000).Set("data", data[3000*i:3000*(i+1)]).Set("fd", 1))
	}
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{
		"all.scap": string(m.bytes()),
		"f.yaml":   "stdout_output: {enabled: true}\nlog_stderr: true\nlog_syslog: false\n",
		"r.yaml":   "- rule: first\n  desc: d\n  condition: evt.num=1\n  output: x\n  priority: INFO\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source, err := os.ReadFile("all.scap")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(disk, "x")
	const full = `write \S+: no space left on device; what is there of it can be read`
	for _, tc := range []struct {
		name, args string
		code       int
		says       string
	}{
		{"record", "record -e all.scap -w " + path, 1, `(?m)^Events recorded: at least \d+; \d+ bytes in \S+$\n^falco: record: ` + full + "$"},
		{"record packed", "record -z -e all.scap -w " + path, 1, "(?m)^falco: record: " + full + "$"},
		{"write", "-c f.yaml -r r.yaml -e all.scap -w " + path, 0, "(?m): record: " + full + "$"},
		{"capture", "-c f.yaml -r r.yaml -e all.scap -o capture.enabled=true -o capture.mode=all_rules -o capture.path_prefix=" + path, 0,
			"(?m): capture: " + full + "$"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := falco(append([]string{"falco"}, strings.Fields(tc.args)...), &stdout, &stderr); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if !regexp.MustCompile(tc.says).Match(stderr.Bytes()) {
				t.Errorf("it says\n%s", &stderr)
			}
			if tc.code == 0 && !strings.HasPrefix(stdout.String(), "12:00:00.000000000: Informational x\nEvents detected: 1\n") {
				t.Errorf("the run did not go on: %s", &stdout)
			}
			names, err := filepath.Glob(path + "*")
			if err != nil || len(names) != 1 {
				t.Fatalf("%q %v", names, err)
			}
			written, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(names[0]); err != nil { // room for the next one
				t.Fatal(err)
			}
			if n := sameBeginning(t, source, written); n < 200 || n == events {
				t.Errorf("%d of %d events in %d bytes", n, events, len(written))
			}
		})
	}
}

// sameBeginning reads part to its end, and wants it to be what whole begins with.
func sameBeginning(t *testing.T, whole, part []byte) (events int) {
	t.Helper()
	a, err := capture.NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	b, err := capture.NewReader(bytes.NewReader(part))
	if err != nil {
		t.Fatal(err)
	}
	for {
		rec, err := b.Next()
		if err == io.EOF {
			return events
		}
		want, werr := a.Next()
		if err != nil || werr != nil {
			t.Fatalf("event %d: %v, %v", events+1, err, werr)
		}
		if !bytes.Equal(rec.Event, want.Event) {
			t.Fatal(fmt.Errorf("event %d differs", events+1))
		}
		events++
	}
}
