// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/falco-go/falco/pkg/metrics"
	"github.com/falco-go/falco/pkg/schema"
)

func TestDropKinds(t *testing.T) {
	for event, want := range map[schema.EventType]string{
		schema.OpenatX: "open", schema.ExecveX: "execve", schema.ProcexitE: "proc", schema.CloneX: "clone_fork", schema.UnlinkX: "dir_file",
	} {
		if k := kindOf[event]; k < 0 || metrics.Kinds[k] != want {
			t.Errorf("%s is of kind %d, want %s", schema.Events[event].Name, k, want)
		}
	}
	if kindOf[schema.GenericX] >= 0 {
		t.Error("the generic event has a kind")
	}
	used := map[int8]bool{}
	for _, k := range kindOf {
		used[k] = true
	}
	if len(used) != len(metrics.Kinds)+1 {
		t.Errorf("%d kinds have events", len(used)-1)
	}
}
