// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// bare is a Debian without a compiler, without DKMS and without a kernel, and with the packages in /root. Nothing runs in it.
func bare(t *testing.T) *vm.Root {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("SKIP 1 cases: %v", vm.ErrNotRoot)
	}
	shared, err := vm.GetRoot(vm.Debian{Suite: "bookworm", Systemd: true}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	clone, err := shared.Clone(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	// The modules of other guests' kernels are none of ours.
	if err := os.RemoveAll(filepath.Join(clone.Dir(), "lib/modules")); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{older, newer} {
		for _, ext := range []string{"deb", "rpm"} {
			from := file(t, version, ext)
			text, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(clone.Dir(), "root", filepath.Base(from)), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return clone
}

// enabled lists what systemd would start.
const enabled = `find /etc/systemd/system -name 'falco*' | sort`

// Whatever is missing, the package is whole afterwards and says in a sentence what to do.
func TestPoorMachines(t *testing.T) {
	clone := bare(t)
	install := func(version string, before ...string) string {
		return strings.Join(append(before, "dpkg -i /root/falco-"+version+"-x86_64.deb 2>&1", "echo rc $?",
			"dpkg-query -W -f '${db:Status-Status} ${Version}\\n' falco", enabled, "falco --version | head -1",
			"ls /etc/falco/config.d"), "\n")
	}
	for _, c := range []struct {
		name   string
		script string
		want   []string
		not    []string
	}{
		{"no driver", install(older, "export FALCO_DRIVER_CHOICE=none"),
			[]string{"^rc 0$", "^installed 0.1.0$", "^Falco version: 0.1.0$"}, []string{"/etc/systemd/system/", "engine-kind", "hint"}},
		{"no kernel", install(older),
			[]string{"^rc 0$", "^installed 0.1.0$", "no kernel is installed here", "Falco is installed and does not watch yet", "^engine-kind-falcoctl.yaml$"},
			[]string{"/etc/systemd/system/"}},
		{"no headers", install(older, "mkdir -p /lib/modules/6.1.0-99-amd64", "touch /lib/modules/6.1.0-99-amd64/modules.order"),
			[]string{"^rc 0$", "the headers of kernel 6.1.0-99-amd64 are not installed|headers of kernel .* are not installed", "apt install linux-headers-"}, []string{"/etc/systemd/system/"}},
		{"fedora without headers", install(older, "mkdir -p /lib/modules/6.8.5-301.fc40.x86_64", "touch /lib/modules/6.8.5-301.fc40.x86_64/modules.order",
			"rm /etc/os-release", "echo ID=fedora > /etc/os-release"),
			[]string{"^rc 0$", "dnf install kernel-devel-"}, nil},
		{"container", install(older, "touch /.dockerenv"),
			[]string{"^rc 0$", `this is a container \(docker\): the module belongs to the machine below it`, "^installed 0.1.0$"}, []string{"/etc/systemd/system/"}},
		{"follow", install(older, "export FALCOCTL_ENABLED=no") + "\n" + install(newer, "unset FALCOCTL_ENABLED", "echo second"),
			[]string{"^/etc/systemd/system/falcoctl-artifact-follow.service$", "^second$", "^installed 0.1.1$"}, nil},
		{"no systemctl", install(older, "rm /usr/bin/systemctl /bin/systemctl 2>/dev/null || true"),
			[]string{"^rc 0$", "^installed 0.1.0$"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			again, err := clone.Clone(filepath.Join(t.TempDir(), "root"))
			if err != nil {
				t.Fatal(err)
			}
			out := inRoot(t, again, "exec 2>&1\nset +e\n"+c.script)
			has(t, out, c.want...)
			for _, not := range c.not {
				if strings.Contains(out, not) {
					t.Errorf("it says %q", not)
				}
			}
			if c.name == "follow" {
				if _, after, _ := strings.Cut(out, "second"); strings.Contains(after, "/falcoctl-artifact-follow") {
					t.Error("it is masked still")
				}
			}
			if t.Failed() {
				t.Log(out)
			}
			gone := inRoot(t, again, `exec 2>&1
set +e
echo mine > /etc/falco/rules.d/mine.yaml
dpkg -r falco; echo rc $?
dpkg -P falco; echo rc $?
`+remains+`; ls /etc/falco/rules.d; rm -r /etc/falco`)
			has(t, gone, `^rc 0\n(.*\n)*rc 0$`, "^mine.yaml$")
			if strings.Contains(gone, "left ") {
				t.Errorf("after purge:\n%s", gone)
			}
		})
	}
}

// remains prints what of the package is left; a user's own file is the user's.
const remains = `find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /dev -o -path /tmp -o -path /var/log/dpkg.log -o -path /var/log/apt \) -prune -o -name '*falco*' -print | grep -v '^/etc/falco$' | sed 's/^/left /'`
