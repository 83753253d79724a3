// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/filter"
)

// Location is a step on the way to the place of an error: a file, an item of it,
// a part of that. Lines and columns of YAML count from 0, those within a
// condition from 1, as the original has them.
type Location struct {
	Type   string // "rule"
	Name   string // of the rule; "" if the thing has none
	File   string // name of the file, or the shortened text of a condition
	Line   int
	Column int
	Offset int
}

// String returns the location as reports show it, without the indentation.
func (l Location) String() string {
	if l.Name == "" {
		return fmt.Sprintf("%s: (%s:%d:%d)", l.Type, l.File, l.Line, l.Column)
	}
	return fmt.Sprintf("%s '%s': (%s:%d:%d)", l.Type, l.Name, l.File, l.Line, l.Column)
}

// Kinds of locations.
const (
	inFile       = "rules content"
	inItem       = "rules content item"
	inEngine     = "required_engine_version"
	inPlugins    = "required plugin versions"
	inPlugin     = "required plugin versions entry"
	inPluginAlt  = "required plugin versions alternative"
	inList       = "list"
	inListItem   = "list item"
	inMacro      = "macro"
	inMacroCond  = "macro condition"
	inRule       = "rule"
	inRuleCond   = "rule condition"
	inExpression = "condition expression"
	inOutput     = "rule output"
	inPriority   = "rule priority"
	inExceptions = "exceptions"
	inException  = "exception"
	inExcValues  = "exception values"
	inExcValue   = "exception value"
	inOverrides  = "overrides"
	inValue      = "value for"
)

// source is a file whose items are remembered: errors found later show it.
type source struct {
	name  string
	text  string
	lines []int // offsets of the lines
}

func newSource(f File) *source {
	s := &source{name: f.Name, text: string(f.Content), lines: []int{0}}
	for i := 0; i < len(s.text); i++ {
		if s.text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// place converts a YAML mark, which counts characters from 1, to bytes from 0.
func (s *source) place(line, column int) (l, c, offset int) {
	l = max(line-1, 0)
	if l >= len(s.lines) {
		return l, 0, len(s.text)
	}
	rest := s.text[s.lines[l]:]
	for n := column - 1; n > 0 && c < len(rest) && rest[c] != '\n'; n-- {
		_, size := utf8.DecodeRuneInString(rest[c:])
		c += size
	}
	return l, c, s.lines[l] + c
}

// context is the stack of locations of something, innermost first.
type context struct {
	up  *context
	src *source
	loc Location

	text string // what a snippet of a condition shows
}

func fileContext(s *source) *context {
	return &context{src: s, loc: Location{Type: inFile, File: s.name}}
}

// in returns the context of something inside c that stands at n.
func (c *context) in(kind, name string, n *yaml.Node) *context {
	l := Location{Type: kind, Name: name, File: c.src.name, Line: c.loc.Line, Column: c.loc.Column, Offset: c.loc.Offset}
	if n != nil && n.Line > 0 {
		l.Line, l.Column, l.Offset = c.src.place(n.Line, n.Column)
	}
	return &context{up: c, src: c.src, loc: l}
}

// expression returns the context of a place within a condition; text is what a
// snippet shows. Places count from where the outer context is.
func (c *context) expression(pos filter.Pos, text string) *context {
	name := text
	if len(name) > 20 {
		name = name[:17] + "..."
	}
	name = strings.NewReplacer("\n", " ", "\r", " ").Replace(name)
	return &context{up: c, src: c.src, text: text, loc: Location{
		Type: inExpression, File: `"` + name + `"`,
		Line: pos.Line + c.loc.Line, Column: pos.Column + c.loc.Column, Offset: pos.Offset + c.loc.Offset,
	}}
}

func (c *context) locations() []Location {
	var out []Location
	for ; c != nil; c = c.up {
		out = append(out, c.loc)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// snippetWidth is how much of a line a snippet shows on either side of the place.
const snippetWidth = 80

// snippet shows the line of the place with a ^ below it.
func (c *context) snippet() string {
	text := c.src.text
	if c.loc.Type == inExpression {
		text = c.text
	}
	if text == "" {
		return "<No context available>\n"
	}
	at := min(c.loc.Offset, len(text)-1)
	for at > 0 && (text[at] == '\n' || text[at] == '\r') {
		at--
	}
	from, to := at, at
	for from > 0 && text[from-1] != '\n' && at-from < snippetWidth {
		from--
	}
	for to < len(text) && text[to] != '\n' && to-at < snippetWidth {
		to++
	}
	line := []byte(strings.TrimRight(text[from:to], "\r"))
	if from > 0 && text[from-1] != '\n' {
		copy(line, "...")
	}
	if to < len(text) && text[to] != '\n' && len(line) >= 3 {
		copy(line[len(line)-3:], "...")
	}
	if len(line) == 0 {
		return "<No context available>\n"
	}
	return string(line) + "\n" + strings.Repeat(" ", at-from) + "^\n"
}
