// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecipes(t *testing.T) {
	recipe, err := FindRecipe("6.1")
	if err != nil {
		t.Fatal(err)
	}
	want := Recipe{Name: "6.1", Arch: "amd64", Suite: "bookworm", Image: "linux-image-cloud-amd64", Headers: "linux-headers-cloud-amd64"}
	if recipe != want {
		t.Errorf("%+v", recipe)
	}
	if _, err := FindRecipe("2.6"); err == nil || !strings.Contains(err.Error(), "6.1") {
		t.Errorf("2.6: %v", err)
	}
}

func TestParseRecipes(t *testing.T) {
	got, err := parseRecipes("# all\n\n1.0 amd64 buzz image headers # the first\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Recipe{{"1.0", "amd64", "buzz", "image", "headers"}}, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"1.0 amd64 buzz image\n":       "kernels.txt:1: 4 columns instead of 5",
		"\n1.0 vax buzz image heads\n": `kernels.txt:2: unknown arch "vax"`,
	} {
		if _, err := parseRecipes(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPackageABI(t *testing.T) {
	packages := []string{"linux-headers-6.1.0-56-common", "linux-image-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64",
		"linux-headers-4.18.0-25", "linux-headers-4.18.0-25-generic", "linux-headers-4.18.0-25-common-generic"}
	if abi := packageABI(packages, "linux-image-"); abi != "6.1.0-56-cloud-amd64" {
		t.Errorf("%q", abi)
	}
	if abi := packageABI(packages, "linux-headers-"); abi != "4.18.0-25-generic" {
		t.Errorf("%q", abi)
	}
	if abi := packageABI([]string{"linux-image-cloud-amd64"}, "linux-image-"); abi != "" {
		t.Errorf("%q", abi)
	}
}

// The tree of the headers works where it lies, and after it was moved.
func TestRelink(t *testing.T) {
	const abi = "6.1.0-1-fake"
	root := filepath.Join(t.TempDir(), "first")
	headers := filepath.Join(root, "usr/src/linux-headers-"+abi)
	common := filepath.Join(root, "usr/src/linux-headers-6.1.0-1-common")
	modules := filepath.Join(root, "lib/modules", abi)
	for _, dir := range []string{headers, common, modules} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		filepath.Join(headers, "Makefile"): "include /usr/src/linux-headers-6.1.0-1-common/Makefile\n",
		filepath.Join(common, "Makefile"):  "found:\n\t@echo it works\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/usr/src/linux-headers-"+abi, filepath.Join(modules, "build")); err != nil {
		t.Fatal(err)
	}
	if err := relink(root, abi); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(filepath.Dir(root), "second")
	if err := os.Rename(root, moved); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(moved, "lib/modules", abi, "build/Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), " /usr/src") {
		t.Errorf("the Makefile still says\n%s", text)
	}
	if _, err := os.Stat("/usr/bin/make"); err != nil {
		t.Skip("no make here")
	}
	if err := run("make", "-C", filepath.Join(moved, "usr/src/linux-headers-"+abi), "found"); err != nil {
		t.Error(err)
	}
}

func TestMirror(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	put := func(dir, name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"main.c", "old.c", "compat/probe.sh", "main.o", "falco.mod.c", "compat/features.h", ".cache/x.c"} {
		put(from, name, name)
	}
	if err := mirror(from, to); err != nil {
		t.Fatal(err)
	}
	put(to, "main.o", "built")
	before, err := os.Stat(filepath.Join(to, "main.c"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(from, "old.c")); err != nil {
		t.Fatal(err)
	}
	put(from, "compat/probe.sh", "changed")
	if err := mirror(from, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"main.c": "main.c", "compat/probe.sh": "changed", "main.o": "built", "old.c": "", "falco.mod.c": "", "compat/features.h": "", ".cache/x.c": "",
	} {
		got, _ := os.ReadFile(filepath.Join(to, name))
		if string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	after, err := os.Stat(filepath.Join(to, "main.c"))
	if err != nil {
		t.Fatal(err)
	}
	if !before.ModTime().Equal(after.ModTime()) {
		t.Error("what is the same was written again: make would build all of it")
	}
}
