// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// The scripts work in the shells that they are for, and know what --help shows.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "some.yaml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program(t, "daemon/sidekick"), filepath.Join(dir, "falcosidekick")); err != nil {
		t.Fatal(err)
	}
	run := func(shell, script string, args ...string) string {
		t.Helper()
		cmd := exec.Command(vm.Tool(t, shell, shell), append(args, "-c", script)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
		return strings.Join(strings.Fields(string(out)), " ")
	}
	script := map[string]string{}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		text, err := exec.Command(program(t, "daemon/sidekick"), "completion", shell).Output()
		if err != nil {
			t.Fatal(err)
		}
		script[shell] = filepath.Join(dir, "script."+shell)
		if err := os.WriteFile(script[shell], text, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(vm.Tool(t, shell, shell), "-n", script[shell]).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s -n: %v\n%s", shell, err, out)
		}
		if !strings.Contains(string(text), "state-dir") || !strings.Contains(string(text), "validate") {
			t.Errorf("%s lacks flags:\n%s", shell, text)
		}
	}
	for _, c := range []struct{ words, want string }{
		{"--v", "--validate --version"}, {"--config-file so", "some.yaml"}, {"-c so", "some.yaml"}, {"completion ", "bash fish zsh"}, {"com", "completion"},
	} {
		words := "falcosidekick " + c.words
		list := strings.Split(words, " ")
		if got := run("bash", fmt.Sprintf(`source %q; COMP_WORDS=(%s ''); COMP_CWORD=%d; _falcosidekick; printf '%%s\n' "${COMPREPLY[@]}" | sort -u`, script["bash"], words, len(list)-1)); got != c.want {
			t.Errorf("bash: %s: %q, want %q", words, got, c.want)
		}
		if got := run("fish", fmt.Sprintf(`source %q; complete -C%q | cut -f1 | sort -u`, script["fish"], words)); got != c.want {
			t.Errorf("fish: %s: %q, want %q", words, got, c.want)
		}
	}
	// zsh's own function wants a terminal: what it is told is looked at instead.
	got := run("zsh", fmt.Sprintf(`_arguments() { print -l -- "$@" }; source %q`, script["zsh"]), "-f")
	for _, want := range []string{"(--config-file -c)--config-file[settings, in YAML; variables win over them]:file:_files", "(--config-file -c)-c[", "--validate[check", "2::shell:(bash fish zsh)"} {
		if !strings.Contains(got, want) {
			t.Errorf("zsh is not told %q: %s", want, got)
		}
	}
}
