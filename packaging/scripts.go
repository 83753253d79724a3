// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// maintainer lists the scripts that package managers run, and what they are put
// together from: each must be one file, and they share most of what they do.
var maintainer = []struct {
	name  string
	parts []string
}{
	{"deb.postinst", []string{"lib.sh", "setup.sh", "deb.postinst.sh"}},
	{"deb.prerm", []string{"lib.sh", "deb.prerm.sh"}},
	{"deb.postrm", []string{"lib.sh", "deb.postrm.sh"}},
	{"rpm.post", []string{"lib.sh", "setup.sh", "rpm.post.sh"}},
	{"rpm.preun", []string{"lib.sh", "rpm.preun.sh"}},
	{"rpm.postun", []string{"lib.sh", "rpm.postun.sh"}},
}

// scripts writes them to dir.
func (r *release) scripts(dir string) error {
	for _, s := range maintainer {
		var text bytes.Buffer
		text.WriteString("#!/bin/sh\n")
		for _, part := range s.parts {
			piece, err := os.ReadFile(filepath.Join(r.root, "packaging", "scripts", part))
			if err != nil {
				return fmt.Errorf("script %s: %w", s.name, err)
			}
			piece = bytes.TrimPrefix(piece, []byte("# shellcheck shell=sh\n"))
			text.Write(bytes.ReplaceAll(piece, []byte("@VERSION@"), []byte(r.version)))
		}
		if err := put(filepath.Join(dir, s.name), text.Bytes(), 0o755); err != nil {
			return err
		}
	}
	return nil
}
