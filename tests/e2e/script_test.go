// SPDX-License-Identifier: Apache-2.0

// Package e2e runs whole plays in a guest: a script acts, and the alerts that
// come out at the other end of the river are counted.
//
// The demo's play (demo_test.go) knows its own expectations. A *.txtar is a play
// of its own: rule files, a script, and how often each rule fires over all of
// it. A bug report can be pasted in as one:
//
//	-- rules --     a path a line, from the root of the repository or $FALCO_SHARED
//	-- args --      more arguments of the daemon, may be left out
//	-- act.sh --    the script; the demo's actor is in /files
//	-- expect --    "RULE N" a line; "N+" is N or more; no other rule fires
package e2e

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/falco-go/falco/tests/vm"
)

// script is a *.txtar, read.
type script struct {
	rules, args []string
	act         string
	expect      map[string]count
}

// count is how often a rule must fire.
type count struct {
	n      int
	orMore bool
}

func (c count) holds(n int) bool { return n == c.n || c.orMore && n > c.n }

func (c count) String() string {
	if c.orMore {
		return fmt.Sprint(c.n, "+")
	}
	return strconv.Itoa(c.n)
}

func parseScript(archive *txtar.Archive) (*script, error) {
	s := &script{expect: map[string]count{}}
	for _, file := range archive.Files {
		text := string(file.Data)
		switch file.Name {
		case "rules":
			s.rules = lines(text)
		case "args":
			s.args = strings.Fields(text)
		case "act.sh":
			s.act = text
		case "expect":
			for _, line := range lines(text) {
				i := strings.LastIndexByte(line, ' ')
				number, orMore := strings.CutSuffix(line[i+1:], "+")
				n, err := strconv.Atoi(number)
				if i < 0 || err != nil {
					return nil, fmt.Errorf("expect: %q is not RULE N", line)
				}
				s.expect[line[:i]] = count{n, orMore}
			}
		default:
			return nil, fmt.Errorf("%s: not a part of a script", file.Name)
		}
	}
	if len(s.rules) == 0 || s.act == "" || len(s.expect) == 0 {
		return nil, fmt.Errorf("rules, act.sh or expect is missing")
	}
	return s, nil
}

func lines(text string) (all []string) {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// judge compares what fired with what should, a line for each difference.
func (s *script) judge(fired map[string]int) (wrong []string) {
	for rule, want := range s.expect {
		if !want.holds(fired[rule]) {
			wrong = append(wrong, fmt.Sprintf("%s: fired %d times, want %v", rule, fired[rule], want))
		}
	}
	for rule, n := range fired {
		if _, expected := s.expect[rule]; !expected {
			wrong = append(wrong, fmt.Sprintf("%s: fired %d times, not expected at all", rule, n))
		}
	}
	return wrong
}

func TestScripts(t *testing.T) {
	names, err := filepath.Glob("*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d scripts, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(name, ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s, err := parseScript(archive)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, helpers := actors(t)
			config := vm.Config{Script: s.act, Files: helpers, FalcoArgs: s.args, Capture: true}
			for _, file := range s.rules {
				config.Rules = append(config.Rules, givenPath(t, file))
			}
			result := vm.Run(t, config)
			balanced(t, result)
			sameAgain(t, config, result)
			wrong := s.judge(result.Rules())
			for _, line := range wrong {
				t.Error(line)
			}
			if len(wrong) > 0 {
				t.Logf("alerts:\n%s", result.AlertText)
				t.Logf("act:\n%s", result.Act)
			}
		})
	}
}

// A script that goes wrong is noticed, without a guest.
func TestJudge(t *testing.T) {
	s, err := parseScript(txtar.Parse([]byte("-- rules --\na.yaml\n-- act.sh --\ntrue\n-- expect --\na rule 2\nanother 1+\n")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		fired map[string]int
		wrong int
	}{
		{map[string]int{"a rule": 2, "another": 1}, 0},
		{map[string]int{"a rule": 2, "another": 9}, 0},
		{map[string]int{"a rule": 1, "another": 1}, 1},
		{map[string]int{"a rule": 3}, 2},
		{map[string]int{"a rule": 2, "another": 1, "third": 1}, 1},
	} {
		if wrong := s.judge(tc.fired); len(wrong) != tc.wrong {
			t.Errorf("%v: %q", tc.fired, wrong)
		}
	}
	for _, bad := range []string{"", "-- rules --\na\n", "-- rules --\na\n-- act.sh --\nb\n-- expect --\nrule\n", "-- what --\n"} {
		if _, err := parseScript(txtar.Parse([]byte(bad))); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
