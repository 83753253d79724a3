// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// repoRoot is the folder of go.mod above the working directory.
func repoRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module github.com/falco-go/falco\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not in the repository: no go.mod of falco above the working directory")
		}
		dir = parent
	}
}

// buildDir is a folder of the cache for what is built from this working copy.
func buildDir(parts ...string) (string, error) {
	root, err := repoRoot()
	if err != nil {
		return "", err
	}
	copyOf := fmt.Sprintf("%x", sha256.Sum256([]byte(root)))[:12]
	return cacheDir(append([]string{"build", copyOf}, parts...)...)
}

// BuildModule builds driver/ for a kernel, out of the tree: two kernels do not meet, and the working copy stays clean.
// debug has self-tests at load and checks on every event.
func BuildModule(kernel *Kernel, debug bool, progress *Progress) (string, error) {
	root, err := repoRoot()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "driver")
	if _, err := os.Stat(filepath.Join(source, "Kbuild")); err != nil {
		return "", fmt.Errorf("build the module: %w", err)
	}
	builder, err := builderFor(kernel, progress)
	if err != nil {
		return "", err
	}
	kind, target := "module", "module"
	if debug {
		kind, target = "module-debug", "debug"
	}
	dir, err := buildDir(kernel.ABI, kind)
	if err != nil {
		return "", err
	}
	unlock, err := lockCache("build")
	if err != nil {
		return "", err
	}
	defer unlock()
	step := progress.Step("build", "falco.ko for "+kernel.ABI)
	if err := mirror(source, dir); err != nil {
		step.Fail()
		return "", err
	}
	cmd, err := builder.command(kernel, dir, target)
	if err == nil {
		_, err = output(cmd)
	}
	if err != nil {
		step.Fail()
		return "", fmt.Errorf("build the module: %w", err)
	}
	module, err := publish(filepath.Join(dir, "falco.ko"), kernel.ABI, kind)
	if err != nil {
		step.Fail()
		return "", fmt.Errorf("build the module: %w", err)
	}
	step.Done("")
	return module, nil
}

// cleanMakeEnv keeps the flags of a make that called us from one that we call.
func cleanMakeEnv(env []string) []string {
	var kept []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "KDIR", "ARCH", "CROSS_COMPILE":
		default:
			kept = append(kept, kv)
		}
	}
	return kept
}

// mirror makes the sources in to those of from: what is the same keeps its time, so that make builds only what has
// changed, and what is gone goes. What make has made stays.
func mirror(from, to string) error {
	list := filepath.Join(to, ".mirrored")
	before, _ := os.ReadFile(list)
	old := map[string]bool{}
	for _, name := range strings.Fields(string(before)) {
		old[name] = true
	}
	var now []string
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.HasPrefix(entry.Name(), ".") {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		if !isSource(name) {
			return nil
		}
		now = append(now, name)
		delete(old, name)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if same, err := os.ReadFile(filepath.Join(to, name)); err == nil && bytes.Equal(same, data) {
			return nil
		}
		return os.WriteFile(filepath.Join(to, name), data, info.Mode().Perm()|0o200)
	})
	if err != nil {
		return err
	}
	for name := range old {
		os.Remove(filepath.Join(to, name))
	}
	return os.WriteFile(list, []byte(strings.Join(now, "\n")), 0o644)
}

// isSource leaves out what a build in the working copy has left there.
func isSource(name string) bool {
	base := filepath.Base(name)
	if strings.HasPrefix(base, ".") {
		return false
	}
	switch filepath.Ext(base) {
	case ".o", ".ko", ".mod", ".cmd", ".order", ".symvers":
		return false
	}
	return !strings.HasSuffix(base, ".mod.c") && name != filepath.Join("compat", "features.h")
}

// BuildGo builds one of the repository's programs, static, and gives its path.
func BuildGo(pkg, name string, progress *Progress) (string, error) {
	return BuildGoFor(hostArch, pkg, name, progress)
}

// BuildGoFor does so for guests on another machine.
func BuildGoFor(arch, pkg, name string, progress *Progress) (string, error) {
	root, err := repoRoot()
	if err != nil {
		return "", err
	}
	folder := ""
	if arch != hostArch {
		folder = arch
	}
	return buildProgramIn(folder, name, progress, func(path string) error {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arches[arch].goarch, "GOFLAGS=-buildvcs=false")
		_, err := output(cmd)
		return err
	})
}

// BuildC builds a static C program for the guest out of one source file.
func BuildC(source string, progress *Progress) (string, error) {
	if err := needTools(cTools, progress); err != nil {
		return "", err
	}
	name := strings.TrimSuffix(filepath.Base(source), ".c")
	return buildProgram(name, progress, func(path string) error {
		return run("gcc", "-O2", "-Wall", "-static", "-pthread", "-o", path, source)
	})
}

// buildProgram lets build make a program in a folder of its own, and publishes it.
func buildProgram(name string, progress *Progress, build func(path string) error) (string, error) {
	return buildProgramIn("", name, progress, build)
}

// buildProgramIn has another folder for each machine.
func buildProgramIn(folder, name string, progress *Progress, build func(path string) error) (string, error) {
	dir, err := buildDir("making", folder)
	if err != nil {
		return "", err
	}
	unlock, err := lockCache("build")
	if err != nil {
		return "", err
	}
	defer unlock()
	step := progress.Step("build", name)
	made := filepath.Join(dir, name)
	if err := build(made); err != nil {
		step.Fail()
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	path, err := publish(made, folder)
	if err != nil {
		step.Fail()
		return "", err
	}
	step.Done("")
	return path, nil
}

// publish puts a copy of what was built, under the same name, where guests take it from: by rename, since another guest may
// be reading the one before.
func publish(made string, parts ...string) (string, error) {
	dir, err := buildDir(append([]string{"bin"}, parts...)...)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, filepath.Base(made))
	data, err := os.ReadFile(made)
	if err != nil {
		return "", err
	}
	if same, err := os.ReadFile(path); err == nil && bytes.Equal(same, data) {
		return path, nil
	}
	if err := os.WriteFile(path+".new", data, 0o755); err != nil {
		return "", err
	}
	return path, os.Rename(path+".new", path)
}
