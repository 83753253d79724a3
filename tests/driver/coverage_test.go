// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// least is how many checks there are on each kernel; acts that are lost in an edit are missed here.
const least = 3500

// unchecked are the events that no act makes, and why.
var unchecked = map[string]string{
	"stat64_x":  "of other architectures' 32-bit callers; x86's is the event of stat",
	"lstat64_x": "of other architectures' 32-bit callers; x86's is the event of lstat",
	"fstat64_x": "of other architectures' 32-bit callers; x86's is the event of fstat",
	"mmap2_x":   "of other architectures' 32-bit callers; x86's is the event of mmap",
}

// uncompared are the parameters that are only looked at for being there, and why.
var uncompared = map[string]string{
	"fsconfig_x.value_bytebuf": "there only where a file system took a binary option, and none of these kernels' does",
}

// producible are the events that the module has a filler for: events.tbl says so in its last column.
func producible(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../pkg/schema/events.tbl")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[0] == "event" && f[len(f)-1] != "-" {
			ids = append(ids, f[2])
		}
	}
	return ids
}

// checkCoverage holds that there are enough checks, that every event has some, and that of every event each parameter has
// been compared with a value of the act's.
func checkCoverage(t *testing.T, transcripts []*transcript) {
	checks := 0
	compared := map[string]map[string]bool{}
	for _, tr := range transcripts {
		checks += len(tr.expected)
		for _, x := range tr.expected {
			if compared[x.event] == nil {
				compared[x.event] = map[string]bool{}
			}
			for name, value := range x.words {
				name, _, _ = strings.Cut(name, ".")
				if value != "?" && value != "-" {
					compared[x.event][name] = true
				}
			}
			if _, ok := x.words["^"]; ok {
				if e, ok := schema.EventByID(x.event); ok {
					compared[x.event][e.Params[0].Name] = true
				}
			}
		}
	}
	var without, params []string
	for _, id := range producible(t) {
		switch reason := unchecked[id]; {
		case compared[id] == nil && reason == "":
			without = append(without, id)
			continue
		case compared[id] == nil:
			continue
		case reason != "":
			t.Errorf("%s has checks, but is said to have none: %s", id, reason)
		}
		e, _ := schema.EventByID(id)
		for i := range e.Params {
			name := id + "." + e.Params[i].Name
			if !compared[id][e.Params[i].Name] && uncompared[name] == "" {
				params = append(params, name)
			}
		}
	}
	slices.Sort(without)
	slices.Sort(params)
	t.Logf("%d checks of %d events; without checks: %s; parameters never compared: %s", checks, len(compared),
		list(without), list(params))
	if len(without) > 0 {
		t.Errorf("%d events without a check", len(without))
	}
	if len(params) > 0 {
		t.Errorf("%d parameters that nothing was compared with", len(params))
	}
	if checks < least {
		t.Errorf("%d checks, fewer than %d", checks, least)
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}
