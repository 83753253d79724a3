// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2/files"
)

// notInTarball are what only a package manager's scripts make use of: whoever
// unpacks a tarball has other ways to start things.
var notInTarball = []string{"/usr/lib/systemd/", "/usr/lib/sysusers.d/", "/usr/share/lintian/", "/usr/share/doc/falco/changelog"}

// tarball writes the files of a package, below a folder called top, so that
// "cp -R top/* /" installs them.
func tarball(w io.Writer, top string, contents files.Contents, when time.Time) error {
	zw, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(zw)
	header := func(name string, c *files.Content) *tar.Header {
		return &tar.Header{
			Name: path.Join(top, name), Mode: int64(c.Mode().Perm()), ModTime: when,
			Uname: "root", Gname: "root", Format: tar.FormatGNU,
		}
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: top + "/", Mode: 0o755, ModTime: when, Uname: "root", Gname: "root", Format: tar.FormatGNU}); err != nil {
		return err
	}
	for _, c := range contents {
		if left(c.Destination) {
			continue
		}
		h := header(c.Destination, c)
		switch c.Type {
		case files.TypeDir, files.TypeImplicitDir:
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
			if h.Mode == 0 {
				h.Mode = 0o755
			}
			if err := tw.WriteHeader(h); err != nil {
				return err
			}
		case files.TypeSymlink:
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, c.Source, 0o777
			if err := tw.WriteHeader(h); err != nil {
				return err
			}
		default:
			text, err := os.ReadFile(c.Source)
			if err != nil {
				return err
			}
			h.Typeflag, h.Size = tar.TypeReg, int64(len(text))
			if err := tw.WriteHeader(h); err != nil {
				return err
			}
			if _, err := tw.Write(text); err != nil {
				return err
			}
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return zw.Close()
}

// left reports whether name is left out.
func left(name string) bool {
	for _, prefix := range notInTarball {
		if strings.HasPrefix(name, prefix) || name+"/" == prefix {
			return true
		}
	}
	return false
}
