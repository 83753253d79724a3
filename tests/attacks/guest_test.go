// SPDX-License-Identifier: Apache-2.0

// Package attacks plays intrusions with the tools of a Debian, under the stock rules: every rule's act and its harmless
// twin, published ways around such rules, and an ordinary day on which nothing may be said.
//
//	stage.sh     what there is before the daemon comes: a web server with holes, control groups, listeners
//	acts.sh      an act and a twin for each rule: exact counts
//	bypasses.sh  ways around the rules; those that still work are argued in rules/README.md
//	quiet.sh     an ordinary day
package attacks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

const rulesDir = "../../rules"

// stock is what everybody loads.
var stock = filepath.Join(rulesDir, "falco_rules.yaml")

// stageDebian is where acts are played: the tools that are found on a machine, and nothing that we made.
var stageDebian = vm.Debian{Suite: "bookworm", Packages: []string{
	"busybox", "ca-certificates", "curl", "e2fsprogs", "iproute2", "ncat", "netcat-traditional", "openssh-client", "perl", "procps", "python3", "sudo",
}}

// kernels are those on which every rule is shown.
var kernels = []string{"6.1", "5.10"}

// read gives a file of this folder.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// scene is a step of a play, called as the script calls it, and what fired in it.
type scene struct {
	name  string
	fired []vm.Alert
}

// scenes cuts the alerts at the steps' own. What fired outside of any step ends up in the last return value.
func scenes(alerts []vm.Alert) (all []*scene, between []vm.Alert) {
	var now *scene
	for _, alert := range alerts {
		switch name, _ := alert.Fields["fd.filename"].(string); {
		case alert.Rule != "step" && now == nil:
			between = append(between, alert)
		case alert.Rule != "step":
			now.fired = append(now.fired, alert)
		case name == "end":
			now = nil
		default:
			now = &scene{name: name}
			all = append(all, now)
		}
	}
	return all, between
}

// fileName is a rule's name as a step's file has it.
func fileName(rule string) string { return strings.ReplaceAll(rule, "/", ":") }

// play boots the stage's Debian with a kernel and gives what came of a script under some rules.
func play(t *testing.T, kernel, script string, rules ...string) *vm.Result {
	t.Helper()
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	vm.RequireDebian(t)
	actor, err := vm.BuildC("../demo/actor.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	actor32, err := vm.BuildC32("../demo/actor.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	result := vm.Run(t, vm.Config{
		Kernel: kernel, Debian: &stageDebian, Rules: append(rules, "steps.yaml"), Setup: read(t, "stage.sh"), Act: script,
		Files: []string{actor, actor32, "web.py", "docker.py", "play.sh"}, Timeout: 10 * time.Minute,
	})
	if l := result.Ledger; l.Produced <= 0 || l.Lost != 0 || l.Delivered != l.Produced {
		t.Errorf("produced %d, delivered %d, lost %d", l.Produced, l.Delivered, l.Lost)
	}
	if result.ExitCode != 0 {
		t.Errorf("%s ended with %d:\n%s", script, result.ExitCode, result.Act)
	}
	return result
}
