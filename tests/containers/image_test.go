// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// image is one of ours, for a runtime to import: nothing is pulled in tests.
type image struct {
	ref        string // its name
	entrypoint []string
	cmd        []string
	user       string
	env        []string

	Digest string // of the manifest: what write has made of it
	ID     string // of the configuration, without "sha256:"
}

// imageUsers are known in containers and not on the machine.
const imageUsers = "root:x:0:0:root:/root:/bin/sh\nshopkeeper:x:1234:1234:shop:/:/bin/sh\n"

// imageFiles are beside busybox. /act.sh does what rules look for: a shell reads a
// secret and calls somebody.
var imageFiles = map[string]string{
	"etc/passwd": imageUsers,
	"etc/group":  "root:x:0:\nshopkeeper:x:1234:\n",
	"etc/shadow": "root:*:19700:0:99999:7:::\n",
	"act.sh":     "#!/bin/sh\ncat /etc/shadow > /dev/null\nwget -q -O /dev/null http://" + outside + "/ 2> /dev/null\ntrue\n",
	"slow.sh":    "#!/bin/sh\nsleep 3\n. /act.sh\nsleep 1\n",
	"wait.sh":    "#!/bin/sh\ntrap 'exit 0' TERM\ntouch /tmp/up\nwhile :; do sleep 1; done\n",
}

// outside is the address in the list of custom-network.yaml; the guest has it itself.
const outside = "197.255.20.45"

// imageCommands are links to busybox.
var imageCommands = []string{"cat", "ls", "sleep", "true", "id", "touch", "wget", "nc", "echo", "ps", "mkdir", "rm", "grep", "head"}

type blob struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`

	Platform    map[string]string `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`

	data []byte
}

func blobOf(kind string, data []byte) *blob {
	return &blob{MediaType: kind, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(data)), Size: len(data), data: data}
}

// write makes an archive that containerd, docker and podman read: the layout of OCI,
// with docker's own list of contents beside it.
func (i *image) write(t *testing.T, path string) {
	t.Helper()
	layer := blobOf("application/vnd.oci.image.layer.v1.tar", layerOf(t))
	config := blobOf("application/vnd.oci.image.config.v1+json", asJSON(map[string]any{
		"architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05Z",
		"config": map[string]any{"Entrypoint": i.entrypoint, "Cmd": i.cmd, "User": i.user, "WorkingDir": "/",
			"Env": append([]string{"PATH=/usr/bin:/bin"}, i.env...)},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer.Digest}},
	}))
	manifest := blobOf("application/vnd.oci.image.manifest.v1+json", asJSON(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []*blob{layer},
	}))
	i.Digest, i.ID = manifest.Digest, strings.TrimPrefix(config.Digest, "sha256:")
	listed := *manifest
	listed.Platform = map[string]string{"architecture": "amd64", "os": "linux"}
	listed.Annotations = map[string]string{"io.containerd.image.name": i.ref, "org.opencontainers.image.ref.name": i.ref}

	var b bytes.Buffer
	a := tar.NewWriter(&b)
	blobName := func(b *blob) string { return "blobs/sha256/" + strings.TrimPrefix(b.Digest, "sha256:") }
	add(a, "oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`))
	for _, each := range []*blob{layer, config, manifest} {
		add(a, blobName(each), 0o644, each.data)
	}
	add(a, "index.json", 0o644, asJSON(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []blob{listed}}))
	add(a, "manifest.json", 0o644, asJSON([]any{map[string]any{"Config": blobName(config), "RepoTags": []string{i.ref}, "Layers": []string{blobName(layer)}}}))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// layerOf is the one layer that all images have.
func layerOf(t *testing.T) []byte {
	t.Helper()
	userland, err := vm.Userland(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	a := tar.NewWriter(&b)
	for _, name := range []string{"bin", "etc", "proc", "sys", "dev", "tmp", "root", "usr", "host"} {
		a.WriteHeader(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755})
	}
	link := func(name, target string) {
		a.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777})
	}
	link("usr/bin", "/bin")
	err = filepath.WalkDir(userland, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(userland, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		add(a, name, 0o755, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range imageCommands {
		link("bin/"+name, "busybox")
	}
	var names []string
	for name := range imageFiles {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		mode := int64(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		add(a, name, mode, []byte(imageFiles[name]))
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func add(a *tar.Writer, name string, mode int64, data []byte) {
	a.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(data))})
	a.Write(data)
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
