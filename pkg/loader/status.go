// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// SourceVersion returns the version of the sources that would be built.
func (l *Loader) SourceVersion() (string, error) {
	err := l.settle()
	return l.Version, err
}

// Status tells, a line each, what there is. The error is a *Problem if this kernel
// does not have the module.
func (l *Loader) Status(ctx context.Context) ([]string, error) {
	var lines []string
	add := func(what, format string, a ...any) {
		lines = append(lines, fmt.Sprintf("%-10s", what)+fmt.Sprintf(format, a...))
	}
	if err := l.settle(); err != nil {
		add("sources", "none")
	} else {
		add("sources", "%s", l.source())
	}
	loaded := l.Loaded()
	if loaded == nil {
		add("loaded", "no")
	} else {
		add("loaded", "%s %s", l.Name, loaded.Version)
		if who := users("/proc", "/dev/"+l.Name); len(who) > 0 {
			add("used by", "%s", strings.Join(who, ", "))
		}
	}
	states := map[string]string{}
	if l.haveDKMS() {
		for _, s := range l.States(ctx) {
			states[s.Release] = s.Version + " " + s.State + " by DKMS"
		}
	}
	for _, release := range l.kernels() {
		state := states[release]
		if state == "" {
			if files, _ := filepath.Glob(l.path("/lib/modules/" + release + "/" + extra + "/" + l.Name + ".ko")); len(files) > 0 {
				state = "installed without DKMS"
			} else if _, err := l.headers(release); err != nil {
				state = "no module, and no headers"
			} else {
				state = "no module"
			}
		}
		if release == l.Target.Release {
			release += " (runs)"
		}
		add("kernel", "%s: %s", release, state)
	}
	if loaded == nil {
		if l.Version == "" {
			return lines, l.settle()
		}
		return lines, &Problem{What: "the module is not loaded", Mend: "falco driver install"}
	}
	return lines, nil
}
