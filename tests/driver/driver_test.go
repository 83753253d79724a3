// SPDX-License-Identifier: Apache-2.0

// Package driver compares what system calls were given with what the module
// says about them.
//
// acts/acts.c makes calls, one after the other, and says for each which event
// it expects; watch prints all events there were; here the two are compared,
// in the guest of tests/vm. An expectation names some of the parameters:
//
//	X <check> <tid> <event> <param>=<value> …
//
// Values are as watch prints them. "+" is any number above zero, "?" anything
// that is present, "@name" the same number above zero wherever it stands, and
// `"…*` any text that begins like this.
package driver

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// words are the parameters of a line.
type words map[string]string

func parseWords(fields []string) words {
	w := words{}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		w[name] = value
	}
	return w
}

// An occurrence is a line of watch, an expectation one of acts.
type occurrence struct {
	event string
	words words
	text  string
}

type expectation struct {
	check, tid string
	occurrence
}

// transcript is what came out of the guest.
type transcript struct {
	events   map[string][]occurrence // by tid
	expected []expectation
	books    words
}

func parseTranscript(text string) *transcript {
	tr := &transcript{events: map[string][]occurrence{}}
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[0] == "E":
			tr.events[f[1]] = append(tr.events[f[1]], occurrence{event: f[2], words: parseWords(f[3:]), text: line})
		case len(f) >= 4 && f[0] == "X":
			tr.expected = append(tr.expected, expectation{check: f[1], tid: f[2],
				occurrence: occurrence{event: f[3], words: parseWords(f[4:]), text: line}})
		case len(f) >= 2 && f[0] == "S":
			tr.books = parseWords(f[1:])
		}
	}
	return tr
}

// variables are the numbers that "@name" has stood for.
type variables map[string]string

func (v variables) matches(want, got string) bool {
	number, err := strconv.ParseUint(got, 10, 64)
	positive := err == nil && number > 0
	switch {
	case want == "?":
		return got != "" && got != "-"
	case want == "+":
		return positive
	case strings.HasPrefix(want, "@"):
		if known, ok := v[want]; ok {
			return known == got
		}
		v[want] = got
		return positive
	case strings.HasPrefix(want, `"`) && strings.HasSuffix(want, "*"):
		return strings.HasPrefix(got, strings.TrimSuffix(want, "*"))
	}
	return want == got
}

// check compares, in order, what each thread was expected to do with what it
// did. A type that is expected of a thread occurs as often as it is expected.
func (tr *transcript) check(t *testing.T) {
	next := map[string]int{}   // by tid: index of the first event not yet compared
	left := map[string]int{}   // by tid and event: occurrences minus expectations
	asked := map[string]bool{} // the same keys
	vars := variables{}
	for tid, events := range tr.events {
		for _, e := range events {
			left[tid+" "+e.event]++
		}
	}
	for _, x := range tr.expected {
		key := x.tid + " " + x.event
		asked[key] = true
		left[key]--
		t.Run(x.check, func(t *testing.T) {
			events := tr.events[x.tid]
			i := next[x.tid]
			for i < len(events) && events[i].event != x.event {
				i++
			}
			if i == len(events) {
				t.Fatalf("no such event (any more):\n  %s", x.text)
			}
			next[x.tid] = i + 1
			if err := compare(vars, x.words, events[i].words); err != nil {
				t.Errorf("%v\n  %s\n  %s", err, x.text, events[i].text)
			}
		})
	}
	for key := range asked {
		if left[key] != 0 {
			t.Errorf("%s: %+d events than expected", key, left[key])
		}
	}
}

func compare(vars variables, want, got words) error {
	var wrong []string
	for name, w := range want {
		if g, ok := got[name]; !ok {
			wrong = append(wrong, name+" is missing")
		} else if !vars.matches(w, g) {
			wrong = append(wrong, fmt.Sprintf("%s is %s, not %s", name, g, w))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return nil
}

// build makes the two programs that a guest needs.
func build(t *testing.T) (watch, acts string) {
	t.Helper()
	watch, err := vm.BuildGo("./tests/driver/watch", "watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	if acts, err = vm.BuildC("acts/acts.c", nil); err != nil {
		t.Fatal(err)
	}
	return watch, acts
}

func TestFillers(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	kernel, err := vm.GetKernel(vm.DefaultKernel, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	watch, acts := build(t)
	result := vm.Run(t, vm.Config{
		NoDaemon: true, DebugModule: true,
		Files:  []string{watch, acts, filepath.Join(kernel.Modules(), "kernel/fs/overlayfs/overlay.ko")},
		Script: "insmod /files/overlay.ko && exec /files/watch /files/acts\n",
	})
	if result.ExitCode != 0 {
		t.Fatalf("exit code %d:\n%s", result.ExitCode, result.Act)
	}
	tr := parseTranscript(result.Act)
	if len(tr.expected) < 300 {
		t.Fatalf("%d expectations: the acts did not get far\n%s", len(tr.expected), result.Act)
	}
	tr.check(t)
	if tr.books["lost"] != "0" || tr.books["produced"] != tr.books["delivered"] {
		t.Errorf("the books: %v", tr.books)
	}
}

// TestRaces lets things go while the module looks at them. The guest fails the
// test if its kernel complains; every event is well-formed and accounted for.
func TestRaces(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	watch, acts := build(t)
	result := vm.Run(t, vm.Config{
		NoDaemon: true, DebugModule: true,
		Files:  []string{watch, acts},
		Script: "/files/watch /files/acts race | grep ^S\n",
	})
	books := parseTranscript(result.Act).books
	count := func(name string) int {
		n, err := strconv.Atoi(books[name])
		if err != nil {
			t.Fatalf("no books; exit code %d:\n%s", result.ExitCode, result.Act)
		}
		return n
	}
	if count("produced") != count("delivered")+count("lost") || count("delivered") < 10000 {
		t.Errorf("the books: %v", books)
	}
	t.Logf("%v", books)
}

// The comparison must be able to fail.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		want, got string
		ok        bool
	}{
		{"a=1 b=?", `a=1 b="x"`, true},
		{"a=1", "a=2", false},
		{"a=1", "b=1", false},
		{"a=?", "a=-", false},
		{"a=+", "a=0", false},
		{"a=+", "a=-3", false},
		{`a="/proc/*`, `a="/proc/self"`, true},
		{`a="/proc/*`, `a="/sys"`, false},
		{"a=@x b=@x", "a=7 b=7", true},
		{"a=@x b=@x", "a=7 b=8", false},
		{"a=@x", "a=0", false},
	} {
		vars := variables{}
		err := compare(vars, parseWords(strings.Fields(c.want)), parseWords(strings.Fields(c.got)))
		if (err == nil) != c.ok {
			t.Errorf("%s against %s: %v", c.want, c.got, err)
		}
	}
}
