// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if program.dir != "" {
		os.RemoveAll(program.dir)
	}
	os.Exit(code)
}

// program is the daemon, built once if anybody asks.
var program struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func build() {
	p := &program
	if p.dir, p.err = os.MkdirTemp("", "falco-conformance-"); p.err != nil {
		return
	}
	p.path = filepath.Join(p.dir, "falco")
	cmd := exec.Command("go", "build", "-o", p.path, "./daemon")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		p.err = fmt.Errorf("go build: %w\n%s", err, out)
	}
}

// binary returns the path of the program.
func binary(t *testing.T) string {
	t.Helper()
	program.once.Do(build)
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

// falco runs the program and returns what it prints.
func falco(t *testing.T, args ...string) []byte {
	t.Helper()
	binary(t)
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program.path, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("falco: %v\n%s", err, stderr.Bytes())
	}
	return stdout.Bytes()
}

// reasons are the differences from the original that are meant, by their reason.
type reasons map[string]int

func (r reasons) check(t *testing.T, want reasons) {
	t.Helper()
	for why, n := range r {
		if want[why] != n {
			t.Errorf("%d times: %s; want %d", n, why, want[why])
		}
	}
	for why, n := range want {
		if r[why] == 0 {
			t.Errorf("never: %s; want %d", why, n)
		}
	}
}
