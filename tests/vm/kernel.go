// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultKernel is booted when nobody asks for another. FALCO_KERNEL takes whole suites of tests to another kernel.
var DefaultKernel = cmp.Or(os.Getenv("FALCO_KERNEL"), "6.1")

//go:embed kernels.txt
var kernelsText string

// A Recipe is a line of kernels.txt.
type Recipe struct {
	Name, Arch, Suite string
	Image, Headers    string
}

func parseRecipes(text string) ([]Recipe, error) {
	var recipes []Recipe
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 5 {
			return nil, fmt.Errorf("kernels.txt:%d: %d columns instead of 5", i+1, len(fields))
		}
		if _, known := arches[fields[1]]; !known {
			return nil, fmt.Errorf("kernels.txt:%d: unknown arch %q", i+1, fields[1])
		}
		recipes = append(recipes, Recipe{
			Name: fields[0], Arch: fields[1], Suite: fields[2], Image: fields[3], Headers: fields[4],
		})
	}
	return recipes, nil
}

// Recipes are all lines of kernels.txt.
func Recipes() ([]Recipe, error) { return parseRecipes(kernelsText) }

// FindRecipe is the line for a name.
func FindRecipe(name string) (Recipe, error) {
	recipes, err := Recipes()
	if err != nil {
		return Recipe{}, err
	}
	var names []string
	for _, r := range recipes {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return Recipe{}, fmt.Errorf("kernel %q: unknown; there is %s", name, strings.Join(names, ", "))
}

// A Kernel is a kernel in the cache, with all that a guest and a module need:
//
//	kernels/6.1                    a link to the folder of the newest that was fetched
//	kernels/6.1.0-56-cloud-amd64/  a folder an ABI: what dpkg-deb -x makes of its packages
//	    boot/vmlinuz-…  lib/modules/…  usr/src/linux-headers-…  usr/lib/linux-kbuild-…
//	    guest/      the suite's busybox, twice, and the C library of the one that is the guest's sh
type Kernel struct {
	Recipe
	ABI string // "6.1.0-56-cloud-amd64"
	dir string
}

// Image is the compressed kernel that QEMU boots.
func (k *Kernel) Image() string { return filepath.Join(k.dir, "boot", "vmlinuz-"+k.ABI) }

// Build is the build tree for KDIR=.
func (k *Kernel) Build() string { return filepath.Join(k.dir, "usr/src/linux-headers-"+k.ABI) }

// Modules is the folder of the kernel's own modules.
func (k *Kernel) Modules() string { return filepath.Join(k.dir, "lib/modules", k.ABI) }

// guest is a file of the suite's userland.
func (k *Kernel) guest(path string) string { return filepath.Join(k.dir, "guest", path) }

// GetKernel gives the kernel of a name, out of the cache or, the first time, from Debian's mirror. refresh asks the mirror
// again, and fetches if there is a newer ABI.
func GetKernel(name string, refresh bool, progress *Progress) (*Kernel, error) {
	recipe, err := FindRecipe(name)
	if err != nil {
		return nil, err
	}
	cache, err := cacheDir("kernels")
	if err != nil {
		return nil, err
	}
	unlock, err := lockCache("kernel-" + name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if kernel, err := cachedKernel(cache, recipe); err == nil && !refresh {
		return kernel, nil
	}
	// What an interrupted fetch has left; nobody else fetches this one now.
	if left, err := filepath.Glob(filepath.Join(cache, recipe.temp()+"*")); err == nil {
		for _, dir := range left {
			os.RemoveAll(dir)
		}
	}
	if recipe.Built() {
		return buildKernel(cache, recipe, progress)
	}
	return fetchKernel(cache, recipe, progress)
}

// cachedKernel follows the link kernels/<name>. A folder is complete if it is there: it came by rename.
func cachedKernel(cache string, recipe Recipe) (*Kernel, error) {
	abi, err := os.Readlink(filepath.Join(cache, recipe.Name))
	if err != nil {
		return nil, err
	}
	kernel := &Kernel{Recipe: recipe, ABI: abi, dir: filepath.Join(cache, abi)}
	if !kernel.complete() {
		return nil, fmt.Errorf("%s: not complete", kernel.dir)
	}
	return kernel, nil
}

// complete tells whether the folder has what an earlier version of this program may have left out.
func (k *Kernel) complete() bool {
	need := []string{k.Build()}
	if k.Boots() {
		need = append(need, k.Image(), k.guest(guestShell))
	}
	for _, path := range need {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

func fetchKernel(cache string, recipe Recipe, progress *Progress) (*Kernel, error) {
	step := progress.Step("fetch", "kernel "+recipe.Name+" and its headers, of "+recipe.Suite)
	kernel, err := fetchKernelInto(cache, recipe)
	if err != nil {
		step.Fail()
		return nil, fmt.Errorf("fetch kernel %s: %w", recipe.Name, err)
	}
	step.Done(kernel.ABI)
	return kernel, nil
}

func fetchKernelInto(cache string, recipe Recipe) (*Kernel, error) {
	apt, err := newApt(recipe.Suite, recipe.Arch)
	if err != nil {
		return nil, err
	}
	if err := apt.update(); err != nil {
		return nil, err
	}
	packages, abi, err := recipe.packages(apt)
	if err != nil {
		return nil, err
	}
	kernel := &Kernel{Recipe: recipe, ABI: abi, dir: filepath.Join(cache, abi)}
	if !kernel.complete() {
		if err := kernel.extract(apt, packages); err != nil {
			return nil, err
		}
	}
	return kernel, replaceLink(filepath.Join(cache, recipe.Name), abi)
}

// packages are the real ones behind a recipe, and the version that is in their names.
func (r Recipe) packages(apt *apt) (packages []string, abi string, err error) {
	if r.Boots() {
		packages, err = apt.closure([]string{r.Image, r.Headers})
		abi = packageABI(packages, "linux-image-")
	} else {
		packages, err = apt.closure([]string{r.Headers})
		packages = slices.DeleteFunc(packages, func(name string) bool { return strings.HasPrefix(name, "linux-image-") })
		abi = packageABI(packages, "linux-headers-")
	}
	if err == nil && abi == "" {
		err = fmt.Errorf("behind %s and %s is no kernel's package", r.Image, r.Headers)
	}
	return packages, abi, err
}

// packageABI is what stands behind the prefix in the real package: the longest, since what several kernels have in common
// has a shorter name.
func packageABI(packages []string, prefix string) (longest string) {
	for _, name := range packages {
		abi, found := strings.CutPrefix(name, prefix)
		if found && !isMetapackage(name) && !strings.Contains(abi, "-common") && len(abi) > len(longest) {
			longest = abi
		}
	}
	return longest
}

// fetching begins the names of folders that are not complete yet.
const fetching = ".fetch-"

// temp begins the names of this kernel's, and of no other's. No comma: tools/build cannot make a kernel below a folder with one.
func (r Recipe) temp() string { return fetching + r.Name + "_" }

// extract makes the folder under another name and renames it when it is complete.
func (k *Kernel) extract(apt *apt, packages []string) error {
	temp, err := os.MkdirTemp(filepath.Dir(k.dir), k.temp())
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	kernelDebs, err := k.download(apt, filepath.Join(temp, "debs"), packages)
	if err != nil {
		return err
	}
	root := filepath.Join(temp, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for _, deb := range kernelDebs {
		if err := run("dpkg-deb", "-x", deb, root); err != nil {
			return err
		}
	}
	if k.Boots() {
		guestDebs, err := apt.download(filepath.Join(temp, "guest-debs"), guestPackages)
		if err != nil {
			return err
		}
		if err := extractGuest(k.machine(), guestDebs, filepath.Join(temp, "userland"), filepath.Join(root, "guest")); err != nil {
			return err
		}
	}
	if err := settle(root, k.ABI); err != nil {
		return err
	}
	if err := relink(root, k.ABI); err != nil {
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

// download takes the programs that build modules for the machine that they run on: they do for all others.
func (k *Kernel) download(apt *apt, dir string, packages []string) ([]string, error) {
	if k.Arch == hostArch {
		return apt.download(dir, packages)
	}
	native, err := newApt(k.Suite, hostArch)
	if err != nil {
		return nil, err
	}
	if err := native.update(); err != nil {
		return nil, err
	}
	var tools, others []string
	for _, name := range packages {
		if strings.HasPrefix(name, "linux-kbuild-") {
			tools = append(tools, name)
		} else {
			others = append(others, name)
		}
	}
	debs, err := apt.download(dir, others)
	if err != nil {
		return nil, err
	}
	toolDebs, err := native.download(dir+"-tools", tools)
	return append(debs, toolDebs...), err
}

// settle undoes what newer suites do differently: modules are below /usr, and compressed, and the image is among them.
func settle(root, abi string) error {
	if _, err := os.Stat(filepath.Join(root, "lib")); errors.Is(err, os.ErrNotExist) {
		if err := os.Symlink("usr/lib", filepath.Join(root, "lib")); err != nil {
			return err
		}
	}
	image := filepath.Join("lib/modules", abi, "vmlinuz")
	if _, err := os.Stat(filepath.Join(root, image)); err == nil {
		boot := filepath.Join(root, "boot")
		if err := os.MkdirAll(boot, 0o755); err != nil {
			return err
		}
		if err := os.Symlink("../"+image, filepath.Join(boot, "vmlinuz-"+abi)); err != nil {
			return err
		}
	}
	var compressed []string
	err := filepath.WalkDir(filepath.Join(root, "lib/modules")+"/", func(path string, entry fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".ko.xz") {
			compressed = append(compressed, path)
		}
		return err
	})
	if err != nil || len(compressed) == 0 {
		return err
	}
	xz := exec.Command("xargs", "-0", "-n", "64", "-P", strconv.Itoa(runtime.NumCPU()), "xz", "--decompress")
	xz.Stdin = strings.NewReader(strings.Join(compressed, "\x00"))
	_, err = output(xz)
	return err
}

// relink lets the tree of the headers work where it is: the packages name each other by absolute paths in two places, a
// Makefile of one line and two links.
func relink(root, abi string) error {
	makefile := filepath.Join(root, "usr/src/linux-headers-"+abi, "Makefile")
	text, err := os.ReadFile(makefile)
	if err != nil {
		return err
	}
	changed := relinked(string(text))
	if err := os.WriteFile(makefile, []byte(changed), 0o644); err != nil {
		return err
	}
	modules := filepath.Join(root, "lib/modules", abi)
	for _, name := range []string{"build", "source"} {
		target, err := os.Readlink(filepath.Join(modules, name))
		if err != nil || !filepath.IsAbs(target) {
			continue
		}
		if err := replaceLink(filepath.Join(modules, name), "../../.."+target); err != nil {
			return err
		}
	}
	return nil
}

// relinked is the Makefile without absolute paths. MAKEFILE_LIST names this file as it was found, which is how the tree may
// be moved afterwards; that holds only while make reads these lines, hence := instead of =.
func relinked(makefile string) string {
	const here = "$(dir $(realpath $(lastword $(MAKEFILE_LIST))))../"
	changed := strings.ReplaceAll(makefile, "/usr/src/", here)
	return strings.ReplaceAll(changed, "KBUILD_OUTPUT="+here, "KBUILD_OUTPUT:="+here)
}

// Boots tells whether there is an image, and not only a tree to build modules in.
func (r Recipe) Boots() bool { return r.Image != "-" }

// patience is how much longer things take than with a stock kernel.
func (r Recipe) patience() time.Duration {
	if r.Debug() {
		return 10
	}
	return 1
}
