// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A file, then the environment, which wins; neither there is what the package ships with.
func TestLoadFalcoctl(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "falcoctl.yaml")
	write := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	none := map[string]string{}
	for _, c := range []struct {
		name, text string
		env        map[string]string
		want       Falcoctl
	}{
		{"nothing", "", none, Falcoctl{Types: []string{"kmod"}, Name: "falco", HostRoot: "/"}},
		{"the original's", "driver:\n  type: [modern_ebpf, kmod]\n  repos: [https://a]\n  version: 10.2.0+driver\n  name: falco\nartifact:\n  follow: {every: 6h}\n", none,
			Falcoctl{Types: []string{"modern_ebpf", "kmod"}, Name: "falco", HostRoot: "/", Repos: []string{"https://a"}, Version: "10.2.0+driver"}},
		{"one word", "driver: {type: kmod, publickey: /k, hostroot: /h}\n", none, Falcoctl{Types: []string{"kmod"}, Name: "falco", HostRoot: "/h", PublicKey: "/k"}},
		{"environment", "driver: {name: x}\n", map[string]string{"FALCOCTL_DRIVER_NAME": "y", "FALCOCTL_DRIVER_TYPE": "a,b", "FALCOCTL_DRIVER_REPOS": "https://a;https://b", "HOST_ROOT": "/host"},
			Falcoctl{Types: []string{"a", "b"}, Name: "y", HostRoot: "/host", Repos: []string{"https://a", "https://b"}}},
	} {
		got, err := LoadFalcoctl(write(file, c.text), func(name string) (string, bool) { v, ok := c.env[name]; return v, ok })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s (want, got):\n%s", c.name, diff)
		}
	}
	silent := func(string) (string, bool) { return "", false }
	if _, err := LoadFalcoctl(write(file, "driver: {repos: [{a: b}]}\n"), silent); err == nil {
		t.Error("a list of maps is taken for a list of texts")
	}
	if got, err := LoadFalcoctl(filepath.Join(dir, "none.yaml"), silent); err != nil || got.Name != "falco" {
		t.Errorf("without a file: %+v, %v", got, err)
	}
}

func TestEngineKind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "falco.yaml")
	for text, want := range map[string]string{"": "", "engine: {kind: replay}\n": "replay", "engine: x\n": "", "engine:\n  kind: kmod\n": "kmod"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := EngineKind(file); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}
