// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// captureCases are the black-box cases that are about captures: replayed, written,
// wrong. Their recordings are of 2016 to 2018.
var captureCases = []string{
	"DC-031", "DC-037", "DC-099", "DC-142", "DC-145", "DC-146", "DC-250", "DC-257", "DC-258", "DC-259", "DC-260", "DC-261",
	"DC-270", "DC-271", "DC-272", "DC-320", "DC-321", "DC-323", "DC-327", "DC-331", "DC-332", "DC-420", "DC-421", "DC-427",
}

// blackBox is a case: a line for the shell, and what comes of it.
type blackBox struct {
	ID, Sh, By, Note, Need string
	RC, Limit              int
	Out, Err, NOut, NErr   []string
	OutEmpty               bool `yaml:"out_empty"`
	ErrEmpty               bool `yaml:"err_empty"`
}

var caseBlock = regexp.MustCompile("(?sm)^```yaml cases\n(.*?)^```")

func blackBoxes(t *testing.T) map[string]blackBox {
	t.Helper()
	name := os.Getenv("DAEMON_CASES")
	if name == "" {
		name = shared(t, "spec/daemon-cases.md")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]blackBox{}
	for _, block := range caseBlock.FindAllSubmatch(text, -1) {
		var cases []blackBox
		if err := yaml.Unmarshal(block[1], &cases); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range cases {
			all[c.ID] = c
		}
	}
	return all
}

func TestConformanceCaptureCases(t *testing.T) {
	all := blackBoxes(t)
	fixtures := shared(t, "data/cases")
	falco := binary(t)
	for _, id := range captureCases {
		c, ok := all[id]
		if !ok {
			t.Errorf("%s is not there", id)
			continue
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "w")
			if err := os.CopyFS(dir, os.DirFS(fixtures)); err != nil {
				t.Fatal(err)
			}
			c.play(t, falco, dir)
		})
	}
}

// play runs the case in a folder of its own.
func (c *blackBox) play(t *testing.T, falco, dir string) {
	limit := 30 * time.Second
	if c.Limit > 0 {
		limit = time.Duration(c.Limit) * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", c.Sh)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "LC_ALL=C.UTF-8", "F=" + falco, "HOME=" + dir}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s: %v", c.Sh, err)
	}
	if code := cmd.ProcessState.ExitCode(); code != c.RC {
		t.Errorf("exit code %d, want %d", code, c.RC)
	}
	for _, part := range []struct {
		name     string
		text     []byte
		has, not []string
		empty    bool
	}{{"stdout", stdout.Bytes(), c.Out, c.NOut, c.OutEmpty}, {"stderr", stderr.Bytes(), c.Err, c.NErr, c.ErrEmpty}} {
		for _, want := range part.has {
			if !regexp.MustCompile("(?m)" + want).Match(part.text) {
				t.Errorf("%s has no %s", part.name, want)
			}
		}
		for _, not := range part.not {
			if regexp.MustCompile("(?m)" + not).Match(part.text) {
				t.Errorf("%s has %s", part.name, not)
			}
		}
		if part.empty && len(part.text) > 0 {
			t.Errorf("%s is not empty", part.name)
		}
	}
	if t.Failed() {
		t.Logf("%s\nstdout:\n%s\nstderr:\n%s", c.Sh, &stdout, &stderr)
	}
}
