// SPDX-License-Identifier: Apache-2.0

package filter

// Op is an operator of a check.
type Op uint8

// Values of Op.
const (
	OpNone Op = iota
	OpExists
	OpLE
	OpLT
	OpGE
	OpGT
	OpEQ2 // ==
	OpEQ
	OpNE
	OpGlob
	OpIGlob
	OpContains
	OpIContains
	OpBContains
	OpStartsWith
	OpBStartsWith
	OpEndsWith
	OpRegex
	OpIntersects
	OpIn
	OpPMatch
	numOps
)

var opNames = [numOps]string{
	"", "exists", "<=", "<", ">=", ">", "==", "=", "!=", "glob", "iglob", "contains", "icontains", "bcontains",
	"startswith", "bstartswith", "endswith", "regex", "intersects", "in", "pmatch",
}

// String returns the operator as it is written.
func (o Op) String() string { return opNames[o] }

// List reports whether o wants a list on its right.
func (o Op) List() bool { return o == OpIntersects || o == OpIn || o == OpPMatch }

func (o Op) order() bool { return o == OpLE || o == OpLT || o == OpGE || o == OpGT }

func (o Op) equal() bool { return o == OpEQ || o == OpEQ2 }

// text reports whether o is one of the operators that take one text on their
// right, or a modifier and several.
func (o Op) text() bool { return o >= OpEQ2 && o <= OpRegex }

// Mod says how many elements of the list on the right have to satisfy the operator.
type Mod uint8

// Values of Mod.
const (
	ModNone Mod = iota
	ModOneOf
	ModAnyOf
	ModAllOf
)

var modNames = [...]string{"", "oneof", "anyof", "allof"}

// String returns the modifier as it is written.
func (m Mod) String() string { return modNames[m] }

// ParseOp reads an operator with an optional modifier, as the comps of an
// exception have them: "startswith anyof".
func ParseOp(text string) (op Op, mod Mod, ok bool) {
	word, rest := text, ""
	for i := 0; i < len(text); i++ {
		if isBlank(text[i]) {
			word, rest = text[:i], trimBlanks(text[i:])
			break
		}
	}
	for o := OpExists; o < numOps; o++ {
		if opNames[o] == word {
			op = o
		}
	}
	if op == OpNone {
		return OpNone, ModNone, false
	}
	if rest == "" {
		return op, ModNone, true
	}
	for m := ModOneOf; m <= ModAllOf; m++ {
		if modNames[m] == rest && op.text() {
			return op, m, true
		}
	}
	return OpNone, ModNone, false
}
