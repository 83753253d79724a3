// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/schema"
)

// Every name of the sets is a system call or a tracepoint that we know.
func TestCallNames(t *testing.T) {
	for _, list := range [][]string{ignoredCalls, stateCalls, repairCalls, networkRepair, acceptRepair, closeRepair} {
		for _, n := range list {
			var s calls
			if s.add(n); s.count() != 1 {
				t.Errorf("%q names %d calls: %s", n, s.count(), &s)
			}
		}
	}
	if len(stateCalls) != 69 {
		t.Errorf("%d calls in the state set", len(stateCalls))
	}
}

func TestSelectCalls(t *testing.T) {
	for _, tc := range []struct {
		name     string
		inRules  string
		with     func(*config.Config)
		has, not string
		says     string
	}{
		{"default", "open read unlink", nil, "open unlink clone socket procexit", "read write", "warning (unsupported-evttype): read\n"},
		{"all", "open read", func(c *config.Config) { c.BaseSyscalls.All = true }, "open read clone", "write", ""},
		{"custom", "open", func(c *config.Config) { c.BaseSyscalls.Custom = []string{"clone", "execve", "xyz"} }, "open clone execve procexit", "socket", ""},
		{"negative", "open", func(c *config.Config) { c.BaseSyscalls.Custom = []string{"!open", "!xyz"} }, "clone", "open", "warning (unsupported-evttype): open\n"},
		{"repair", "connect", func(c *config.Config) { c.BaseSyscalls.Repair = true }, "connect clone3 execve procexit socket getsockopt close", "epoll_create bind", ""},
		{"repair custom", "accept", func(c *config.Config) {
			c.BaseSyscalls.Custom, c.BaseSyscalls.Repair = []string{"mount"}, true
		}, "accept mount bind clone procexit", "umount2", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &config.Config{}
			if tc.with != nil {
				tc.with(c)
			}
			var r calls
			r.add(strings.Fields(tc.inRules)...)
			var stderr bytes.Buffer
			got := selectCalls(newLogger(&stderr), &stderr, c, r)
			for _, n := range strings.Fields(tc.has) {
				if !strings.Contains(", "+got.String()+",", ", "+n+",") {
					t.Errorf("%s is missing", n)
				}
			}
			for _, n := range strings.Fields(tc.not) {
				if strings.Contains(", "+got.String()+",", ", "+n+",") {
					t.Errorf("%s is there", n)
				}
			}
			if (tc.says == "") != (stderr.Len() == 0) || !strings.Contains(stderr.String(), tc.says) {
				t.Errorf("stderr: %q", stderr.String())
			}
			for _, code := range got.codes() {
				if schema.Syscalls[code].Code != code {
					t.Errorf("code %d", code)
				}
			}
		})
	}
}

// A rule that looks at everything asks for all calls and for no tracepoint; one
// that names a tracepoint gets it.
func TestRulesCalls(t *testing.T) {
	p, done := newPipeline(t, &script{})
	defer done()
	all := rulesCalls(p.rules) // one of the rules looks at everything
	if !all[schema.ScGetpid] || !all[schema.ScOpenat] || all[schema.ScSchedSwitch] {
		t.Errorf("getpid %v, openat %v, sched_switch %v", all[schema.ScGetpid], all[schema.ScOpenat], all[schema.ScSchedSwitch])
	}
}
