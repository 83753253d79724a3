// SPDX-License-Identifier: Apache-2.0

// Package packages installs what packaging/ makes, as a user would, and looks at
// what has become of the machine.
//
//	build_test.go   what is in the packages, and that a second build has the same bytes
//	install_test.go what make install lays out
//	lint_test.go    lintian, rpmlint, shellcheck, systemd-analyze
//	rpm_test.go     rpm --root into a prepared tree, with its scriptlets
//	chroot_test.go  the deb where there is no systemd, no header, no kernel
//	image_test.go   images, built from our Dockerfiles without a daemon, and what is in them run
//	guest_test.go   the deb on a whole Debian: built there, booted, upgraded, removed
//	kernels_test.go a new kernel gets its module; a kernel without BTF that takes signed modules only
//
// The last five need root; guests need FALCO_VM=1. FALCO_LONG=1 takes all releases, images and kernels.
package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the repository, seen from here.
const root = "../.."

// Versions that are built: the first, and what it is upgraded to.
const (
	older = "0.1.0"
	newer = "0.1.1"
)

// built are the packages of a version, made once for all tests.
type built struct {
	once sync.Once
	dir  string
	err  error
}

var made = map[string]*built{older: {}, newer: {}}

// pack returns the folder with the packages of a version.
func pack(t testing.TB, version string) string {
	t.Helper()
	b := made[version]
	b.once.Do(func() {
		b.dir, b.err = os.MkdirTemp("", "falco-packages-")
		if b.err == nil {
			b.err = makePackages(b.dir, version)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.dir
}

// makePackages runs the program that makes them, with more of the environment.
func makePackages(dir, version string, env ...string) error {
	cmd := exec.Command("go", "-C", filepath.Join(root, "packaging"), "run", ".", "-root", "..", "-out", dir, "-version", version, "-arch", "amd64")
	cmd.Env = append(append(os.Environ(), "GOFLAGS="), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make packages: %w\n%s", err, out)
	}
	return nil
}

// clean removes what pack has made.
func clean() {
	for _, b := range made {
		if b.dir != "" {
			os.RemoveAll(b.dir)
		}
	}
}

// file is the path of a package of a version.
func file(t testing.TB, version, ext string) string {
	return filepath.Join(pack(t, version), "falco-"+version+"-x86_64."+ext)
}

// run runs a program and returns all that it prints.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
