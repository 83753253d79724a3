// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// A truth is a line of acts/knows.c: what a program knows about itself.
type truth struct {
	label  string
	fd     bool // about a descriptor, else about the task
	fields [][2]string
}

// truths reads the lines that begin with X or F; others are none.
func truths(text string) (all []truth) {
	for _, line := range strings.Split(text, "\n") {
		f := strings.Split(line, "\t")
		if len(f) < 2 || f[0] != "X" && f[0] != "F" {
			continue
		}
		tr := truth{label: f[1], fd: f[0] == "F"}
		for _, pair := range f[2:] {
			name, value, _ := strings.Cut(pair, "=")
			tr.fields = append(tr.fields, [2]string{name, value})
		}
		all = append(all, tr)
	}
	return all
}

// told is what the daemon printed, by label: of tasks, and of descriptors. A
// descriptor belongs to the last mark of its thread.
type told struct{ tasks, fds map[string]map[string]any }

func readTold(alerts []vm.Alert) told {
	out := told{map[string]map[string]any{}, map[string]map[string]any{}}
	last := map[string]string{}
	for _, a := range alerts {
		tid := text(a.Fields["thread.tid"])
		switch a.Rule {
		case "task":
			label := strings.TrimPrefix(text(a.Fields["evt.arg.name"]), "/marks/")
			out.tasks[label] = a.Fields
			last[tid] = label
		case "descriptor":
			if label := last[tid]; label != "" && out.fds[label] == nil {
				out.fds[label] = a.Fields
			}
		}
	}
	return out
}

// text writes a value of JSON as acts/knows.c does.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// differs tells how what was told differs from the truth, "" if it does not.
func (tr *truth) differs(fields map[string]any) string {
	if fields == nil {
		return "nothing was told"
	}
	var wrong []string
	for _, f := range tr.fields {
		v, there := fields[f[0]]
		got, want := text(v), f[1]
		ending, anyHead := strings.CutPrefix(want, "*")
		if !there || got != want && !(anyHead && strings.HasSuffix(got, ending)) {
			wrong = append(wrong, fmt.Sprintf("%s is %q, in truth %q", f[0], got, want))
		}
	}
	return strings.Join(wrong, "; ")
}

// TestFamilies lets a program do all that changes the tables, and compares what
// rules see with what the program knows about itself.
func TestFamilies(t *testing.T) {
	for _, kernel := range []string{"5.10", "6.1"} {
		t.Run(kernel, func(t *testing.T) {
			if !guests() {
				t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
			}
			knows, err := vm.BuildC("acts/knows.c", nil)
			if err != nil {
				t.Fatal(err)
			}
			result := vm.Run(t, vm.Config{
				Kernel: kernel, Rules: []string{"families.yaml"}, Files: []string{knows}, Script: "exec /files/knows\n",
			})
			all, out := truths(result.Act), readTold(result.Alerts)
			if result.ExitCode != 0 || len(all) == 0 || all[len(all)-1].label != "end" {
				t.Fatalf("knows did not come to its end: code %d\n%s", result.ExitCode, result.Act)
			}
			for i := range all {
				tr := &all[i]
				fields := out.tasks[tr.label]
				if tr.fd {
					fields = out.fds[tr.label]
				}
				if d := tr.differs(fields); d != "" {
					t.Errorf("%s: %s", tr.label, d)
				}
			}
			t.Logf("%d things told, %d fields", len(all), count(all))
			if result.Ledger.Lost != 0 {
				t.Errorf("%d events were lost", result.Ledger.Lost)
			}
			if t.Failed() {
				t.Logf("act:\n%s", result.Act)
			}
		})
	}
}

func count(all []truth) (n int) {
	for i := range all {
		n += len(all[i].fields)
	}
	return n
}

// The comparison can fail.
func TestDiffers(t *testing.T) {
	all := truths("X\ta\tp=1\tq=\tr=-\nnoise\nF\ta\tfd.num=3\tfd.name=*tail\n")
	if len(all) != 2 || all[0].fd || !all[1].fd || count(all) != 5 {
		t.Fatalf("%+v", all)
	}
	for _, c := range []struct {
		tr     int
		fields map[string]any
		wrong  int
	}{
		{0, map[string]any{"p": 1.0, "q": "", "r": nil}, 0},
		{0, map[string]any{"p": 2.0, "q": "x", "r": ""}, 3},
		{0, map[string]any{"p": 1.0, "q": ""}, 1},
		{1, map[string]any{"fd.num": 3.0, "fd.name": "with tail"}, 0},
		{1, map[string]any{"fd.num": 3.0, "fd.name": "tail of"}, 1},
		{1, nil, 1},
	} {
		d := all[c.tr].differs(c.fields)
		if n := len(slices.DeleteFunc(strings.Split(d, "; "), func(s string) bool { return s == "" })); n != c.wrong {
			t.Errorf("%v: %q", c.fields, d)
		}
	}
	out := readTold([]vm.Alert{
		{Rule: "descriptor", Fields: map[string]any{"thread.tid": 7.0}},
		{Rule: "task", Fields: map[string]any{"thread.tid": 7.0, "evt.arg.name": "/marks/x"}},
		{Rule: "descriptor", Fields: map[string]any{"thread.tid": 8.0}},
		{Rule: "descriptor", Fields: map[string]any{"thread.tid": 7.0, "fd.num": 1.0}},
	})
	if len(out.fds) != 1 || out.fds["x"]["fd.num"] != 1.0 {
		t.Errorf("%+v", out)
	}
}
