// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

func TestMain(m *testing.M) {
	code := m.Run()
	clean()
	os.Exit(code)
}

// layout is what every package has, by mode and path. @ is the version.
var layout = []string{
	"drwxr-xr-x /etc/falco",
	"drwxr-xr-x /etc/falco/config.d",
	"-rw-r--r-- /etc/falco/config.d/falco.container_plugin.yaml",
	"-rw-r--r-- /etc/falco/falco.yaml",
	"-rw-r--r-- /etc/falco/falco-deprecated_rules.yaml",
	"-rw-r--r-- /etc/falco/falco-incubating_rules.yaml",
	"-rw-r--r-- /etc/falco/falco-sandbox_rules.yaml",
	"-rw-r--r-- /etc/falco/falco_rules.extended.yaml",
	"-rw-r--r-- /etc/falco/falco_rules.local.yaml",
	"-rw-r--r-- /etc/falco/falco_rules.yaml",
	"drwxr-xr-x /etc/falco/rules.d",
	"-rw-r--r-- /etc/falcoctl/falcoctl.yaml",
	"-rw-r--r-- /etc/logrotate.d/falco",
	"-rwxr-xr-x /usr/bin/falco",
	"-rwxr-xr-x /usr/bin/falco-driver-loader",
	"-rwxr-xr-x /usr/bin/falcosidekick",
	"-rw-r--r-- /usr/share/falco/falcosidekick.yaml",
	"-rw-r--r-- /usr/share/man/man8/falcosidekick.8.gz",
	"lrwxrwxrwx /usr/bin/falcoctl",
	"drwxr-xr-x /usr/share/falco/plugins",
	"drwxr-x--- /var/log/falco",
	"-rw-r--r-- /usr/share/man/man8/falco.8.gz",
	"-rw-r--r-- /usr/share/bash-completion/completions/falco",
	"-rw-r--r-- /usr/share/bash-completion/completions/falcosidekick",
	"drwxr-xr-x /usr/share/falco/schema",
	"-rw-r--r-- /usr/share/falco/schema/falco.schema.json",
	"-rw-r--r-- /usr/share/falco/schema/rules.schema.json",
	"-rw-r--r-- /usr/src/falco-@/Kbuild",
	"-rw-r--r-- /usr/src/falco-@/Makefile",
	"-rw-r--r-- /usr/src/falco-@/dkms.conf",
	"-rwxr-xr-x /usr/src/falco-@/sign.sh",
	"-rwxr-xr-x /usr/src/falco-@/compat/probe.sh",
	"-rw-r--r-- /usr/src/falco-@/schema_gen.c",
	"-rw-r--r-- /usr/src/falco-@/uapi/falco.h",
}

// units are in packages for package managers alone.
var units = []string{
	"-rw-r--r-- /usr/lib/systemd/system/falco-custom.service",
	"-rw-r--r-- /usr/lib/systemd/system/falco-kmod-inject.service",
	"-rw-r--r-- /usr/lib/systemd/system/falco-kmod.service",
	"-rw-r--r-- /usr/lib/systemd/system/falco-modern-bpf.service",
	"-rw-r--r-- /usr/lib/systemd/system/falcoctl-artifact-follow.service",
	"-rw-r--r-- /usr/lib/systemd/system/falcosidekick.service",
	"-rw-r--r-- /usr/lib/sysusers.d/falco.conf",
}

// conffiles are what an upgrade asks about, or keeps.
var conffiles = []string{"/etc/falco/falco.yaml", "/etc/falco/falco_rules.local.yaml", "/etc/falcoctl/falcoctl.yaml", "/etc/logrotate.d/falco"}

// listDeb lists a deb's files as layout does, by "mode path".
func listDeb(t *testing.T, file string) []string {
	var list []string
	for line := range strings.Lines(run(t, "dpkg-deb", "-c", file)) {
		f := strings.Fields(line)
		if f[1] != "root/root" {
			t.Errorf("%s belongs to %s", f[5], f[1])
		}
		list = append(list, linked(f[0])+" "+strings.TrimSuffix(strings.TrimPrefix(f[5], "."), "/"))
	}
	return list
}

// listRPM lists an rpm's.
func listRPM(t *testing.T, file string) []string {
	vm.Tool(t, "rpm", "rpm")
	out := run(t, "rpm", "-qp", "--qf", `[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]`, file)
	var list []string
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if f[1] != "root/root" {
			t.Errorf("%s belongs to %s", f[2], f[1])
		}
		list = append(list, linked(f[0])+" "+f[2])
	}
	return list
}

// linked gives all links one mode: nobody looks at their own.
func linked(mode string) string {
	if mode[0] == 'l' {
		return "lrwxrwxrwx"
	}
	return mode
}

// listTar lists a tarball's, below its one folder.
func listTar(t *testing.T, file string) []string {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	top := strings.TrimSuffix(filepath.Base(file), ".tar.gz")
	var list []string
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(h.Name, top+"/")
		if !ok || h.Uname != "root" || h.Uid != 0 {
			t.Errorf("%s of %s (%d)", h.Name, h.Uname, h.Uid)
		}
		kind := map[byte]string{tar.TypeReg: "-", tar.TypeDir: "d", tar.TypeSymlink: "l"}[h.Typeflag]
		list = append(list, kind+h.FileInfo().Mode().Perm().String()[1:]+" /"+strings.TrimSuffix(name, "/"))
	}
}

func TestContents(t *testing.T) {
	for _, c := range []struct {
		ext   string
		list  func(*testing.T, string) []string
		units bool
	}{{"deb", listDeb, true}, {"rpm", listRPM, true}, {"tar.gz", listTar, false}} {
		t.Run(c.ext, func(t *testing.T) {
			have := c.list(t, file(t, older, c.ext))
			for _, want := range layout {
				if want = strings.ReplaceAll(want, "@", older); !slices.Contains(have, want) {
					t.Errorf("there is no %q", want)
				}
			}
			for _, unit := range units {
				if slices.Contains(have, unit) != c.units {
					t.Errorf("%q: there %v, want %v", unit, !c.units, c.units)
				}
			}
			for _, name := range have {
				mode, path, _ := strings.Cut(name, " ")
				if strings.HasSuffix(path, ".o") || strings.HasSuffix(path, ".ko") || strings.HasSuffix(path, ".mod.c") || strings.HasSuffix(path, "features.h") {
					t.Errorf("%s was built somewhere", path)
				}
				if mode[0] != 'l' && (mode[5] == 'w' || mode[8] == 'w') {
					t.Errorf("%s is writable for others: %s", path, mode)
				}
			}
			if c.ext != "rpm" {
				return
			}
			for _, dir := range []string{"/etc", "/usr", "/usr/bin", "/usr/share", "/usr/src", "/usr/share/man", "/usr/share/man/man8"} {
				if slices.Contains(have, "drwxr-xr-x "+dir) {
					t.Errorf("the rpm owns %s", dir)
				}
			}
		})
	}
}

// The sources that are shipped are those that git has: nothing that a build of the module reads is left out.
func TestSourcesAreAll(t *testing.T) {
	out, err := exec.Command("git", "-C", root, "ls-files", "driver").Output()
	if err != nil {
		t.Skipf("SKIP 1 cases: no git here: %v", err)
	}
	have := listDeb(t, file(t, older, "deb"))
	for _, name := range strings.Fields(string(out)) {
		path := "/usr/src/falco-" + older + "/" + strings.TrimPrefix(name, "driver/")
		if strings.HasPrefix(filepath.Base(path), ".") {
			continue
		}
		if !slices.ContainsFunc(have, func(s string) bool { return strings.HasSuffix(s, " "+path) }) {
			t.Errorf("%s is not shipped", name)
		}
	}
}

func TestConffiles(t *testing.T) {
	dir := t.TempDir()
	run(t, "dpkg-deb", "-e", file(t, older, "deb"), dir)
	text, err := os.ReadFile(filepath.Join(dir, "conffiles"))
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Fields(string(text))
	slices.Sort(have)
	if !slices.Equal(have, conffiles) {
		t.Errorf("deb: %q, want %q", have, conffiles)
	}
	vm.Tool(t, "rpm", "rpm")
	out := run(t, "rpm", "-qp", "--qf", `[=%{FILEFLAGS:fflags} %{FILENAMES}\n]`, file(t, older, "rpm"))
	have = nil
	for line := range strings.Lines(out) {
		if flags, name, _ := strings.Cut(strings.TrimSpace(line), " "); strings.Contains(flags, "c") {
			if !strings.Contains(flags, "n") {
				t.Errorf("rpm: %s is replaced by upgrades (flags %q)", name, flags)
			}
			have = append(have, name)
		}
	}
	if !slices.Equal(have, conffiles) {
		t.Errorf("rpm: %q, want %q", have, conffiles)
	}
}

// What the packages say of themselves, and ask of the machine.
func TestMetadata(t *testing.T) {
	control := run(t, "dpkg-deb", "-f", file(t, older, "deb"))
	for _, want := range []string{"Package: falco\n", "Version: " + older + "\n", "Architecture: amd64\n", "Section: utils\n", "Recommends: dkms (>= 2.1.0.0)\n"} {
		if !strings.Contains(control, want) {
			t.Errorf("deb: no %q in\n%s", want, control)
		}
	}
	if strings.Contains(control, "\nDepends:") {
		t.Errorf("deb: it depends on something:\n%s", control)
	}
	vm.Tool(t, "rpm", "rpm")
	rpm := file(t, older, "rpm")
	if got := strings.TrimSpace(run(t, "rpm", "-qp", "--qf", "%{NAME} %{VERSION} %{ARCH} %{LICENSE}", rpm)); got != "falco "+older+" x86_64 Apache-2.0" {
		t.Errorf("rpm: %s", got)
	}
	// Names that RHEL 8, RHEL 9 and Fedora all have; dkms is in EPEL.
	if got := strings.Fields(run(t, "rpm", "-qp", "--requires", rpm)); slices.Contains(got, "dkms") || !slices.Contains(got, "systemd") {
		t.Errorf("rpm requires %q", got)
	}
	if got := strings.Fields(run(t, "rpm", "-qp", "--suggests", rpm)); !slices.Equal(got, []string{"dkms", "kernel-devel"}) {
		t.Errorf("rpm suggests %q", got)
	}
}

// The binaries need nothing of the machine, know their version and not where it was built.
func TestBinary(t *testing.T) {
	dir := t.TempDir()
	run(t, "dpkg-deb", "-x", file(t, newer, "deb"), dir)
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{"falco": "Falco version: " + newer + "\n", "falcosidekick": "falcosidekick " + newer + " ("} {
		program := filepath.Join(dir, "usr/bin", name)
		f, err := elf.Open(program)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				t.Errorf("%s has a %v: it is not static", name, p.Type)
			}
		}
		if out := run(t, program, "--version"); !strings.HasPrefix(out, says) {
			t.Errorf("%s says %s", name, out)
		}
		text, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(here+"/")) {
			t.Errorf("%s names %s, where it was built", name, here)
		}
	}
	if out := run(t, filepath.Join(dir, "usr/bin/falcoctl"), "artifact", "follow"); out != "rules come with the package\n" {
		t.Errorf("falcoctl artifact follow: %q", out)
	}
	for name, want := range map[string]string{"dkms.conf": `PACKAGE_VERSION="` + newer + `"`} {
		text, err := os.ReadFile(filepath.Join(dir, "usr/src/falco-"+newer, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %q (%v)", name, want, err)
		}
	}
}

// What is installed can be read by the daemon that comes with it.
func TestConfigurationLoads(t *testing.T) {
	dir := t.TempDir()
	run(t, "dpkg-deb", "-x", file(t, older, "deb"), dir)
	falco := filepath.Join(dir, "usr/bin/falco")
	run(t, falco, "-c", filepath.Join(dir, "etc/falco/falco.yaml"), "-o", "config_files[0]="+filepath.Join(dir, "etc/falco/config.d"),
		"-r", filepath.Join(dir, "etc/falco/falco_rules.yaml"), "-r", filepath.Join(dir, "etc/falco/falco_rules.local.yaml"), "--dry-run")
	text, err := os.ReadFile(filepath.Join(dir, "etc/falco/falco.yaml"))
	if err != nil || !regexp.MustCompile(`(?m)^syslog_output:\n  enabled: true`).Match(text) {
		t.Errorf("alerts do not go to syslog, where the journal would see them (%v)", err)
	}
}

// Each line of falcosidekick's example does what it says once it is switched on, and none is on.
func TestSidekickExample(t *testing.T) {
	dir := t.TempDir()
	run(t, "dpkg-deb", "-x", file(t, older, "deb"), dir)
	sidekick, example := filepath.Join(dir, "usr/bin/falcosidekick"), filepath.Join(dir, "usr/share/falco/falcosidekick.yaml")
	if out := run(t, sidekick, "-c", example, "--validate"); out != "the settings are valid; 0 outputs are on\n" {
		t.Errorf("as it comes: %s", out)
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(dir, "sidekick.token")
	if err := os.WriteFile(token, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	on := regexp.MustCompile(`(?m)^#([a-z])`).ReplaceAllString(strings.Replace(string(text), "\nlistenport: 0\n", "\n", 1), "$1")
	on = strings.ReplaceAll(on, "/etc/falco/sidekick.token", token)
	all := filepath.Join(dir, "all.yaml")
	if err := os.WriteFile(all, []byte(on), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := run(t, sidekick, "-c", all, "--state-dir", dir, "--validate"); out != "the settings are valid; 5 outputs are on\n" {
		t.Errorf("with all of it: %s", out)
	}
}

// The same sources make the same bytes, whatever the time zone, the umask and the folder.
func TestReproducible(t *testing.T) {
	again := t.TempDir()
	if err := makePackages(again, older, "TZ=Pacific/Chatham", "LC_ALL=C", "HOME="+os.Getenv("HOME"), "USER=somebody"); err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{"deb", "rpm", "tar.gz"} {
		first := file(t, older, ext)
		a, err := os.ReadFile(first)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(again, filepath.Base(first)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs: %d and %d bytes, first at %d", ext, len(a), len(b), differ(a, b))
		}
	}
}

func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// A version that package managers would misread is refused.
func TestVersions(t *testing.T) {
	for _, version := range []string{"v1.2.3", "1.2", "1.2.3 ", "1.2.3/4"} {
		if err := makePackages(t.TempDir(), version); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("version %q: want", version)) {
			t.Errorf("%q: %v", version, err)
		}
	}
}
