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

// rpm in a tree that has what scriptlets need and no database: it is told not to look for systemd's package, which is there
// as a deb.
func TestRPM(t *testing.T) {
	clone := bare(t)
	vm.Tool(t, "rpm", "rpm")
	dir := clone.Dir()
	inRoot(t, clone, "rm /etc/os-release; printf 'ID=fedora\\nVERSION_ID=40\\n' > /etc/os-release; mkdir -p /lib/modules/6.8.5-301.fc40.x86_64; touch /lib/modules/6.8.5-301.fc40.x86_64/modules.order")
	rpm := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-ec", `mount -t proc proc "$1/proc"; mount --bind /dev "$1/dev"; root=$1; shift; exec rpm --root "$root" "$@"`, "sh", dir}, args...)...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root", "FALCO_FRONTEND=noninteractive"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("rpm %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	out := rpm("-i", "--nodeps", file(t, older, "rpm"))
	has(t, out, `^\[POST-INSTALL\] Disable all possible 'falco' services:$`, `dnf install kernel-devel-`, `does not watch yet`)
	if t.Failed() {
		t.Fatal(out)
	}
	has(t, rpm("-q", "falco"), `^falco-0\.1\.0-1\.x86_64$`)
	// All is there as the package says, mode and owner and contents.
	if out := rpm("-V", "--nodeps", "falco"); strings.TrimSpace(out) != "" {
		t.Errorf("rpm -V:\n%s", out)
	}
	has(t, inRoot(t, clone, "stat -c '%a %U:%G %n' /usr/bin/falco /etc/falco/falco.yaml /var/log/falco /usr/src/falco-0.1.0/sign.sh; falco --version; cat /etc/falco/config.d/engine-kind-falcoctl.yaml"),
		`^755 root:root /usr/bin/falco$`, `^644 root:root /etc/falco/falco.yaml$`, `^750 root:root /var/log/falco$`, `^755 root:root /usr/src/falco-0\.1\.0/sign\.sh$`,
		`^Falco version: 0\.1\.0$`, `kind: kmod`)

	// What was changed and what was enabled outlives an upgrade: the old version's scriptlets run last.
	inRoot(t, clone, "echo '# mine' >> /etc/falco/falco.yaml; echo '# mine' >> /etc/falco/falco_rules.yaml; systemctl enable falco-kmod")
	out = rpm("-U", "--nodeps", file(t, newer, "rpm"))
	has(t, out, `What watched before goes on until it is restarted`)
	has(t, inRoot(t, clone, "tail -1 /etc/falco/falco.yaml; systemctl is-enabled falco-kmod; falco --version; ls /usr/src; tail -1 /etc/falco/falco_rules.yaml"),
		`^# mine$`, `^enabled$`, `^Falco version: 0\.1\.1$`, `^falco-0\.1\.1$`)
	if text, err := os.ReadFile(filepath.Join(dir, "etc/falco/falco_rules.yaml")); err != nil || strings.HasSuffix(string(text), "# mine\n") {
		t.Errorf("the stock rules were kept (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "usr/src/falco-0.1.0")); err == nil {
		t.Error("the old sources are there")
	}

	rpm("-e", "--nodeps", "falco")
	left := inRoot(t, clone, remains+"; "+enabled)
	want := "left /etc/falco/falco.yaml.rpmsave\n"
	if left != want {
		t.Errorf("after erasing there is\n%swanted\n%s", left, want)
	}
}
