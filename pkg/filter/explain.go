// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"strings"
)

// Part is a part of a program, for tools that explain and profile: what it is,
// where it comes from, and what it consists of, in the order of evaluation.
type Part struct {
	ID     int    // equal parts of all conditions are one, and have one ID
	Kind   string // "and", "or", "not", "test", "look-up", "true", "false"
	From   []Expr // what it was made of: the first few places where it stands
	Uses   int    // in how many places of the program it is used
	Cost   float32
	Chance float32 // estimates: ns of an evaluation, and probability to be true
	Parts  []Part
}

var kindNames = [...]string{nodeConst: "false", nodeAnd: "and", nodeOr: "or", nodeNot: "not", nodeTest: "test", nodeHit: "look-up"}

// Explain returns the parts of p, which was compiled before e was made.
func (e *Env) Explain(p *Program) Part { return e.part(p.root) }

func (e *Env) part(id nodeID) Part {
	n := &e.nodes[id]
	out := Part{ID: int(id), Kind: kindNames[n.op], From: n.from, Uses: int(n.refs + n.uses), Cost: n.cost, Chance: n.p}
	if id == always {
		out.Kind = "true"
	}
	for _, k := range n.kids {
		out.Parts = append(out.Parts, e.part(k))
	}
	return out
}

// Value returns whether the part is true of the scene that Begin was given last.
func (e *Env) Value(p *Part) bool { return e.eval(nodeID(p.ID)) }

// String prints the part and what it consists of, a line each.
func (p Part) String() string {
	var b strings.Builder
	p.print(&b, "")
	return b.String()
}

func (p *Part) print(b *strings.Builder, indent string) {
	b.WriteString(indent + p.Kind)
	if len(p.Parts) == 0 && len(p.From) > 0 {
		text := p.From[0].String()
		if len(text) > 100 {
			text = text[:97] + "..."
		}
		fmt.Fprintf(b, " %s", text)
	}
	if len(p.From) > 0 {
		fmt.Fprintf(b, "  (%s)", p.From[0].At().Where())
	}
	b.WriteByte('\n')
	for i := range p.Parts {
		p.Parts[i].print(b, indent+"  ")
	}
}
