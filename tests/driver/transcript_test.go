// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
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

// transcript is what came out of one run of a program.
type transcript struct {
	events   map[string][]occurrence // by tid
	expected []expectation
	books    words
}

// alarm is the schema's number for the call that ends what is not part of an act.
const alarm = "19"

// parseTranscripts cuts a guest's output at the books, which end each run.
func parseTranscripts(text string) []*transcript {
	var all []*transcript
	tr := &transcript{events: map[string][]occurrence{}}
	begun := map[string]bool{} // by tid: whether the act itself has begun
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[0] == "E":
			e := occurrence{event: f[2], words: parseWords(f[3:]), text: line}
			if began, ok := begun[f[1]]; ok && !began {
				begun[f[1]] = e.event == "generic_x" && e.words["ID"] == alarm
				continue
			}
			tr.events[f[1]] = append(tr.events[f[1]], e)
		case len(f) == 2 && f[0] == "B":
			begun[f[1]] = false
		case len(f) >= 4 && f[0] == "X":
			tr.expected = append(tr.expected, expectation{check: f[1], tid: f[2],
				occurrence: occurrence{event: f[3], words: parseWords(f[4:]), text: line}})
		case len(f) >= 2 && f[0] == "S":
			tr.books = parseWords(f[1:])
			all = append(all, tr)
			tr = &transcript{events: map[string][]occurrence{}}
			begun = map[string]bool{}
		}
	}
	return all
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
	case strings.Contains(want, "±"):
		return near(want, got)
	case strings.HasPrefix(want, "~"):
		return strings.Contains(got, strings.TrimPrefix(want, "~"))
	case strings.HasPrefix(want, "'") && strings.HasSuffix(want, "*"):
		return strings.HasPrefix(got, strings.TrimSuffix(want, "*"))
	}
	return want == got
}

// near tells whether got is a number that is at most as far from another as want says.
func near(want, got string) bool {
	middle, slack, _ := strings.Cut(want, "±")
	m, err1 := strconv.ParseInt(middle, 10, 64)
	s, err2 := strconv.ParseInt(slack, 10, 64)
	g, err3 := strconv.ParseInt(got, 10, 64)
	return err1 == nil && err2 == nil && err3 == nil && max(m-g, g-m) <= s
}

// fromHook tells of events that no system call's registers stand behind: they do not say how wide its words are.
func fromHook(event string, want words) bool {
	switch event {
	case "procexit_e", "switch_e", "page_fault_e", "signaldeliver_e":
		return true
	case "execve_x":
		return want["res"] == "0"
	}
	return false
}

// complete adds to an expectation what is expected of every event: that it was
// complete, and that a program's events tell its width.
func complete(event string, want words, abi string) words {
	full := words{"rec": "-", "abi": abi}
	if fromHook(event, want) {
		full["abi"] = "64"
	}
	for name, value := range want {
		full[name] = value
	}
	return full
}

// at any time these happen also, without an act; among them there is the one that is expected.
var at = map[string]bool{"switch_e": true, "page_fault_e": true}

// A verdict is what became of one expectation: nil, or what is wrong.
type verdict struct {
	check string
	err   error
}

// judge compares, in order, what each thread was expected to do with what it
// did. A type that is expected of a thread occurs as often as it is expected:
// where it does not, and where the books do not balance, is told apart.
func (tr *transcript) judge(abi string) (verdicts []verdict, rest []string) {
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
		events := tr.events[x.tid]
		want := complete(x.event, x.words, abi)
		i := next[x.tid]
		for i < len(events) && (events[i].event != x.event || at[x.event] && compare(vars, x.event, want, events[i].words) != nil) {
			i++
		}
		if i == len(events) {
			verdicts = append(verdicts, verdict{x.check, fmt.Errorf("no such event (any more):\n  %.2000s", x.text)})
			continue
		}
		next[x.tid] = i + 1
		err := compare(vars, x.event, want, events[i].words)
		if err != nil {
			err = fmt.Errorf("%w\n  %.2000s\n  %.2000s", err, x.text, events[i].text)
		}
		verdicts = append(verdicts, verdict{x.check, err})
	}
	for key := range asked {
		if _, event, _ := strings.Cut(key, " "); left[key] != 0 && !at[event] {
			rest = append(rest, fmt.Sprintf("%s: %+d events than expected", key, left[key]))
		}
	}
	if tr.books["lost"] != "0" || tr.books["produced"] != tr.books["delivered"] {
		rest = append(rest, fmt.Sprintf("the books: %v", tr.books))
	}
	return verdicts, rest
}

// check makes a test of each expectation.
func (tr *transcript) check(t *testing.T, abi string) {
	verdicts, rest := tr.judge(abi)
	for _, v := range verdicts {
		t.Run(v.check, func(t *testing.T) {
			if v.err != nil {
				t.Error(v.err)
			}
		})
	}
	for _, text := range rest {
		t.Error(text)
	}
}

// returned tells whether an event's first parameter is what a call returned: a long, of which narrower parameters have the
// low half.
func returned(event, want string, got words) error {
	info, ok := schema.EventByID(event)
	if !ok || len(info.Params) == 0 {
		return fmt.Errorf("%s: no event with parameters", event)
	}
	name := info.Params[0].Name
	w, err := strconv.ParseInt(want, 10, 64)
	if err != nil {
		return err
	}
	g, err := strconv.ParseInt(got[name], 10, 64)
	if err != nil {
		var u uint64
		if u, err = strconv.ParseUint(got[name], 10, 64); err != nil {
			return fmt.Errorf("%s is %s, not %s", name, got[name], want)
		}
		g = int64(u)
	}
	if info.Params[0].Type.Width() == 4 {
		w, g = int64(uint32(w)), int64(uint32(g))
	}
	if w != g {
		return fmt.Errorf("%s is %s, not %s", name, got[name], want)
	}
	return nil
}

func compare(vars variables, event string, want, got words) error {
	var wrong []string
	of := map[string]string{} // number: the variable that it is
	for name, w := range want {
		if strings.HasPrefix(w, "@") {
			if other := of[got[name]]; other != "" && other != w {
				wrong = append(wrong, fmt.Sprintf("%s and %s are both %s", w, other, got[name]))
			}
			of[got[name]] = w
		}
		if name == "^" {
			if err := returned(event, w, got); err != nil {
				wrong = append(wrong, err.Error())
			}
		} else if g, ok := got[name]; !ok {
			wrong = append(wrong, name+" is missing")
		} else if !vars.matches(w, g) {
			wrong = append(wrong, fmt.Sprintf("%s is %.300s, not %.300s", name, g, w))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return nil
}

// The comparison must be able to fail.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		want, got string
		ok        bool
	}{
		{"res=1 size=?", `res=1 size='x'`, true},
		{"res=1", "res=2", false},
		{"res=1", "size=1", false},
		{"res=?", "res=-", false},
		{"res=+", "res=0", false},
		{"res=+", "res=-3", false},
		{`data='/proc/*`, `data='/proc/self'`, true},
		{`data='/proc/*`, `data='/sys'`, false},
		{`data=~id=/a`, `data='cpu=/\x00uid=/a'`, true},
		{`data=~id=/a`, `data='cpu=/'`, false},
		{"res=7±2", "res=9", true},
		{"res=7±2", "res=4", false},
		{"res=7±2", "res=-", false},
		{"res=@x size=@x", "res=7 size=7", true},
		{"res=@x size=@x", "res=7 size=8", false},
		{"res=@x", "res=0", false},
		{"res=@x size=@y", "res=7 size=8", true},
		{"res=@x size=@y", "res=7 size=7", false},
		{"^=7", "res=7", true},
		{"^=7", "res=8", false},
		{"^=-7", "res=-7", true},
		{"^=7", "size=7", false},
		{"^=7", "res=-", false},
	} {
		vars := variables{}
		err := compare(vars, "read_x", parseWords(strings.Fields(c.want)), parseWords(strings.Fields(c.got)))
		if (err == nil) != c.ok {
			t.Errorf("%s against %s: %v", c.want, c.got, err)
		}
	}
	full := complete("read_x", words{"res": "1"}, "32")
	if full["abi"] != "32" || full["rec"] != "-" {
		t.Errorf("an expectation became %v", full)
	}
	if full = complete("execve_x", words{"res": "0", "rec": "cut"}, "32"); full["abi"] != "64" || full["rec"] != "cut" {
		t.Errorf("an expectation became %v", full)
	}
}
