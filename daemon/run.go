// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/rules"
)

// daemon is one run of the program.
type daemon struct {
	opt            *opts
	stdout, stderr io.Writer
	log            *logger

	path   string    // of the configuration, "" if there is none
	readAt time.Time // before it was read, and the rules
	cfg    *config.Config
	set    *rules.Set
	calls  calls // what the module is asked for
	drops  drops
	pipe   pipeline

	hostname string // as alerts say it
	channels []channel
	closing  sync.WaitGroup // outputs that are no longer wanted
	reload   reloader
	caps     *captures // that rules start; nil if they may not
	web      *web      // nil if there is none
	health   health
	told     *os.File // who waits for us to be ready, see detach; or nil
	retired  []tally  // of rules that are gone

	silent bool      // no statistics at the end
	bar    *progress // of a replay on a terminal, else nil

	stop     chan struct{} // closed by whoever ends the run
	stopOnce sync.Once
	asked    atomic.Bool // to end, by a signal
	failOnce sync.Once
	failed   error // why somebody beside the loop has ended the run
	mail     chan func()
	undo     []func()
}

// errDone ends the start of a run that had only to print something.
var errDone = errors.New("done")

// The start, in order: the first step that fails ends it, and what the steps
// before it have begun is undone in reverse. Which error wins is an interface.
var start = []func(*daemon) error{
	(*daemon).checkOptions,
	(*daemon).informAtOnce, // --help, the schemas, -i, --list-events
	(*daemon).loadConfig,
	(*daemon).informWithConfig, // --version, --page-size, --list-plugins, --list
	(*daemon).checkSources,
	(*daemon).validate, // -V
	(*daemon).loadRules,
	(*daemon).describe, // -L, -l
	(*daemon).support,  // --support
	(*daemon).detach,   // -d
	(*daemon).showProgress,
	(*daemon).startOutputs,
	(*daemon).handleSignals,
	(*daemon).writePidFile,
	(*daemon).selectCalls,
	(*daemon).startHealth,
	(*daemon).endDryRun,
	(*daemon).startWeb,
	(*daemon).openSource,
	(*daemon).watchFiles,
	(*daemon).watch,
}

// run starts, runs and stops the daemon and returns the exit code. Errors have
// been printed when it returns.
func (d *daemon) run() (int, error) {
	d.stop, d.mail = make(chan struct{}), make(chan func(), 16)
	d.reload.want = make(chan struct{}, 1)
	d.drops.log = d.log
	code := exitOK
	for _, step := range start {
		err := step(d)
		if err == nil {
			continue
		}
		if !errors.Is(err, errDone) {
			code = printError(d.stderr, d.log, err)
		}
		break
	}
	d.unwind()
	return code, nil
}

// unwind undoes what has been begun, the last first.
func (d *daemon) unwind() {
	for i := len(d.undo) - 1; i >= 0; i-- {
		d.undo[i]()
	}
}

// atEnd has f called when the run ends, before everything that was there first.
func (d *daemon) atEnd(f func()) { d.undo = append(d.undo, f) }

// end ends the run; it may be called from anywhere, and again.
func (d *daemon) end() {
	d.stopOnce.Do(func() {
		close(d.stop)
		notify(notifyStopping)
	})
}

// fail ends the run with an error; it may be called from anywhere.
func (d *daemon) fail(err error) {
	d.failOnce.Do(func() {
		d.failed = err
		d.end()
	})
}

func (d *daemon) checkOptions() (err error) {
	if d.path, err = config.Find(d.opt.config); err != nil {
		return err
	}
	if err := (&rules.Options{Legacy: d.opt.legacy}).CheckSelection(); err != nil { // even where no rules will be read
		return optionErrorf("%s", err)
	}
	return d.checkFormat()
}

func (d *daemon) informAtOnce() error {
	switch {
	case d.opt.help:
		printHelp(d.stdout, d.opt.verbose)
		return errDone
	case d.opt.configSchema:
		d.stdout.Write(config.Schema())
		return errDone
	case d.opt.ruleSchema:
		d.stdout.Write(ruleSchema())
		return errDone
	case d.opt.ignored:
		printIgnored(d.stdout)
		return errDone
	case d.opt.listEvents:
		printEvents(d.stdout, d.opt.format)
		return errDone
	}
	return nil
}

func (d *daemon) loadConfig() (err error) {
	d.readAt = time.Now()
	d.cfg, err = config.Load(config.Options{Path: d.path, Overrides: d.opt.override, Strict: d.opt.strict, Env: os.LookupEnv})
	if err != nil {
		return err
	}
	if d.opt.unbuffered {
		d.cfg.Buffered = false
	}
	d.log.configure(d.cfg)
	d.tellConfig()
	return nil
}

// tellConfig logs who we are and what has been read.
func (d *daemon) tellConfig() {
	if d.cfg.Engine.Kind == config.KindKmod {
		if line := firstLine("/proc/version"); line != "" {
			d.log.infof("System info: %s", line)
		}
	}
	d.log.infof("Falco version: %s (%s)", version, machine())
	d.log.debugf("CLI args: %s", strings.Join(d.opt.argv, " "))
	if len(d.cfg.Files) > 0 {
		d.log.infof("Falco initialized with configuration files:")
	}
	for _, f := range d.cfg.Files {
		level := config.Info
		if f.Schema != "ok" {
			level = config.Warning
		}
		d.log.say(level, "   %s | schema validation: %s", f.Path, f.Schema)
	}
	for _, w := range d.cfg.Warnings {
		d.log.warnf("%s", w)
	}
	for _, u := range d.opt.used {
		d.log.warnf("The %s option is deprecated. Use %s instead.", u.typed, u.instead)
	}
	if d.cfg.StrictUpstream {
		d.log.noticef("strict_upstream: rules are read and matched as the original does, also where it errs; " +
			"what is known of processes, descriptors and containers is not made worse")
	}
	for _, v := range oldVariables {
		if _, set := os.LookupEnv(v.name); set {
			d.log.warnf("%s is set, which is of earlier versions: %s", v.name, v.now)
		}
	}
	if d.opt.print != "" {
		d.log.warnf("The -p/--print option is deprecated and will be removed. Use -o append_output=... instead.")
	}
}

// oldVariables of the environment do nothing any more.
var oldVariables = []struct{ name, now string }{
	{"FALCO_BPF_PROBE", "the kernel module is used"},
	{"FALCO_K8S_API", "pods are told of by the container runtime"},
	{"FALCO_K8S_API_CERT", "pods are told of by the container runtime"},
	{"FALCO_MESOS_API", "nothing is asked there"},
}

func (d *daemon) informWithConfig() error {
	switch {
	case d.opt.version:
		printVersion(d.stdout, d.cfg.JSON)
		return errDone
	case d.opt.pageSize:
		text := fmt.Sprintf("Your system page size is: %d bytes", os.Getpagesize())
		if d.cfg.Log.Stderr {
			d.log.infof("%s", text)
		} else {
			fmt.Fprintln(d.stdout, text)
		}
		return errDone
	case d.path == "":
		return &failure{form: block, text: "You must create a config file at " + config.DefaultPath + " or by passing -c"}
	case d.opt.pluginInfo != "":
		return &failure{form: block, text: "can't find plugin and print its info: " + d.opt.pluginInfo, hint: "there are no plugins; what they bring elsewhere is built in"}
	case d.opt.listPlugins:
		fmt.Fprint(d.stdout, "0 Plugins Loaded:\n\n")
		return errDone
	case d.opt.list:
		return d.printFields()
	}
	return nil
}

const syscallSource = "syscall"

// checkSources: there is one source, so little can be chosen.
func (d *daemon) checkSources() error {
	if d.cfg.Engine.Kind == config.KindReplay {
		return nil // the file says what it holds
	}
	if len(d.opt.enableSource) > 0 && len(d.opt.disableSource) > 0 {
		return optionErrorf("You can not mix --enable-source and --disable-source")
	}
	for _, s := range d.opt.enableSource {
		if s != syscallSource {
			return optionErrorf("Attempted enabling an unknown event source: %s", s)
		}
	}
	for _, s := range d.opt.disableSource {
		if s != syscallSource {
			return optionErrorf("Attempted disabling an unknown event source: %s", s)
		}
	}
	if len(d.opt.disableSource) > 0 {
		return optionErrorf("Must enable at least one event source")
	}
	return nil
}

func firstLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, _ := bufio.NewReader(io.LimitReader(f, 4096)).ReadString('\n')
	return strings.TrimSpace(line)
}
