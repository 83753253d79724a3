// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// DemoRules are the rule files of the demo: the stock file, and the one of rules on their way to it.
func DemoRules() ([]string, error) {
	root, err := repoRoot()
	if err != nil {
		return nil, err
	}
	return []string{filepath.Join(root, "rules/falco_rules.yaml"), filepath.Join(root, "rules/falco-incubating_rules.yaml")}, nil
}

// DemoScript is the intrusion of tests/demo, and the programs that it finds in /files: every C file of the folder
// and every folder with a main.go, built static.
func DemoScript(progress *Progress) (script string, helpers []string, err error) {
	root, err := repoRoot()
	if err != nil {
		return "", nil, err
	}
	folder := filepath.Join(root, "tests/demo")
	script = filepath.Join(folder, "act.sh")
	if _, err := os.Stat(script); err != nil {
		return "", nil, fmt.Errorf("find the demo: %w", err)
	}
	sources, err := filepath.Glob(filepath.Join(folder, "*.c"))
	if err != nil {
		return "", nil, err
	}
	for _, source := range sources {
		helper, err := BuildC(source, progress)
		if err != nil {
			return "", nil, err
		}
		helpers = append(helpers, helper)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() && isGoProgram(filepath.Join(folder, name)) {
			helper, err := BuildGo("./tests/demo/"+name, name, progress)
			if err != nil {
				return "", nil, err
			}
			helpers = append(helpers, helper)
		}
	}
	return script, helpers, nil
}

func isGoProgram(folder string) bool {
	text, err := os.ReadFile(filepath.Join(folder, "main.go"))
	return err == nil && strings.Contains(string(text), "\npackage main\n")
}
