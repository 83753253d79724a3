// SPDX-License-Identifier: Apache-2.0

// Package model has the memory ordering of a ring as spin understands it, and
// lets spin search all that can happen: in the model as it is nothing goes
// wrong, and in each of its mutants something does.
package model

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// mutants are those that ring.pml lists.
func mutants(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("ring.pml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^ \*   ([A-Z_]+)  +`).FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
		if !strings.Contains(string(text), "def "+m[1]+"\n") {
			t.Errorf("ring.pml lists %s and does not have it", m[1])
		}
	}
	if len(names) == 0 {
		t.Fatal("ring.pml lists no mutants")
	}
	return names
}

// search gives what spin's verifier says of a mutant, or of the model itself.
func search(t *testing.T, mutant string) string {
	t.Helper()
	model, err := filepath.Abs("ring.pml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	words := []string{"-a", model}
	if mutant != "" {
		words = []string{"-D" + mutant, "-a", model}
	}
	run := func(name string, words ...string) string {
		cmd := exec.Command(name, words...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	run("spin", words...)
	run("gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
	return run("./pan", "-m1000000")
}

var result = regexp.MustCompile(`errors: (\d+)`)

func TestRing(t *testing.T) {
	vm.Tool(t, "spin", "spin")
	vm.Tool(t, "gcc", "gcc")
	said := search(t, "")
	errors := result.FindStringSubmatch(said)
	if errors == nil || errors[1] != "0" || strings.Contains(said, "max search depth too small") {
		t.Fatalf("the ring:\n%s", said)
	}
	for _, mutant := range mutants(t) {
		t.Run(mutant, func(t *testing.T) {
			said := search(t, mutant)
			if errors := result.FindStringSubmatch(said); errors == nil || errors[1] == "0" {
				t.Errorf("spin finds nothing wrong with it:\n%s", said)
			}
		})
	}
}
