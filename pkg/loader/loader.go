// SPDX-License-Identifier: Apache-2.0

// Package loader turns the module's sources into a module that is loaded: it
// finds a kernel's headers, builds by DKMS or without it, fetches what somebody
// else has built and signed if it was told where, and loads the result. It stands
// off the river: the daemon's verb "driver" and the scripts of the packages use it.
//
// Everything that it cannot do it says as a *Problem: what is in the way, and the
// command that mends it.
//
// Reading order: loader.go (what is asked for), target.go (for which kernels),
// headers.go, dkms.go and direct.go (building), fetch.go, module.go (loading).
package loader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Loader works on one machine. Root is where that machine's files are: / or, from
// a container, where they are mounted.
type Loader struct {
	Root     string
	Name     string // of the module
	Version  string // of its sources; "" is the newest below /usr/src
	Target   Target
	Repos    []string // where built modules may be fetched from; none by default
	Key      string   // file with the key that their signatures are checked with
	Cache    string   // where fetched modules stay
	Insecure bool     // believe a repository's certificate, whatever it says
	Timeout  time.Duration
	Headers  map[string]string // to send to repositories

	// Say prints a line that stays. Step announces what takes a while and returns
	// what ends it; both may be nil.
	Say  func(format string, a ...any)
	Step func(what string) (done func())

	// run starts a program and returns all that it says; tests have their own.
	run func(ctx context.Context, dir, name string, args ...string) (string, error)
}

// Problem is something in the way, and how it is mended.
type Problem struct {
	What string
	Mend string // a command, or what to do
	kind kind
}

type kind uint8

const (
	kindOther   kind = iota
	kindRefused      // built, and the kernel does not take it
	kindLater        // built, and not for what runs here now
)

func (p *Problem) Error() string { return p.What }

// Refused reports whether err says that the module is there and the kernel does not
// accept it.
func Refused(err error) bool { return is(err, kindRefused) }

// Later reports whether err says that the module is there for the next boot.
func Later(err error) bool { return is(err, kindLater) }

func is(err error, k kind) bool {
	var p *Problem
	return errors.As(err, &p) && p.kind == k
}

// How says by which ways Install may come to a module.
type How struct {
	Download bool
	Compile  bool
}

// Install brings a module for each kernel that is wanted and loads it, if one of
// them runs. What watches now goes on with the module that it has.
func (l *Loader) Install(ctx context.Context, how How) error {
	if err := l.settle(); err != nil {
		return err
	}
	if problem := l.Supported(); problem != nil {
		return problem
	}
	if in := l.container(); in != "" && l.Root == "/" {
		return &Problem{
			What: "this is a container (" + in + "): the module belongs to the machine below it",
			Mend: "install the package on the host, or mount the host below /host and set HOST_ROOT=/host",
		}
	}
	kernels := l.kernels()
	if len(kernels) == 0 {
		return &Problem{
			What: "no kernel is installed here (nothing in " + l.path("/lib/modules") + "), so there is nothing to build the module for",
			Mend: "on the machine itself: falco driver install",
		}
	}
	if how.Compile && l.haveDKMS() {
		if err := l.removeOthers(ctx); err != nil {
			return err
		}
	}
	var built []string
	var first error // that of the running kernel, which comes first
	for _, release := range kernels {
		err := l.obtain(ctx, release, how)
		if err == nil {
			built = append(built, release)
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Other kernels may well lie around without headers; that is not worth a word.
		if release == l.Target.Release || len(kernels) == 1 {
			first = err
		} else if _, missing := l.headers(release); missing == nil {
			l.say("for %s: %v", release, err)
		}
	}
	switch {
	case slices.Contains(built, l.Target.Release) && l.Target.Running:
		return l.Load(ctx)
	case len(built) > 0:
		what := fmt.Sprintf("the module is there for %s; this is %s", strings.Join(built, ", "), l.Target.Release)
		mend := "boot that kernel"
		var p *Problem
		if errors.As(first, &p) {
			what += ", for which " + p.What
			mend += ", or " + p.Mend
		}
		return &Problem{What: what, Mend: mend, kind: kindLater}
	case first != nil:
		return first
	}
	return l.missing(l.Target.Release)
}

// obtain brings the module of one kernel to where modprobe finds it.
func (l *Loader) obtain(ctx context.Context, release string, how How) error {
	var fetched error
	if how.Download && len(l.Repos) > 0 {
		if fetched = l.fetch(ctx, release); fetched == nil {
			return nil
		}
		l.say("download: %v", fetched)
	}
	if !how.Compile {
		if fetched != nil {
			return fetched
		}
		return &Problem{What: "no repository of built modules is configured, and nothing shall be built", Mend: "falco driver install --compile"}
	}
	headers, err := l.headers(release)
	if err != nil {
		return err
	}
	if l.haveDKMS() {
		return l.buildDKMS(ctx, release, headers)
	}
	return l.buildDirect(ctx, release, headers)
}

// settle fills in what was left out.
func (l *Loader) settle() error {
	if l.Version == "" {
		l.Version = newest(l.sources(l.Root))
	}
	if l.Version == "" && l.Root != "/" && l.run == nil {
		l.Version = newest(l.sources("/")) // of the image that we are in
	}
	if l.Version == "" {
		return &Problem{What: "the sources of the module are not there: " + l.path("/usr/src/"+l.Name+"-VERSION"), Mend: "install the package falco"}
	}
	return nil
}

// source is the folder with the sources: the machine's or, from a container, our own.
func (l *Loader) source() string {
	name := "/usr/src/" + l.Name + "-" + l.Version
	if _, err := os.Stat(filepath.Join(l.path(name), "dkms.conf")); err != nil && l.Root != "/" {
		return name
	}
	return l.path(name)
}

// path is where something of the machine's is, seen from here.
func (l *Loader) path(name string) string { return filepath.Join(l.Root, name) }

func (l *Loader) say(format string, a ...any) {
	if l.Say != nil {
		l.Say(format, a...)
	}
}

func (l *Loader) step(what string) func() {
	if l.Step == nil {
		return func() {}
	}
	return l.Step(what)
}

// command starts a program in a folder, with words that do not depend on the
// machine's language and with the folders in which administrators' programs are.
func (l *Loader) command(ctx context.Context, dir, name string, args ...string) (string, error) {
	if l.run != nil {
		return l.run(ctx, dir, name, args...)
	}
	path, err := find(name)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH="+searchPath)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// find returns the path of a program.
func find(name string) (string, error) {
	for _, dir := range filepath.SplitList(searchPath) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &Problem{What: "the program " + name + " is not installed", Mend: "install the package " + programs[name]}
}

// programs are those that are started, and the package that brings each.
var programs = map[string]string{
	"dkms": "dkms", "make": "make", "depmod": "kmod", "modprobe": "kmod", "modinfo": "kmod", "rmmod": "kmod", "insmod": "kmod",
}
