// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"golang.org/x/sys/unix"

	"github.com/falco-go/falco/tests/vm"
)

// runDemo is make demo: an intrusion under the stock rules. Alerts come as the daemon prints them, from column 1; then the
// sums. With -ui they are on a web page as well, while they come and until a key is pressed.
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
	var page *vm.Page
	if o.ui {
		if page, err = vm.OpenPage(o.progress); err != nil {
			return fail(vm.ExitHarness, "%v", err)
		}
		defer func() {
			if err := page.Close(); err != nil {
				fail(0, "end the web page: %v", err)
			}
		}()
		fmt.Printf("the web page is at %s\n", page.URL)
		config.Text = false
		config.FalcoArgs = append(config.FalcoArgs, snapshots...)
		config.Alerts = demoLines{page, os.Stdout}
	}
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
	if page != nil {
		shown, err := page.Shown(ctx)
		if err != nil {
			return fail(vm.ExitHarness, "%v", err)
		}
		fmt.Printf("events on the web page, with what the daemon tells of itself: %d\n", shown)
		linger(ctx, page.URL)
	}
	return 0
}

// snapshots are what has the daemon tell of itself every few seconds: rates, losses, rings, what rules cost.
var snapshots = []string{"-o", "metrics.enabled=true", "-o", "metrics.interval=5s", "-o", "metrics.output_rule=true"}

// demoLines brings what the daemon prints as JSON to the page, and prints of it what the daemon would as text. Its
// snapshots are for the page alone.
type demoLines struct {
	page io.Writer
	out  io.Writer
}

func (d demoLines) Write(line []byte) (int, error) {
	d.page.Write(line)
	var alert struct {
		Rule   string          `json:"rule"`
		Output json.RawMessage `json:"output"`
	}
	if err := json.Unmarshal(line, &alert); err != nil || len(alert.Output) < 2 {
		return d.out.Write(line)
	}
	if alert.Rule != "Falco internal: metrics snapshot" {
		// The text line is escaped as the body of a JSON string is: what stands between the quotes.
		fmt.Fprintf(d.out, "%s\n", alert.Output[1:len(alert.Output)-1])
	}
	return len(line), nil
}

// linger comes back when somebody presses a key, or at once where nobody can.
func linger(ctx context.Context, url string) {
	restore, err := oneKey(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm: standard input is no terminal: the web page closes now")
		return
	}
	defer restore()
	fmt.Printf("the web page stays at %s until a key is pressed\n", url)
	pressed := make(chan struct{})
	go func() {
		os.Stdin.Read(make([]byte, 1))
		close(pressed)
	}()
	select {
	case <-pressed:
	case <-ctx.Done():
	}
}

// oneKey has a terminal hand over each key at once, and forget those pressed before.
func oneKey(file *os.File) (restore func(), err error) {
	fd := int(file.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	raw := *old
	raw.Lflag &^= unix.ICANON | unix.ECHO
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &raw); err != nil {
		return nil, err
	}
	return func() { unix.IoctlSetTermios(fd, unix.TCSETS, old) }, nil
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
