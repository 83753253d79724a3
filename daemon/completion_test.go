// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

func TestCompletions(t *testing.T) {
	for _, tc := range []struct {
		line    string // words; the last one is typed half
		want    string // among what comes, "" for nothing at all
		never   string
		files   bool
		nospace bool
	}{
		{line: "", want: "record", never: "--help"},
		{line: "re", want: "read", never: "ps"},
		{line: "--list-", want: "--list-events", never: "--list"},
		{line: "-", want: "-V", never: "-A"}, // of an old version
		{line: "-r ", files: true},
		{line: "-Lr ", files: true},
		{line: "--list ", want: ""}, // its argument stands behind "="
		{line: "--list=s", want: "--list=syscall"},
		{line: "--format ", want: "markdown"},
		{line: "--format=j", want: "--format=json", never: "--format=text"},
		{line: "-o json_o", want: "json_output=", nospace: true},
		{line: "-o rules_f", want: "rules_files[]=", never: "rules_file=", nospace: true},
		{line: "--option=engine.k", want: "--option=engine.kind=", nospace: true},
		{line: "-r a.yaml ", want: ""}, // a verb is one only in the first place
		{line: "ps --", want: "--diff-proc"},
		{line: "read ", files: true},
		{line: "read --filter ", files: true},
		{line: "fds ", want: ""},
		{line: "completion z", want: "zsh", never: "bash"},
		{line: "completion zsh ", want: ""},
		{line: "driver un", want: "unload", never: "load"},
		{line: "doctor -", want: "-c", never: "--config"},
		{line: "--zzz=", want: ""},
	} {
		c := completions(strings.Split(tc.line, " "))
		var words []string
		for _, x := range c.words {
			words = append(words, x.word)
		}
		if tc.want == "" && len(words) > 0 || tc.want != "" && !slices.Contains(words, tc.want) || tc.never != "" && slices.Contains(words, tc.never) {
			t.Errorf("%q: %q", tc.line, words)
		}
		if c.files != tc.files || c.nospace != tc.nospace {
			t.Errorf("%q: files %v, nospace %v", tc.line, c.files, c.nospace)
		}
	}
}

// Every option of today that --help shows has a completion, and a place in the manual page.
func TestCompletionAndManualAreWhole(t *testing.T) {
	var help, page bytes.Buffer
	printHelp(&help, false)
	printMan(&page)
	text := strings.ReplaceAll(page.String(), "\\-", "-")
	for i := range options {
		o := &options[i]
		for _, name := range []string{"-" + o.short, "--" + o.long} {
			if strings.TrimLeft(name, "-") == "" {
				continue
			}
			if o.help != "" && !strings.Contains(text, "\\fB"+name+"\\fR") {
				t.Errorf("%s is not in the manual page", name)
			}
			if o.legacy() {
				continue
			}
			if !strings.Contains(help.String(), name) {
				t.Errorf("%s is not in the help", name)
			}
			if !slices.ContainsFunc(completions([]string{name}).words, func(c candidate) bool { return c.word == name }) {
				t.Errorf("%s has no completion", name)
			}
		}
	}
	for _, v := range verbs() {
		if !strings.Contains(text, "\\fBfalco "+v.name+"\\fR") {
			t.Errorf("%s is not in the manual page", v.name)
		}
	}
}

// The page in packaging/ is the one that the program prints.
func TestManualIsFresh(t *testing.T) {
	var page bytes.Buffer
	printMan(&page)
	have, err := os.ReadFile("../packaging/man/falco.8")
	if err != nil || !bytes.Equal(have, page.Bytes()) {
		t.Errorf("packaging/man/falco.8 is not what falco man prints (%v): make generate", err)
	}
}

// overstrike is how mandoc prints bold letters.
var overstrike = regexp.MustCompile(".\x08")

// groff and mandoc have nothing to say against it.
func TestManualRenders(t *testing.T) {
	const page = "../packaging/man/falco.8"
	groff := vm.Tool(t, "groff", "groff-base")
	out, err := exec.Command(groff, "-man", "-ww", "-z", "-Tutf8", page).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
	mandoc := vm.Tool(t, "mandoc", "mandoc")
	out, err = exec.Command(mandoc, "-T", "lint", "-W", "warning", page).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
	out, err = exec.Command(mandoc, "-T", "ascii", page).Output()
	plain := overstrike.ReplaceAllString(string(out), "")
	if err != nil || !strings.Contains(plain, "falco - watches the system calls") || !strings.Contains(plain, "-V, --validate rules_file") {
		t.Errorf("mandoc prints (%v):\n%.2000s", err, plain)
	}
}

// The scripts work in the shells that they are for: what each of them offers is compared.
func TestShells(t *testing.T) {
	dir := t.TempDir()
	falco := filepath.Join(dir, "falco")
	if out, err := exec.Command("go", "build", "-o", falco, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "some.yaml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	file := func(shell string) string {
		name := filepath.Join(dir, "completion."+shell)
		if err := os.WriteFile(name, []byte(shells[shell]), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	run := func(shell, pkg, script string, args ...string) string {
		t.Helper()
		cmd := exec.Command(vm.Tool(t, shell, pkg), append(args, "-c", script)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
		return string(out)
	}
	lines := []struct {
		typed, want string // what is offered
	}{
		{"falco re", "read record"},
		{"falco --config-", "--config-schema"},
		{"falco --format ", "json markdown text"},
		{"falco -o json_include_t", "json_include_tags_property="},
		{"falco completion ", "bash fish zsh"},
		{"falco -r so", "some.yaml"},
	}
	for _, tc := range lines {
		t.Run("bash "+tc.typed, func(t *testing.T) {
			out := run("bash", "bash", fmt.Sprintf(`source %q; COMP_LINE=%q; COMP_POINT=${#COMP_LINE}; _falco; printf '%%s\n' "${COMPREPLY[@]}" | sort -u | xargs`, file("bash"), tc.typed))
			if strings.TrimSpace(out) != tc.want {
				t.Errorf("%q, want %q", out, tc.want)
			}
		})
		t.Run("fish "+tc.typed, func(t *testing.T) {
			out := run("fish", "fish", fmt.Sprintf(`source %q; complete -C%q | cut -f1 | sort -u | xargs`, file("fish"), tc.typed))
			if strings.TrimSpace(out) != tc.want {
				t.Errorf("%q, want %q", out, tc.want)
			}
		})
		t.Run("zsh "+tc.typed, func(t *testing.T) {
			// Its widgets want a terminal: what they would be given is looked at instead.
			out := run("zsh", "zsh", fmt.Sprintf(`
				compdef() { :; }
				_describe() { local name=$3 w; for w in "${(@P)name}"; do print -r -- "${w%%%%:*}"; done; }
				_files() { print -l -- ${words[CURRENT]}*; }
				source %q
				typed=%q; words=("${(@s: :)typed}"); CURRENT=${#words}
				_falco | sort -u | xargs`, file("zsh"), tc.typed), "-f")
			if strings.TrimSpace(out) != tc.want {
				t.Errorf("%q, want %q", out, tc.want)
			}
		})
	}
	for shell, pkg := range map[string]string{"bash": "bash", "zsh": "zsh", "fish": "fish"} {
		if out, err := exec.Command(vm.Tool(t, shell, pkg), "-n", file(shell)).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s -n: %v\n%s", shell, err, out)
		}
	}
	if out := run("bash", "bash", fmt.Sprintf(`source %q; COMP_LINE="falco --format=j"; COMP_POINT=${#COMP_LINE}; _falco; echo "${COMPREPLY[@]}"`, file("bash"))); out != "json\n" {
		t.Errorf("behind = bash is offered %q", out)
	}
}
