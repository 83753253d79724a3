// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// moreFields are printed beside those of the goldens, so that there are sixty.
var moreFields = strings.Fields(`evt.time evt.datetime evt.category evt.failed evt.rawres evt.count evt.is_io evt.is_wait evt.cpu
	evt.is_open_read evt.is_open_write proc.args proc.env proc.exeline proc.cmdnargs proc.cmdlenargs proc.nthreads
	proc.nchilds proc.fdopencount proc.fdlimit proc.fdusage proc.vmsize proc.vmrss proc.duration proc.pid.ts proc.ppid.ts
	proc.is_exe_writable proc.is_exe_upper_layer proc.exe_ino proc.sname proc.pgid proc.apid[1] proc.acmdline[1] thread.vtid thread.ismain thread.cap_effective
	thread.cgroups fd.directory fd.filename fd.l4proto fd.cip fd.sip fd.cport fd.sport fd.ino fd.dev fd.types container.id container.name
	group.name user.homedir`)

// A rule that prints sixty fields prints what falco read prints, which
// TestConformanceEvents holds against the original's goldens, for every event that
// rules see; of the big captures, for those about processes and connections. None
// of them makes it stumble.
func TestReplaysPrintSixtyFields(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(shared(t, "data/captures"), "*.scap"))
	if err != nil || len(names) == 0 {
		t.Fatal("there are no captures", err)
	}
	for _, capture := range names {
		t.Run(strings.TrimSuffix(filepath.Base(capture), ".scap"), func(t *testing.T) {
			t.Parallel()
			condition := "evt.num > 0"
			switch {
			case strings.Contains(capture, "large"), strings.Contains(capture, "adaptive"), strings.Contains(capture, "b-files"),
				strings.Contains(capture, "f-build"):
				condition = "evt.type in (execve, execveat, clone, clone3, vfork, fork, procexit, connect, accept, accept4, bind, listen)"
			}
			printsSixty(t, capture, condition)
		})
	}
}

func printsSixty(t *testing.T, capture, condition string) {
	var format []string
	n := 0
	for _, f := range fields {
		n += strings.Count(f.format, "%")
		format = append(format, strings.NewReplacer("\n", "", `"`, "").Replace(f.format))
	}
	for _, name := range moreFields {
		format = append(format, "%"+name)
		n++
	}
	if n < 60 {
		t.Fatalf("only %d fields", n)
	}
	line := strings.Join(format, "|")
	rule := filepath.Join(t.TempDir(), "sixty.yaml")
	text := "- rule: sixty\n  desc: d\n  condition: " + condition + "\n  output: '" + line + "'\n  priority: DEBUG\n"
	if err := os.WriteFile(rule, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "falco.yaml")
	if err := os.WriteFile(config, []byte("json_output: true\nlog_syslog: false\nstdout_output: {enabled: true}\nbuffered_outputs: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := falco(t, "-c", config, "-r", rule, "-e", capture)
	read := falco(t, "read", capture, "--filter", condition, "-p", "*\x01"+line+"\x02")
	want := map[string]string{} // by number; rules do not see each event that falco read prints
	for _, l := range strings.Split(strings.TrimSuffix(string(read), "\x02\n"), "\x02\n\x01") {
		l = strings.TrimPrefix(l, "\x01")
		num, _, _ := strings.Cut(l, " ")
		want[num] = strings.ToValidUTF8(l, "\uFFFD") // JSON knows no bytes that are no text
	}
	alerts, wrong := 0, 0
	scan := bufio.NewScanner(bytes.NewReader(out))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		if !bytes.HasPrefix(scan.Bytes(), []byte("{")) {
			continue
		}
		var a struct{ Output string }
		if err := json.Unmarshal(scan.Bytes(), &a); err != nil {
			t.Fatalf("%v: %s", err, scan.Bytes())
		}
		_, got, _ := strings.Cut(a.Output, ": Debug ")
		num, _, _ := strings.Cut(got, " ")
		alerts++
		if got = strings.ToValidUTF8(got, "\uFFFD"); got != want[num] {
			if wrong++; wrong <= 3 {
				t.Errorf("alert %s\nread  %s", got, want[num])
			}
		}
	}
	if alerts < 200 || alerts < len(want)*9/10 {
		t.Errorf("%d alerts, %d lines", alerts, len(want))
	}
	t.Logf("%d fields of %d events, %d wrong", n, alerts, wrong)
}
