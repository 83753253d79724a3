// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// cliCases are the parts of the rules language's conformance cases that are
// about the command line. They are no part of this repository.
type cliCases struct {
	Selection struct{ Rules string }
	CLI       struct {
		Files map[string]string
		Cases []struct {
			ID, Args string
			RC       int
			Out, Err []string
			Dir      map[string]string
		}
	} `yaml:"cli"`
	Legacy []struct {
		ID, Flags         string
		RC                int
		Err               string
		Run               []string
		Output, Formatted string
	}
}

func loadCases(t *testing.T) *cliCases {
	t.Helper()
	name := os.Getenv("RULES_CONFORMANCE")
	if name == "" {
		shared := os.Getenv("FALCO_SHARED")
		if shared == "" {
			shared = filepath.Join("..", "..", "shared")
		}
		name = filepath.Join(shared, "spec", "rules-conformance.yaml")
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("SKIP all cases: FALCO_SHARED not found")
	}
	c := new(cliCases)
	if err == nil {
		err = yaml.Unmarshal(text, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// words splits a command line as a shell would; it knows quotes, no more.
func words(line string) (out []string) {
	word, in, quote := "", false, rune(0)
	for _, c := range line + " " {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word += string(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ':
			if in {
				out = append(out, word)
			}
			word, in = "", false
		default:
			word, in = word+string(c), true
		}
	}
	return out
}

// play runs falco in a fresh directory with files in it.
func play(t *testing.T, files map[string]string, args ...string) (code int, out, err string) {
	t.Helper()
	t.Chdir(t.TempDir())
	files["falco.yaml"] = "engine: {kind: nodriver}\nlog_stderr: true\nlog_syslog: false\nstdout_output: {enabled: true}\n"
	for name, text := range files {
		os.MkdirAll(filepath.Dir(name), 0o755)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	code = falco(append([]string{"falco", "-c", "falco.yaml"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestConformanceCLI(t *testing.T) {
	c := loadCases(t)
	t.Setenv("FALCO_STRICT_CLI", "1")
	if len(c.CLI.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, tc := range c.CLI.Cases {
		t.Run(tc.ID, func(t *testing.T) {
			files := map[string]string{"good.txt": c.CLI.Files["good.yaml"], "somedir/x": ""}
			for name, text := range c.CLI.Files {
				files[name] = text
			}
			for name, like := range tc.Dir {
				files[name] = c.CLI.Files[like]
			}
			code, out, err := play(t, files, words(tc.Args)...)
			if code != tc.RC {
				t.Errorf("%s: exit code %d, want %d", tc.Args, code, tc.RC)
			}
			inOrder(t, "stdout", out, tc.Out)
			inOrder(t, "stderr", err, tc.Err)
			if len(tc.Out) == 0 && out != "" {
				t.Errorf("%s: stdout is not empty:\n%s", tc.Args, out)
			}
		})
	}
}

func inOrder(t *testing.T, what, text string, parts []string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			t.Errorf("%s lacks %q in\n%s", what, p, text)
			return
		}
		rest = after
	}
}

// The options of old versions, in default mode.
func TestConformanceLegacy(t *testing.T) {
	c := loadCases(t)
	for _, tc := range c.Legacy {
		switch {
		case tc.Flags == "":
			continue // about the language alone
		case tc.Output != "":
			t.Run(tc.ID, func(t *testing.T) {
				rule := "- rule: r\n  desc: d\n  condition: evt.type=open\n  output: " + tc.Output + "\n  priority: INFO\n"
				code, out, err := play(t, map[string]string{"r.yaml": rule}, append(words(tc.Flags), "-r", "r.yaml", "-L", "-o", "json_output=true")...)
				if want := `"output_compiled":"` + tc.Formatted + `"`; code != 0 || !strings.Contains(out, want) {
					t.Errorf("%s: exit code %d, no %s in\n%s%s", tc.Flags, code, want, out, err)
				}
				if !strings.Contains(err, "LOAD_DEPRECATED_ITEM") {
					t.Errorf("%s: no warning in\n%s", tc.Flags, err)
				}
			})
		default:
			t.Run(tc.ID, func(t *testing.T) {
				code, _, err := play(t, map[string]string{"r.yaml": c.Selection.Rules}, append(words(tc.Flags), "-r", "r.yaml", "-o", "log_level=debug", "--dry-run")...)
				if code != tc.RC || !strings.Contains(err, tc.Err) {
					t.Fatalf("%s: exit code %d, want %d with %q:\n%s", tc.Flags, code, tc.RC, tc.Err, err)
				}
				if code != 0 {
					return
				}
				var runs []string
				_, list, _ := strings.Cut(err, ": Enabled rules:\n")
				for _, line := range strings.Split(list, "\n") {
					name, ok := strings.CutPrefix(line[min(len(line), strings.Index(line, ": ")+2):], "   ")
					if !ok {
						break
					}
					runs = append(runs, name)
				}
				if got, want := strings.Join(runs, ", "), strings.Join(tc.Run, ", "); got != want {
					t.Errorf("%s: %s run, want %s\n%s", tc.Flags, got, want, err)
				}
			})
		}
	}
}
