// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"encoding/binary"

	"github.com/falco-go/falco/pkg/state"
)

// A Typing decides conditions for the events of one type (or system call), as
// far as they depend on nothing else.
type Typing struct {
	c    *Compiler
	memo map[nodeID]nodeID
	yes  map[nodeID]bool
}

// Typings makes a Typing for each of the scenes, which need nothing but an event
// with a type. Scenes of which all conditions say the same share one.
func (c *Compiler) Typings(scenes []*state.Scene) []*Typing {
	c.init()
	var leaves []nodeID
	for i := range c.nodes {
		if n := &c.nodes[i]; n.typed && (n.op == nodeTest || n.op == nodeHit) {
			leaves = append(leaves, nodeID(i))
		}
	}
	env := c.NewEnv()
	same := map[string]*Typing{}
	out := make([]*Typing, len(scenes))
	var key []byte
	for i, s := range scenes {
		env.Begin(s)
		key = key[:0]
		for n := 0; n < len(leaves); n += 64 {
			w := uint64(0)
			for j, id := range leaves[n:min(n+64, len(leaves))] {
				if env.eval(id) {
					w |= 1 << j
				}
			}
			key = binary.LittleEndian.AppendUint64(key, w)
		}
		t := same[string(key)]
		if t == nil {
			t = &Typing{c, map[nodeID]nodeID{}, map[nodeID]bool{}}
			for _, id := range leaves {
				t.yes[id] = env.eval(id)
			}
			same[string(key)] = t
		}
		out[i] = t
	}
	return out
}

// Decide returns what is left of p for events of the type.
func (t *Typing) Decide(p Program) Program {
	p.root = t.c.replace(p.root, t.memo, func(id nodeID) nodeID { return constant(t.yes[id]) })
	return p
}

// Never reports whether p cannot match.
func (p *Program) Never() bool { return p.root == never }

// AppendKey appends what tells p from other programs of its compiler.
func (p *Program) AppendKey(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, uint32(p.root))
}
