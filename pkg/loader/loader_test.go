// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const here, next = "6.1.0-18-amd64", "6.12.9-1-amd64"

// machine is a made-up one, with a program that answers for all programs.
type machine struct {
	*Loader
	ran  []string
	said []string
	answ func(line string) (string, error)
}

func newMachine(t *testing.T, files ...string) *machine {
	t.Helper()
	m := &machine{Loader: &Loader{Root: t.TempDir(), Name: "eagle", Target: Target{ID: "debian", Arch: "x86_64", Release: here, Version: "#1 SMP", Running: true}}}
	for _, name := range append(files, "usr/src/eagle-1.2.3/dkms.conf", "usr/src/eagle-1.2.3/sign.sh", "lib/modules/"+here+"/modules.order") {
		m.put(t, name, "x")
	}
	m.Say = func(format string, a ...any) { m.said = append(m.said, fmt.Sprintf(format, a...)) }
	m.run = func(_ context.Context, dir, name string, args ...string) (string, error) {
		line := name + " " + strings.Join(args, " ")
		m.ran = append(m.ran, line)
		if m.answ != nil {
			return m.answ(line)
		}
		return "", nil
	}
	return m
}

func (m *machine) put(t *testing.T, name, text string) {
	t.Helper()
	name = filepath.Join(m.Root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func headersOf(release string) []string {
	dir := "lib/modules/" + release + "/build/"
	return []string{dir + "Makefile", dir + "include/generated/autoconf.h"}
}

// all is what an installation may use.
var all = How{Download: true, Compile: true}

// mend fails the test unless err is a problem that says and mends as it should.
func mend(t *testing.T, err error, what, how string) *Problem {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem", err)
	}
	if !strings.Contains(p.What, what) || !strings.Contains(p.Mend, how) {
		t.Errorf("says %q, mend %q; want %q, %q", p.What, p.Mend, what, how)
	}
	return p
}

// With DKMS, for every kernel that has headers; the running one comes first, and is loaded.
func TestInstallByDKMS(t *testing.T) {
	m := newMachine(t, append(append(headersOf(here), headersOf(next)...), "usr/sbin/dkms", "lib/modules/"+next+"/modules.order")...)
	m.answ = func(line string) (string, error) {
		switch {
		case strings.HasPrefix(line, "dkms status"):
			return "eagle/1.2.2, 6.1.0-17-amd64, x86_64: installed\n", nil
		case strings.Contains(line, "-F version"):
			return "1.2.3\n", nil
		}
		return "", nil
	}
	if err := m.Install(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"dkms remove -m eagle -v 1.2.2 --all",
		"dkms install -m eagle -v 1.2.3 -k " + here + " --force",
		"dkms install -m eagle -v 1.2.3 -k " + next + " --force",
		"modprobe -d " + m.Root + " eagle",
	}
	at := 0
	for _, line := range m.ran {
		if at < len(want) && line == want[at] {
			at++
		}
	}
	if at != len(want) {
		t.Errorf("ran\n%s\nwanted, in this order\n%s", strings.Join(m.ran, "\n"), strings.Join(want, "\n"))
	}
}

// Only another kernel has headers: built for that, and both are said.
func TestInstallForTheNextBoot(t *testing.T) {
	m := newMachine(t, append(headersOf(next), "usr/sbin/dkms", "lib/modules/"+next+"/modules.order")...)
	err := m.Install(t.Context(), all)
	mend(t, err, "the module is there for "+next+"; this is "+here+", for which the headers of kernel "+here+" are not installed", "apt install linux-headers-"+here)
	if !Later(err) || Refused(err) {
		t.Errorf("later %v, refused %v", Later(err), Refused(err))
	}
}

// What is missing has a name, which each distribution spells in its own way.
func TestMissingHeaders(t *testing.T) {
	for _, c := range []struct {
		id, like, release, mend string
	}{
		{"debian", "", "6.1.0-18-amd64", "apt install linux-headers-6.1.0-18-amd64"},
		{"linuxmint", "ubuntu debian", "5.15.0-91-generic", "apt install linux-headers-5.15.0-91-generic"},
		{"fedora", "", "6.8.5-301.fc40.x86_64", "dnf install kernel-devel-6.8.5-301.fc40.x86_64"},
		{"rocky", "rhel centos fedora", "5.14.0-362.el9.x86_64", "dnf install kernel-devel-5.14.0-362.el9.x86_64"},
		{"ol", "fedora", "5.15.0-200.131.27.el8uek.x86_64", "dnf install kernel-uek-devel-5.15.0-200.131.27.el8uek.x86_64"},
		{"amzn", "fedora", "6.1.66-91.160.amzn2023.x86_64", "yum install kernel-devel-6.1.66-91.160.amzn2023.x86_64"},
		{"opensuse-leap", "suse opensuse", "6.4.0-150600.21-default", "zypper install kernel-default-devel"},
		{"arch", "", "6.7.4-arch1-1", "pacman -S linux-headers"},
		{"alpine", "", "6.6.14-0-virt", "apk add linux-virt-dev"},
		{"gentoo", "", "6.6.13-gentoo", "install the package with the headers of 6.6.13-gentoo"},
	} {
		m := newMachine(t, "lib/modules/"+c.release+"/modules.order")
		m.Target.ID, m.Target.Like, m.Target.Release, m.Target.Running = c.id, strings.Fields(c.like), c.release, false
		mend(t, m.Install(t.Context(), all), "the headers of kernel "+c.release+" are not installed", c.mend)
	}
}

// What stands in the way of a build is found in its log.
func TestBuildFails(t *testing.T) {
	for _, c := range []struct{ log, what, mend string }{
		{"/bin/sh: 1: gcc-12: not found", "the compiler gcc-12 is not installed", "apt install gcc-12"},
		{"make[1]: gcc: No such file or directory", "the compiler gcc is not installed", "apt install gcc"},
		{"/bin/sh: line 1: clang: command not found", "clang is not installed", "apt install clang lld"},
		{"gcc: error: unrecognized command-line option '-fmin-function-alignment=16'", "the compiler is older", "CONFIG_CC_VERSION_TEXT"},
		{"objtool: read_stack_limit: failed", "/proc is not mounted", "mount -t proc"},
		{"fatal error: gelf.h: No such file or directory", "objtool needs libelf", "apt install libelf-dev"},
		{"cc1: error writing to /tmp/x.s: No space left on device", "the disk is full", "df -h"},
		{"a\nmain.c:3:1: error: unknown type name 'foo'\nmake: *** 2", "main.c:3:1: error: unknown type name 'foo'", "read /var/lib/dkms/eagle/1.2.3/build/make.log"},
	} {
		m := newMachine(t, append(headersOf(here), "usr/sbin/dkms")...)
		m.put(t, "var/lib/dkms/eagle/1.2.3/build/make.log", c.log)
		m.answ = func(line string) (string, error) {
			if strings.HasPrefix(line, "dkms install") {
				return "Error! Bad return status\n", errors.New("exit status 10")
			}
			return "", nil
		}
		mend(t, m.Install(t.Context(), all), c.what, c.mend)
	}
}

// Without DKMS it is built in a folder of its own, and the module put in place whole.
func TestInstallDirectly(t *testing.T) {
	m := newMachine(t, headersOf(here)...)
	m.put(t, "lib/modules/"+here+"/updates/dkms/eagle.ko.xz", "old")
	m.answ = func(line string) (string, error) {
		switch {
		case strings.HasPrefix(line, "make "):
			return "", os.WriteFile(filepath.Join(m.dirOfMake(t), "eagle.ko"), []byte("new"), 0o644)
		case strings.Contains(line, "-F version"):
			return "1.2.3\n", nil
		}
		return "", nil
	}
	if err := m.Install(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(m.Root, "lib/modules", here, "extra/eagle.ko"))
	if err != nil || string(text) != "new" {
		t.Errorf("the module is %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(m.Root, "lib/modules", here, "updates/dkms")); err == nil {
		t.Error("there are two modules now")
	}
	if !slices.Contains(m.ran, "depmod -b "+m.Root+" "+here) {
		t.Errorf("no depmod: %q", m.ran)
	}
	if !strings.Contains(strings.Join(m.said, "\n"), "nobody builds it for the next kernel; apt install dkms changes that") {
		t.Errorf("said %q", m.said)
	}
}

// dirOfMake is where make works now.
func (m *machine) dirOfMake(t *testing.T) string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), "falco-build-*/src"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no folder to build in: %v", err)
	}
	slices.SortFunc(dirs, func(a, b string) int {
		x, _ := os.Stat(a)
		y, _ := os.Stat(b)
		return y.ModTime().Compare(x.ModTime())
	})
	return dirs[0]
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		out, what, mend string
		refused         bool
	}{
		{"modprobe: ERROR: could not insert 'eagle': Key was rejected by service", "Secure Boot", "mokutil --import", true},
		{"modprobe: ERROR: could not insert 'eagle': Required key not available", "Secure Boot", "mokutil --import", true},
		{"modprobe: ERROR: could not insert 'eagle': Exec format error", "built for another kernel", "falco driver install", false},
		{"modprobe: ERROR: could not insert 'eagle': Operation not supported", "PREEMPT_RT", "without PREEMPT_RT", false},
		{"modprobe: FATAL: Module eagle not found in directory /lib/modules/x", "modprobe does not find", "falco driver install", false},
		{"modprobe: ERROR: could not insert 'eagle': Cannot allocate memory", "Cannot allocate memory", "dmesg", false},
	} {
		m := newMachine(t)
		m.answ = func(line string) (string, error) {
			switch {
			case strings.HasPrefix(line, "modprobe"):
				return c.out, errors.New("exit status 1")
			case strings.Contains(line, "-F version"):
				return "1.2.3\n", nil
			}
			return "", nil
		}
		err := m.Load(t.Context())
		mend(t, err, c.what, c.mend)
		if Refused(err) != c.refused {
			t.Errorf("%s: refused %v", c.out, !c.refused)
		}
	}
}

// A module of another version is never loaded.
func TestOtherVersion(t *testing.T) {
	m := newMachine(t)
	m.answ = func(line string) (string, error) { return "1.2.2\n", nil }
	mend(t, m.Load(t.Context()), "is version 1.2.2; this falco is for 1.2.3", "falco driver install")
	if slices.ContainsFunc(m.ran, func(s string) bool { return strings.HasPrefix(s, "modprobe") }) {
		t.Errorf("ran %q", m.ran)
	}
}

func TestUnsupported(t *testing.T) {
	for release, ok := range map[string]bool{"4.17.19": false, "4.18.0-1": true, "3.10.0": false, "5.4.0": true, "7.2.1": true, "10.0.0": true} {
		m := newMachine(t)
		m.Target.Release = release
		if err := m.Supported(); (err == nil) != ok {
			t.Errorf("%s: %v", release, err)
		}
	}
	m := newMachine(t)
	m.Target.Arch = "s390x"
	mend(t, m.Install(t.Context(), all), "not for s390x", "")
}

func TestParseStatus(t *testing.T) {
	out := `eagle, 0.1.0, 5.10.0-30-cloud-amd64, x86_64: installed
eagle/0.1.1, 6.1.0-18-cloud-amd64, x86_64: built
eagle/0.1.2: added
eagles/9.9.9: added
Deprecated feature: REMAKE_INITRD
eagle/0.1.3, 6.1.0-18, x86_64: installed (original_module exists)
`
	want := []State{{"0.1.0", "5.10.0-30-cloud-amd64", "installed"}, {"0.1.1", "6.1.0-18-cloud-amd64", "built"}, {"0.1.2", "", "added"}, {"0.1.3", "6.1.0-18", "installed"}}
	if got := parseStatus(out, "eagle"); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// A version that DKMS has lost the sources of is removed by hand.
func TestCleanupOfBrokenTree(t *testing.T) {
	m := newMachine(t, "usr/sbin/dkms", "var/lib/dkms/eagle/0.9.0/build/x", "lib/modules/"+here+"/updates/dkms/eagle.ko")
	m.answ = func(line string) (string, error) {
		switch {
		case strings.HasPrefix(line, "dkms status"):
			return "eagle/0.9.0, " + here + ", x86_64: installed\n", nil
		case strings.HasPrefix(line, "dkms remove"):
			return "Error! Could not locate dkms.conf file.\n", errors.New("exit status 4")
		}
		return "", nil
	}
	if err := m.Cleanup(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"var/lib/dkms/eagle/0.9.0", "lib/modules/" + here + "/updates/dkms/eagle.ko"} {
		if _, err := os.Stat(filepath.Join(m.Root, gone)); err == nil {
			t.Errorf("%s is there", gone)
		}
	}
}

// One version goes, and nothing of another.
func TestCleanupOfOneVersion(t *testing.T) {
	m := newMachine(t, "usr/sbin/dkms", "var/lib/dkms/eagle/1.2.2/x", "var/lib/dkms/eagle/1.2.3/x", "lib/modules/"+here+"/extra/eagle.ko")
	m.Version = "1.2.2"
	m.answ = func(line string) (string, error) {
		if strings.HasPrefix(line, "dkms status") {
			return "eagle/1.2.2, " + here + ", x86_64: installed\neagle/1.2.3, " + here + ", x86_64: built\n", nil
		}
		return "", nil
	}
	if err := m.Cleanup(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if want := []string{"dkms status -m eagle", "dkms remove -m eagle -v 1.2.2 --all"}; !slices.Equal(m.ran, want) {
		t.Errorf("ran %q", m.ran)
	}
	if _, err := os.Stat(filepath.Join(m.Root, "lib/modules", here, "extra/eagle.ko")); err != nil {
		t.Error(err)
	}
}

func TestVersionsInOrder(t *testing.T) {
	list := []string{"0.9.0", "0.10.0-rc1", "0.10.0-rc2", "0.10.0", "0.10.1+driver", "10.2.0+driver"}
	for i := 1; i < len(list); i++ {
		if compareVersions(list[i-1], list[i]) >= 0 {
			t.Errorf("%s is not below %s", list[i-1], list[i])
		}
	}
	if got := newest([]string{"0.9.0", "0.10.0", "0.2.0"}); got != "0.10.0" {
		t.Errorf("newest is %s", got)
	}
}

func TestTargetNames(t *testing.T) {
	for _, c := range []struct{ id, variant, release, want string }{
		{"debian", "12", here, "debian"}, {"", "", here, "undetermined"}, {"amzn", "2023", "6.1", "amazonlinux2023"}, {"amzn", "2", "5.10", "amazonlinux2"},
		{"ubuntu", "22.04", "5.15.0-91-generic", "ubuntu-generic"}, {"ubuntu", "22.04", "6.2.0-1018-aws", "ubuntu-aws"}, {"rocky", "9.3", "5.14", "rocky"},
	} {
		target := Target{ID: c.id, Variant: c.variant, Release: c.release}
		if got := target.Name(); got != c.want {
			t.Errorf("%+v is called %s", c, got)
		}
	}
	var target Target
	target.parse(strings.NewReader("ID=\"Rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID='9.3'\n# x\nNONSENSE\n"))
	if target.ID != "rocky" || target.Variant != "9.3" || !target.is("fedora") || target.is("debian") {
		t.Errorf("%+v", target)
	}
}

// Who must sign is told which key to enrol, or how to make one.
func TestEnrol(t *testing.T) {
	l := &Loader{Root: t.TempDir()}
	put := func(name, text string) {
		name = filepath.Join(l.Root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, text, want string }{
		{"etc/os-release", "", "openssl req "},
		{"var/lib/dkms/mok.pub", "", "mokutil --import /var/lib/dkms/mok.pub,"},
		{"var/lib/shim-signed/mok/MOK.der", "", "mokutil --import /var/lib/shim-signed/mok/MOK.der,"},
		{"etc/falco/signing.conf", "FALCO_SIGN_KEY=/k.priv\nFALCO_SIGN_CERT='/k.der'\n", "mokutil --import /var/lib/shim-signed/mok/MOK.der,"},
		{"k.der", "", "mokutil --import /k.der,"},
	} {
		if put(c.name, c.text); !strings.HasPrefix(l.Enrol(), c.want) {
			t.Errorf("with %s: %s", c.name, l.Enrol())
		}
	}
}
