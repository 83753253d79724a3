// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A whole Debian as a guest, for what needs more than busybox: containers, services, packages.
//
//	mmdebstrap ──► roots/debian-<suite>-<hash>/       a root file system, once for a list of packages (a minute)
//	                 │ + modules of the kernel that is booted
//	mke2fs -d ────► roots/debian-<suite>-<hash>-<ABI>.ext4    (seconds)
//	                 │ read only; what a guest writes is gone with it
//	initramfs ────► init mounts it, adds what a run needs, and stays PID 1 or makes way for systemd (init/disk.go)
//
// The kernel is one of kernels.txt as ever: that of the suite unless Config.Kernel names another.

// Debian says what a guest has besides the kernel: packages of a suite, and what they depend on.
type Debian struct {
	Suite    string   // "bookworm"; "" is the suite of Config.Kernel
	Packages []string // beyond the essential ones

	// Systemd has systemd boot, and begin the run when multi-user.target is reached: half a minute. Without it nothing
	// runs but init, and what Config.Setup and the act start: three seconds.
	Systemd bool
}

// debianBase is in every root: the guest loads modules on demand.
var debianBase = []string{"kmod"}

// systemdPackages make a root that systemd boots. Without the bus, runc cannot ask for scopes.
var systemdPackages = []string{"systemd", "systemd-sysv", "dbus"}

// dpkgOptions keep out what nobody reads in a guest.
var dpkgOptions = []string{
	"path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/doc/*",
	"path-include=/usr/share/doc/*/copyright",
}

// debianTools make roots and disks.
var debianTools = []tool{{"mmdebstrap", "mmdebstrap"}, {"mke2fs", "e2fsprogs"}, {"unshare", "util-linux"}}

// ErrNotRoot is why nobody but root has Debian guests: files of a root belong to many users.
var ErrNotRoot = errors.New("a Debian's root file system is made by root alone")

// packages are all that are asked for, each once and in order.
func (d *Debian) packages() []string {
	all := slices.Concat(debianBase, d.Packages)
	if d.Systemd {
		all = append(all, systemdPackages...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// key names a root by all that it is made from.
func (d *Debian) key() string {
	recipe := strings.Join(slices.Concat([]string{"1", d.Suite}, d.packages(), dpkgOptions), "\n")
	return fmt.Sprintf("debian-%s-%.6x", d.Suite, sha256.Sum256([]byte(recipe)))
}

// kernelOfSuite is the name of the ordinary kernel that a suite has.
func kernelOfSuite(suite string) (string, error) {
	recipes, err := Recipes()
	if err != nil {
		return "", err
	}
	for _, r := range recipes {
		if r.Suite == suite && r.Arch == hostArch && r.Boots() && !strings.Contains(r.Name, "-") {
			return r.Name, nil
		}
	}
	return "", fmt.Errorf("suite %q: no kernel in kernels.txt is of it", suite)
}

// GetRoot gives the root file system for d, out of the cache or, the first time, from Debian's mirror; refresh makes it
// again with the packages of today. It is shared: who wants to change it takes a Clone.
func GetRoot(d Debian, refresh bool, progress *Progress) (*Root, error) {
	cache, err := cacheDir("roots")
	if err != nil {
		return nil, err
	}
	root := &Root{Debian: d, dir: filepath.Join(cache, d.key()), shared: true}
	unlock, err := lockCache("root-" + d.key())
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Stat(root.dir); err == nil && !refresh {
		return root, nil // it came by rename, so it is complete
	}
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	if err := needTools(debianTools, progress); err != nil {
		return nil, err
	}
	step := progress.Step("make", fmt.Sprintf("a Debian %s with %s", d.Suite, strings.Join(d.packages(), ", ")))
	if err := d.make(root.dir); err != nil {
		step.Fail()
		return nil, fmt.Errorf("make a Debian %s: %w", d.Suite, err)
	}
	step.Done("")
	return root, nil
}

// make has mmdebstrap install the packages into a folder, which takes its name when it is complete.
func (d *Debian) make(dir string) error {
	mirrors, err := hostMirrors()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), fetching+"debian-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	sources := filepath.Join(temp, "sources.list")
	if err := os.WriteFile(sources, []byte(sourcesList(d.Suite, hostArch, mirrors)), 0o644); err != nil {
		return err
	}
	args := []string{"--mode=root", "--variant=minbase", "--include=" + strings.Join(d.packages(), ",")}
	for _, option := range dpkgOptions {
		args = append(args, "--dpkgopt="+option)
	}
	if d.Suite == "sid" { // as in apt.go
		args = append(args, `--aptopt=Acquire::Check-Valid-Until "false"`)
	}
	made := filepath.Join(temp, "root")
	cmd := exec.Command("mmdebstrap", append(args, d.Suite, made, sources)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	if _, err := output(cmd); err != nil {
		return offline(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	disks, _ := filepath.Glob(dir + "-*.ext4")
	for _, disk := range disks { // of the root that was
		os.Remove(disk)
	}
	return os.Rename(made, dir)
}

// chooseDebian fills in what follows from each other: root, suite, kernel, memory.
func (c *Config) chooseDebian() error {
	if c.Root != nil {
		d := c.Root.Debian
		c.Debian = &d
	}
	if c.Debian == nil {
		return nil
	}
	d := *c.Debian
	if d.Suite == "" {
		recipe, err := FindRecipe(cmp.Or(c.Kernel, DefaultKernel))
		if err != nil {
			return err
		}
		d.Suite = recipe.Suite
	}
	c.Debian = &d
	if c.MemoryMB == 0 {
		c.MemoryMB = debianMemory
	}
	if c.Kernel != "" {
		return nil
	}
	var err error
	c.Kernel, err = kernelOfSuite(d.Suite)
	return err
}

// debianDisk makes what is missing of root and disk.
func (c *Config) debianDisk(kernel *Kernel) (string, error) {
	root := c.Root
	if root == nil {
		var err error
		if root, err = GetRoot(*c.Debian, c.Refresh, c.Progress); err != nil {
			return "", err
		}
	}
	return root.disk(kernel, c.Progress)
}

// Userland is a folder with Debian's busybox as guests have it: bin/busybox is static and every command, bin/sh a shell that
// looks commands up in PATH, with its libraries. Images of containers are made from it.
func Userland(progress *Progress) (string, error) {
	kernel, err := GetKernel(nativeTwin, false, progress)
	if err != nil {
		return "", err
	}
	return kernel.guest(""), nil
}
