// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/files"
)

// install lays out below dir what is in a tarball. Configuration that is there
// already stays as it is.
func (r *release) install(dir, arch string) error {
	return r.resolve(arch, func(config *nfpm.Config) error {
		info, err := r.prepare(config, "deb")
		if err != nil {
			return err
		}
		for _, c := range info.Contents {
			if left(c.Destination) {
				continue
			}
			if err := lay(filepath.Join(dir, c.Destination), c); err != nil {
				return err
			}
		}
		return nil
	})
}

// lay makes one file, link or folder.
func lay(to string, c *files.Content) error {
	switch c.Type {
	case files.TypeDir, files.TypeImplicitDir:
		if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.MkdirAll(to, 0o755); err != nil || c.Mode().Perm() == 0 {
			return err
		}
		return os.Chmod(to, c.Mode().Perm())
	case files.TypeSymlink:
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Symlink(c.Source, to)
	case files.TypeConfigNoReplace:
		if _, err := os.Lstat(to); err == nil {
			fmt.Println("kept", to)
			return nil
		}
	}
	text, err := os.ReadFile(c.Source)
	if err != nil {
		return err
	}
	// Under another name first: a program that runs cannot be written to.
	if err := put(to+".new", text, c.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}
