// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/falco-go/falco/tests/vm/wire"
)

// writeInitramfs makes the guest's files.
func (g *Guest) writeInitramfs() (string, error) {
	root, err := g.root()
	if err != nil {
		return "", err
	}
	dir, err := cacheDir("tmp")
	if err != nil {
		return "", err
	}
	removeOld(dir, 24*time.Hour)
	file, err := os.CreateTemp(dir, "initramfs-*.cpio")
	if err != nil {
		return "", err
	}
	defer file.Close()
	if err := root.write(file); err != nil {
		os.Remove(file.Name())
		return "", fmt.Errorf("make the initramfs: %w", err)
	}
	return file.Name(), nil
}

// root says what goes where, and what init does with it.
func (g *Guest) root() (*guestRoot, error) {
	c := &g.config
	modules := portModules
	if g.disk != "" {
		modules = append(slices.Clone(modules), diskModules...)
	}
	insmod, err := moduleOrder(g.kernel.Modules(), modules)
	if err != nil {
		return nil, fmt.Errorf("find the guest's modules: %w", err)
	}
	plan := &wire.Plan{
		Env: append([]string{
			"PATH=" + guestPath, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "TERM=" + term(c), "LANG=C.UTF-8",
		}, c.Env...),
		Dir: "/root", Hostname: guestName, Terminal: c.Terminal, Rows: c.Rows, Columns: c.Columns,
		ModuleParams: c.ModuleParams, Debug: g.kernel.Debug(),
		CgroupV1: c.CgroupV1, SetupLimit: c.Timeout,
		ReadyLimit: c.Timeout / 2, ActLimit: c.Timeout, Settle: 300 * time.Millisecond,
		StopLimit: 20 * time.Second * g.kernel.patience(),
	}
	r := &guestRoot{kernel: g.kernel, init: g.init, insmod: insmod, plan: plan, files: map[string]string{}, texts: map[string]string{},
		plain: map[string]string{}, links: map[string]string{}}
	if g.disk != "" {
		plan.Disk = &wire.Disk{Device: "/dev/vda", Systemd: c.Debian.Systemd}
		r.debianFiles(c)
	}
	if c.Setup != "" {
		r.texts["/root/setup.sh"] = c.Setup
		plan.Setup = []string{"/bin/sh", "/root/setup.sh"}
	}
	if !c.NoModule && g.module != "" {
		r.module = g.module
		plan.Module = path.Join("/lib/modules", g.kernel.ABI, "extra", filepath.Base(g.module))
	}
	if err := g.addDaemon(r); err != nil {
		return nil, err
	}
	switch {
	case c.Terminal:
		plan.Act, plan.ActLimit = []string{"/bin/sh", "-l"}, 0
	case c.Act != "":
		names, files, err := place("/root", []string{c.Act})
		if err != nil {
			return nil, err
		}
		for name, from := range files {
			r.files[name] = from
		}
		plan.Act = []string{"/bin/sh", names[0]}
	case c.Script != "":
		r.texts["/root/act.sh"] = c.Script
		plan.Act = []string{"/bin/sh", "/root/act.sh"}
	}
	_, files, err := place("/files", c.Files)
	if err != nil {
		return nil, err
	}
	for name, from := range files {
		r.files[name] = from
	}
	return r, nil
}

// addDaemon puts falco, its configuration and its rules where they belong, and says how it is called.
func (g *Guest) addDaemon(r *guestRoot) error {
	c := &g.config
	if g.disk != "" && c.NoDaemon {
		return nil // a test of packages brings falco in its own way
	}
	repo, err := repoRoot()
	if err != nil {
		return err
	}
	for _, name := range []string{"falco.yaml", "rules/falco_rules.yaml", "rules/falco_rules.local.yaml"} {
		from := filepath.Join(repo, name)
		if _, err := os.Stat(from); err == nil {
			r.files["/etc/falco/"+filepath.Base(name)] = from
		}
	}
	if g.falco == "" {
		return nil
	}
	r.falco = g.falco
	if c.NoDaemon {
		return nil
	}
	rules := []string{"/etc/falco/falco_rules.yaml"}
	if len(c.Rules) > 0 {
		names, files, err := place("/rules", c.Rules)
		if err != nil {
			return err
		}
		for name, from := range files {
			r.files[name] = from
		}
		rules = names
	}
	argv := []string{"/usr/bin/falco"}
	for _, name := range rules {
		argv = append(argv, "-r", name)
	}
	if !c.Text {
		argv = append(argv, "-o", "json_output=true")
	}
	if c.Capture {
		argv = append(argv, "-w", wire.CapturePath)
	}
	r.plan.Daemon = append(argv, c.FalcoArgs...)
	return nil
}

func term(c *Config) string {
	if c.Terminal {
		return "linux"
	}
	return "dumb"
}
