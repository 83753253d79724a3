// SPDX-License-Identifier: Apache-2.0

package field

import (
	"strings"

	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// infra gives one part of what an infrastructure event says, which old captures
// have: "Event: start; ID: 4f…; name: web; Image: nginx@sha256:…".
func infra(key string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Event.Type != schema.InfrastructureEventE {
			return out
		}
		said, _ := s.Event.Str(2)
		for more := true; more; {
			var part string
			part, said, more = strings.Cut(said, ";")
			k, v, ok := strings.Cut(strings.TrimSpace(part), ":")
			if !ok || k != key {
				continue
			}
			v = strings.TrimSpace(v)
			switch key {
			case "ID":
				v = v[:min(len(v), 12)]
			case "Image":
				v, _, _ = strings.Cut(v, "@")
			}
			return text(out, v)
		}
		return out
	}
}
