// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// A kernel's modules are built with the compiler that built it, and with make, a shell and libraries that suit its own
// programs (modpost, objtool). On the suite's own Debian that is the host. Else it is a folder of the cache with the few
// packages of the suite that it takes, unpacked and not installed: programs run in it with chroot, natively.
//
//	roots/sid-7.2.13+deb14/    shared by the kernels of one version

// builder runs commands where modules of a kernel can be built.
type builder struct {
	root string // "" is the host
	cc   string
}

// builderFor makes what is missing: packages of the host, or a root.
func builderFor(kernel *Kernel, progress *Progress) (*builder, error) {
	if kernel.Built() {
		return &builder{cc: debugCompiler}, needTools(append([]tool{{debugCompiler, debugCompiler}}, buildTools...), progress)
	}
	cc, err := kernel.compiler()
	if err != nil {
		return nil, err
	}
	if hostSuite() == kernel.Suite {
		compiler := tool{cc, cc}
		if kernel.Arch != hostArch {
			triplet := kernel.machine().triplet
			compiler = tool{triplet + "-" + cc, cc + "-" + triplet}
		}
		return &builder{cc: compiler.command}, needTools(append([]tool{compiler}, buildTools...), progress)
	}
	root, err := suiteRoot(kernel, cc, progress)
	return &builder{root: root, cc: cc}, err
}

// command is make with the kernel's tree and compiler, in dir.
func (b *builder) command(kernel *Kernel, dir string, words ...string) (*exec.Cmd, error) {
	args := append([]string{"make", "-C", dir, fmt.Sprintf("-j%d", runtime.NumCPU()), "KDIR=" + kernel.Build(), "CC=" + b.cc}, words...)
	if kernel.Arch != hostArch {
		args = append(args, kernel.machine().make...)
	}
	if b.root == "" {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = cleanMakeEnv(os.Environ())
		return cmd, nil
	}
	// The cache is seen under its own name inside, so that paths mean the same here and there. What is mounted goes with the
	// last process of its namespace. /proc must be there, or objtool fails.
	cache := cacheRoot()
	if err := os.MkdirAll(filepath.Join(b.root, cache), 0o755); err != nil {
		return nil, err
	}
	enter := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		enter = append(enter, "--user", "--map-root-user")
	}
	enter = append(enter, "sh", "-ec", `root=$1 cache=$2
shift 2
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$cache" "$root$cache"
exec chroot "$root" "$@"`, "sh", b.root, cache)
	cmd := exec.Command(enter[0], append(enter[1:], args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LC_ALL=C"}
	return cmd, nil
}

// How the tree names the compiler of its kernel: since 4.19 in its configuration.
var compilerNames = []struct {
	file    string
	pattern *regexp.Regexp
}{
	{".config", regexp.MustCompile(`CONFIG_CC_VERSION_TEXT="\S*gcc-(\d+) `)},
	{"include/generated/compile.h", regexp.MustCompile(`LINUX_COMPILER "gcc version (\d+)\.`)},
}

// compiler is the name of the one that built the kernel.
func (k *Kernel) compiler() (string, error) {
	for _, c := range compilerNames {
		text, err := os.ReadFile(filepath.Join(k.Build(), c.file))
		if err != nil {
			return "", err
		}
		if match := c.pattern.FindSubmatch(text); match != nil {
			return "gcc-" + string(match[1]), nil
		}
	}
	return "", fmt.Errorf("%s: does not say which gcc built it", k.Build())
}

// hostSuite is the release of this machine, "" if it isn't Debian's.
func hostSuite() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	values := map[string]string{}
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for scanner.Scan() {
		name, value, _ := strings.Cut(scanner.Text(), "=")
		values[name] = strings.Trim(value, `"`)
	}
	if values["ID"] != "debian" {
		return ""
	}
	return values["VERSION_CODENAME"]
}

// rootPackages are unpacked beside the compiler and the kernel's own programs: what a make file calls.
var rootPackages = []string{"base-files", "dash", "bash", "coreutils", "sed", "grep", "mawk", "findutils", "diffutils", "make", "gzip", "xz-utils"}

// looseProgram comes without what it depends on: of sparse's package only programs that are not called here need libraries.
const looseProgram = "sparse"

func suiteRoot(kernel *Kernel, cc string, progress *Progress) (string, error) {
	tools := kernel.toolsPackage()
	cache, err := cacheDir("roots")
	if err != nil {
		return "", err
	}
	unlock, err := lockCache("roots")
	if err != nil {
		return "", err
	}
	defer unlock()
	version := tools[strings.IndexAny(tools, "0123456789"):]
	root := filepath.Join(cache, kernel.Suite+"-"+version)
	if _, err := os.Stat(filepath.Join(root, "usr/bin", cc)); err == nil {
		return root, nil
	}
	for _, command := range []string{"unshare", "chroot", "mount"} {
		if !inPath(command) {
			return "", fmt.Errorf("%s is missing: modules for %s are built with its own compiler, in a folder of the cache", command, kernel.Suite)
		}
	}
	step := progress.Step("fetch", fmt.Sprintf("%s and make of %s, to build for %s", cc, kernel.Suite, version))
	packages, err := makeRoot(root, kernel.Suite, append([]string{cc, tools}, rootPackages...))
	if err != nil {
		step.Fail()
		return "", fmt.Errorf("make a folder with the compiler of %s: %w", kernel.Suite, err)
	}
	step.Done(fmt.Sprintf("%d packages", packages))
	return root, nil
}

// toolsPackage has the kernel's own programs that build modules, hence needs the libraries of these. On Debian it is one for
// all kernels of a version.
func (k *Kernel) toolsPackage() string {
	found, err := filepath.Glob(filepath.Join(k.dir, "usr/lib/linux-kbuild-*"))
	if err != nil || len(found) != 1 {
		return "linux-headers-" + k.ABI
	}
	return filepath.Base(found[0])
}

// makeRoot unpacks packages, and what they depend on, into a folder. No script of theirs runs: what those would have made
// and a build needs is made here.
func makeRoot(root, suite string, packages []string) (int, error) {
	apt, err := newApt(suite, hostArch)
	if err != nil {
		return 0, err
	}
	if err := apt.update(); err != nil {
		return 0, err
	}
	names, err := apt.wouldInstall(packages)
	if err != nil {
		return 0, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(root), fetching)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(temp)
	if apt.has(looseProgram) {
		names = append(names, looseProgram)
	}
	debs, err := apt.download(filepath.Join(temp, "debs"), names)
	if err != nil {
		return 0, err
	}
	made := filepath.Join(temp, "root")
	if err := os.Mkdir(made, 0o755); err != nil {
		return 0, err
	}
	// First base-files: where /bin is a link, it is the one that has it.
	for _, first := range []bool{true, false} {
		for _, deb := range debs {
			if strings.HasPrefix(filepath.Base(deb), "base-files_") != first {
				continue
			}
			if err := run("dpkg-deb", "-x", deb, made); err != nil {
				return 0, err
			}
		}
	}
	for _, dir := range []string{"proc", "dev", "tmp"} {
		if err := os.MkdirAll(filepath.Join(made, dir), 0o755); err != nil {
			return 0, err
		}
	}
	// With W=1 Kbuild looks at comments with a program in perl; these are no kernel's.
	for link, target := range map[string]string{"bin/sh": "dash", "usr/bin/awk": "mawk", "usr/bin/perl": "true"} {
		if err := os.Symlink(target, filepath.Join(made, link)); err != nil && !errors.Is(err, os.ErrExist) {
			return 0, err
		}
	}
	if err := os.RemoveAll(root); err != nil {
		return 0, err
	}
	return len(names), os.Rename(made, root)
}
