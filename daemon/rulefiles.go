// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/falco-go/falco/pkg/rules"
)

// ruleFiles lists and reads the rules files of a run: those of -r, or else those
// of the configuration, where what does not exist is left out.
func (d *daemon) ruleFiles() ([]rules.File, error) {
	names, strict := d.opt.rules, true
	if len(names) == 0 {
		names, strict = d.cfg.RulesFiles, false
	}
	d.log.debugf("Configured rules filenames:")
	for _, n := range names {
		d.log.debugf("   %s", n)
	}
	var paths []string
	given := false
	for _, name := range names {
		st, err := os.Stat(name)
		switch {
		case err != nil && strict:
			return nil, cannotRead(name, err)
		case err != nil:
			continue
		case st.IsDir():
			d.log.debugf("Reading rules from the folder %s", name)
			inside, err := filesIn(name)
			if err != nil {
				return nil, cannotRead(name, err)
			}
			paths, given = append(paths, inside...), true
		default:
			paths, given = append(paths, name), true
		}
	}
	if !given {
		return nil, &failure{form: block, text: "You must specify at least one rules file/directory via -r or a rules_file entry in falco.yaml"}
	}
	var files []rules.File
	for _, p := range paths {
		if !isRulesFile(p, d.opt.strict) {
			d.log.debugf("Leaving out %s, which ends neither in .yaml nor in .yml", p)
			continue
		}
		f, err := readRules(p)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// isRulesFile reports whether the name ends as those of rules files do. Strict is
// as the original: it looks at the first such end in the whole path (QUIRK 1).
func isRulesFile(path string, strict bool) bool {
	for _, end := range []string{".yaml", ".yml"} {
		if strings.HasSuffix(path, end) && (!strict || strings.Index(path, end) == len(path)-len(end)) {
			return true
		}
	}
	return false
}

// filesIn returns the files directly inside a directory, in byte order.
func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out, nil
}

func readRules(path string) (rules.File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return rules.File{}, cannotRead(path, err)
	}
	return rules.File{Name: path, Content: text}, nil
}

func cannotRead(path string, err error) error {
	hint := err.Error()
	switch {
	case os.IsNotExist(err):
		hint = "there is no such file; paths are relative to the directory that falco is started in"
	case errors.Is(err, syscall.EISDIR):
		hint = "Is a directory; only -r and rules_files take those"
	}
	return &failure{form: block, text: "Could not open file " + path + " for reading", hint: hint}
}
