// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// A tool is a command that the harness runs, or a file that it needs, and the Debian package that brings it.
type tool struct {
	command, pkg string
}

var (
	buildTools = []tool{{"make", "make"}}
	cTools     = []tool{{"gcc", "gcc"}, {"gcc", "libc6-dev"}}
)

// missingPackages are those whose command look does not find, each once.
func missingPackages(tools []tool, look func(command string) bool) []string {
	var packages []string
	for _, t := range tools {
		if !look(t.command) && !slicesContain(packages, t.pkg) {
			packages = append(packages, t.pkg)
		}
	}
	return packages
}

func inPath(command string) bool {
	if strings.HasPrefix(command, "/") {
		_, err := os.Stat(command)
		return err == nil
	}
	_, err := exec.LookPath(command)
	return err == nil
}

// installCommand is what brings packages, for apt or for a person to type.
func installCommand(packages []string) []string {
	return append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, packages...)
}

// needTools installs what is missing if it may, and says what to type if not.
func needTools(tools []tool, progress *Progress) error {
	packages := missingPackages(tools, inPath)
	if len(packages) == 0 {
		return nil
	}
	command := installCommand(packages)
	if os.Geteuid() != 0 {
		return fmt.Errorf("missing: %s\nhint: sudo %s", strings.Join(packages, ", "), strings.Join(command, " "))
	}
	if !inPath("apt-get") {
		return fmt.Errorf("missing: %s, and there is no apt-get to install them", strings.Join(packages, ", "))
	}
	step := progress.Step("apt", "install "+strings.Join(packages, " "))
	err := install(command)
	if err != nil {
		step.Fail()
		return fmt.Errorf("install %s: %w", strings.Join(packages, " "), err)
	}
	step.Done("")
	return nil
}

// install tries with the lists that are there, and with fresh ones if these are too old or missing.
func install(command []string) error {
	apt := func(words ...string) error {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
		_, err := output(cmd)
		return err
	}
	if apt(command...) == nil {
		return nil
	}
	if err := apt("apt-get", "update"); err != nil {
		return offline(err)
	}
	return apt(command...)
}
