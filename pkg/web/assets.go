// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// assets are the files of the page, packed once. Their folder has the sum of all of
// them for a name, so that browsers may keep them for ever.
type assets struct {
	folder string // "a/" and a sum
	files  map[string]asset
	index  string
}

type asset struct {
	media        string
	plain, small []byte
}

var mediaOf = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
	".html": "text/html; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".webmanifest": "application/manifest+json"}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	err := fs.WalkDir(pageFiles, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := pageFiles.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return err
		}
		z.Write(text)
		z.Close()
		media := mediaOf[path.Ext(name)]
		if media == "" {
			media = mediaOf[".txt"]
		}
		a.files[strings.TrimPrefix(name, "page/")] = asset{media, text, packed.Bytes()}
		return nil
	})
	if err != nil {
		return nil, err
	}
	index, ok := a.files["index.html"]
	if !ok {
		return nil, fs.ErrNotExist
	}
	a.folder = "a/" + hex.EncodeToString(sum.Sum(nil)[:8]) + "/"
	a.index = strings.ReplaceAll(string(index.plain), "{{assets}}", a.folder)
	return a, nil
}

// page serves the page and its files.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	c := &call{s: s, w: w, r: r}
	if s.auth.loopback() && !isLoopback(hostOf(r)) {
		http.Error(w, "no user has been made yet: until then the page answers to loopback names only", http.StatusForbidden)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" || name == "index.html" {
		w.Header().Set("Content-Type", mediaOf[".html"])
		w.Header().Set("Cache-Control", "no-cache")
		fmt.Fprint(w, strings.ReplaceAll(s.assets.index, "{{base}}", html.EscapeString(c.base())))
		return
	}
	file, ok := s.assets.files[strings.TrimPrefix(name, s.assets.folder)]
	if !ok || !strings.HasPrefix(name, s.assets.folder) {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.media)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", `"`+path.Base(path.Dir(s.assets.folder+"x"))+`"`)
	text := file.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		text = file.small
	}
	w.Write(text)
}
