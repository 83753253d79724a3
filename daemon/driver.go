// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/loader"
)

// falco driver, and falcoctl, which is the same under the name that scripts know.
// Exit codes that the packages' scripts look at: 3, the module is there and the
// kernel refuses it; 4, it is there for another boot.
const (
	exitRefused = 3
	exitLater   = 4
)

// driverVerbs are what can be asked of "falco driver", in the order of its help.
var driverVerbs = []struct {
	name, usage string
	run         func(*cli.Context, *daemon, *loader.Loader) error
}{
	{"install", "build the module for the kernels that are installed, and load it", driverInstall},
	{"load", "load the module that is installed", driverLoad},
	{"unload", "take the module out of the kernel", driverUnload},
	{"cleanup", "unload the module and remove what was built", driverCleanup},
	{"status", "tell which modules are there, built and loaded", driverStatus},
	{"config", "write down which kind of engine this machine takes", driverConfig},
	{"printenv", "print what would be built, as variables", driverPrintenv},
}

func driverFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "type", Usage: "kinds of engine that may be chosen; kmod is the only `KIND`, and modern_ebpf means it"},
		&cli.StringFlag{Name: "version", Usage: "`VERSION` of the sources below /usr/src; the newest if not given"},
		&cli.StringFlag{Name: "name", Usage: "`NAME` of the module"},
		&cli.StringFlag{Name: "host-root", Usage: "`FOLDER` in which the machine's files are"},
		&cli.StringFlag{Name: "kernelrelease", Usage: "another kernel than the one that runs (uname -r)"},
		&cli.StringFlag{Name: "kernelversion", Usage: "... and its version (uname -v)"},
		&cli.StringFlag{Name: "config", Value: config.FalcoctlPath, Usage: "`FILE` with settings"},
		&cli.BoolFlag{Name: "compile", Value: true, Usage: "install: build"},
		&cli.BoolFlag{Name: "download", Value: true, Usage: "install: fetch, if a repository and a key are configured"},
		&cli.StringSliceFlag{Name: "repo", Usage: "install: fetch from this `URL`"},
		&cli.BoolFlag{Name: "download-headers", Value: true, Usage: "install: no effect, headers come from the distribution"},
		&cli.BoolFlag{Name: "http-insecure", Usage: "install: believe any certificate; signatures are checked all the same"},
		&cli.DurationFlag{Name: "http-timeout", Value: time.Minute, Usage: "install: for each download"},
		&cli.StringSliceFlag{Name: "http-headers", Usage: "install: send this header, `NAME:VALUE`"},
		&cli.BoolFlag{Name: "keep-loaded", Usage: "cleanup: leave the kernel the module that it has"},
		&cli.BoolFlag{Name: "update-falco", Value: true, Usage: "config: write config.d/" + kindFile},
		&cli.StringFlag{Name: "falco-config", Value: config.DefaultPath, Usage: "config: `FILE` beside which config.d is"},
		&cli.StringFlag{Name: "namespace", Usage: "config: no effect"},
		&cli.StringFlag{Name: "configmap", Usage: "config: no effect"},
	}
}

// kindFile is what driver config writes, in the folder config.d.
const kindFile = "engine-kind-falcoctl.yaml"

// runDriver is falco driver.
func runDriver(c *cli.Context, d *daemon) error {
	name := c.Args().First()
	for _, v := range driverVerbs {
		if v.name != name {
			continue
		}
		if extra := c.Args().Get(1); extra != "" {
			return &failure{form: plain, text: fmt.Sprintf("driver %s: what is %q?", name, extra), hint: "falco driver --help lists the options"}
		}
		l, err := newLoader(c, d)
		if err != nil {
			return fmt.Errorf("driver %s: %w", name, err)
		}
		return driverError(name, v.run(c, d, l))
	}
	var list strings.Builder
	for _, v := range driverVerbs {
		fmt.Fprintf(&list, "  falco driver %-9s %s\n", v.name, v.usage)
	}
	if name == "" {
		fmt.Fprintf(d.stdout, "%s  falco driver --help    lists the options\n", list.String())
		return nil
	}
	var names []string
	for _, v := range driverVerbs {
		names = append(names, v.name)
	}
	hint := "falco driver lists what there is"
	if near := config.Nearest(name, names); near != "" {
		hint = "did you mean falco driver " + near + "?"
	}
	return &failure{form: plain, text: fmt.Sprintf("driver: what is %q?", name), hint: hint}
}

// driverError gives a problem its form and its code.
func driverError(verb string, err error) error {
	var p *loader.Problem
	if !errors.As(err, &p) {
		if err != nil {
			return fmt.Errorf("driver %s: %w", verb, err)
		}
		return nil
	}
	f := &failure{form: plain, text: "driver " + verb + ": " + p.What, hint: p.Mend}
	switch {
	case loader.Refused(err):
		f.code = exitRefused
	case loader.Later(err):
		f.code = exitLater
	}
	return f
}

// newLoader puts together what files, environment and command line say.
func newLoader(c *cli.Context, d *daemon) (*loader.Loader, error) {
	settings, err := config.LoadFalcoctl(c.String("config"), os.LookupEnv)
	if err != nil {
		return nil, err
	}
	root := settings.HostRoot
	if c.IsSet("host-root") {
		root = c.String("host-root")
	}
	target, err := loader.FindTarget(root)
	if err != nil {
		return nil, err
	}
	if r := c.String("kernelrelease"); r != "" && r != target.Release {
		target.Release, target.Running = r, false
	}
	if v := c.String("kernelversion"); v != "" {
		target.Version = v
	}
	home := os.Getenv("HOME")
	if home == "" {
		home = "/root"
	}
	l := &loader.Loader{
		Root: filepath.Clean(root), Name: settings.Name, Version: settings.Version, Target: target,
		Repos: settings.Repos, Key: settings.PublicKey, Cache: filepath.Join(home, ".falco"),
		Insecure: c.Bool("http-insecure"), Timeout: c.Duration("http-timeout"), Headers: map[string]string{},
		Say:  func(format string, a ...any) { fmt.Fprintf(d.stdout, "* "+format+"\n", a...) },
		Step: func(what string) func() { return showStep(d.stderr, what) },
	}
	for _, o := range []struct {
		flag string
		to   *string
	}{{"name", &l.Name}, {"version", &l.Version}} {
		if c.String(o.flag) != "" {
			*o.to = c.String(o.flag)
		}
	}
	if c.IsSet("repo") {
		l.Repos = parts(c.StringSlice("repo"))
	}
	if l.Name != filepath.Base(l.Name) || strings.ContainsAny(l.Version, "/ ") {
		return nil, fmt.Errorf("name %q, version %q: neither has a slash in it", l.Name, l.Version)
	}
	for _, h := range c.StringSlice("http-headers") {
		if key, value, ok := strings.Cut(h, ":"); ok {
			l.Headers[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return l, nil
}

// parts takes lists apart that were typed with commas.
func parts(list []string) (out []string) {
	for _, w := range list {
		out = append(out, strings.FieldsFunc(w, func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	return out
}

// interruptible ends with Ctrl-C.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

func driverInstall(c *cli.Context, d *daemon, l *loader.Loader) error {
	if _, err := chosenKind(c, d, l); err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	return l.Install(ctx, loader.How{Download: c.Bool("download"), Compile: c.Bool("compile")})
}

func driverLoad(_ *cli.Context, _ *daemon, l *loader.Loader) error {
	ctx, stop := interruptible()
	defer stop()
	return l.Load(ctx)
}

func driverUnload(_ *cli.Context, _ *daemon, l *loader.Loader) error {
	ctx, stop := interruptible()
	defer stop()
	return l.Unload(ctx)
}

func driverCleanup(c *cli.Context, _ *daemon, l *loader.Loader) error {
	ctx, stop := interruptible()
	defer stop()
	return l.Cleanup(ctx, c.Bool("keep-loaded"))
}

// chosenKind chooses the first kind of engine that this machine takes.
func chosenKind(c *cli.Context, d *daemon, l *loader.Loader) (string, error) {
	types := parts(c.StringSlice("type"))
	if len(types) == 0 {
		settings, err := config.LoadFalcoctl(c.String("config"), os.LookupEnv)
		if err != nil {
			return "", err
		}
		types = settings.Types
	}
	chosen := ""
	for _, t := range types {
		switch t {
		case "kmod", "module":
			chosen = "kmod"
		case "modern_ebpf", "modern-bpf", "ebpf", "bpf", "auto":
			if chosen == "" && len(types) == 1 && t != "auto" {
				fmt.Fprintf(d.stderr, "falco: %s is not in this build: the kernel module takes its place\n", t)
				chosen = "modern_ebpf"
			} else if chosen == "" {
				chosen = "kmod"
			}
		default:
			return "", &loader.Problem{What: fmt.Sprintf("unknown type %q", t), Mend: "--type kmod"}
		}
	}
	if err := l.Supported(); err != nil {
		return "", err
	}
	return chosen, nil
}

// driverConfig writes which kind was chosen, if the configuration wants a driver at all.
func driverConfig(c *cli.Context, d *daemon, l *loader.Loader) error {
	kind, err := chosenKind(c, d, l)
	if err != nil {
		return err
	}
	if !c.Bool("update-falco") {
		return nil
	}
	path := c.String("falco-config")
	have, err := config.EngineKind(path)
	if err != nil {
		return err
	}
	if have != config.KindKmod && have != "modern_ebpf" {
		l.Say("%s has engine.kind %q, which is none of a driver: it stays", path, have)
		return nil
	}
	dir := filepath.Join(filepath.Dir(path), "config.d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, kindFile)
	text := "engine:\n    kind: " + kind + "\n"
	if old, err := os.ReadFile(file); err == nil && string(old) == text {
		return nil // a daemon that watches its configuration need not read it again
	}
	// All of config.d is read, whatever a file is called: it must come there whole.
	temp := filepath.Join(filepath.Dir(dir), "."+kindFile)
	if err := os.WriteFile(temp, []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.Chmod(temp, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, file)
}

// driverPrintenv prints variables in the order in which scripts read them.
func driverPrintenv(c *cli.Context, d *daemon, l *loader.Loader) error {
	kind, err := chosenKind(c, d, l)
	if err != nil {
		return err
	}
	version, err := l.SourceVersion()
	if err != nil {
		version = ""
	}
	t := &l.Target
	for _, v := range [][2]string{
		{"DRIVER", kind}, {"DRIVERS_REPO", strings.Join(l.Repos, ", ")}, {"DRIVER_VERSION", version}, {"DRIVER_NAME", l.Name},
		{"HOST_ROOT", l.Root}, {"TARGET_ID", t.Name()}, {"ARCH", t.Arch}, {"KERNEL_RELEASE", t.Release}, {"KERNEL_VERSION", t.Version},
		{"FIXED_KERNEL_RELEASE", t.Release}, {"FIXED_KERNEL_VERSION", t.FixedVersion()},
	} {
		fmt.Fprintf(d.stdout, "%s=%q\n", v[0], v[1])
	}
	return nil
}

func driverStatus(_ *cli.Context, d *daemon, l *loader.Loader) error {
	ctx, stop := interruptible()
	defer stop()
	lines, err := l.Status(ctx)
	for _, line := range lines {
		fmt.Fprintln(d.stdout, line)
	}
	return err
}

// falcoctl is the program under its second name.
func falcoctl(argv []string, stdout, stderr io.Writer) int {
	verb := ""
	if len(argv) > 1 {
		verb = argv[1]
	}
	switch verb {
	case "driver":
		return falco(append([]string{"falco"}, argv[1:]...), stdout, stderr)
	case "artifact", "index", "registry", "tls":
		fmt.Fprintln(stdout, "rules come with the package")
		return exitOK
	case "version", "--version":
		fmt.Fprintln(stdout, "falcoctl", version)
		return exitOK
	case "", "help", "-h", "--help":
		fmt.Fprint(stdout, "falcoctl driver ...     the same as falco driver\nfalcoctl artifact ...   nothing: rules come with the package\nfalcoctl version\n")
		return exitOK
	}
	fmt.Fprintf(stderr, "falcoctl: what is %q?\nfalco: hint: falcoctl driver lists what there is\n", verb)
	return exitError
}
