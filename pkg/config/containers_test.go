// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestContainerEngines(t *testing.T) {
	on := ContainerEngine{Enabled: true}
	of := func(containerd, cri, docker, podman ContainerEngine) Containers {
		return Containers{containerd, cri, docker, podman, 100, 100}
	}
	for text, want := range map[string]Containers{
		"{}\n": of(on, on, on, on),
		"containers: {engines: {docker: {enabled: false}, containerd: {sockets: [/a, '', /b]}, cri: {sockets: /c}}}\n": of(
			ContainerEngine{true, []string{"/a", "/b"}}, ContainerEngine{true, []string{"/c"}}, ContainerEngine{}, on),
		"plugins:\n  - {name: json, library_path: x}\n  - name: container\n    library_path: libcontainer.so\n    init_config: {engines: {podman: {enabled: false}, lxc: {enabled: true}, cri: {enabled: true, sockets: [/x]}}}\n": of(
			on, ContainerEngine{true, []string{"/x"}}, on, ContainerEngine{}),
		"container_engines: {cri: {enabled: false}, docker: {enabled: maybe}}\ncontainers: {engines: {docker: 5}}\n": of(on, ContainerEngine{}, on, on),
		"containers: {max_wait_ms: 0, label_max_len: 7}\n":                                                           {on, on, on, on, 0, 7},
		"containers: {max_wait_ms: 99999, label_max_len: -1}\n":                                                      {on, on, on, on, 10_000, 100},
		"containers: {max_wait_ms: soon}\nplugins: [{name: container, init_config: {label_max_len: 200}}]\n":         {on, on, on, on, 100, 200},
	} {
		path := filepath.Join(t.TempDir(), "falco.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Options{Path: path, Env: os.LookupEnv})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, c.Containers); diff != "" {
			t.Errorf("%s (-want +got)\n%s", text, diff)
		}
	}
}
