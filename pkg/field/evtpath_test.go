// SPDX-License-Identifier: Apache-2.0

package field

import (
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

func TestRealpath(t *testing.T) {
	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	s := w.open(40, 5, "/etc/shadow", schema.ORdonly, 0)
	check(t, s, map[string]string{"evt.realpath": "-", "evt.mismatch": "-"})
	s.Event.SetExt([]byte("\x01\x00\x0c\x00/etc/shadow\x00"))
	check(t, s, map[string]string{"evt.realpath": "/etc/shadow", "evt.mismatch": "false"})
	s = w.open(40, 6, "/tmp/innocent", schema.ORdonly, 0)
	s.Event.SetExt([]byte("\x01\x00\x0c\x00/etc/shadow\x00\x00\x00\x00"))
	check(t, s, map[string]string{"fd.name": "/tmp/innocent", "evt.realpath": "/etc/shadow", "evt.mismatch": "true"})
}
