// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// programs are what is built, and from where.
var programs = []struct{ name, source string }{
	{"falco", "./daemon"},
	{"falcosidekick", "./daemon/sidekick"},
}

// stage puts together in dir what the repository does not have as a file: the
// binaries, the module's sources with their DKMS recipe, scripts, documents. The
// recipe nfpm.yaml calls dir @STAGE@.
func (r *release) stage(dir, arch string) error {
	for _, p := range programs {
		if err := r.build(filepath.Join(dir, p.name), p.source, arch); err != nil {
			return err
		}
	}
	if err := r.source(filepath.Join(dir, "src")); err != nil {
		return fmt.Errorf("sources of the module: %w", err)
	}
	if err := r.scripts(filepath.Join(dir, "scripts")); err != nil {
		return err
	}
	if err := r.configuration(filepath.Join(dir, "falco.yaml")); err != nil {
		return err
	}
	for _, p := range programs {
		page, err := os.ReadFile(filepath.Join(r.root, "packaging", "man", p.name+".8"))
		if err != nil {
			return err
		}
		if err := put(filepath.Join(dir, p.name+".8.gz"), compress(page), 0o644); err != nil {
			return err
		}
	}
	if err := r.changelog(filepath.Join(dir, "doc")); err != nil {
		return err
	}
	if arch == hostArch() {
		return r.printed(dir, "")
	}
	for _, p := range programs {
		if err := r.build(filepath.Join(dir, p.name+".host"), p.source, hostArch()); err != nil {
			return err
		}
	}
	return r.printed(dir, ".host")
}

// build compiles a program, and asks the result whether it stands alone.
func (r *release) build(to, source, arch string) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version="+r.version, "-o", to, source)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOAMD64=", "GOARM64=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	f, err := elf.Open(to)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s asks for an interpreter: it is not static", to)
		}
	}
	return nil
}

// sourceFiles lists what of driver/ builds the module, by what the files are:
// whatever is added there is shipped, whatever a build leaves there is not.
func sourceFiles(driver string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(driver, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != driver && strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		made := strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".mod.c") || name == "features.h"
		known := slices.Contains([]string{"Kbuild", "Makefile", "LICENSE", "README.md"}, name) ||
			slices.Contains([]string{".c", ".h", ".sh"}, filepath.Ext(name))
		if !made && known {
			rel, err := filepath.Rel(driver, path)
			if err != nil {
				return err
			}
			files = append(files, rel)
		}
		return nil
	})
	return files, err
}

// source lays out /usr/src/falco-VERSION.
func (r *release) source(dir string) error {
	driver := filepath.Join(r.root, "driver")
	files, err := sourceFiles(driver)
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(driver, name))
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if bytes.HasPrefix(text, []byte("#!")) {
			mode = 0o755
		}
		if err := put(filepath.Join(dir, name), text, mode); err != nil {
			return err
		}
	}
	for _, name := range []string{"dkms.conf", "sign.sh"} {
		text, err := os.ReadFile(filepath.Join(r.root, "dkms", name))
		if err != nil {
			return err
		}
		text = bytes.ReplaceAll(text, []byte("@VERSION@"), []byte(r.version))
		mode := fs.FileMode(0o644)
		if bytes.HasPrefix(text, []byte("#!")) {
			mode = 0o755
		}
		if err := put(filepath.Join(dir, name), text, mode); err != nil {
			return err
		}
	}
	return nil
}

// configuration is falco.yaml with the one thing that is other on a machine with
// systemd: standard output goes nowhere there, and the journal listens to syslog.
func (r *release) configuration(to string) error {
	text, err := os.ReadFile(filepath.Join(r.root, "falco.yaml"))
	if err != nil {
		return err
	}
	const is, be = "syslog_output:\n  enabled: false\n", "syslog_output:\n  enabled: true                             # default: false\n"
	if bytes.Count(text, []byte(is)) == 1 {
		text = bytes.Replace(text, []byte(is), []byte(be), 1)
	} else if !bytes.Contains(text, []byte("syslog_output:\n  enabled: true")) {
		return fmt.Errorf("falco.yaml: no syslog_output to turn on")
	}
	return put(to, text, 0o644)
}

// changelog is what package managers show of the history, for rpm in the words of
// nfpm, for Debian in its own: a package without a revision calls it changelog.gz.
func (r *release) changelog(dir string) error {
	const who = "The falco-go authors <falco-go@users.noreply.github.com>"
	rpm := fmt.Appendf(nil, "- semver: %s-1\n  date: %s\n  packager: %s\n  changes:\n    - note: Version %s.\n", r.version, r.time.Format(time.RFC3339), who, r.version)
	if err := put(filepath.Join(dir, "changelog.yaml"), rpm, 0o644); err != nil {
		return err
	}
	deb := fmt.Appendf(nil, "falco (%s) unstable; urgency=medium\n\n  * Version %s.\n\n -- %s  %s\n", debVersion(r.version), r.version, who, r.time.Format(time.RFC1123Z))
	return put(filepath.Join(dir, "changelog.gz"), compress(deb), 0o644)
}

// debVersion is how nfpm turns a version into Debian's: what comes before a
// release sorts before it.
func debVersion(version string) string {
	number, pre, found := strings.Cut(version, "-")
	if !found {
		return version
	}
	return number + "~" + pre
}

// printed are documents that programs print about themselves; suffix is that of those which run here.
func (r *release) printed(dir, suffix string) error {
	for _, page := range pages {
		out, err := exec.Command(filepath.Join(dir, page.program+suffix), page.words...).Output()
		if err != nil {
			return fmt.Errorf("%s %s: %w", page.program, strings.Join(page.words, " "), err)
		}
		if err := put(filepath.Join(dir, page.name), out, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pages are what programs print about themselves.
var pages = []struct {
	name    string
	program string
	words   []string
}{
	{"completion/falco.bash", "falco", []string{"completion", "bash"}},
	{"completion/_falco", "falco", []string{"completion", "zsh"}},
	{"completion/falco.fish", "falco", []string{"completion", "fish"}},
	{"completion/falcosidekick.bash", "falcosidekick", []string{"completion", "bash"}},
	{"completion/_falcosidekick", "falcosidekick", []string{"completion", "zsh"}},
	{"completion/falcosidekick.fish", "falcosidekick", []string{"completion", "fish"}},
	{"schema/falco.schema.json", "falco", []string{"--config-schema"}},
	{"schema/rules.schema.json", "falco", []string{"--rule-schema"}},
}

// compress makes what gzip -9n makes: no name, no time.
func compress(text []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a good one
	w.Write(text)                                         // into memory
	w.Close()
	return b.Bytes()
}

// put writes a file and makes its folder.
func put(name string, text []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name, text, mode); err != nil {
		return err
	}
	return os.Chmod(name, mode) // whatever the umask says
}

// hostArch is the architecture that runs here.
func hostArch() string { return runtime.GOARCH }
