// SPDX-License-Identifier: Apache-2.0

// Command run is what the Makefile's vm, shell and demo call.
//
//	run vm -kernel 6.1 -rules "a.yaml b.yaml" -act act.sh -out out/ [-falco-args "…"] [-files "…"]
//	run vm -debian bookworm -packages "containerd runc" -systemd [-setup setup.sh] -act act.sh
//	run shell [-kernel 6.1] [-rules "…"] [-files "…"]
//	run demo [-kernel 6.1] [-ui]
//	run fetch [-kernel 6.1] [-refresh]
//	run kdir [-kernel 6.1]
//	run check [-kernel 6.1]
//	run checkpatch
//
// Standard output is for alerts and results, standard error for progress and complaints. Exit codes: the script's for vm;
// 1 when there is no guest or falco does not start, 2 for what is not available yet and for wrong usage, 3 when the guest
// hung or its kernel complained.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// options are the flags of all verbs; each takes those that mean something to it.
type options struct {
	kernel, rules, act, out, files, falcoArgs   string
	debian, packages, setup                     string
	systemd, cgroupV1                           bool
	daemon, module, accel, kernelArgs, qemuArgs string
	cpus, memory                                int
	timeout                                     time.Duration
	refresh, noDaemon, debug, ui                bool
	progress                                    *vm.Progress
}

var verbs = map[string]func(ctx context.Context, o *options) int{
	"vm": runAct, "shell": runShell, "demo": runDemo, "fetch": runFetch, "kdir": runKdir, "check": runCheck,
	"checkpatch": runCheckpatch,
}

func main() { os.Exit(run()) }

func run() int {
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		return fail(vm.ExitLater, "usage: run vm|shell|demo|fetch|kdir|check|checkpatch [flags]")
	}
	verb := os.Args[1]
	o := &options{progress: vm.NewProgress(os.Stderr)}
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	flags.StringVar(&o.kernel, "kernel", "", "`name` of a kernel in tests/vm/kernels.txt")
	flags.StringVar(&o.rules, "rules", "", "rule `files`, in order, separated by blanks (default: the stock rules)")
	flags.StringVar(&o.act, "act", "", "the `script`; the guest runs it with sh, as root")
	flags.StringVar(&o.out, "out", "", "`folder` for alerts.jsonl, falco.log, console.log, act.log, capture.scap")
	flags.StringVar(&o.files, "files", "", "`files` and folders to copy to /files")
	flags.StringVar(&o.falcoArgs, "falco-args", "", "more `arguments` for falco")
	flags.StringVar(&o.debian, "debian", "", "boot a whole Debian of this `suite`, with its kernel unless -kernel is given")
	flags.StringVar(&o.packages, "packages", "", "and these `packages`")
	flags.BoolVar(&o.systemd, "systemd", false, "and have systemd start its services")
	flags.BoolVar(&o.cgroupV1, "cgroup-v1", false, "with version 1 of control groups")
	flags.StringVar(&o.setup, "setup", "", "a `script` that runs to its end before module and falco come")
	flags.StringVar(&o.daemon, "daemon", "", "a static falco `binary`, instead of building ./daemon")
	flags.StringVar(&o.module, "module", "", "a falco.ko `file`, instead of building driver/")
	flags.StringVar(&o.accel, "accel", "", "kvm or tcg (default: what works)")
	flags.StringVar(&o.kernelArgs, "kernel-args", "", "more `words` of the kernel's command line")
	flags.StringVar(&o.qemuArgs, "qemu-args", "", "more `arguments` of QEMU")
	flags.IntVar(&o.cpus, "cpus", 2, "CPUs of the guest")
	flags.IntVar(&o.memory, "memory", 0, "its memory, in `MB` (default 768, of a Debian 2048)")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "for the script")
	flags.BoolVar(&o.refresh, "refresh", false, "ask Debian's mirror for a newer kernel")
	flags.BoolVar(&o.noDaemon, "no-daemon", false, "load the module and run the script, without falco")
	flags.BoolVar(&o.debug, "debug", false, "build the module with its self-tests")
	flags.BoolVar(&o.ui, "ui", false, "demo: show what is found on a web page, too, until a key is pressed")
	if err := flags.Parse(os.Args[2:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return vm.ExitLater
	}
	if flags.NArg() > 0 {
		return fail(vm.ExitLater, "%s: unexpected argument %q (lists are one argument: -files \"a b\")", verb, flags.Arg(0))
	}
	if o.kernel == "" && o.debian == "" {
		o.kernel = vm.DefaultKernel
	}
	if _, err := vm.FindRecipe(o.kernel); o.kernel != "" && err != nil {
		return fail(vm.ExitLater, "%v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return verbs[verb](ctx, o)
}

// config is what the flags say.
func (o *options) config() (vm.Config, error) {
	falcoArgs, err := splitWords(o.falcoArgs)
	if err != nil {
		return vm.Config{}, fmt.Errorf("-falco-args: %w", err)
	}
	qemuArgs, err := splitWords(o.qemuArgs)
	if err != nil {
		return vm.Config{}, fmt.Errorf("-qemu-args: %w", err)
	}
	var debian *vm.Debian
	if o.debian != "" {
		debian = &vm.Debian{Suite: o.debian, Packages: strings.Fields(o.packages), Systemd: o.systemd}
	} else if o.packages != "" || o.systemd {
		return vm.Config{}, errors.New("-packages and -systemd are for a -debian")
	}
	setup := ""
	if o.setup != "" {
		text, err := os.ReadFile(o.setup)
		if err != nil {
			return vm.Config{}, err
		}
		setup = string(text)
	}
	return vm.Config{
		Debian: debian, CgroupV1: o.cgroupV1, Setup: setup,
		Kernel: o.kernel, Rules: strings.Fields(o.rules), Act: o.act, Files: strings.Fields(o.files), FalcoArgs: falcoArgs,
		Daemon: o.daemon, Module: o.module, DebugModule: o.debug, NoDaemon: o.noDaemon,
		Accel: o.accel, KernelArgs: strings.Fields(o.kernelArgs), QEMUArgs: qemuArgs, CPUs: o.cpus, MemoryMB: o.memory, Timeout: o.timeout,
		Progress: o.progress, Refresh: o.refresh,
	}, nil
}

// splitWords takes a line apart as a shell does: blanks separate, quotes and backslashes keep together.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	in, quote, escaped := false, rune(0), false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, in = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			word.WriteRune(c)
			in = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("a quote is not closed in %q", line)
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}

// prepare is vm.Prepare with the exit code for what goes wrong.
func prepare(config vm.Config) (*vm.Guest, int) {
	guest, err := vm.Prepare(config)
	if err != nil {
		return nil, fail(vm.ExitHarness, "%v", err)
	}
	return guest, 0
}

// boot runs the guest and leaves what it gave in the folder, also when it was stopped.
func boot(ctx context.Context, guest *vm.Guest, o *options) (*vm.Result, int) {
	result, err := guest.Run(ctx)
	if result != nil && o.out != "" {
		if err := result.Save(o.out); err != nil {
			return nil, fail(vm.ExitHarness, "%v", err)
		}
	}
	if err != nil {
		return nil, fail(vm.ExitHarness, "%v", err)
	}
	return result, 0
}

func fail(code int, format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "vm: "+format+"\n", args...)
	return code
}

func runFetch(_ context.Context, o *options) int {
	_, code := getKernel(o)
	return code
}

// runKdir prints the build tree of a kernel, for make module KDIR=.
func runKdir(_ context.Context, o *options) int {
	kernel, code := getKernel(o)
	if kernel != nil {
		fmt.Println(kernel.Build())
	}
	return code
}

// runCheck builds the module with every warning that this kernel's headers and compiler know, and prints those about it.
func runCheck(_ context.Context, o *options) int {
	kernel, code := getKernel(o)
	if kernel == nil {
		return code
	}
	found, err := vm.CheckModule(kernel, o.progress)
	for _, line := range found {
		fmt.Println(line)
	}
	if err != nil {
		return fail(vm.ExitHarness, "%v", err)
	}
	if len(found) > 0 {
		return fail(vm.ExitHarness, "%d complaints about the module on %s", len(found), kernel.ABI)
	}
	return 0
}

// runCheckpatch prints where the kernel's style checker is, for make style CHECKPATCH=.
func runCheckpatch(_ context.Context, o *options) int {
	path, err := vm.Checkpatch(o.progress)
	if err != nil {
		return fail(vm.ExitHarness, "%v", err)
	}
	fmt.Println(path)
	return 0
}

func getKernel(o *options) (*vm.Kernel, int) {
	kernel, err := vm.GetKernel(o.kernel, o.refresh, o.progress)
	if err != nil {
		return nil, fail(vm.ExitHarness, "%v", err)
	}
	return kernel, 0
}
