// SPDX-License-Identifier: Apache-2.0

// Package herd makes many processes for a test, real ones.
package herd

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// Live lets so many processes with so many descriptors each live until stop is called. source is
// where tests/state/acts/herd.c lies.
func Live(t testing.TB, source string, processes, descriptors int) (stop func()) {
	t.Helper()
	program, err := vm.BuildC(source, nil)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, strconv.Itoa(processes), strconv.Itoa(descriptors))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { in.Close(); cmd.Wait() }
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		stop()
		t.Fatalf("the herd says %q, %v", line, err)
	}
	return stop
}
