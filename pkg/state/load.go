// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/event"

// maxLoads bounds the threads whose load is remembered; when it is reached all are
// forgotten, and their next reports count as their first.
const maxLoads = 1 << 16

// loadReport returns what has been used since the last report of the thread.
func (s *State) loadReport(ev *event.Event) Load {
	now := Load{uintOr(ev, 0, 0), uintOr(ev, 1, 0)}
	last, known := s.loads[ev.Tid]
	if !known && len(s.loads) >= maxLoads {
		clear(s.loads)
	}
	if s.loads == nil {
		s.loads = make(map[int64]Load)
	}
	s.loads[ev.Tid] = now
	if !known || now.User < last.User || now.System < last.System {
		return Load{}
	}
	return Load{now.User - last.User, now.System - last.System}
}
