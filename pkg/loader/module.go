// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Loaded is what the kernel says of the module that it has.
type Loaded struct {
	Version    string
	SrcVersion string
	Users      int
}

// Loaded returns nil if the kernel does not have the module.
func (l *Loader) Loaded() *Loaded {
	dir := "/sys/module/" + l.Name
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name)) // not every kernel has every file
		return strings.TrimSpace(string(text))
	}
	users, _ := strconv.Atoi(read("refcnt"))
	return &Loaded{Version: read("version"), SrcVersion: read("srcversion"), Users: users}
}

// Load gives the module of the running kernel to it. One that is loaded already and
// is another takes its place, if nobody uses it.
func (l *Loader) Load(ctx context.Context) error {
	if err := l.settle(); err != nil {
		return err
	}
	release := l.Target.Release
	version, err := l.modinfo(ctx, "version", release)
	if err != nil {
		return &Problem{What: "there is no module for kernel " + release, Mend: "falco driver install"}
	}
	if version != l.Version {
		return &Problem{
			What: fmt.Sprintf("the module that is installed for %s is version %s; this falco is for %s", release, version, l.Version),
			Mend: "falco driver install",
		}
	}
	if have := l.Loaded(); have != nil {
		src, _ := l.modinfo(ctx, "srcversion", release) // "" where the kernel keeps none
		switch {
		case have.Version == version && have.SrcVersion == src:
			l.say("%s %s is loaded", l.Name, version)
			return nil
		case have.Users > 0:
			l.say("%s %s is loaded and in use; %s takes its place when Falco is restarted", l.Name, have.Version, version)
			return nil
		}
		if err := l.Unload(ctx); err != nil {
			return err
		}
	}
	out, err := l.command(ctx, "", "modprobe", "-d", l.Root, l.Name)
	if err == nil {
		l.say("%s %s is loaded", l.Name, version)
		return nil
	}
	if out == "" {
		out = err.Error()
	}
	return l.refusal(out)
}

// modinfo asks about the module that modprobe would load.
func (l *Loader) modinfo(ctx context.Context, field, release string) (string, error) {
	out, err := l.command(ctx, "", "modinfo", "-b", l.Root, "-k", release, "-F", field, l.Name)
	return strings.TrimSpace(out), err
}

// refusals are what modprobe says, and what it means.
var refusals = []struct {
	found      *regexp.Regexp
	what, mend string
	kind       kind
}{
	{regexp.MustCompile(`Key was rejected|Required key not available`),
		"Secure Boot: the kernel takes modules only with a signature by a key that it knows",
		"", kindRefused},
	{regexp.MustCompile(`Invalid module format|Exec format error|disagrees about version`),
		"the module was built for another kernel", "falco driver install", kindOther},
	{regexp.MustCompile(`Operation not supported`),
		"this is a real-time kernel (PREEMPT_RT), on which tracepoints may sleep", "boot a kernel without PREEMPT_RT", kindOther},
	{regexp.MustCompile(`not found in (directory|modules)|not found\.`),
		"modprobe does not find the module", "falco driver install", kindOther},
	{regexp.MustCompile(`Device or resource busy|File exists`),
		"another module called falco is there already", "rmmod falco", kindOther},
}

// refusal turns what modprobe said into what to do.
func (l *Loader) refusal(out string) error {
	for _, r := range refusals {
		if r.found.MatchString(out) {
			mend := r.mend
			if mend == "" {
				mend = l.Enrol()
			}
			return &Problem{What: r.what, Mend: mend, kind: r.kind}
		}
	}
	if strings.Contains(out, "Operation not permitted") || strings.Contains(out, "Permission denied") {
		return l.forbidden()
	}
	return &Problem{What: "load the module: " + lastError(out), Mend: "dmesg | tail"}
}

// signing is where sign.sh of our DKMS package is told of a key of the administrator's.
const signing = "/etc/falco/signing.conf"

var signCert = regexp.MustCompile(`(?m)^\s*FALCO_SIGN_CERT=["']?([^"'\s]+)`)

// Enrol tells how the kernel gets to know the key that modules are signed with, or how there comes to be one.
func (l *Loader) Enrol() string {
	certs := []string{"/var/lib/shim-signed/mok/MOK.der", "/var/lib/dkms/mok.pub", "/var/lib/dkms/mok.der"}
	if text, err := os.ReadFile(l.path(signing)); err == nil {
		if m := signCert.FindSubmatch(text); m != nil {
			certs = append([]string{string(m[1])}, certs...)
		}
	}
	for _, name := range certs {
		if _, err := os.Stat(l.path(name)); err == nil {
			return "mokutil --import " + name + ", choose a password, reboot, and choose \"Enroll MOK\""
		}
	}
	return "openssl req -new -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=modules/ -outform DER -keyout /root/modules.priv -out /root/modules.der, " +
		"name both in " + signing + " as FALCO_SIGN_KEY and FALCO_SIGN_CERT, falco driver install, and enrol it: mokutil --import /root/modules.der"
}

// forbidden says why the kernel lets nobody, or not us, load modules.
func (l *Loader) forbidden() error {
	read := func(name string) string {
		text, _ := os.ReadFile(name) // not there: does not apply
		return strings.TrimSpace(string(text))
	}
	switch {
	case os.Geteuid() != 0:
		return &Problem{What: "only root loads modules", Mend: "run falco driver load as root"}
	case read("/proc/sys/kernel/modules_disabled") == "1":
		return &Problem{What: "this kernel loads no modules any more (kernel.modules_disabled)", Mend: "remove that setting from /etc/sysctl.d and reboot", kind: kindRefused}
	case strings.Contains(read("/sys/kernel/security/lockdown"), "[integrity]") || strings.Contains(read("/sys/kernel/security/lockdown"), "[confidentiality]"):
		return &Problem{What: "the kernel is locked down and takes signed modules only", Mend: l.Enrol(), kind: kindRefused}
	}
	return &Problem{What: "this is not allowed to load modules (a container, or without CAP_SYS_MODULE)", Mend: "load it on the host: modprobe " + l.Name, kind: kindLater}
}

// Unload takes the module out of the kernel.
func (l *Loader) Unload(ctx context.Context) error {
	if l.Loaded() == nil {
		return nil
	}
	var out string
	var err error
	for try := range 10 {
		if out, err = l.command(ctx, "", "rmmod", l.Name); err == nil || l.Loaded() == nil {
			l.say("%s is unloaded", l.Name)
			return nil
		}
		if who := users("/proc", "/dev/"+l.Name); len(who) > 0 && try > 2 {
			return &Problem{What: l.Name + " is in use by " + strings.Join(who, ", "), Mend: "stop that, and then: falco driver unload"}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond): // whoever is just ending has ended then
		}
	}
	return &Problem{What: "unload " + l.Name + ": " + lastError(out), Mend: "lsmod | grep " + l.Name}
}

// users names the processes that have the device open.
func users(proc, device string) []string {
	links, err := filepath.Glob(proc + "/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	var who []string
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != device {
			continue
		}
		pid := filepath.Dir(filepath.Dir(link))
		comm, _ := os.ReadFile(filepath.Join(pid, "comm")) // it may have ended
		name := strings.TrimSpace(string(comm)) + " (" + filepath.Base(pid) + ")"
		if !slices.Contains(who, name) {
			who = append(who, name)
		}
	}
	return who
}

// Cleanup takes the module out of the kernel, unless it is to stay there, and off
// the disk: all versions of it, or the one that was named.
func (l *Loader) Cleanup(ctx context.Context, keepLoaded bool) error {
	var first error
	if !keepLoaded {
		first = l.Unload(ctx)
	}
	if l.haveDKMS() {
		for _, s := range l.States(ctx) {
			if l.Version != "" && s.Version != l.Version {
				continue
			}
			if _, err := os.Stat(l.path("/var/lib/dkms/" + l.Name + "/" + s.Version)); err != nil {
				continue // went with another kernel's line
			}
			if err := l.removeDKMS(ctx, s.Version); err != nil && first == nil {
				first = err
			}
		}
	}
	if l.Version != "" {
		return first // files tell nobody their version
	}
	if err := l.removeFiles(ctx); err != nil && first == nil {
		first = err
	}
	return first
}
