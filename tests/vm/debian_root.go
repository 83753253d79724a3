// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// A Root is a root file system in a folder of the host.
type Root struct {
	Debian Debian
	dir    string
	shared bool // of the cache: others use it, too
}

// Dir is the folder.
func (r *Root) Dir() string { return r.dir }

// Clone copies it to a folder that is not there yet. The copy may be changed before it is booted: by Run, or by who writes
// into Dir.
func (r *Root) Clone(dir string) (*Root, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := run("cp", "-a", "--reflink=auto", r.dir+"/.", dir); err != nil {
		return nil, fmt.Errorf("copy the root: %w", err)
	}
	return &Root{Debian: r.Debian, dir: dir}, nil
}

// Run runs a command in the root, natively and as root, with the host's kernel, /proc, /dev and an empty /tmp and /run, and
// returns all that it prints. What is mounted goes with the last process of it.
func (r *Root) Run(command string, args ...string) (string, error) {
	if r.shared {
		return "", errors.New("this root is shared: take a Clone")
	}
	return r.chroot(command, args...)
}

func (r *Root) chroot(command string, args ...string) (string, error) {
	cmd := exec.Command("unshare", append([]string{"--mount", "--fork", "--pid", "--kill-child", "sh", "-ec", `root=$1
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
exec chroot "$root" "$@"`, "sh", r.dir, command}, args...)...)
	cmd.Env = []string{"PATH=" + guestPath, "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s, in %s: %w\n%s", command, r.dir, err, tail(string(out), 30))
	}
	return string(out), nil
}

// spareMB is how much more than the root a disk holds. What nobody writes takes no room.
const spareMB = 6 << 10

// disk gives a disk with the root and the modules of a kernel: of a shared root the one that was made before.
func (r *Root) disk(kernel *Kernel, progress *Progress) (string, error) {
	path := r.dir + "-" + kernel.ABI + ".ext4"
	unlock, err := lockCache("root-" + r.Debian.key())
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil && r.shared {
		return path, nil
	}
	if os.Geteuid() != 0 {
		return "", ErrNotRoot
	}
	if err := needTools(debianTools, progress); err != nil {
		return "", err
	}
	step := progress.Step("make", fmt.Sprintf("a disk of %s, for %s", filepath.Base(r.dir), kernel.ABI))
	if err := r.makeDisk(kernel, path); err != nil {
		step.Fail()
		return "", fmt.Errorf("make a disk: %w", err)
	}
	step.Done("")
	return path, nil
}

func (r *Root) makeDisk(kernel *Kernel, path string) error {
	if err := r.addModules(kernel); err != nil {
		return err
	}
	used, err := output(exec.Command("du", "-sm", r.dir))
	if err != nil {
		return err
	}
	mb, err := strconv.Atoi(strings.Fields(used)[0])
	if err != nil {
		return fmt.Errorf("du: %w", err)
	}
	temp := path + ".new"
	os.Remove(temp)
	defer os.Remove(temp)
	// Without a journal: what happens to a disk with its guest does not matter.
	err = run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=1,root_owner=0:0", "-m", "0",
		"-d", r.dir, temp, fmt.Sprintf("%dM", mb*3/2+spareMB))
	if err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// addModules copies the modules of a kernel into the root, unless it has them by a package.
func (r *Root) addModules(kernel *Kernel) error {
	to := filepath.Join(r.dir, "lib/modules", kernel.ABI)
	if _, err := os.Stat(filepath.Join(to, "kernel")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	from, err := filepath.Glob(filepath.Join(kernel.Modules(), "modules.*"))
	if err != nil {
		return err
	}
	from = append(from, filepath.Join(kernel.Modules(), "kernel"))
	if err := run("cp", append(append([]string{"-a", "--reflink=auto"}, from...), to)...); err != nil {
		return err
	}
	_, err = r.chroot("depmod", kernel.ABI)
	return err
}
