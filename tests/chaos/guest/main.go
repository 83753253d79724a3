// SPDX-License-Identifier: Apache-2.0

// Command guest is what tests/chaos runs in a guest: scenarios that are unkind to the module, one after the other. Each says
// how it went, and what memory has become less:
//
//	chaos: kill ok rounds=20 produced=81234 lost=120
//	chaos: kill memory Free 683000 682900
//	chaos: storm FAIL CPU 0: seq 17, not 16
//
// The module is loaded when a scenario begins and when it ends. Reading order: this file, reader.go (a consumer that checks
// what it reads), books.go (the ledger), then the scenario.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

// scenario is one way to be unkind. run says how it went in words of the form name=value.
type scenario struct {
	name string
	run  func(*stage) error
}

// scenarios stand in the order in which they are played when none are named.
var scenarios = []scenario{
	{"params", params},
	{"refusals", refusals},
	{"mappings", mappings},
	{"openclose", openClose},
	{"resize", resize},
	{"several", several},
	{"storm", storm},
	{"nested", nested},
	{"kill", kill},
	{"stop", stopped},
	{"crash", crash},
	{"fork", forked},
	{"ioctls", ioctls},
	{"scribble", scribble},
	{"unserved", unserved},
	{"racing", racing},
	{"hotplug", hotplug},
	{"unload", unload},
	{"nap", nap},
	{"suspend", suspend},
	{"lockdown", lockdown}, // last: nothing lifts it
}

// stage is what a scenario acts on.
type stage struct {
	name  string
	long  bool
	rng   *rand.Rand
	words []string
	load  string // program that makes system calls
}

// count is how often something is done: in the short form or in the long one.
func (s *stage) count(short, long int) int {
	if s.long {
		return long
	}
	return short
}

// say adds a word to the report.
func (s *stage) say(format string, args ...any) {
	s.words = append(s.words, fmt.Sprintf(format, args...))
}

func main() {
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		if err := roles[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
			os.Exit(1)
		}
		return
	}
	long := flag.Bool("long", false, "full counts")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of all that is random")
	load := flag.String("load", "/files/load", "program that makes system calls")
	flag.Parse()

	failed := 0
	for _, sc := range scenarios {
		if flag.NArg() > 0 && !slices.Contains(flag.Args(), sc.name) {
			continue
		}
		s := &stage{name: sc.name, long: *long, load: *load, rng: rand.New(rand.NewPCG(*seed, 1))}
		s.say("seed=%d", *seed)
		if !play(s, sc.run) {
			failed++
		}
	}
	fmt.Println("chaos: done")
	if failed > 0 {
		os.Exit(1)
	}
}

// play runs one scenario, and tells.
func play(s *stage, run func(*stage) error) bool {
	kmsg(s.name + " begins")
	fmt.Printf("chaos: %s begins\n", s.name)
	before, began := memory(), time.Now()
	err := run(s)
	after, merr := settle(before)
	s.say("seconds=%.1f", time.Since(began).Seconds())
	err = errors.Join(err, merr)
	for _, name := range compared {
		fmt.Printf("chaos: %s memory %s %d %d\n", s.name, name, before[name], after[name])
	}
	if err != nil {
		fmt.Printf("chaos: %s FAIL %s %s\n", s.name, strings.ReplaceAll(err.Error(), "\n", "; "), strings.Join(s.words, " "))
		return false
	}
	fmt.Printf("chaos: %s ok %s\n", s.name, strings.Join(s.words, " "))
	return true
}

// kmsg puts a line between those of the kernel, so that a complaint can be put to its scenario.
func kmsg(text string) {
	if f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0); err == nil {
		fmt.Fprintf(f, "<6>chaos: %s\n", text)
		f.Close()
	}
}
