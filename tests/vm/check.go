// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// CheckModule builds driver/ afresh for a kernel, with every warning that its headers allow, and sparse where the suite has
// it. It gives the complaints about our files: those of compiler, sparse, objtool and modpost.
func CheckModule(kernel *Kernel, progress *Progress) ([]string, error) {
	root, err := repoRoot()
	if err != nil {
		return nil, err
	}
	builder, err := builderFor(kernel, progress)
	if err != nil {
		return nil, err
	}
	unlock, err := lockCache("check")
	if err != nil {
		return nil, err
	}
	defer unlock()
	dir, err := buildDir(kernel.ABI, "check")
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := mirror(filepath.Join(root, "driver"), dir); err != nil {
		return nil, err
	}
	// Warnings about ours are found below; those about old headers shall not end the build.
	words := []string{"check", "STRICT="}
	if !builder.has("sparse") {
		words = append(words, "SPARSE=")
	}
	cmd, err := builder.command(kernel, dir, words...)
	if err != nil {
		return nil, err
	}
	step := progress.Step("check", "falco.ko for "+kernel.ABI+", "+builder.cc)
	log, err := combined(cmd)
	found := complaints(log, dir)
	if err != nil || len(found) > 0 {
		step.Fail()
	} else {
		step.Done("")
	}
	if err != nil && len(found) == 0 {
		err = fmt.Errorf("%w\n%s", err, tail(log, 30))
	} else if err != nil {
		err = nil // they say why
	}
	return found, err
}

// has tells whether a program is where modules are built.
func (b *builder) has(program string) bool {
	if b.root == "" {
		return inPath(program)
	}
	_, err := os.Stat(filepath.Join(b.root, "usr/bin", program))
	return err == nil
}

var (
	// "./file.c:1:2: warning: …", with or without the folder; sparse says it with the same words.
	sourceComplaint = regexp.MustCompile(`^([^ :]+\.[ch]):\d+(:\d+)?: (warning|error): `)
	// What speaks of what was built: objtool, modpost, the linker.
	objectComplaint = regexp.MustCompile(`(?i)objtool: |modpost: |\bld: |falco\S*\.o: (warning|error)`)
)

// complaints picks out of what make printed the lines about files in dir, each once. What is wrong in the kernel's own
// headers is not ours to mend.
func complaints(log, dir string) []string {
	var found []string
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		match := sourceComplaint.FindStringSubmatch(line)
		ours := match != nil && (!filepath.IsAbs(match[1]) && !strings.HasPrefix(match[1], "../") && !kernelHeader(match[1]) ||
			strings.HasPrefix(match[1], dir+"/"))
		if strings.HasSuffix(line, ": expression using sizeof(void)") {
			continue // what older sparse says to each min() of older headers
		}
		if (ours || objectComplaint.MatchString(line)) && !slicesContain(found, line) {
			found = append(found, line)
		}
	}
	return found
}

// kernelHeader is a path as make in the kernel's tree prints its own.
func kernelHeader(path string) bool {
	path = strings.TrimPrefix(path, "./")
	return strings.HasPrefix(path, "include/") || strings.HasPrefix(path, "arch/")
}
