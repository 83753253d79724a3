// SPDX-License-Identifier: Apache-2.0

package container

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHealthCheck(t *testing.T) {
	for text, test := range map[string][]string{
		"NONE":           {"NONE"},
		"a b c":          {"CMD", "a", "b c"},
		"/bin/sh -c a b": {"CMD-SHELL", "a b"},
	} {
		if got := HealthCheck(test).String(); got != text {
			t.Errorf("%q is %q, want %q", test, got, text)
		}
	}
	for _, none := range [][]string{nil, {}, {"CMD"}, {"CMD", ""}, {"CMD-SHELL"}, {"WHAT", "x"}} {
		if p := HealthCheck(none); p != nil || p.Is("", nil) {
			t.Errorf("%q is %v", none, p)
		}
	}
}

// What kubectl was given to apply names the probes of each container.
func TestPodProbes(t *testing.T) {
	const applied = `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"other","livenessProbe":{"exec":{"command":["no"]}}},
		{"name":"web","livenessProbe":{"exec":{"command":["/alive","-q"]}},"readinessProbe":{"httpGet":{"path":"/"}}}]}}`
	health := HealthCheck([]string{"CMD", "x"})
	for name, want := range map[string]Info{
		"web":   {Liveness: &Probe{"/alive", []string{"-q"}}},
		"third": {Healthcheck: health},
	} {
		var got Info
		got.SetProbes(health, applied, name)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Info{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	for _, text := range []string{"", "{", "5", `{"spec":5}`, `{"spec":{"containers":[{"name":"web","livenessProbe":5}]}}`} {
		var got Info
		got.SetProbes(nil, text, "web")
		if got.Liveness != nil {
			t.Errorf("%s: %v", text, got.Liveness)
		}
	}
}
