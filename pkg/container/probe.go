// SPDX-License-Identifier: Apache-2.0

package container

import (
	"encoding/json"
	"slices"
	"strings"
)

// Probe is a command that a runtime executes in a container, again and again, to see
// whether it is well.
type Probe struct {
	Exe  string   `json:"exe"`
	Args []string `json:"args"`
}

// Is reports whether a process that was started so is the probe.
func (p *Probe) Is(exe string, args []string) bool {
	return p != nil && p.Exe == exe && slices.Equal(p.Args, args)
}

// String returns the command, NONE if there is none.
func (p *Probe) String() string {
	if p == nil {
		return "NONE"
	}
	return strings.Join(append([]string{p.Exe}, p.Args...), " ")
}

func newProbe(command []string) *Probe {
	if len(command) == 0 || command[0] == "" {
		return nil
	}
	return &Probe{command[0], slices.Clone(command[1:])}
}

// HealthCheck reads a health check as dockerd keeps it: CMD and words, or CMD-SHELL
// and a line for the shell. nil is none.
func HealthCheck(test []string) *Probe {
	if len(test) < 2 {
		return nil
	}
	switch test[0] {
	case "CMD":
		return newProbe(test[1:])
	case "CMD-SHELL":
		return &Probe{"/bin/sh", []string{"-c", test[1]}}
	}
	return nil
}

// NoteApplied is the annotation in which kubectl keeps what it was given to apply.
// cri-dockerd makes it a label, with a prefix.
const (
	NoteApplied  = "kubectl.kubernetes.io/last-applied-configuration"
	LabelApplied = "annotation." + NoteApplied
)

// SetProbes takes over which probes a container has: its own health check, or those
// that applied, what kubectl was given of the pod, says of the container called name.
func (i *Info) SetProbes(health *Probe, applied, name string) {
	i.Healthcheck = health
	type probe struct{ Exec struct{ Command []string } }
	var pod struct {
		Spec struct {
			Containers []struct {
				Name                          string
				LivenessProbe, ReadinessProbe *probe
			}
		}
	}
	if applied == "" || len(applied) > MaxJSON || json.Unmarshal([]byte(applied), &pod) != nil {
		return
	}
	of := func(p *probe) *Probe {
		if p == nil {
			return nil
		}
		return newProbe(p.Exec.Command)
	}
	for _, c := range pod.Spec.Containers {
		if c.Name != name {
			continue
		}
		i.Liveness, i.Readiness = of(c.LivenessProbe), of(c.ReadinessProbe)
		if i.Liveness != nil || i.Readiness != nil { // kubelet has switched the other one off
			i.Healthcheck = nil
		}
		return
	}
}
