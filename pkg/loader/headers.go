// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// headers returns the folder from which modules for a kernel are built, as the
// machine itself calls it.
func (l *Loader) headers(release string) (string, error) {
	for _, dir := range []string{
		"/lib/modules/" + release + "/build", "/usr/src/linux-headers-" + release, "/usr/src/kernels/" + release,
		"/usr/src/linux-" + release,
	} {
		at := l.follow(dir)
		if _, err := os.Stat(filepath.Join(at, "Makefile")); err != nil {
			continue
		}
		// A tree that was unpacked and never configured builds nothing.
		if _, err := os.Stat(filepath.Join(at, "include/generated/autoconf.h")); err == nil {
			return dir, nil
		}
	}
	return "", l.missing(release)
}

// HeadersOf returns where the headers of a kernel are, or a Problem that says which
// package has them.
func (l *Loader) HeadersOf(release string) (string, error) { return l.headers(release) }

// follow resolves a link whose target counts from the machine's root.
func (l *Loader) follow(name string) string {
	at := l.path(name)
	for range 8 {
		to, err := os.Readlink(at)
		if err != nil {
			break
		}
		if filepath.IsAbs(to) {
			at = l.path(to)
		} else {
			at = filepath.Join(filepath.Dir(at), to)
		}
	}
	return at
}

// missing says which package the headers of a kernel are in.
func (l *Loader) missing(release string) error {
	p := &Problem{What: "the headers of kernel " + release + " are not installed"}
	t := &l.Target
	switch {
	case t.ID == "amzn":
		p.Mend = "yum install kernel-devel-" + release
	case strings.Contains(release, "uek"):
		p.Mend = "dnf install kernel-uek-devel-" + release
	case t.is("fedora", "rhel", "centos"):
		p.Mend = "dnf install kernel-devel-" + release
	case t.is("suse", "opensuse", "sles"):
		flavour := release[strings.LastIndexByte(release, '-')+1:]
		p.Mend = fmt.Sprintf("zypper install kernel-%s-devel", flavour)
	case t.is("arch"):
		p.Mend = "pacman -S linux-headers"
	case t.is("alpine"):
		p.Mend = "apk add linux-" + release[strings.LastIndexByte(release, '-')+1:] + "-dev"
	case t.is("debian", "ubuntu"):
		p.Mend = "apt install linux-headers-" + release
	default:
		p.Mend = "install the package with the headers of " + release + " (linux-headers-… or kernel-devel-…)"
	}
	return p
}

// install is the command that brings a package here.
func (t *Target) install(deb, rpm string) string {
	if t.is("debian", "ubuntu") {
		return "apt install " + deb
	}
	return "dnf install " + rpm
}

// reason is a text in a build's log, and what it means.
var reasons = []struct {
	found    *regexp.Regexp
	what     string
	deb, rpm string // package; "" if there is none to install
	mend     string
}{
	{found: regexp.MustCompile(`No space left on device`), what: "the disk is full", mend: "df -h /var/lib/dkms /tmp"},
	{found: regexp.MustCompile(`(?:/bin/sh: \d+: |command not found: |: )?\b((?:x86_64-linux-gnu-|aarch64-linux-gnu-)?gcc(?:-\d+)?): (?:not found|No such file|command not found)`), what: "the compiler $1 is not installed", deb: "$1", rpm: "gcc"},
	{found: regexp.MustCompile(`\b(clang(?:-\d+)?|ld\.lld(?:-\d+)?): (?:not found|No such file|command not found)`), what: "the kernel was built with clang, and $1 is not installed", deb: "clang lld", rpm: "clang lld"},
	{found: regexp.MustCompile(`\b(make): (?:not found|No such file|command not found)`), what: "make is not installed", deb: "make", rpm: "make"},
	{found: regexp.MustCompile(`gelf\.h|libelf\.h|libelf-dev`), what: "objtool needs libelf", deb: "libelf-dev", rpm: "elfutils-libelf-devel"},
	{found: regexp.MustCompile(`unrecognized command[- ]line option|unknown argument:`), what: "the compiler is older than the one that built the kernel", mend: "install that one; it is named in CONFIG_CC_VERSION_TEXT of the kernel's configuration"},
	{found: regexp.MustCompile(`read_stack_limit`), what: "/proc is not mounted, and objtool needs it", mend: "mount -t proc proc /proc"},
	{found: regexp.MustCompile(`an empty file does not compile`), what: "not even an empty file compiles against these headers", mend: "install the kernel's headers again; they do not fit the compiler"},
}

// explain turns the log of a build into what was in the way.
func (l *Loader) explain(release, log, where string) error {
	for _, r := range reasons {
		m := r.found.FindStringSubmatchIndex(log)
		if m == nil {
			continue
		}
		fill := func(s string) string { return string(r.found.ExpandString(nil, s, log, m)) }
		p := &Problem{What: "build for " + release + ": " + fill(r.what), Mend: r.mend}
		if r.deb != "" {
			p.Mend = l.Target.install(fill(r.deb), fill(r.rpm))
		}
		return p
	}
	p := &Problem{What: "build for " + release + ": " + lastError(log)}
	if where != "" {
		p.Mend = "read " + where
	}
	return p
}

// lastError is the line of a log that is worth showing.
func lastError(log string) string {
	last := ""
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if strings.Contains(line, "rror: ") || strings.Contains(line, "ERROR") {
			return line
		}
		last = line
	}
	if last == "" {
		return "it ended without a word"
	}
	return last
}
