// SPDX-License-Identifier: Apache-2.0

package vm

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// DefaultKernel is booted when nobody asks for another.
const DefaultKernel = "6.1"

// ErrLater is for kernels whose guests are not built yet.
var ErrLater = errors.New("guests with this kernel are not available yet")

//go:embed kernels.txt
var kernelsText string

// A Recipe is a line of kernels.txt.
type Recipe struct {
	Name, Suite    string
	Boots          bool
	CC             string
	Image, Headers string
}

func parseRecipes(text string) ([]Recipe, error) {
	var recipes []Recipe
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 6 {
			return nil, fmt.Errorf("kernels.txt:%d: %d columns instead of 6", i+1, len(fields))
		}
		if fields[2] != "boots" && fields[2] != "later" {
			return nil, fmt.Errorf("kernels.txt:%d: state %q is neither boots nor later", i+1, fields[2])
		}
		recipes = append(recipes, Recipe{
			Name: fields[0], Suite: fields[1], Boots: fields[2] == "boots",
			CC: fields[3], Image: fields[4], Headers: fields[5],
		})
	}
	return recipes, nil
}

// FindRecipe is the line for a name. The error wraps ErrLater where a guest will exist one day.
func FindRecipe(name string) (Recipe, error) {
	recipes, err := parseRecipes(kernelsText)
	if err != nil {
		return Recipe{}, err
	}
	var boots []string
	for _, r := range recipes {
		if r.Name == name && r.Boots {
			return r, nil
		}
		if r.Name == name {
			return r, fmt.Errorf("kernel %s: %w", name, ErrLater)
		}
		if r.Boots {
			boots = append(boots, r.Name)
		}
	}
	return Recipe{}, fmt.Errorf("kernel %q: unknown; there is %s", name, strings.Join(boots, ", "))
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
	unlock, err := lockCache("kernels")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if kernel, err := cachedKernel(cache, recipe); err == nil && !refresh {
		return kernel, nil
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
	for _, path := range []string{kernel.Image(), kernel.Build(), kernel.guest(guestShell)} {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	return kernel, nil
}

func fetchKernel(cache string, recipe Recipe, progress *Progress) (*Kernel, error) {
	step := progress.Step("fetch", "kernel "+recipe.Name+" and its headers from Debian "+recipe.Suite)
	kernel, err := fetchKernelInto(cache, recipe)
	if err != nil {
		step.Fail()
		return nil, fmt.Errorf("fetch kernel %s: %w", recipe.Name, err)
	}
	step.Done(kernel.ABI)
	return kernel, nil
}

func fetchKernelInto(cache string, recipe Recipe) (*Kernel, error) {
	// What an interrupted fetch has left; nobody else fetches now.
	if left, err := filepath.Glob(filepath.Join(cache, fetching+"*")); err == nil {
		for _, dir := range left {
			os.RemoveAll(dir)
		}
	}
	apt, err := newApt(recipe.Suite)
	if err != nil {
		return nil, err
	}
	if err := apt.update(); err != nil {
		return nil, err
	}
	packages, err := apt.closure([]string{recipe.Image, recipe.Headers})
	if err != nil {
		return nil, err
	}
	abi := imageABI(packages)
	if abi == "" {
		return nil, fmt.Errorf("%s depends on no linux-image package", recipe.Image)
	}
	kernel := &Kernel{Recipe: recipe, ABI: abi, dir: filepath.Join(cache, abi)}
	if _, err := os.Stat(kernel.dir); err != nil {
		if err := kernel.extract(apt, packages); err != nil {
			return nil, err
		}
	}
	return kernel, replaceLink(filepath.Join(cache, recipe.Name), abi)
}

// imageABI is what stands behind "linux-image-" in the real package.
func imageABI(packages []string) string {
	for _, name := range packages {
		abi, found := strings.CutPrefix(name, "linux-image-")
		if found && abi != "" && abi[0] >= '0' && abi[0] <= '9' {
			return abi
		}
	}
	return ""
}

// fetching begins the names of folders that are not complete yet.
const fetching = ".fetch-"

// extract makes the folder under another name and renames it when it is complete.
func (k *Kernel) extract(apt *apt, packages []string) error {
	temp, err := os.MkdirTemp(filepath.Dir(k.dir), fetching)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	kernelDebs, err := apt.download(filepath.Join(temp, "debs"), packages)
	if err != nil {
		return err
	}
	guestDebs, err := apt.download(filepath.Join(temp, "guest-debs"), guestPackages)
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
	if err := extractGuest(guestDebs, filepath.Join(temp, "userland"), filepath.Join(root, "guest")); err != nil {
		return err
	}
	if err := relink(root, k.ABI); err != nil {
		return err
	}
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	return os.Rename(root, k.dir)
}

// relink lets the tree of the headers work where it is: the packages name each other by absolute paths in two places, a
// Makefile of one line and two links.
func relink(root, abi string) error {
	makefile := filepath.Join(root, "usr/src/linux-headers-"+abi, "Makefile")
	text, err := os.ReadFile(makefile)
	if err != nil {
		return err
	}
	// MAKEFILE_LIST names this file as it was found, which is how the tree may be moved afterwards.
	const here = "include $(dir $(realpath $(lastword $(MAKEFILE_LIST))))../"
	changed := strings.ReplaceAll(string(text), "include /usr/src/", here)
	if changed == string(text) {
		return fmt.Errorf("%s: includes nothing below /usr/src", makefile)
	}
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
