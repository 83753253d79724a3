// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// daemonCase is a black-box case: a script, and what its streams must say.
type daemonCase struct {
	ID       string   `yaml:"id"`
	Script   string   `yaml:"sh"`
	Code     int      `yaml:"rc"`
	Out      []string `yaml:"out"`
	Err      []string `yaml:"err"`
	NotOut   []string `yaml:"nout"`
	NotErr   []string `yaml:"nerr"`
	OutEmpty bool     `yaml:"out_empty"`
	ErrEmpty bool     `yaml:"err_empty"`
	By       string   `yaml:"by"`
	Need     string   `yaml:"need"`
	Note     string   `yaml:"note"`
	Limit    int      `yaml:"limit"`
}

// TestConformanceDaemon plays every case of daemon-cases.md, or of the file that
// DAEMON_CASES names, against the program. What fails has to stand in
// notYet, and what stands there has to fail: the list can only get shorter.
func TestConformanceDaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the program")
	}
	name := os.Getenv("DAEMON_CASES")
	if name == "" {
		name = shared(t, "spec/daemon-cases.md")
	}
	fixtures, err := filepath.Abs(shared(t, "data/cases"))
	if err != nil {
		t.Fatal(err)
	}
	cases := readDaemonCases(t, name)
	program := binary(t)
	have := map[string]bool{"": true}
	_, err = os.Stat("/dev/falco")
	have["kmod"], have["nokmod"] = err == nil, errors.Is(err, os.ErrNotExist)
	var todo []*daemonCase
	var elsewhere []string
	for i := range cases {
		if have[cases[i].Need] {
			todo = append(todo, &cases[i])
		} else {
			elsewhere = append(elsewhere, cases[i].ID)
		}
	}
	wrong := make([][]string, len(todo))
	dir := t.TempDir()
	var wg sync.WaitGroup
	next := make(chan int)
	for range 6 { // most cases sleep
		wg.Go(func() {
			for i := range next {
				wrong[i] = todo[i].play(t.Context(), filepath.Join(dir, todo[i].ID), program, fixtures)
			}
		})
	}
	for i := range todo {
		next <- i
	}
	close(next)
	wg.Wait()
	passed, left := 0, 0
	for i, c := range todo {
		t.Run(c.ID, func(t *testing.T) {
			why, expected := notYet[c.ID]
			switch {
			case len(wrong[i]) == 0 && expected:
				t.Errorf("passes: take it from the list (%s)", why)
			case len(wrong[i]) == 0:
				passed++
			case expected:
				left++
				t.Logf("not yet: %s", why)
			default:
				t.Errorf("%s\n%s", c.Script, strings.Join(wrong[i], "\n"))
			}
		})
	}
	t.Logf("%d cases, %d played, %d pass, %d not yet, %d need another machine: %s", len(cases), len(todo), passed, left, len(elsewhere), strings.Join(elsewhere, " "))
}

// readDaemonCases returns the cases of the blocks of a page.
func readDaemonCases(t *testing.T, name string) []daemonCase {
	t.Helper()
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var cases []daemonCase
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile("(?ms)^```yaml cases\n(.*?)^```").FindAllSubmatch(page, -1) {
		var block []daemonCase
		dec := yaml.NewDecoder(bytes.NewReader(m[1]))
		dec.KnownFields(true)
		if err := dec.Decode(&block); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cases = append(cases, block...)
	}
	for i := range cases {
		c := &cases[i]
		if err := c.decide(); err != nil {
			t.Error(err)
		}
		if seen[c.ID] {
			t.Fatalf("%s: %s stands there twice", name, c.ID)
		}
		seen[c.ID] = true
	}
	if len(cases) == 0 {
		t.Fatalf("%s holds no cases", name)
	}
	return cases
}

// play runs the script in a copy of the fixtures and returns what is wrong.
func (c *daemonCase) play(ctx context.Context, dir, program, fixtures string) (wrong []string) {
	work := filepath.Join(dir, "w")
	if err := os.CopyFS(work, os.DirFS(fixtures)); err != nil {
		return []string{err.Error()}
	}
	// What is given may be read-only, and the copy is to be written to.
	filepath.WalkDir(work, func(p string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(p, 0o755)
		} else if err == nil {
			err = os.Chmod(p, 0o644)
		}
		return err
	})
	limit := 30 * time.Second
	if c.Limit > 0 {
		limit = time.Duration(c.Limit) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "bash", "-c", c.Script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = work, &out, &errs
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "LC_ALL=C.UTF-8", "F=" + program, "HOME=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	defer os.RemoveAll(dir)
	if ctx.Err() != nil {
		return []string{fmt.Sprintf("took longer than %v", limit)}
	}
	if code := cmd.ProcessState.ExitCode(); code != c.Code {
		wrong = append(wrong, fmt.Sprintf("exit code %d, want %d (%v)", code, c.Code, err))
	}
	for _, s := range []struct {
		name    string
		text    string
		has     []string
		hasNot  []string
		nothing bool
	}{
		{"stdout", out.String(), c.Out, c.NotOut, c.OutEmpty},
		{"stderr", errs.String(), c.Err, c.NotErr, c.ErrEmpty},
	} {
		for _, r := range s.has {
			if found, err := matches(r, s.text); err != nil || !found {
				wrong = append(wrong, fmt.Sprintf("%s has no %s %v", s.name, r, err))
			}
		}
		for _, r := range s.hasNot {
			if found, err := matches(r, s.text); err != nil || found {
				wrong = append(wrong, fmt.Sprintf("%s has %s %v", s.name, r, err))
			}
		}
		if s.nothing && s.text != "" {
			wrong = append(wrong, s.name+" is not empty")
		}
	}
	if len(wrong) > 0 {
		wrong = append(wrong, "-- stdout\n"+tail(out.String())+"\n-- stderr\n"+tail(errs.String()))
	}
	return wrong
}

// matches looks for an expression that was written for Python: \Z is the end of
// the text there, and ours is \z.
func matches(expr, text string) (bool, error) {
	re, err := regexp.Compile("(?m)" + strings.ReplaceAll(expr, `\Z`, `\z`))
	return err == nil && re.MatchString(text), err
}

func tail(s string) string { return s[max(0, len(s)-1500):] }

// notYet names the cases that fail, and why. It must not grow.
var notYet = map[string]string{}

// decided says where a case follows what has been decided since it was written:
// in its script or in its patterns the first text of a pair is the second one.
// Each pair has to be found.
var decided = map[string][]string{
	// Messages of libraries that we do not use keep their place and not their words.
	"DC-061": {`yaml-cpp: error at line 2, column 1`, `error at line 2`},
	"DC-411": {`libcurl failed to perform call`, `http: `},
	// Outputs do not block each other; the message names the one that hangs.
	"DC-220": {`output timeout, all output channels are blocked`, `output timeout`},
	"DC-418": {`output timeout, all output channels are blocked`, `output timeout`},
	// There is one device.
	"DC-279": {`/dev/falco0`, `/dev/falco`},
	// A reload stops nothing, and so prints no statistics.
	"DC-302": {`Events detected: 0[\s\S]*Events detected: 0`, `\AEvents detected: 0`},
}

// decide applies what has been decided to c.
func (c *daemonCase) decide() error {
	pair := decided[c.ID]
	if pair == nil {
		return nil
	}
	found := false
	for _, list := range [][]string{{c.Script}, c.Out, c.Err} {
		for i, text := range list {
			now := strings.ReplaceAll(text, pair[0], pair[1])
			found = found || now != text
			if list[i] = now; i == 0 && text == c.Script {
				c.Script = now
			}
		}
	}
	if !found {
		return fmt.Errorf("%s: %q is not there any more", c.ID, pair[0])
	}
	return nil
}
