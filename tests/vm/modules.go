// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// portModules carry the ports to the host. A kernel that has one built in does not have its file.
var portModules = []string{"virtio_pci", "virtio_console"}

// diskModules are what a root file system on a disk needs.
var diskModules = []string{"virtio_blk", "ext4"}

// moduleOrder gives the files, relative to folder, of the named modules and all that they need, dependencies first. The
// modules themselves say what they need; Debian's packages have no modules.dep before they are installed.
func moduleOrder(folder string, names []string) ([]string, error) {
	byName := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, found := strings.CutSuffix(entry.Name(), ".ko"); found {
			byName[moduleName(name)], err = filepath.Rel(folder, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var order []string
	state := map[string]int{} // 1: its dependencies are under way, 2: done
	var visit func(name string) error
	visit = func(name string) error {
		name = moduleName(name)
		file := byName[name]
		if file == "" || state[name] == 2 {
			return nil
		}
		if state[name] == 1 {
			return fmt.Errorf("module %s depends on itself", name)
		}
		state[name] = 1
		needs, err := moduleNeeds(filepath.Join(folder, file))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, need := range needs {
			if err := visit(need); err != nil {
				return err
			}
		}
		state[name] = 2
		order = append(order, file)
		return nil
	}
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// moduleName is how the kernel calls it: dashes of the file become underscores.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// moduleNeeds reads the "depends=" entry of a module.
func moduleNeeds(path string) ([]string, error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	section := file.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no .modinfo: not a kernel module")
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	for _, entry := range bytes.Split(data, []byte{0}) {
		if value, found := bytes.CutPrefix(entry, []byte("depends=")); found && len(value) > 0 {
			return strings.Split(string(value), ","), nil
		}
	}
	return nil, nil
}
