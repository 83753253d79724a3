// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// TestRealpath lets the daemon ask for paths, because a rule reads them.
func TestRealpath(t *testing.T) {
	result := vm.Run(t, vm.Config{
		Rules: []string{"testdata/paths.yaml"},
		Script: `echo secret >/tmp/honest
			ln -s /etc/passwd /tmp/innocent
			cat /tmp/innocent /tmp/honest >/dev/null
			cat /proc/self/root/tmp/honest >/dev/null
			mkdir /tmp/dir
			ln -s / /tmp/dir/up
			cat /tmp/dir/up/etc/passwd >/dev/null
`,
	})
	got := map[string]int{}
	for _, a := range result.Alerts {
		text := a.Output
		if i := strings.Index(text, "opened name="); i >= 0 {
			text, _, _ = strings.Cut(text[i:], " container_")
		}
		got[a.Rule+": "+strings.TrimSpace(text)]++
	}
	for _, want := range []string{
		"Opened under another name: opened name=/tmp/innocent path=/etc/passwd",
		"Opened under another name: opened name=/tmp/dir/up/etc/passwd path=/etc/passwd",
		"Opened under its own name: opened name=/tmp/honest path=/tmp/honest",
	} {
		if got[want] == 0 {
			t.Errorf("no alert %q", want)
		}
		delete(got, want)
	}
	for other := range got {
		t.Errorf("alert %q", other)
	}
}
