// SPDX-License-Identifier: Apache-2.0

// Falco watches the system calls of a machine and tells when they break a rule.
//
// The daemon is the default action; helpers are verbs. Reading order: main.go
// (what was typed), run.go (start and stop), pipeline.go (the loop). The
// messages have their rules in messages.go.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/rules"
)

const completionFlag = "--generate-bash-completion"

// verbs are the helpers. They stand here before they can do their work, so that
// whoever types one is not taken for somebody who starts the daemon.
var verbs = []struct{ name, usage string }{
	{"driver", "build, install and load the kernel module"},
	{"read", "print the events of a capture"},
	{"record", "write events to a capture"},
	{"ps", "print the process table as rules see it"},
	{"fds", "print the descriptors of a process as rules see them"},
	{"doctor", "look for what keeps falco from seeing"},
}

func main() {
	os.Exit(falco(os.Args, os.Stdout, os.Stderr))
}

// falco is the program: argv in, exit code out.
func falco(argv []string, stdout, stderr io.Writer) int {
	log := newLogger(stderr)
	if filepath.Base(argv[0]) == "falcoctl" { // the same binary under its second name
		argv = append([]string{"falco", "driver"}, argv[1:]...)
	}
	code := exitOK
	cli.HelpFlag, cli.VersionFlag = nil, nil // ours are options like all others
	app := &cli.App{
		Name:                      "falco",
		HideHelp:                  true,
		HideVersion:               true,
		EnableBashCompletion:      true,
		DisableSliceFlagSeparator: true,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		ExitErrHandler:            func(*cli.Context, error) {},
	}
	for _, v := range verbs {
		app.Commands = append(app.Commands, &cli.Command{Name: v.name, Usage: v.usage, SkipFlagParsing: true,
			Action: func(*cli.Context) error {
				return &failure{form: plain, text: v.name + ": not available yet in this version", code: exitNoVerb,
					hint: "falco --help lists what is"}
			}})
	}
	words := argv[1:]
	if len(words) == 0 || !isVerb(words[0]) {
		s := scanner{strict: os.Getenv("FALCO_STRICT_CLI") == "1"}
		if completing(words) { // half a word is no option yet; cli looks at os.Args itself
			s.words = []string{completionFlag}
		} else if err := s.scan(words); err != nil {
			return printError(stderr, log, err)
		}
		words = s.words
		for i := range options {
			app.Flags = append(app.Flags, options[i].flag())
		}
		app.Action = func(c *cli.Context) error {
			o := optionsOf(c)
			o.argv, o.used, o.strict = argv, s.used, s.strict
			d := &daemon{opt: o, stdout: stdout, stderr: stderr, log: log}
			var err error
			code, err = d.run()
			return err
		}
	}
	if err := app.Run(append([]string{"falco"}, words...)); err != nil {
		return printError(stderr, log, err)
	}
	return code
}

// completing reports whether a shell asks how the words could go on.
func completing(words []string) bool { return len(words) > 0 && words[len(words)-1] == completionFlag }

func isVerb(word string) bool {
	for _, v := range verbs {
		if v.name == word {
			return true
		}
	}
	return false
}

// flag returns o as urfave/cli knows it.
func (o *option) flag() cli.Flag {
	switch {
	case o.arg == "":
		return &cli.BoolFlag{Name: o.name(), Usage: o.help}
	case o.multi:
		return &cli.StringSliceFlag{Name: o.name(), Usage: o.help}
	}
	return &cli.StringFlag{Name: o.name(), Usage: o.help}
}

// opts is the command line.
type opts struct {
	argv   []string
	strict bool
	used   []used

	help, dryRun, verbose, unbuffered       bool
	version, pageSize, ignored, listPlugins bool
	list, namesOnly, describe, markdown     bool
	listSource, format, describeRule        string
	config, pluginInfo, print, pidFile      string
	rules, validate, override               []string
	enableSource, disableSource             []string
	legacy                                  rules.Legacy
	seconds                                 int
}

// optionsOf collects what was typed. The options of old versions that have a
// twin in the configuration become overrides in front of the others.
func optionsOf(c *cli.Context) *opts {
	o := &opts{
		help: c.Bool("help"), dryRun: c.Bool("dry-run"), verbose: c.Bool("v"), unbuffered: c.Bool("unbuffered"),
		version: c.Bool("version"), pageSize: c.Bool("page-size"), ignored: c.Bool("i") || c.Bool("ignored-events"),
		listPlugins: c.Bool("list-plugins"), namesOnly: c.Bool("N"),
		markdown: c.Bool("markdown"), list: c.IsSet("list"), listSource: c.String("list"), format: c.String("format"),
		describe: c.Bool("L"), describeRule: c.String("l"),
		config: c.String("c"), pluginInfo: c.String("plugin-info"), print: c.String("print"), pidFile: c.String("pidfile"),
		rules: c.StringSlice("r"), validate: c.StringSlice("validate"),
		enableSource: c.StringSlice("enable-source"), disableSource: c.StringSlice("disable-source"),
		legacy: rules.Legacy{DisabledSubstrings: c.StringSlice("D"), DisabledTags: c.StringSlice("T"), EnabledTags: c.StringSlice("t")},
	}
	fmt.Sscan(c.String("M"), &o.seconds)
	for _, twin := range []struct{ option, key, value string }{
		{"A", "base_syscalls.all", "true"},
		{"print-base64", "buffer_format_base64", "true"},
		{"snaplen", "falco_libs.snaplen", c.String("snaplen")},
		{"nodriver", "engine.kind", "nodriver"},
		{"modern-bpf", "engine.kind", "modern_ebpf"},
	} {
		if c.IsSet(twin.option) && (twin.value == c.String(twin.option) || c.Bool(twin.option)) {
			o.override = append(o.override, twin.key+"="+twin.value)
		}
	}
	if c.IsSet("e") {
		o.override = append(o.override, "engine.kind="+config.KindReplay, "engine.replay.capture_file="+c.String("e"))
	}
	if c.Bool("list-fields-markdown") {
		o.list, o.format = true, "markdown"
	}
	o.override = append(o.override, c.StringSlice("option")...)
	return o
}
