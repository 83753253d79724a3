// SPDX-License-Identifier: Apache-2.0

package state

// Command is what a process was started as.
type Command struct {
	Exe  string
	Args []string
}

// maxLineage bounds the way up from a process to what a runtime has executed.
const maxLineage = 16

// Lineage returns the commands of t's process and of those in its container that it
// descends from, up to the one that somebody outside has executed there. There are
// none if that is the container's own first process, or is too far up. It is a view
// that lives until the next call.
func (s *State) Lineage(t *Thread) []Command {
	s.lineage = s.lineage[:0]
	for n := range maxLineage {
		p := s.Ancestor(t, n)
		if p == nil || p.ContainerID != t.ContainerID {
			return s.lineage
		}
		if p.Vpid == 1 {
			break
		}
		s.lineage = append(s.lineage, Command{p.Exe, p.Args})
	}
	return nil
}
