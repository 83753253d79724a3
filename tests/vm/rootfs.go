// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/falco-go/falco/tests/vm/wire"
)

// The guest's userland is Debian's busybox, twice. The static one is every command. The other one is the shell: the static
// one runs its own commands without execve(2), so that `cat` in a script would never be a process called cat; the dynamic
// one, the same program, looks them up in PATH as every shell does.
const (
	guestBusybox = "bin/busybox"
	guestShell   = "bin/sh"
)

var guestPackages = []string{"busybox-static", "busybox", "libc6"}

// guestLibraries serve the shell and the programs that FILES brings.
var guestLibraries = []string{"libc.so.6", "libresolv.so.2", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"}

// extractGuest picks from the packages what goes into guests.
func extractGuest(machine arch, debs []string, temp, to string) error {
	pick := map[string]string{}
	for _, deb := range debs {
		name, _, _ := strings.Cut(filepath.Base(deb), "_")
		root := filepath.Join(temp, name)
		if err := os.MkdirAll(root, 0o755); err != nil {
			return err
		}
		if err := run("dpkg-deb", "-x", deb, root); err != nil {
			return err
		}
		// /bin and /lib are links into /usr in newer suites.
		at := func(path string) string {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				return filepath.Join(root, "usr", path)
			}
			return filepath.Join(root, path)
		}
		switch name {
		case "busybox-static":
			pick[guestBusybox] = at("bin/busybox")
		case "busybox":
			pick[guestShell] = at("bin/busybox")
		case "libc6":
			libraries := "lib/" + machine.triplet + "/"
			for _, library := range guestLibraries {
				pick[libraries+library] = at(libraries + library)
			}
			pick[machine.loader] = at(libraries + filepath.Base(machine.loader))
		}
	}
	for name, from := range pick {
		data, err := os.ReadFile(from) // follows links
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, data, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// etc is what programs ask for about users and names.
var etc = map[string]struct {
	mode uint32
	text string
}{
	"passwd": {0o644, "root:x:0:0:root:/root:/bin/sh\n" +
		"nobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n"},
	"group":         {0o644, "root:x:0:\ntty:x:5:\nshadow:x:42:\nnogroup:x:65534:\n"},
	"shadow":        {0o640, "root:*:19700:0:99999:7:::\nnobody:*:19700:0:99999:7:::\n"},
	"gshadow":       {0o640, "root:*::\ntty:*::\nshadow:*::\nnogroup:*::\n"},
	"hosts":         {0o644, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"},
	"hostname":      {0o644, guestName + "\n"},
	"nsswitch.conf": {0o644, "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"},
	"shells":        {0o644, "/bin/sh\n"},
	"profile":       {0o644, "export PATH=" + guestPath + "\nPS1='" + guestName + ":\\w# '\n"},
	"resolv.conf":   {0o644, ""},
	"crontab":       {0o644, ""},
	"sudoers":       {0o440, "root ALL=(ALL:ALL) ALL\n"},
}

const (
	guestName = "guest"
	guestPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// folders that an ordinary system has, empty here.
var folders = map[string]uint32{
	"/": 0o755, "/dev": 0o755, "/proc": 0o555, "/sys": 0o555, "/run": 0o755, "/tmp": 0o1777, "/root": 0o700, "/home": 0o755,
	"/mnt": 0o755, "/media": 0o755, "/opt": 0o755, "/srv": 0o755, "/boot": 0o755, "/etc/falco": 0o755, "/usr/local/bin": 0o755,
	"/usr/local/sbin": 0o755, "/usr/lib": 0o755, "/usr/share": 0o755, "/var/log": 0o755, "/var/lib": 0o755, "/var/cache": 0o755,
	"/var/spool/cron": 0o755, "/var/tmp": 0o1777, "/etc/cron.d": 0o755, "/lib/modules": 0o755,
}

// guestRoot is what goes into one guest.
type guestRoot struct {
	kernel *Kernel
	init   string            // static programs of the host
	falco  string            // "" for none
	module string            // "" for none
	insmod []string          // the kernel's own modules, below its lib/modules folder
	files  map[string]string // guest path to host path, anything
	texts  map[string]string // guest path to content
	plain  map[string]string // the same, for files that are not to be executed
	links  map[string]string // guest path to where it points
	plan   *wire.Plan
}

// write makes the initramfs. Where a disk becomes the root, all that is for the guest is in a folder of its own, out of which
// init adds it to the disk, and there is nothing but init besides.
func (g *guestRoot) write(w io.Writer) error {
	a := newArchive(w)
	if g.plan.Disk != nil {
		a.charDevice("/dev/console", 0o600, 5, 1)
		return g.writeRest(a, wire.OverlayPath)
	}
	for _, name := range sortedKeys(folders) {
		a.dir(name, folders[name])
	}
	for _, name := range sortedKeys(etc) {
		a.file("/etc/"+name, etc[name].mode, []byte(etc[name].text))
	}
	// The kernel opens it for init, before /dev is mounted.
	a.charDevice("/dev/console", 0o600, 5, 1)

	if err := g.writeBusybox(a); err != nil {
		return err
	}
	return g.writeRest(a, "")
}

// writeRest adds what is not the same in every guest, to the folder that will be the root.
func (g *guestRoot) writeRest(a *archive, root string) error {
	for _, module := range g.insmod {
		name := path.Join("/lib/modules", g.kernel.ABI, module)
		if err := a.copy(name, filepath.Join(g.kernel.Modules(), module)); err != nil {
			return err
		}
		g.plan.Insmod = append(g.plan.Insmod, name)
	}
	if err := a.follow("/init", g.init); err != nil {
		return err
	}
	programs := map[string]string{"/usr/bin/falco": g.falco, g.plan.Module: g.module}
	for _, name := range sortedKeys(programs) {
		if programs[name] == "" {
			continue
		}
		if err := a.follow(path.Join(root, name), programs[name]); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(g.files) {
		if err := a.follow(path.Join(root, name), g.files[name]); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(g.texts) {
		a.file(path.Join(root, name), 0o755, []byte(g.texts[name]))
	}
	for _, name := range sortedKeys(g.plain) {
		a.file(path.Join(root, name), 0o644, []byte(g.plain[name]))
	}
	for _, name := range sortedKeys(g.links) {
		a.link(path.Join(root, name), g.links[name])
	}
	plan, err := json.Marshal(g.plan)
	if err != nil {
		return err
	}
	a.file(wire.PlanPath, 0o600, plan)
	return a.close()
}

// writeBusybox copies it and links every command to it, in the folder where Debian has it and in its twin below /usr:
// scripts use both names.
func (g *guestRoot) writeBusybox(a *archive) error {
	userland := g.kernel.guest("")
	if err := a.copy("/", userland); err != nil {
		return err
	}
	out, err := g.kernel.applets()
	if err != nil {
		return err
	}
	for _, name := range appletPaths(out) {
		if _, err := os.Lstat(filepath.Join(userland, name)); err != nil {
			a.link("/"+name, "/"+guestBusybox)
		}
	}
	return nil
}

// applets asks busybox. One for another machine cannot be asked here: its commands are those of the default kernel's, which
// is of the same suite.
func (k *Kernel) applets() (string, error) {
	if k.Arch != hostArch {
		native, err := GetKernel(nativeTwin, false, nil)
		if err != nil {
			return "", err
		}
		k = native
	}
	return output(exec.Command(k.guest(guestBusybox), "--list-full"))
}

// nativeTwin is of the suite that kernels for other machines are of.
const nativeTwin = "6.1"

// appletPaths turns "bin/cat" into itself and usr/bin/cat, and the like.
func appletPaths(list string) []string {
	seen := map[string]bool{}
	for _, name := range strings.Fields(list) {
		dir, base := path.Split(name)
		switch dir = path.Clean(dir); dir {
		case "bin", "sbin", "usr/bin", "usr/sbin":
			seen[path.Join("usr", strings.TrimPrefix(dir, "usr/"), base)] = true
			seen[path.Join(strings.TrimPrefix(dir, "usr/"), base)] = true
		}
	}
	delete(seen, "usr/bin/busybox")
	return sortedKeys(seen)
}

// place gives each path of a list a name in a guest's folder: its own, or, where two are called the same, a numbered folder
// of its own. Order is kept.
func place(folder string, paths []string) (names []string, files map[string]string, err error) {
	files = map[string]string{}
	for i, from := range paths {
		if _, err := os.Stat(from); err != nil {
			return nil, nil, err
		}
		abs, err := filepath.Abs(from)
		if err != nil {
			return nil, nil, err
		}
		name := path.Join(folder, filepath.Base(abs))
		if files[name] != "" {
			name = path.Join(folder, fmt.Sprint(i+1), filepath.Base(abs))
		}
		files[name] = abs
		names = append(names, name)
	}
	return names, files, nil
}
