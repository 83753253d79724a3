// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// make install lays out what is in the tarball, and leaves the configuration that it finds.
func TestInstall(t *testing.T) {
	dir := t.TempDir()
	run(t, "tar", "-C", dir, "-xf", file(t, older, "tar.gz"))
	unpacked := filepath.Join(dir, strings.TrimSuffix(filepath.Base(file(t, older, "tar.gz")), ".tar.gz"))
	to := filepath.Join(dir, "root")
	install := func() string {
		return run(t, "make", "--no-print-directory", "-C", "../..", "install", "VERSION="+older, "DESTDIR="+to)
	}
	if out := install(); out != "" {
		t.Errorf("into an empty folder: %s", out)
	}
	run(t, "diff", "-r", "--no-dereference", unpacked, to)
	modes := func(dir string) string {
		return run(t, "sh", "-c", `cd "$1" && find . -mindepth 1 -printf '%m %p\n' | sort`, "sh", dir)
	}
	if have, want := modes(to), modes(unpacked); have != want {
		t.Errorf("modes:\n%s\nwant:\n%s", have, want)
	}

	changed := filepath.Join(to, "etc/falco/falco.yaml")
	const text = "# changed by hand\n"
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(to, "etc/falco/falco_rules.yaml")
	if err := os.Remove(rules); err != nil {
		t.Fatal(err)
	}
	silent := filepath.Join(dir, "fifo") // which nobody writes to
	if err := unix.Mkfifo(silent, 0o600); err != nil {
		t.Fatal(err)
	}
	running := exec.Command(filepath.Join(to, "usr/bin/falcosidekick"), "-c", silent)
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	defer running.Wait()
	defer running.Process.Kill()
	if out := install(); !strings.Contains(out, "kept "+changed+"\n") || strings.Count(out, "kept ") != len(conffiles) {
		t.Errorf("a second time:\n%s", out)
	}
	if have, err := os.ReadFile(changed); err != nil || string(have) != text {
		t.Errorf("falco.yaml: %q, %v", have, err)
	}
	run(t, "diff", "-r", "--no-dereference", "-x", "falco.yaml", unpacked, to)
}
