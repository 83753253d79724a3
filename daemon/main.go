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

// verb is a helper. One without run stands here before it can do its work, so
// that whoever types it is not taken for somebody who starts the daemon.
type verb struct {
	name, usage string
	words       string   // what stands behind the options, for its help; "" if nothing may
	choices     []string // of which the first word is one
	flags       func() []cli.Flag
	run         func(*cli.Context, *daemon) error
}

// verbs lists all of them in the order in which help shows them.
func verbs() []verb {
	return []verb{
		{name: "driver", usage: "build, install and load the kernel module", words: "VERB", flags: driverFlags, run: runDriver},
		{name: "read", usage: "print the events of a capture", words: "FILE [CONDITION]", flags: readFlags, run: runRead},
		{name: "record", usage: "write events to a capture", flags: recordFlags, run: runRecord},
		{name: "ps", usage: "print the process table as rules see it", flags: psFlags, run: runPs},
		{name: "fds", usage: "print the descriptors of a process as rules see them", words: "PID", flags: tablesFlags, run: runFds},
		{name: "doctor", usage: "look for what keeps falco from seeing, and say what mends it", flags: doctorFlags, run: runDoctor},
		{name: "completion", usage: "print what lets a shell complete falco's command line", words: "bash|zsh|fish", choices: []string{"bash", "zsh", "fish"},
			flags: noFlags, run: runCompletion},
		{name: "man", usage: "print the manual page falco(8)", flags: noFlags, run: runMan},
	}
}

func noFlags() []cli.Flag { return nil }

// allFlags returns the flags of v, with the one that prints them.
func (v *verb) allFlags() []cli.Flag {
	return append(v.flags(), &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "print this"})
}

// command returns v as urfave/cli knows it.
func (v *verb) command(stdout, stderr io.Writer, log *logger) *cli.Command {
	if v.run == nil {
		return &cli.Command{Name: v.name, Usage: v.usage, SkipFlagParsing: true, Action: func(*cli.Context) error {
			return &failure{form: plain, text: v.name + ": not available yet in this version", code: exitNoVerb,
				hint: "falco --help lists what is"}
		}}
	}
	usage := &failure{form: plain, hint: "falco " + v.name + " --help lists the options"}
	return &cli.Command{
		Name: v.name, Usage: v.usage, ArgsUsage: v.words, HideHelp: true, CustomHelpTemplate: verbHelp,
		Flags: v.allFlags(),
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			usage.text = v.name + ": " + err.Error()
			return usage
		},
		Action: func(c *cli.Context) error {
			if c.Bool("help") {
				return cli.ShowSubcommandHelp(c)
			}
			if v.words == "" && c.Args().Present() {
				usage.text = fmt.Sprintf("%s: what is %q?", v.name, c.Args().First())
				return usage
			}
			return v.run(c, &daemon{stdout: stdout, stderr: stderr, log: log})
		},
	}
}

// verbHelp is what falco VERB --help prints.
const verbHelp = `falco {{.Name}} - {{.Usage}}
Usage:
  falco {{.Name}} [OPTION...]{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}
Options:
{{range .VisibleFlags}}  {{.}}
{{end}}`

func main() {
	os.Exit(falco(os.Args, os.Stdout, os.Stderr))
}

// falco is the program: argv in, exit code out.
func falco(argv []string, stdout, stderr io.Writer) int {
	log := newLogger(stderr)
	if filepath.Base(argv[0]) == "falcoctl" { // the same binary under its second name
		return falcoctl(argv, stdout, stderr)
	}
	if len(argv) > 2 && argv[1] == completeVerb {
		c := completions(argv[3:])
		c.print(stdout)
		return exitOK
	}
	code := exitOK
	cli.HelpFlag, cli.VersionFlag = nil, nil // ours are options like all others
	app := &cli.App{
		Name:                      "falco",
		HideHelp:                  true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		ExitErrHandler:            func(*cli.Context, error) {},
	}
	for _, v := range verbs() {
		app.Commands = append(app.Commands, v.command(stdout, stderr, log))
	}
	words := argv[1:]
	if v := typedVerb(words); v != nil {
		if v.run != nil {
			words = append([]string{v.name}, flagsFirst(words[1:], v.allFlags())...)
		}
	} else {
		s := scanner{strict: os.Getenv("FALCO_STRICT_CLI") == "1"}
		if err := s.scan(words); err != nil {
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

// typedVerb returns the verb that words begin with, nil if they begin with none.
func typedVerb(words []string) *verb {
	if len(words) > 0 {
		for _, v := range verbs() {
			if v.name == words[0] {
				return &v
			}
		}
	}
	return nil
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
	listEvents                              bool
	listSource, format, describeRule        string
	config, pluginInfo, print, pidFile      string
	writeFile                               string
	detach                                  bool
	configSchema, ruleSchema, support       bool
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
		markdown: c.Bool("markdown"), listEvents: c.Bool("list-events") || c.Bool("list-syscall-events"), list: c.IsSet("list"), listSource: c.String("list"), format: c.String("format"),
		describe: c.Bool("L"), describeRule: c.String("l"),
		config: c.String("c"), pluginInfo: c.String("plugin-info"), print: c.String("print"), pidFile: c.String("pidfile"), writeFile: c.String("writefile"),
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
	o.override = append(o.override, criSockets(c.StringSlice("cri"))...)
	o.detach, o.support = c.Bool("daemon"), c.Bool("support")
	o.configSchema, o.ruleSchema = c.Bool("config-schema"), c.Bool("rule-schema")
	if c.IsSet("stats-file") {
		ms := "5000"
		for _, name := range []string{"stats-interval", "stats_interval"} {
			if c.IsSet(name) {
				ms = c.String(name)
			}
		}
		o.override = append(o.override, "metrics.enabled=true", "metrics.output_file="+c.String("stats-file"), "metrics.interval="+ms+"ms")
	}
	if c.Bool("list-fields-markdown") {
		o.list, o.format = true, "markdown"
	}
	o.override = append(o.override, c.StringSlice("option")...)
	return o
}
