// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/loader"
)

// A kernel that takes not every module is told of before somebody wonders, unless the module is there already.
func TestDoctorLockdown(t *testing.T) {
	const lockdown, enforce, disabled = "/sys/kernel/security/lockdown", "/sys/module/module/parameters/sig_enforce", "/proc/sys/kernel/modules_disabled"
	for _, c := range []struct {
		files map[string]string
		how   ailment
		text  string
	}{
		{nil, isFine, "none"},
		{map[string]string{lockdown: "[none] integrity confidentiality", enforce: "N", disabled: "0"}, isFine, "none"},
		{map[string]string{lockdown: "none [integrity] confidentiality"}, isDoubtful, "signed modules only"},
		{map[string]string{enforce: "Y"}, isDoubtful, "signed modules only"},
		{map[string]string{lockdown: "none integrity [confidentiality]"}, isBroken, "nobody look"},
		{map[string]string{disabled: "1"}, isBroken, "no modules any more"},
	} {
		doc := &doctor{loader: &loader.Loader{Root: t.TempDir(), Name: "falco-that-is-not-there"}, read: func(name string) string { return c.files[name] }}
		f := doc.lockdown()
		if f.how != c.how || !strings.Contains(f.text, c.text) || (f.how != isFine) != (f.mend != "") {
			t.Errorf("%q: %+v", c.files, f)
		}
	}
}

// Each output that cannot deliver is told of with a command that mends it.
func TestDoctorOutputs(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "sidekick.sock")
	for _, c := range []struct {
		name, mend string
		set        func(*config.Config)
	}{
		{"file", "mkdir -p " + dir + "/no", func(c *config.Config) { c.File.Enabled, c.File.Name = true, dir+"/no/alerts.log" }},
		{"socket", "systemctl enable --now falcosidekick", func(c *config.Config) { c.HTTP.Enabled, c.HTTP.URL = true, "unix://"+socket }},
		{"server", "curl -v http://127.0.0.1:1/", func(c *config.Config) { c.HTTP.Enabled, c.HTTP.URL = true, "http://127.0.0.1:1/" }},
	} {
		cfg := &config.Config{}
		c.set(cfg)
		doc := &doctor{daemon: &daemon{stdout: &bytes.Buffer{}, cfg: cfg, path: "falco.yaml"}}
		if f := doc.outputs(); f.how != isBroken || !strings.HasPrefix(f.mend, c.mend) {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := &config.Config{}
	cfg.HTTP.Enabled, cfg.HTTP.URL = true, "unix://"+socket
	doc := &doctor{daemon: &daemon{stdout: &bytes.Buffer{}, cfg: cfg, path: "falco.yaml"}}
	if f := doc.outputs(); f.how != isFine || f.text != "http" {
		t.Errorf("somebody listens: %+v", f)
	}
}
