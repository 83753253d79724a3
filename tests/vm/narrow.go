// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// BuildC32 builds a source file as BuildC does, for i386: what is name.c becomes name32.
func BuildC32(source string, progress *Progress) (string, error) {
	tools := cTools
	if !canNarrow() {
		version, err := exec.Command("gcc", "-dumpversion").Output()
		if err != nil {
			version = []byte("12")
		}
		tools = append([]tool{{"", "gcc-" + strings.TrimSpace(string(version)) + "-multilib"}}, cTools...)
	}
	if err := needTools(tools, progress); err != nil {
		return "", err
	}
	name := strings.TrimSuffix(filepath.Base(source), ".c") + "32"
	return buildProgram(name, progress, func(path string) error {
		// <asm/…> are the same files for both widths, but only gcc-multilib, which no cross compiler can be
		// installed beside, links them to where a 32-bit gcc looks.
		return run("gcc", "-m32", "-idirafter", "/usr/include/x86_64-linux-gnu", "-O2", "-Wall", "-static", "-pthread",
			"-o", path, source)
	})
}

// canNarrow tells whether gcc has what a 32-bit program is linked from: then it prints paths of these files, else their names.
func canNarrow() bool {
	for _, file := range []string{"crt1.o", "libgcc.a", "libc.a"} {
		path, err := exec.Command("gcc", "-m32", "-print-file-name="+file).Output()
		if err != nil || !filepath.IsAbs(strings.TrimSpace(string(path))) {
			return false
		}
	}
	return true
}
