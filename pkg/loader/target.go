// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Target is the kernel that a module is for, and the distribution around it.
type Target struct {
	ID      string // of the distribution, as /etc/os-release has it
	Like    []string
	Variant string // version of the distribution
	Arch    string // as the kernel calls it
	Release string // uname -r
	Version string // uname -v
	Running bool   // this is the kernel that runs, not one that was named
}

// FindTarget asks the machine below root.
func FindTarget(root string) (Target, error) {
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil {
		return Target{}, os.NewSyscallError("uname", err)
	}
	t := Target{Arch: text(u.Machine[:]), Release: text(u.Release[:]), Version: text(u.Version[:]), Running: true}
	for _, name := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if f, err := os.Open(filepath.Join(root, name)); err == nil {
			t.parse(f)
			f.Close()
			break
		}
	}
	return t, nil
}

// text is a string of the kernel's, to its NUL.
func text(field []int8) string {
	var b strings.Builder
	for _, c := range field {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

// parse takes what it needs of os-release.
func (t *Target) parse(r io.Reader) {
	lines := bufio.NewScanner(io.LimitReader(r, 64<<10))
	for lines.Scan() {
		key, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		value = strings.Trim(value, "'")
		switch key {
		case "ID":
			t.ID = strings.ToLower(value)
		case "ID_LIKE":
			t.Like = strings.Fields(strings.ToLower(value))
		case "VERSION_ID":
			t.Variant = value
		}
	}
}

// Name is what repositories of modules call the distribution.
func (t *Target) Name() string {
	switch t.ID {
	case "":
		return "undetermined"
	case "amzn":
		return "amazonlinux" + strings.TrimSuffix(t.Variant, ".0")
	case "ubuntu":
		flavour := "generic"
		if i := strings.LastIndexByte(t.Release, '-'); i >= 0 && i+1 < len(t.Release) && (t.Release[i+1] < '0' || t.Release[i+1] > '9') {
			flavour = t.Release[i+1:]
		}
		return "ubuntu-" + flavour
	}
	return t.ID
}

// FixedVersion is the number at the front of uname -v, as names of files have it.
func (t *Target) FixedVersion() string {
	v := strings.TrimPrefix(t.Version, "#")
	if i := strings.IndexFunc(v, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		v = v[:i]
	}
	if v == "" {
		return "1"
	}
	return v
}

// is reports whether the distribution is one of those named, or made from one.
func (t *Target) is(ids ...string) bool {
	return slices.Contains(ids, t.ID) || slices.ContainsFunc(t.Like, func(id string) bool { return slices.Contains(ids, id) })
}

// Supported returns what keeps this kernel from ever having the module, nil if nothing does.
func (l *Loader) Supported() error {
	t := &l.Target
	if t.Arch != "x86_64" && t.Arch != "aarch64" {
		return &Problem{What: "the module is for x86_64 and aarch64, not for " + t.Arch, Mend: "watch from another machine's captures: falco -e FILE"}
	}
	major, minor := kernelNumber(t.Release)
	if major < 4 || major == 4 && minor < 18 {
		return &Problem{What: fmt.Sprintf("the module is for kernels from 4.18 on, not for %s", t.Release), Mend: "boot a newer kernel"}
	}
	return nil
}

// kernelNumber are the first two numbers of a release.
func kernelNumber(release string) (major, minor int) {
	fmt.Sscanf(release, "%d.%d", &major, &minor)
	return major, minor
}

// kernels lists those that the module is wanted for: the one that runs or was
// named first, then all others that are installed, since one of them may be booted next.
func (l *Loader) kernels() []string {
	var list []string
	if !l.Target.Running {
		return []string{l.Target.Release}
	}
	entries, err := os.ReadDir(l.path("/lib/modules"))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		// What a removed kernel leaves behind has neither a list of modules nor headers.
		if _, err := os.Stat(l.path("/lib/modules/" + e.Name() + "/modules.order")); err != nil && e.Name() != l.Target.Release {
			if _, err := l.headers(e.Name()); err != nil {
				continue
			}
		}
		if e.Name() == l.Target.Release {
			list = slices.Insert(list, 0, e.Name())
		} else if major, minor := kernelNumber(e.Name()); major > 4 || major == 4 && minor >= 18 {
			list = append(list, e.Name())
		}
	}
	return list
}

// sources lists the versions below /usr/src of a root.
func (l *Loader) sources(root string) []string {
	paths, err := filepath.Glob(filepath.Join(root, "/usr/src/"+l.Name+"-*/dkms.conf"))
	if err != nil {
		return nil
	}
	var versions []string
	for _, p := range paths {
		versions = append(versions, strings.TrimPrefix(filepath.Base(filepath.Dir(p)), l.Name+"-"))
	}
	return versions
}

// newest returns the highest of versions, "" of none.
func newest(versions []string) string {
	best := ""
	for _, v := range versions {
		if best == "" || compareVersions(v, best) > 0 {
			best = v
		}
	}
	return best
}

// compareVersions orders as semantic versioning does, without what stands behind +.
func compareVersions(a, b string) int {
	a, _, _ = strings.Cut(a, "+")
	b, _, _ = strings.Cut(b, "+")
	numbersA, preA, isPreA := strings.Cut(a, "-")
	numbersB, preB, isPreB := strings.Cut(b, "-")
	partsA, partsB := strings.Split(numbersA, "."), strings.Split(numbersB, ".")
	for i := range max(len(partsA), len(partsB)) {
		var x, y int
		if i < len(partsA) {
			x, _ = strconv.Atoi(partsA[i])
		}
		if i < len(partsB) {
			y, _ = strconv.Atoi(partsB[i])
		}
		if x != y {
			return x - y
		}
	}
	switch {
	case isPreA && !isPreB:
		return -1
	case isPreB && !isPreA:
		return 1
	}
	return strings.Compare(preA, preB)
}

// container names the container that this runs in, "" if it is none.
func (l *Loader) container() string {
	for file, name := range map[string]string{"/.dockerenv": "docker", "/run/.containerenv": "podman", "/run/systemd/container": "systemd"} {
		if _, err := os.Stat(file); err == nil {
			return name
		}
	}
	if os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return "kubernetes"
	}
	return os.Getenv("container")
}
