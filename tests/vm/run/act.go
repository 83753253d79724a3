// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/falco-go/falco/tests/vm"
)

// runAct is make vm: anybody's script under anybody's rules. Its exit code is the script's.
func runAct(ctx context.Context, o *options) int {
	if o.act == "" {
		return fail(vm.ExitLater, "vm: which script? ACT=act.sh")
	}
	config, err := o.config()
	if err != nil {
		return fail(vm.ExitLater, "%v", err)
	}
	for _, path := range append(append([]string{o.act}, config.Rules...), config.Files...) {
		if _, err := os.Stat(path); err != nil {
			return fail(vm.ExitLater, "%v", err)
		}
	}
	config.Alerts, config.Capture = os.Stdout, o.out != ""
	guest, code := prepare(config)
	if guest == nil {
		return code
	}
	result, code := boot(ctx, guest, o)
	if result == nil {
		return code
	}
	if code := judge(result, config); code != 0 {
		return code
	}
	o.progress.Say("%s exited with %d; %s", filepath.Base(o.act), result.ExitCode, sums(result))
	if o.out != "" {
		files := "alerts.jsonl, falco.log, console.log, act.log"
		if len(result.Capture) > 0 {
			files += ", capture.scap"
		}
		o.progress.Say("in %s: %s", filepath.Clean(o.out), files)
	}
	return result.ExitCode
}

// judge tells what went wrong beside the script, and gives the exit code for it; 0 means that the script's counts.
func judge(result *vm.Result, config vm.Config) int {
	for _, splat := range result.Splats {
		fmt.Fprintln(os.Stderr, splat.Text)
	}
	err := result.Err()
	notReady := !config.NoDaemon && !result.Ready
	switch {
	case len(result.Splats) > 0:
		return fail(vm.ExitGuest, "%v", err)
	case notReady && result.Complete && result.FalcoCode != 0:
		// The daemon has said why, in its own words.
		fmt.Fprint(os.Stderr, result.Log)
		return fail(vm.ExitHarness, "falco did not start: it exited with %d", result.FalcoCode)
	case err != nil || notReady:
		fmt.Fprintf(os.Stderr, "%s\n", lastLines(result.Console, 40))
		if notReady {
			fmt.Fprint(os.Stderr, lastLines(result.Log, 20))
		}
		if err == nil {
			err = fmt.Errorf("falco ended before it was ready")
		}
		return fail(vm.ExitGuest, "%v", err)
	}
	if !config.NoDaemon && !result.FalcoAsked {
		fail(0, "falco ended before the script did: %s", ending(result))
	} else if !config.NoDaemon && result.FalcoCode != 0 {
		fail(0, "falco did not end well: %s", ending(result))
	}
	return 0
}

func ending(result *vm.Result) string {
	if result.FalcoSignal != "" {
		return "signal: " + result.FalcoSignal
	}
	return fmt.Sprintf("exit code %d", result.FalcoCode)
}

// sums is "alerts: 12, events seen: 3456, lost: 0", as far as it is known.
func sums(result *vm.Result) string {
	var words []string
	for _, sum := range []struct {
		name  string
		count int64
	}{{"alerts", result.Ledger.Detected}, {"events seen", result.Ledger.Produced}, {"lost", result.Ledger.Lost}} {
		if sum.count >= 0 {
			words = append(words, fmt.Sprintf("%s: %d", sum.name, sum.count))
		}
	}
	if len(words) == 0 {
		return "falco told no sums"
	}
	return strings.Join(words, ", ")
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "")
}
