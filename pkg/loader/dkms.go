// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// haveDKMS reports whether DKMS builds here. It knows nothing of another root.
func (l *Loader) haveDKMS() bool {
	if l.Root != "/" && l.run == nil {
		return false
	}
	_, err := os.Stat(l.path("/usr/sbin/dkms"))
	return err == nil
}

// State is what DKMS says of a version of the module.
type State struct {
	Version, Release, State string // Release is "" if nothing was built
}

// statusLine is what versions 2 and 3 of DKMS print:
//
//	falco, 0.1.0, 5.10.0-30-cloud-amd64, x86_64: installed
//	falco/0.1.0, 6.1.0-18-cloud-amd64, x86_64: installed (original_module exists)
//	falco/0.1.0: added
var statusLine = regexp.MustCompile(`^([^,/ ]+)(?:, |/)([^,: ]+)(?:, ([^,]+), [^:]+)?: ([a-z]+)`)

// parseStatus reads what "dkms status" prints.
func parseStatus(out, name string) []State {
	var states []State
	for line := range strings.Lines(out) {
		if m := statusLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil && m[1] == name {
			states = append(states, State{Version: m[2], Release: m[3], State: m[4]})
		}
	}
	return states
}

// States asks DKMS.
func (l *Loader) States(ctx context.Context) []State {
	out, _ := l.command(ctx, "", "dkms", "status", "-m", l.Name) // what it knows it prints, broken trees or not
	return parseStatus(out, l.Name)
}

// buildDKMS builds and installs for one kernel. DKMS does it again by itself for
// each kernel that comes later.
func (l *Loader) buildDKMS(ctx context.Context, release, headers string) error {
	for _, s := range l.States(ctx) {
		if s.Version == l.Version && s.Release == release && s.State == "installed" {
			l.say("%s %s is there for %s already", l.Name, l.Version, release)
			return nil
		}
	}
	began := time.Now()
	done := l.step("building " + l.Name + " " + l.Version + " for " + release)
	out, err := l.command(ctx, "", "dkms", "install", "-m", l.Name, "-v", l.Version, "-k", release, "--force")
	done()
	if err == nil {
		l.say("%s %s was built for %s by DKMS (%.0f s)", l.Name, l.Version, release, time.Since(began).Seconds())
		l.relabel(ctx, release)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	where := "/var/lib/dkms/" + l.Name + "/" + l.Version + "/build/make.log"
	log, _ := os.ReadFile(l.path(where)) // DKMS may have ended before there was one
	if len(log) == 0 {
		where = ""
	}
	if strings.Contains(out, "Your kernel headers") {
		return l.missing(release)
	}
	return l.explain(release, string(log)+"\n"+out, where)
}

// removeOthers takes versions of the module out of DKMS that are not this one:
// only one of them can be installed for a kernel.
func (l *Loader) removeOthers(ctx context.Context) error {
	var others []string
	for _, s := range l.States(ctx) {
		if s.Version != l.Version && !slices.Contains(others, s.Version) {
			others = append(others, s.Version)
		}
	}
	entries, _ := os.ReadDir(l.path("/var/lib/dkms/" + l.Name)) // versions whose sources are gone stop dkms status
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), "kernel-") && e.Name() != l.Version && !slices.Contains(others, e.Name()) {
			others = append(others, e.Name())
		}
	}
	for _, version := range others {
		if err := l.removeDKMS(ctx, version); err != nil {
			return err
		}
	}
	return nil
}

// removeDKMS takes one version out of DKMS, by hand if its sources are gone.
func (l *Loader) removeDKMS(ctx context.Context, version string) error {
	out, err := l.command(ctx, "", "dkms", "remove", "-m", l.Name, "-v", version, "--all")
	if err == nil {
		l.say("%s %s was removed from DKMS", l.Name, version)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	tree := l.path("/var/lib/dkms/" + l.Name + "/" + version)
	if _, gone := os.Stat(filepath.Join(tree, "source", "dkms.conf")); gone == nil {
		return &Problem{What: "remove " + l.Name + " " + version + " from DKMS: " + lastError(out), Mend: "dkms remove " + l.Name + "/" + version + " --all"}
	}
	if err := os.RemoveAll(tree); err != nil {
		return err
	}
	l.say("%s %s was removed from DKMS, which had lost its sources", l.Name, version)
	return l.removeFiles(ctx)
}
