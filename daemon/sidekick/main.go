// SPDX-License-Identifier: Apache-2.0

// The falcosidekick program: takes alerts from daemons and brings them to the world. It
// runs as nobody in particular and knows no kernel. Its core is pkg/forward.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"github.com/falco-go/falco/pkg/forward"
	"github.com/urfave/cli/v2"
)

// version is set when a release is built (-ldflags -X main.version=...).
var version = "0.1.0"

func main() {
	os.Exit(run(os.Args, os.Environ(), os.Stdout, os.Stderr))
}

// run is main with its world as arguments. It returns the exit code: 0, or 1 if something is wrong.
func run(args, environ []string, stdout, stderr io.Writer) int {
	code := 0
	app := &cli.App{
		Name: "falcosidekick", Usage: "bring alerts to people and systems", UsageText: "falcosidekick [-c FILE]",
		HideVersion: true, HideHelpCommand: true, Writer: stdout, ErrWriter: stderr,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config-file", Aliases: []string{"c"}, Usage: "settings, in YAML; variables win over them"},
			&cli.StringFlag{Name: "state-dir", Usage: "where the spool and the dead letters are"},
			&cli.BoolFlag{Name: "validate", Usage: "check the settings and exit"},
			&cli.BoolFlag{Name: "print-config", Usage: "print the settings in force, without secrets, and exit"},
			&cli.BoolFlag{Name: "version", Aliases: []string{"v"}, Usage: "print the version and exit"},
		},
		Commands:       []*cli.Command{completion},
		ExitErrHandler: func(*cli.Context, error) {},
		Action: func(c *cli.Context) error {
			if c.Bool("version") {
				fmt.Fprintf(stdout, "falcosidekick %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return nil
			}
			if c.NArg() > 0 {
				return fmt.Errorf("unexpected argument %q", c.Args().First())
			}
			p := &program{file: c.String("config-file"), environ: environ, stdout: stdout, stderr: stderr}
			if dir := c.String("state-dir"); dir != "" {
				p.environ = append(append([]string(nil), environ...), "STATE_DIR="+dir)
			}
			switch {
			case c.Bool("validate"):
				code = p.validate()
			case c.Bool("print-config"):
				code = p.print()
			default:
				code = p.serve()
			}
			return nil
		},
	}
	if err := app.RunContext(context.Background(), args); err != nil {
		fmt.Fprintf(stderr, "falcosidekick: %v\n", err)
		return 1
	}
	return code
}

// program is one run.
type program struct {
	file           string
	environ        []string
	stdout, stderr io.Writer

	log *logger
}

// load reads the settings and says what is wrong with them, a line each.
func (p *program) load() (*forward.Config, *webSettings, bool) {
	web := &webSettings{}
	cfg, err := forward.Load(p.file, p.environ, web.sections()...)
	if err != nil {
		fmt.Fprintf(p.stderr, "falcosidekick: %v\n", err)
		return nil, nil, false
	}
	for _, problem := range cfg.Problems {
		kind := "error"
		if problem.Warning {
			kind = "warning"
		}
		fmt.Fprintf(p.stderr, "falcosidekick: %s: %s\n", kind, problem)
	}
	return cfg, web, !cfg.Fatal()
}

// complain says each of joined errors on a line of its own.
func (p *program) complain(err error) int {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			p.complain(e)
		}
		return 1
	}
	fmt.Fprintf(p.stderr, "falcosidekick: %v\n", err)
	if errors.Is(err, syscall.EADDRINUSE) {
		fmt.Fprintln(p.stderr, "falcosidekick: hint: somebody listens there already; listenport is another one")
	}
	return 1
}

func (p *program) validate() int {
	cfg, _, ok := p.load()
	if !ok {
		return 1
	}
	if err := forward.Validate(cfg); err != nil {
		return p.complain(err)
	}
	fmt.Fprintf(p.stdout, "the settings are valid; %d outputs are on\n", len(cfg.Instances))
	return 0
}

func (p *program) print() int {
	cfg, _, ok := p.load()
	if cfg == nil {
		return 1
	}
	cfg.Print(p.stdout)
	if !ok {
		return 1
	}
	return 0
}
