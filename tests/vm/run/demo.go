// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/falco-go/falco/tests/vm"
)

// runDemo is make demo: an intrusion under the stock rules. Alerts come as the daemon prints them, from column 1; then the
// sums.
func runDemo(ctx context.Context, o *options) int {
	config, err := o.config()
	if err != nil {
		return fail(vm.ExitLater, "%v", err)
	}
	script, helpers, err := vm.DemoScript(o.progress)
	if err != nil {
		return fail(vm.ExitHarness, "%v", err)
	}
	if len(config.Rules) == 0 {
		if config.Rules, err = vm.DemoRules(); err != nil {
			return fail(vm.ExitHarness, "%v", err)
		}
	}
	config.Act, config.Files = script, append(config.Files, helpers...)
	config.Text = true
	config.Alerts = os.Stdout
	guest, code := prepare(config)
	if guest == nil {
		return code
	}
	result, code := boot(ctx, guest, o)
	if result == nil {
		return code
	}
	code = judge(result, config)
	summary(result)
	if code != 0 {
		return code
	}
	if result.ExitCode != 0 {
		fmt.Fprint(os.Stderr, lastLines(result.Act, 20))
		return fail(vm.ExitHarness, "%s exited with %d", filepath.Base(script), result.ExitCode)
	}
	return 0
}

// summary says how often which rule fired, most often first.
func summary(result *vm.Result) {
	ledger := result.Ledger
	fmt.Println()
	fmt.Println("alerts by rule")
	var rules []string
	for rule := range ledger.Rules {
		rules = append(rules, rule)
	}
	sort.Slice(rules, func(i, j int) bool {
		a, b := ledger.Rules[rules[i]], ledger.Rules[rules[j]]
		return a > b || a == b && rules[i] < rules[j]
	})
	for _, rule := range rules {
		fmt.Printf("%6d  %s\n", ledger.Rules[rule], rule)
	}
	for _, row := range []struct {
		name  string
		count int64
	}{{"alerts", ledger.Detected}, {"events seen", ledger.Produced}, {"events delivered", ledger.Delivered}, {"events lost", ledger.Lost}} {
		if row.count >= 0 {
			fmt.Printf("%s: %d\n", row.name, row.count)
		} else {
			fmt.Printf("%s: not told\n", row.name)
		}
	}
}
