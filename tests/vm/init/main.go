// SPDX-License-Identifier: Apache-2.0

// Command init is PID 1 of the test guest: a static program with nothing beside it. main is the story of a run; every step
// that fails says so through the report port and leads to the end, where the machine is switched off.
//
// Between "ready" and the end of the act init opens no session, mounts nothing, kills nothing and listens nowhere: what the
// daemon sees then is the act. That is why the process of the act exists, with a session of its own, before the daemon does
// (act.go).
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"

	"github.com/falco-go/falco/tests/vm/wire"
)

// The act replaces the process that holds its place, by execve(2). That must come from the first thread, so that tables of
// processes see the usual.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) > 1 && os.Args[1] == holdArg {
		hold()
		return
	}
	defer powerOff()
	defer reportPanic()
	signal.Notify(deaf)

	plan := readPlan()
	if resumed() {
		openPorts()
	} else {
		boot(plan)
	}
	report(wire.Report{Kind: wire.KindBooted})
	go reap()

	setUp(plan)
	openLeaks(plan.Debug)
	memory := readMemory()
	insmod(plan.Module, plan.ModuleParams)
	act := holdPlace(plan)
	falco := startDaemon(plan)
	if falco.waitReady(plan) {
		report(wire.Report{Kind: wire.KindReady, Memory: memory})
		act.release()
		act.wait(plan.ActLimit)
	}
	falco.stop(plan)

	rmmod(plan.Module)
	lookBack(plan.Debug)
	report(wire.Report{Kind: wire.KindMemory, Memory: readMemory()})
	report(wire.Report{Kind: wire.KindDmesg, Text: readDmesg()})
	report(wire.Report{Kind: wire.KindDone})
}

// boot is what comes before there are services; where systemd is to start them, it does not come back.
func boot(plan *wire.Plan) {
	mountAll(plan)
	nameHost(plan.Hostname)
	raiseLoopback()
	insmodAll(plan.Insmod)
	openPorts()
	report(wire.Report{Kind: wire.KindUp})
	enterDisk(plan.Disk)
	if plan.Disk != nil && plan.Disk.Systemd {
		becomeSystemd(plan)
	}
}

// deaf receives every signal and is never read: an act may say kill to anybody. Ignoring them would be inherited.
var deaf = make(chan os.Signal, 1)

// stopped is what check panics with once it has told why; main's story ends there.
type stopped struct{}

// check ends the story when a step has failed.
func check(what string, err error) {
	if err == nil {
		return
	}
	trouble("%s: %v", what, err)
	panic(stopped{})
}

func trouble(format string, args ...any) {
	report(wire.Report{Kind: wire.KindTrouble, Text: fmt.Sprintf(format, args...)})
}

func reportPanic() {
	switch r := recover().(type) {
	case nil:
	case stopped:
		report(wire.Report{Kind: wire.KindDmesg, Text: readDmesg()})
	default:
		buf := make([]byte, 8<<10)
		trouble("init: %v\n%s", r, buf[:runtime.Stack(buf, false)])
	}
}

func readPlan() *wire.Plan {
	plan := &wire.Plan{}
	path := wire.PlanPath
	if resumed() {
		path = wire.ServicePlanPath
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, plan)
	}
	check("read the plan", err)
	os.Remove(path)
	for _, kv := range plan.Env {
		for i := range kv {
			if kv[i] == '=' {
				os.Setenv(kv[:i], kv[i+1:])
				break
			}
		}
	}
	return plan
}
