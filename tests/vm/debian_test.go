// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDebianPackages(t *testing.T) {
	d := Debian{Suite: "bookworm", Packages: []string{"runc", "containerd", "runc"}}
	if got, want := d.packages(), []string{"containerd", "kmod", "runc"}; !slices.Equal(got, want) {
		t.Errorf("packages %q, want %q", got, want)
	}
	other := d
	other.Packages = []string{"containerd", "runc"}
	if d.key() != other.key() {
		t.Error("the order of packages makes another root")
	}
	other.Systemd = true
	if d.key() == other.key() {
		t.Error("with systemd it is the same root")
	}
	other = d
	other.Suite = "trixie"
	if strings.TrimPrefix(d.key(), "debian-bookworm-") == strings.TrimPrefix(other.key(), "debian-trixie-") {
		t.Error("two suites have the same hash")
	}
}

func TestKernelOfSuite(t *testing.T) {
	for suite, want := range map[string]string{"bullseye": "5.10", "bookworm": "6.1", "trixie": "6.12", "sid": "7", "potato": ""} {
		got, err := kernelOfSuite(suite)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", suite, got, err)
		}
	}
}

// Suite, kernel and memory follow from each other.
func TestChooseDebian(t *testing.T) {
	for _, c := range []struct {
		give, want Config
	}{
		{Config{Debian: &Debian{Suite: "sid"}}, Config{Kernel: "7", Debian: &Debian{Suite: "sid"}, MemoryMB: debianMemory}},
		{Config{Kernel: "5.10", Debian: &Debian{}}, Config{Kernel: "5.10", Debian: &Debian{Suite: "bullseye"}, MemoryMB: debianMemory}},
		{Config{Kernel: "6.1", MemoryMB: 4, Root: &Root{Debian: Debian{Suite: "trixie"}}}, Config{Kernel: "6.1", Debian: &Debian{Suite: "trixie"}, MemoryMB: 4}},
	} {
		if err := c.give.chooseDebian(); err != nil {
			t.Error(err)
		}
		if c.give.Kernel != c.want.Kernel || c.give.Debian.Suite != c.want.Debian.Suite || c.give.MemoryMB != c.want.MemoryMB {
			t.Errorf("got %+v, want %+v", c.give, c.want)
		}
	}
}

// A root of the cache is not for changing.
func TestSharedRoot(t *testing.T) {
	if _, err := (&Root{shared: true, dir: "/nonexistent"}).Run("true"); err == nil || !strings.Contains(err.Error(), "Clone") {
		t.Errorf("got %v", err)
	}
}

// debianAct prints what a guest is.
const debianAct = `. /etc/os-release
echo "suite $VERSION_CODENAME"
echo "pid1 $(cat /proc/1/comm)"
echo "kernel $(uname -r)"
modprobe overlay && echo "overlay $(grep -c overlay /proc/filesystems)"
echo "cgroup $(stat -f -c %T /sys/fs/cgroup)"
cat /root/prepared
test -e /root/mark && cat /root/mark
cat /etc/shadow > /dev/null
`

// A whole Debian boots with its own kernel, and the same way into the story of a run as every guest has: set up, daemon,
// act, ledger. What one guest has written the next one does not find.
func TestDebian(t *testing.T) {
	root := debianRoot(t, Debian{Suite: "bookworm"})
	clone, err := root.Clone(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := clone.Run("sh", "-c", "echo mark $(id -u) > /root/mark; ls /proc/self"); err != nil || !strings.Contains(out, "status") {
		t.Fatalf("run in the root: %v\n%s", err, out)
	}
	for _, c := range []struct {
		name string
		Config
		want []string
		not  []string
	}{
		{name: "plain", Config: Config{Debian: &root.Debian}, want: []string{"pid1 init", "cgroup cgroup2fs"}, not: []string{"mark"}},
		{name: "v1, changed", Config: Config{Root: clone, CgroupV1: true}, want: []string{"pid1 init", "cgroup tmpfs", "mark 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.Setup = "test ! -e /root/prepared || exit 1\necho prepared > /root/prepared\necho done\n"
			c.Script = debianAct
			result := Run(t, c.Config)
			for _, want := range append(c.want, "suite bookworm", "kernel 6.1.", "overlay 1", "prepared") {
				if !strings.Contains(result.Act, want) {
					t.Errorf("the act does not say %q", want)
				}
			}
			for _, not := range c.not {
				if strings.Contains(result.Act, not) {
					t.Errorf("the act says %q", not)
				}
			}
			if result.Setup != "done\n" {
				t.Errorf("set up said %q", result.Setup)
			}
			if n := result.Rules()["Read sensitive file untrusted"]; n != 1 {
				t.Errorf("fired %d times", n)
			}
			if result.Ledger.Lost != 0 {
				t.Errorf("lost %d events", result.Ledger.Lost)
			}
			if t.Failed() {
				t.Logf("act:\n%s", result.Act)
			}
		})
	}
}

// A set-up that fails ends the run.
func TestDebianSetupFails(t *testing.T) {
	root := debianRoot(t, Debian{Suite: "bookworm"})
	result := Try(t, Config{Debian: &root.Debian, Setup: "echo no; exit 3\n", Script: "true\n"})
	if err := result.Err(); err == nil || !strings.Contains(err.Error(), "set up: exit code 3") || result.Ready {
		t.Errorf("ready %v, %v", result.Ready, err)
	}
}

// With systemd, in every suite that has a kernel.
func TestDebianSystemd(t *testing.T) {
	if os.Getenv("FALCO_LONG") == "" {
		t.Skip("long: FALCO_LONG=1")
	}
	for _, suite := range []string{"bullseye", "bookworm", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			root := debianRoot(t, Debian{Suite: suite, Systemd: true})
			result := Run(t, Config{Debian: &root.Debian, Script: debianAct + "systemctl is-system-running\nsystemctl --failed --plain\n"})
			for _, want := range []string{"pid1 systemd", "cgroup cgroup2fs", "0 loaded units listed"} {
				if !strings.Contains(result.Act, want) {
					t.Errorf("the act does not say %q:\n%s", want, result.Act)
				}
			}
			t.Logf("%s: init after %v, services after %v, off after %v", suite, result.Boot, result.Booted, result.Total)
		})
	}
}

// debianRoot is for tests that boot it: what RequireDebian skips, skips them.
func debianRoot(t *testing.T, d Debian) *Root {
	t.Helper()
	RequireDebian(t)
	root, err := GetRoot(d, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return root
}
