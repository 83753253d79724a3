// SPDX-License-Identifier: Apache-2.0

// Package filter turns the texts of all conditions into one program that says
// which of them a Scene satisfies, at a cost that hardly grows with their number.
//
// The way of a condition: Parse makes a tree with positions (lex.go, parse.go, operand.go),
// package rules puts macros into the tree, Compiler checks names and types
// (check.go) and adds it to the graph of all conditions (compile.go, graph.go);
// NewChoice sorts conditions into stages (stage.go, choice.go). All of it runs
// over an Env, the scratch memory that makes an evaluation free of allocations.
//
//	 "a and b"    "b and not c"            parse.go
//	     │              │
//	    tree           tree                macros put in (package rules)
//	     │              │
//	     └──────┬───────┘                  compile.go, match.go, hit.go
//	            ▼
//	  and ───┐     ┌─── and                graph.go: equal parts are one node,
//	   │     ▼     ▼     │                 evaluated once an event; constants are
//	   ▼     b ◄─ ─ ─    ▼                 folded; each node knows its places
//	   a     │          not
//	   │     │           └─► c
//	   ▼     ▼               ▼
//	┌─────────────────────────────┐        table.go, radix.go, grams.go: one look-up
//	│ tables: field × kind        │        of a field's value finds all literals that
//	│ proc.name =    fd.name head │        it is equal to, begins or ends with, or
//	└─────────────────────────────┘        contains, however many there are
//	            │
//	  slots: values, read once an event    env.go
//
// An evaluation could start at each condition's node, and for one condition it
// does (Program.Match). For many there is a Choice: from the event's type it
// goes through stages to those conditions that have passed their most telling
// part already (choice.go has the picture). Ten thousand rules about ten thousand
// files cost one look-up of fd.name, because none of them is touched unless its
// file is there.
//
//	rules   Typings ─► what a type says by itself (evt.type, evt.dir, …) is decided
//	  │                when rules are loaded (typing.go)
//	  ▼
//	NewChoice ─► stages ─► First, All
//
// What makes this right: an evaluation has no side effects and a missing value
// makes every check false (only "not" turns that around), so that parts may be
// evaluated in any order, once, or not at all. The few fields that count for
// themselves (field.Stateful) are the exception: conditions with them keep their
// order, their slots and their turn.
//
// Nothing is cleared between events. Values, look-ups and results carry the
// number of the event that they were made for, and are void for any other.
package filter
