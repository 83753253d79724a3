// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// A kernel that is built here comes out of Debian's own source package: tinyconfig and a fragment, in minutes. Its folder in
// the cache looks like the others, without what no module needs.

//go:embed *.config
var fragments embed.FS

// debugCompiler builds kernels that are built here, and their modules.
const debugCompiler = "gcc-12"

var kernelTools = []tool{
	{debugCompiler, debugCompiler}, {"make", "make"}, {"flex", "flex"}, {"bison", "bison"}, {"bc", "bc"}, {"xz", "xz-utils"},
	{"perl", "perl"}, {"cpio", "cpio"}, {"openssl", "openssl"}, {"/usr/include/openssl/opensslv.h", "libssl-dev"},
}

// Built tells whether this kernel is built here, from source.
func (r Recipe) Built() bool { return strings.HasSuffix(r.Headers, ".config") }

// Debug tells whether it looks for bugs, and so takes ten times as long.
func (r Recipe) Debug() bool { return r.Headers == "debug.config" }

func buildKernel(cache string, recipe Recipe, progress *Progress) (*Kernel, error) {
	if err := needTools(kernelTools, progress); err != nil {
		return nil, err
	}
	step := progress.Step("fetch", recipe.Image+" of "+recipe.Suite)
	apt, err := newApt(recipe.Suite, recipe.Arch)
	if err != nil {
		return nil, err
	}
	if err := apt.update(); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(cache, recipe.temp())
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	root, tree := filepath.Join(temp, "root"), filepath.Join(temp, "tree")
	err = unpackSource(apt, recipe.Image, temp, tree)
	if err != nil {
		step.Fail()
		return nil, err
	}
	step.Done("")

	progress.Say("build  kernel %s: this takes minutes, once", recipe.Name)
	step = progress.Step("build", "kernel "+recipe.Name)
	kernel := &Kernel{Recipe: recipe}
	if kernel.ABI, err = makeKernel(tree, recipe); err == nil {
		kernel.dir = filepath.Join(cache, kernel.ABI)
		err = kernel.collect(apt, temp, tree, root)
	}
	if err != nil {
		step.Fail()
		return nil, fmt.Errorf("build kernel %s: %w", recipe.Name, err)
	}
	step.Done(kernel.ABI)
	return kernel, replaceLink(filepath.Join(cache, recipe.Name), kernel.ABI)
}

// unpackSource gives the tree that is in a linux-source package, or the named files of it.
func unpackSource(apt *apt, pkg, temp, tree string, files ...string) error {
	debs, err := apt.download(filepath.Join(temp, "debs"), []string{pkg})
	if err != nil {
		return err
	}
	if err := run("dpkg-deb", "-x", debs[0], filepath.Join(temp, "source")); err != nil {
		return err
	}
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return err
	}
	args := []string{"-C", tree, "--strip-components=1", "-xJf", filepath.Join(temp, "source/usr/src", pkg+".tar.xz")}
	for _, name := range files {
		args = append(args, pkg+"/"+name)
	}
	return run("tar", args...)
}

// makeKernel configures and builds, and gives the version that the kernel calls itself. Others on this machine go first.
func makeKernel(tree string, recipe Recipe) (string, error) {
	fragment, err := fragments.ReadFile(recipe.Headers)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(tree, "falco.config"), fragment, 0o644); err != nil {
		return "", err
	}
	make := func(words ...string) (string, error) {
		args := append([]string{"-n", "10", "make", "-s", "-C", tree, fmt.Sprintf("-j%d", runtime.NumCPU()),
			"CC=" + debugCompiler, "LOCALVERSION=" + strings.TrimPrefix(recipe.Name, "6.1")}, words...)
		cmd := exec.Command("nice", args...)
		cmd.Env = cleanMakeEnv(os.Environ())
		return output(cmd)
	}
	if _, err := make("tinyconfig"); err != nil {
		return "", err
	}
	merge := exec.Command("sh", "scripts/kconfig/merge_config.sh", "-m", ".config", "falco.config")
	merge.Dir = tree
	if _, err := output(merge); err != nil {
		return "", err
	}
	if _, err := make("olddefconfig"); err != nil {
		return "", err
	}
	config, err := os.ReadFile(filepath.Join(tree, ".config"))
	if err != nil {
		return "", err
	}
	if lost := lostOptions(string(fragment), string(config)); len(lost) > 0 {
		return "", fmt.Errorf("%s: not taken: %s", recipe.Headers, strings.Join(lost, " "))
	}
	if _, err := make("bzImage", "modules"); err != nil {
		return "", err
	}
	abi, err := make("kernelrelease")
	return strings.TrimSpace(abi), err
}

// lostOptions are those of a fragment that did not get into a configuration, for want of what they depend on.
func lostOptions(fragment, config string) (lost []string) {
	have := map[string]bool{}
	for line := range strings.Lines(config) {
		have[strings.TrimSpace(line)] = true
	}
	for line := range strings.Lines(fragment) {
		line = strings.TrimSpace(line)
		option := strings.HasPrefix(line, "CONFIG_") || strings.HasSuffix(line, " is not set")
		if option && !have[line] && !(strings.HasPrefix(line, "# ") && !strings.Contains(config, strings.Fields(line)[1]+"=")) {
			lost = append(lost, line)
		}
	}
	return lost
}

// notForModules are the parts of the source that are only for the kernel itself.
var notForModules = []string{"Documentation", "block", "certs", "crypto", "drivers", "fs", "init", "io_uring", "ipc", "kernel", "lib",
	"mm", "net", "rust", "samples", "security", "sound", "virt", "tools/testing", "tools/perf", "vmlinux.o", "vmlinux.a"}

// collect makes of a built tree what the packages of an ordinary kernel are.
func (k *Kernel) collect(apt *apt, temp, tree, root string) error {
	for _, dir := range []string{"boot", "usr/src", filepath.Join("lib/modules", k.ABI)} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	image := filepath.Join(tree, "arch/x86/boot/bzImage")
	if err := os.Rename(image, filepath.Join(root, "boot", "vmlinuz-"+k.ABI)); err != nil {
		return err
	}
	install := exec.Command("sh", "-c", `find . -name '*.ko' | cpio --quiet -pdm "$1"`, "sh", filepath.Join(root, "lib/modules", k.ABI, "kernel"))
	install.Dir = tree
	if _, err := output(install); err != nil {
		return err
	}
	if err := k.keepKey(tree, root); err != nil {
		return err
	}
	for _, name := range notForModules {
		if err := os.RemoveAll(filepath.Join(tree, name)); err != nil {
			return err
		}
	}
	if err := run("find", tree, "-name", "*.o", "-not", "-path", "*/scripts/*", "-delete"); err != nil {
		return err
	}
	headers := filepath.Join("usr/src", "linux-headers-"+k.ABI)
	if err := os.Rename(tree, filepath.Join(root, headers)); err != nil {
		return err
	}
	if err := os.Symlink("../../../"+headers, filepath.Join(root, "lib/modules", k.ABI, "build")); err != nil {
		return err
	}
	guestDebs, err := apt.download(filepath.Join(temp, "guest-debs"), guestPackages)
	if err != nil {
		return err
	}
	if err := extractGuest(k.machine(), guestDebs, filepath.Join(temp, "userland"), filepath.Join(root, "guest")); err != nil {
		return err
	}
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(k.dir); err != nil {
		return err
	}
	return os.Rename(root, k.dir)
}

// signingKey are the halves of the key that a kernel was built with, if it looks at modules' signatures.
var signingKey = []string{"signing_key.pem", "signing_key.x509"}

// keepKey keeps it, so that tests can sign modules that the kernel trusts.
func (k *Kernel) keepKey(tree, root string) error {
	for _, name := range signingKey {
		from := filepath.Join(tree, "certs", name)
		if _, err := os.Stat(from); err != nil {
			return nil // it does not look at signatures
		}
		if err := os.MkdirAll(filepath.Join(root, "key"), 0o700); err != nil {
			return err
		}
		if err := os.Rename(from, filepath.Join(root, "key", name)); err != nil {
			return err
		}
	}
	return nil
}

// SigningKey gives private key and certificate of a kernel that is built here and looks at modules' signatures.
func (k *Kernel) SigningKey() (key, cert string) {
	return filepath.Join(k.dir, "key", signingKey[0]), filepath.Join(k.dir, "key", signingKey[1])
}

// Checkpatch is the kernel's own style checker, which no package has but that of the source.
func Checkpatch(progress *Progress) (string, error) {
	dir, err := cacheDir("checkpatch")
	if err != nil {
		return "", err
	}
	unlock, err := lockCache("checkpatch")
	if err != nil {
		return "", err
	}
	defer unlock()
	checker := filepath.Join(dir, "scripts/checkpatch.pl")
	if _, err := os.Stat(checker); err == nil {
		return checker, needTools([]tool{{"perl", "perl"}}, progress)
	}
	if err := needTools([]tool{{"perl", "perl"}, {"xz", "xz-utils"}}, progress); err != nil {
		return "", err
	}
	step := progress.Step("fetch", "checkpatch.pl from "+checkpatchSource)
	err = fetchCheckpatch(dir)
	if err != nil {
		step.Fail()
		return "", fmt.Errorf("fetch checkpatch.pl: %w", err)
	}
	step.Done("")
	return checker, nil
}

const checkpatchSource = "linux-source-6.1"

func fetchCheckpatch(dir string) error {
	apt, err := newApt("bookworm", hostArch)
	if err != nil {
		return err
	}
	if err := apt.update(); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), fetching)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	tree := filepath.Join(temp, "tree")
	err = unpackSource(apt, checkpatchSource, temp, tree,
		"scripts/checkpatch.pl", "scripts/spelling.txt", "scripts/const_structs.checkpatch")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(tree, dir)
}
