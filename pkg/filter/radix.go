// SPDX-License-Identifier: Apache-2.0

package filter

import "strings"

// radix is a set of texts, each with an atom, that finds all of them that a
// value starts with in one walk along the value.
//
//	""─┬─"/"─┬─"etc"──┬─"/"        startswith /etc/
//	   │     │        └─"c/"       …
//	   │     └─"usr/"─┬─"bin/"
//	   │              └─"lib"
//	   └─"conf"
type radix struct{ nodes []radixNode }

type radixNode struct {
	label string
	atom  int32   // of the text that ends here, -1
	first string  // the first bytes of the kids' labels
	kids  []int32 // in the order of first
}

// add puts s in, which is not in yet.
func (r *radix) add(s string, atom int32) {
	if r.nodes == nil {
		r.nodes = []radixNode{{atom: -1}}
	}
	at := int32(0)
	for {
		if s == "" {
			r.nodes[at].atom = atom
			return
		}
		i := strings.IndexByte(r.nodes[at].first, s[0])
		if i < 0 {
			kid := int32(len(r.nodes))
			r.nodes = append(r.nodes, radixNode{label: s, atom: atom})
			r.nodes[at].first += s[:1]
			r.nodes[at].kids = append(r.nodes[at].kids, kid)
			return
		}
		kid := r.nodes[at].kids[i]
		label := r.nodes[kid].label
		n := 1
		for n < len(label) && n < len(s) && label[n] == s[n] {
			n++
		}
		if n < len(label) { // cut the label in two
			middle := int32(len(r.nodes))
			r.nodes = append(r.nodes, radixNode{label: label[:n], atom: -1, first: label[n : n+1], kids: []int32{kid}})
			r.nodes[kid].label = label[n:]
			r.nodes[at].kids[i] = middle
			kid = middle
		}
		at, s = kid, s[n:]
	}
}

// match appends the atoms of all texts that s starts with.
func (r *radix) match(s string, out []int32) []int32 {
	if len(r.nodes) == 0 {
		return out
	}
	n := &r.nodes[0]
	for {
		if n.atom >= 0 {
			out = append(out, n.atom)
		}
		if s == "" {
			return out
		}
		i := strings.IndexByte(n.first, s[0])
		if i < 0 {
			return out
		}
		n = &r.nodes[n.kids[i]]
		if !strings.HasPrefix(s, n.label) {
			return out
		}
		s = s[len(n.label):]
	}
}

// matchBack appends the atoms of all texts that s, read backwards, starts with.
func (r *radix) matchBack(s string, out []int32) []int32 {
	if len(r.nodes) == 0 {
		return out
	}
	n := &r.nodes[0]
	for {
		if n.atom >= 0 {
			out = append(out, n.atom)
		}
		if s == "" {
			return out
		}
		i := strings.IndexByte(n.first, s[len(s)-1])
		if i < 0 {
			return out
		}
		n = &r.nodes[n.kids[i]]
		if len(s) < len(n.label) {
			return out
		}
		for j := 0; j < len(n.label); j++ {
			if n.label[j] != s[len(s)-1-j] {
				return out
			}
		}
		s = s[:len(s)-len(n.label)]
	}
}
