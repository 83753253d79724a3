// SPDX-License-Identifier: Apache-2.0

package field

// Class is a group of fields as --list shows them.
type Class struct {
	Name   string // "evt"
	Short  string // what stands in parentheses behind it
	Desc   string
	Fields []*Def
}

// Classes lists the groups in the order in which --list shows them.
var Classes = []Class{
	{"evt", "All event types", "What every event has: number, time, type, processor and the parameters that it carries.", ptrs(evtFields)},
}

// Catalogue lists every field.
var Catalogue = func() []*Def {
	var out []*Def
	for i := range Classes {
		out = append(out, Classes[i].Fields...)
	}
	return out
}()

func ptrs(lists ...[]Def) []*Def {
	var out []*Def
	for _, defs := range lists {
		for i := range defs {
			out = append(out, &defs[i])
		}
	}
	return out
}
