// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Limits of one file, so that a crafted one (aliases of aliases) ends in an
// error and not in all of our memory.
const (
	maxFileSize = 4 << 20
	maxNodes    = 200_000
	maxDepth    = 64
)

// Pos is a place in a file; Line and Col count from 1, 0 means unknown.
type Pos struct {
	File      string
	Line, Col int
}

// String returns "falco.yaml:3:9", as far as it is known.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

type kind uint8

const (
	null kind = iota
	scalar
	list
	dict
)

// node is a value of the configuration: what YAML says, without its types,
// because every key decides itself how it reads a text (spec: value conversion).
type node struct {
	kind  kind
	text  string  // scalar
	items []*node // list, and the values of a dict
	keys  []string
	at    Pos
	key   Pos // of the name in front of it, if it has one in a file
}

// named returns where it begins, with its name.
func (n *node) named() Pos {
	if n.key.Line > 0 {
		return n.key
	}
	return n.at
}

// get returns the value of key in a dict, nil if there is none.
func (n *node) get(key string) *node {
	if n == nil || n.kind != dict {
		return nil
	}
	for i, k := range n.keys {
		if k == key {
			return n.items[i]
		}
	}
	return nil
}

// put sets key in n, which becomes a dict if it was something else.
func (n *node) put(key string, v *node) {
	if n.kind != dict {
		*n = node{kind: dict, at: n.at}
	}
	for i, k := range n.keys {
		if k == key {
			n.items[i] = v
			return
		}
	}
	n.keys, n.items = append(n.keys, key), append(n.items, v)
}

// parse reads the first document of r. The error of a syntax error is an
// *Error with a place.
func parse(r io.Reader, file string) (*node, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err != nil {
		return nil, &Error{Text: fmt.Sprintf("Cannot read config file (%s): %v", file, err), At: Pos{File: file}}
	}
	if len(text) > maxFileSize {
		return nil, &Error{Text: fmt.Sprintf("Cannot read config file (%s): more than %d bytes", file, maxFileSize), At: Pos{File: file}}
	}
	var doc yaml.Node
	err = yaml.NewDecoder(strings.NewReader(string(text))).Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		return &node{at: Pos{File: file, Line: 1, Col: 1}}, nil
	case err != nil:
		return nil, syntaxError(file, err)
	}
	left := maxNodes
	n, err := convert(&doc, file, maxDepth, &left)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// yaml.v3 puts the line into its text, when it knows it.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

func syntaxError(file string, err error) error {
	at, reason := Pos{File: file}, strings.ReplaceAll(err.Error(), "\n", " ")
	if m := yamlLine.FindStringSubmatch(reason); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		if reason = m[2]; strings.HasPrefix(reason, "did not find expected ") { // its parser counts lines from 0, its scanner from 1
			at.Line++
		}
	}
	where := ""
	if at.Line > 0 {
		where = fmt.Sprintf("error at line %d: ", at.Line)
	}
	return &Error{Text: fmt.Sprintf("Cannot read config file (%s): %s%s", file, where, reason), At: at}
}

// convert turns a YAML node into ours; aliases are followed, at most left nodes
// are made.
func convert(y *yaml.Node, file string, depth int, left *int) (*node, error) {
	at := Pos{File: file, Line: y.Line, Col: y.Column}
	if *left--; *left < 0 || depth < 0 {
		return nil, &Error{Text: fmt.Sprintf("Cannot read config file (%s): error at line %d: nested too deeply, or too large", file, y.Line), At: at}
	}
	switch y.Kind {
	case yaml.DocumentNode:
		return convert(y.Content[0], file, depth, left)
	case yaml.AliasNode:
		return convert(y.Alias, file, depth-1, left)
	case yaml.ScalarNode:
		if y.Tag == "!!null" {
			return &node{at: at}, nil
		}
		return &node{kind: scalar, text: y.Value, at: at}, nil
	case yaml.SequenceNode:
		n := &node{kind: list, at: at}
		for _, c := range y.Content {
			v, err := convert(c, file, depth-1, left)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, v)
		}
		return n, nil
	case yaml.MappingNode:
		n := &node{kind: dict, at: at}
		seen := make(map[string]bool, len(y.Content)/2)
		for i := 0; i+1 < len(y.Content); i += 2 {
			v, err := convert(y.Content[i+1], file, depth-1, left)
			if err != nil {
				return nil, err
			}
			key := y.Content[i].Value
			v.key = Pos{File: file, Line: y.Content[i].Line, Col: y.Content[i].Column}
			if v.kind == null {
				v.at = v.key
			}
			if !seen[key] { // the first of two equal keys wins
				seen[key] = true
				n.keys, n.items = append(n.keys, key), append(n.items, v)
			}
		}
		return n, nil
	}
	return &node{at: at}, nil
}

// Limits of one expansion: a variable whose value names itself would never end.
const (
	maxExpansions = 1000
	maxExpanded   = 1 << 20
)

// expand replaces ${NAME} in every text of n. "$${" stands for "${"; a "$" in
// front of anything else ends the search in that text.
func (n *node) expand(lookup func(string) (string, bool)) {
	for _, v := range n.items {
		v.expand(lookup)
	}
	if n.kind == scalar {
		n.text = expand(n.text, lookup)
	}
}

func expand(s string, lookup func(string) (string, bool)) string {
	for i, rounds := 0, 0; rounds < maxExpansions && len(s) <= maxExpanded; rounds++ {
		j := strings.IndexByte(s[i:], '$')
		if j < 0 {
			break
		}
		i += j
		if strings.HasPrefix(s[i:], "$${") {
			s = s[:i] + s[i+1:]
			i++
			continue
		}
		if !strings.HasPrefix(s[i:], "${") {
			break
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			break
		}
		value, _ := lookup(s[i+2 : i+end]) // an unset one is empty
		s = s[:i] + value + s[i+end+1:]
	}
	return s
}
