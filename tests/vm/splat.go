// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"regexp"
	"strings"
)

// splatStart matches how the kernel begins to complain, after the time stamp that only its own lines have.
var splatStart = regexp.MustCompile(`^(?:<\d+>)?\[ *\d+\.\d+\](?:\[[^\]]*\])? (?:` + strings.Join([]string{
	`BUG: `,
	`kernel BUG at `,
	`WARNING: `, // lockdep says "WARNING: possible circular locking", WARN_ON "WARNING: CPU: 0 PID: …"
	`watchdog: BUG: `,
	`Oops: `,
	`general protection fault`,
	`Unable to handle kernel `,
	`unable to handle `,
	`Kernel panic - not syncing`,
	`(?:rcu: )?INFO: rcu_\S+ (?:self-)?detected`,
	`INFO: task \S+ blocked for more than`,
	`INFO: possible recursive locking`,
	`INFO: inconsistent lock state`,
	`INFO: trying to register non-static key`,
	`INFO: lockdep is turned off`,
	`\[ BUG: `,
	`DEBUG_LOCKS_WARN_ON`,
	`refcount_t: `,
	`list_(?:add|del) corruption`,
	`UBSAN: `,
	`kmemleak: \d+ new suspected`,
	`unchecked MSR access error: .*falco`,
	`falco: .*self-test: fail`,
	`traps: .*\bin falco\b`,
	`double fault: `,
	`divide error: `,
	`invalid opcode: `,
	`stack segment: `,
	`Bad page `,
	`page allocation failure`,
	`Memory cgroup out of memory`,
	`Out of memory: `,
	`.*invoked oom-killer`,
}, "|") + `)`)

// kernelLine is any line with the kernel's time stamp.
var kernelLine = regexp.MustCompile(`^(?:<\d+>)?\[ *\d+\.\d+\]`)

// A Splat is one complaint of the kernel, with what it printed about it.
type Splat struct {
	Title string
	Text  string
}

// Lines that belong to a splat follow it; the end marker, if it has one, or this many lines end it.
const splatLines = 80

// findSplats looks through a console or a kernel log. What begins while another is being told belongs to that.
func findSplats(text string) []Splat {
	var splats []Splat
	var told []string
	end := func() {
		if len(told) > 0 {
			splats[len(splats)-1].Text = strings.Join(told, "\n")
			told = nil
		}
	}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if len(told) == 0 {
			if splatStart.MatchString(line) {
				splats = append(splats, Splat{Title: strings.TrimSpace(kernelLine.ReplaceAllString(line, ""))})
				told = append(told, line)
			}
			continue
		}
		if kernelLine.MatchString(line) {
			told = append(told, line)
		}
		if strings.Contains(line, "---[ end ") || len(told) >= splatLines {
			end()
		}
	}
	end()
	return splats
}
