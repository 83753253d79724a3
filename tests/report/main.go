// SPDX-License-Identifier: Apache-2.0

// Program report runs "go test" and closes with one line of counts, so that a
// suite that ran nothing cannot look like one that passed:
//
//	test-unit: 812 passed, 0 failed, 3 skipped
//
// What fails is printed in full, what is skipped with its reason. Usage:
//
//	report -name NAME [-least N] -- GO-TEST-ARGUMENTS
//
// It exits with 1 if anything failed or fewer than N tests ran.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"time"
)

// line is an event of test2json (go doc test2json).
type line struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// suite collects what a run says.
type suite struct {
	passed, failed, skipped int
	output                  map[string][]string // by package and test
	reasons                 map[string]int
	leaf                    map[string]bool // false: has subtests, not counted itself
}

func main() {
	name := flag.String("name", "test", "what the closing line calls the suite")
	least := flag.Int("least", 1, "fail if fewer tests pass")
	verbose := flag.Bool("v", false, "print what tests print as they print it")
	flag.Parse()
	os.Exit(run(*name, *least, *verbose, flag.Args()))
}

func run(name string, least int, verbose bool, args []string) int {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		return 1
	}
	s := &suite{output: map[string][]string{}, reasons: map[string]int{}, leaf: map[string]bool{}}
	start := time.Now()
	in := bufio.NewScanner(out)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var l line
		if json.Unmarshal(in.Bytes(), &l) != nil {
			fmt.Println(in.Text()) // a build's own words
			continue
		}
		s.take(l, verbose)
	}
	failed := cmd.Wait() != nil || in.Err() != nil
	var reasons []string
	for r, n := range s.reasons {
		reasons = append(reasons, fmt.Sprintf("SKIP %d cases: %s", n, r))
	}
	sort.Strings(reasons)
	for _, r := range reasons {
		fmt.Println(r)
	}
	if failed && s.failed == 0 {
		s.failed++ // did not build, or died
	}
	fmt.Fprintf(os.Stderr, "%s took %s\n", name, time.Since(start).Round(time.Second))
	fmt.Printf("%s: %d passed, %d failed, %d skipped\n", name, s.passed, s.failed, s.skipped)
	if s.failed > 0 {
		return 1
	}
	if s.passed < least {
		fmt.Printf("%s: expected at least %d to pass\n", name, least)
		return 1
	}
	return 0
}

func (s *suite) take(l line, verbose bool) {
	key := l.Package + " " + l.Test
	if i := strings.LastIndexByte(l.Test, '/'); i >= 0 {
		s.leaf[l.Package+" "+l.Test[:i]] = false
	}
	switch l.Action {
	case "run":
		if _, known := s.leaf[key]; !known {
			s.leaf[key] = true
		}
	case "output":
		if verbose {
			fmt.Print(l.Output)
		}
		if len(s.output[key]) < 1000 {
			s.output[key] = append(s.output[key], l.Output)
		}
	case "build-output":
		fmt.Print(l.Output)
	case "pass", "fail", "skip":
		s.end(l, key, verbose)
		delete(s.output, key)
	}
}

func (s *suite) end(l line, key string, verbose bool) {
	if l.Test == "" {
		if l.Action == "fail" && !verbose {
			fmt.Print(strings.Join(s.output[key], ""))
		} else if l.Action == "pass" {
			fmt.Printf("ok   %s %.1fs\n", l.Package, l.Elapsed)
		}
		return
	}
	if l.Action == "fail" && !verbose {
		fmt.Print(strings.Join(s.output[key], ""))
	}
	if !s.leaf[key] && l.Action != "fail" {
		return // its subtests are counted
	}
	switch l.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
	case "skip":
		s.skipped++
		s.reasons[reason(s.output[key])]++
	}
}

// reason returns what a skipped test said: its last line before the verdict.
func reason(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		text := strings.TrimSpace(output[i])
		if text == "" || strings.HasPrefix(text, "---") || strings.HasPrefix(text, "===") {
			continue
		}
		if _, said, ok := strings.Cut(text, ".go:"); ok {
			if _, said, ok = strings.Cut(said, ": "); ok {
				return said
			}
		}
		return text
	}
	return "no reason given"
}
