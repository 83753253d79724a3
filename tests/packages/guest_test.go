// SPDX-License-Identifier: Apache-2.0

package packages

import (
	_ "embed"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// releases are Debian's, by the kernel that each has.
var releases = []struct {
	suite, kernel string
	long          bool
}{
	{"bookworm", "6.1", false},
	{"bullseye", "5.10", true},
	{"trixie", "6.12", true},
	{"sid", "7", true},
}

// What happens in guests: boot comes before each of the others.
var (
	//go:embed testdata/boot.sh
	boot string
	//go:embed testdata/life.sh
	life string
	//go:embed testdata/signed.sh
	signed string
)

// machine makes a root of a suite with DKMS and the headers of the kernel that will be booted, and puts the packages into it.
func machine(t *testing.T, suite, kernel string, more ...string) (*vm.Root, *vm.Kernel) {
	t.Helper()
	vm.RequireDebian(t)
	k, err := vm.GetKernel(kernel, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	packages := append([]string{"dkms", "procps", "udev"}, more...)
	if !k.Built() {
		packages = append(packages, "linux-headers-"+k.ABI)
	}
	shared, err := vm.GetRoot(vm.Debian{Suite: suite, Packages: packages, Systemd: true}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	clone, err := shared.Clone(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{older, newer} {
		from := file(t, version, "deb")
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(clone.Dir(), "root", filepath.Base(from)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return clone, k
}

// inRoot runs a script in a root that was not booted.
func inRoot(t *testing.T, r *vm.Root, script string) string {
	t.Helper()
	out, err := r.Run("sh", "-ec", script)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

// drawn is what was drawn over on a terminal: apt gives scripts one.
var drawn = regexp.MustCompile(`(?m)^.*\x1b\[K|\r`)

// has fails the test for each of the expressions that text does not match.
func has(t *testing.T, text string, wants ...string) {
	t.Helper()
	text = drawn.ReplaceAllString(text, "")
	for _, want := range wants {
		if !regexp.MustCompile("(?m)" + want).MatchString(text) {
			t.Errorf("nothing matches %q", want)
		}
	}
}

// A whole life of the package: installed and built by DKMS where nothing runs yet, booted, watching, upgraded while work goes
// on, removed, purged.
func TestLife(t *testing.T) {
	for _, r := range releases {
		t.Run(r.suite, func(t *testing.T) {
			if r.long && os.Getenv("FALCO_LONG") == "" {
				t.Skip("long: FALCO_LONG=1")
			}
			clone, k := machine(t, r.suite, r.kernel)
			began := time.Now()
			out := inRoot(t, clone, "apt-get install -y /root/falco-"+older+"-x86_64.deb 2>&1; dkms status -m falco")
			has(t, out, `^\* falco `+regexp.QuoteMeta(older)+` was built for `+regexp.QuoteMeta(k.ABI)+` by DKMS`,
				`^\[POST-INSTALL\] Falco is installed and will watch after the next boot$`,
				`^falco[/,] ?`+regexp.QuoteMeta(older)+`, `+regexp.QuoteMeta(k.ABI)+`, x86_64: installed`)
			t.Logf("%s: installed and built in %.0f s", r.suite, time.Since(began).Seconds())
			// The next version's module is built here, too: in the guest it would take minutes. DKMS installs what it finds built.
			if t.Failed() {
				t.Fatalf("in the root:\n%s", out)
			}
			inRoot(t, clone, `mkdir /root/next && dpkg-deb -x /root/falco-`+newer+`-x86_64.deb /root/next
cp -a /root/next/usr/src/falco-`+newer+` /usr/src/ && rm -r /root/next
dkms add -m falco -v `+newer+` && dkms build -m falco -v `+newer+` -k `+k.ABI+`
echo "# changed by hand" >> /etc/falco/falco.yaml
echo "# changed by hand" >> /etc/falco/falco_rules.yaml`)

			result := vm.Try(t, vm.Config{
				Root: clone, Kernel: r.kernel, NoDaemon: true, NoModule: true, Timeout: 35 * time.Minute, MemoryMB: 2048,
				Env:    []string{"OLDER=" + older, "NEWER=" + newer},
				ActOut: t.Output(),
				Script: boot + life,
			})
			if err := result.Err(); err != nil {
				t.Errorf("%v", err)
			}
			t.Logf("%s: booted after %v; %s", r.suite, result.Booted.Round(time.Second), strings.Join(facts.FindAllString(result.Act, -1), ", "))
			has(t, result.Act, slices.Concat(booted, lived)...)
			if strings.Contains(result.Act, "WRONG") || t.Failed() {
				t.Errorf("act:\n%s", result.Act)
			}
		})
	}
}

// facts are figures that the script prints.
var facts = regexp.MustCompile(`(?m)^(gap|alerts|remained) .*$`)

// booted is what each guest prints first.
var booted = []string{`^boot: active$`, `^boot: module 0\.1\.0$`, `^boot: alert$`, `^boot: enabled falco-kmod$`}

// lived is what the script of a life prints, step by step.
var lived = []string{
	`^sidekick: 660 (falcosidekick|UNKNOWN):(falcosidekick|UNKNOWN), in 750 (falcosidekick|UNKNOWN):(falcosidekick|UNKNOWN), linked in 755 root:root$`, `^sidekick: alert$`, `^sidekick: reload$`,
	`^upgrade: rc 0$`, `^upgrade: active$`, `^upgrade: module 0\.1\.1$`, `^upgrade: daemon 0\.1\.1$`, `^upgrade: alert$`,
	`^upgrade: falcosidekick$`, `^upgrade: falco\.yaml kept$`, `^upgrade: rules replaced$`,
	`^\[POST-INSTALL\] Falco watches again; nobody did for \d+\.\d\d s$`,
	`^reload: same pid$`, `^kill: other pid$`,
	`^other: active$`,
	`^remove: rc 0$`, `^remove: no module$`, `^remove: no dkms$`, `^remove: falco\.yaml there$`, `^remove: nothing enabled$`,
	`^purge: rc 0$`, `^purge: nothing$`,
}
