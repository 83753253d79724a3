// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

func TestLintian(t *testing.T) {
	vm.Tool(t, "lintian", "lintian")
	out, err := exec.Command("lintian", "--allow-root", "--fail-on", "error", file(t, older, "deb")).CombinedOutput()
	if err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "E:") {
			t.Error(strings.TrimSpace(line))
		}
		// Units are switched by what the administrator wants, which debhelper knows nothing of.
		if strings.HasPrefix(line, "W:") && !strings.Contains(line, "maintainer-script-calls-systemctl") {
			t.Error(strings.TrimSpace(line))
		}
	}
}

// rpmlint unpacks with cpio, which believes absolute paths; where root runs it, that would be the machine's files.
const careful = "#!/bin/sh\nexec /usr/bin/cpio --no-absolute-filenames \"$@\"\n"

func TestRpmlint(t *testing.T) {
	vm.Tool(t, "rpmlint", "rpmlint")
	vm.Tool(t, "cpio", "cpio")
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "cpio"), []byte(careful), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rpmlint", "-c", filepath.Join(root, "packaging/rpm/rpmlint.toml"), file(t, older, "rpm"))
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), " 0 errors, 0 warnings") {
		t.Errorf("rpmlint: %v\n%s", err, out)
	}
}

// The scripts as they are in the packages, and those beside them.
func TestShellcheck(t *testing.T) {
	vm.Tool(t, "shellcheck", "shellcheck")
	dir := t.TempDir()
	run(t, "dpkg-deb", "-e", file(t, older, "deb"), dir)
	scripts := []string{filepath.Join(dir, "postinst"), filepath.Join(dir, "prerm"), filepath.Join(dir, "postrm"),
		filepath.Join(root, "dkms/sign.sh"), filepath.Join(root, "packaging/scripts/falco-driver-loader")}
	vm.Tool(t, "rpm", "rpm")
	for _, s := range []string{"post", "preun", "postun"} {
		tag := map[string]string{"post": "POSTIN", "preun": "PREUN", "postun": "POSTUN"}[s]
		name := filepath.Join(dir, "rpm."+s)
		if err := os.WriteFile(name, []byte(run(t, "rpm", "-qp", "--qf", "%{"+tag+"}", file(t, older, "rpm"))), 0o644); err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, name)
	}
	run(t, "shellcheck", append([]string{"--shell=sh"}, scripts...)...)
}

// systemd reads the units without a word, with the files that they name in place.
func TestUnits(t *testing.T) {
	vm.Tool(t, "systemd-analyze", "systemd")
	dir := t.TempDir()
	run(t, "dpkg-deb", "-x", file(t, older, "deb"), dir)
	const target = "[Unit]\nDescription=of systemd itself\n"
	for name, text := range map[string]string{
		"sbin/modprobe": "#!/bin/sh\n", "sbin/rmmod": "#!/bin/sh\n", "bin/kill": "#!/bin/sh\n",
		"bin/mkdir": "#!/bin/sh\n", "bin/ln": "#!/bin/sh\n", "bin/rm": "#!/bin/sh\n",
		"usr/lib/systemd/system/sysinit.target": target, "usr/lib/systemd/system/basic.target": target,
		"usr/lib/systemd/system/shutdown.target": target, "usr/lib/systemd/system/multi-user.target": target,
	} {
		name := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, unit := range units {
		_, path, _ := strings.Cut(unit, " ")
		if filepath.Ext(path) != ".service" {
			continue
		}
		out, err := exec.Command("systemd-analyze", "verify", "--root="+dir, "--man=no", filepath.Join(dir, path)).CombinedOutput()
		ours := ""
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "falco") { // not targets that this tree does not have
				ours += line
			}
		}
		if ours != "" {
			t.Errorf("%s: %v\n%s", filepath.Base(path), err, ours)
		}
	}
}

// exposure is what systemd-analyze may find at most in each unit, in tenths: what somebody opens up must be for a reason.
var exposure = map[string]string{
	"falco-kmod.service": "59", "falco-modern-bpf.service": "59", "falco-custom.service": "64", "falco-kmod-inject.service": "47",
	"falcoctl-artifact-follow.service": "33", "falcosidekick.service": "15",
}

func TestSandbox(t *testing.T) {
	vm.Tool(t, "systemd-analyze", "systemd")
	if out, err := exec.Command("systemd-analyze", "security", "--help").CombinedOutput(); err != nil || !strings.Contains(string(out), "--offline") {
		t.Fatalf("systemd-analyze judges no files: it has no --offline: %v", err)
	}
	dir := t.TempDir()
	run(t, "dpkg-deb", "-x", file(t, older, "deb"), dir)
	names, err := filepath.Glob(filepath.Join(dir, "usr/lib/systemd/system/*.service"))
	if err != nil || len(names) != len(exposure) {
		t.Errorf("%d units are judged, of %q (%v)", len(exposure), names, err)
	}
	for _, name := range names {
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold="+exposure[filepath.Base(name)], name).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(name), err, out)
		}
	}
}
