// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strconv"
	"strings"
)

// override applies one "-o key=value" to the tree. A value in braces is a YAML
// flow map; any other value is a text, taken as it is.
func (n *node) override(option string) error { return n.set(option, false) }

// overrideAnyItem does the same to a tree in which it does not matter which item of
// a list it is.
func (n *node) overrideAnyItem(option string) error { return n.set(option, true) }

func (n *node) set(option string, anyItem bool) error {
	key, value, ok := strings.Cut(option, "=")
	if !ok {
		return &Error{Text: fmt.Sprintf("Error parsing config option %q. Must be of the form key=val or key.subkey=val", option)}
	}
	steps, err := parsePath(key)
	if err != nil {
		return &Error{Text: fmt.Sprintf("Config error at key %q: Parsing error: %v", key, err)}
	}
	at := Pos{File: "-o " + option}
	v := &node{kind: scalar, text: value, at: at}
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		if v, err = parse(strings.NewReader(value), at.File); err != nil {
			return &Error{Text: fmt.Sprintf("Config error at key %q: %v", key, err)}
		}
	}
	target := n
	for _, s := range steps {
		if anyItem && !s.named {
			s.index = -1
		}
		target = target.descend(s, at)
	}
	*target = *v
	return nil
}

// step is one part of a path: a name, or an index, where -1 appends.
type step struct {
	name  string
	index int
	named bool
}

// descend returns the child of n that s names, making it if need be.
func (n *node) descend(s step, at Pos) *node {
	child := &node{at: at}
	if s.named {
		if v := n.get(s.name); v != nil {
			return v
		}
		n.put(s.name, child)
		return child
	}
	if n.kind != list {
		*n = node{kind: list, at: at}
	}
	switch {
	case s.index >= 0 && s.index < len(n.items):
		return n.items[s.index]
	case s.index > len(n.items): // a hole: no list any more, as the original has it
		n.put(strconv.Itoa(s.index), child)
	default:
		n.items = append(n.items, child)
	}
	return child
}

// parsePath splits a key: part ('.' part | '[' digits ']' | '[]')*, where a
// part can contain '\.', '\[', '\]' and '\\'. Positions in errors count from 0.
func parsePath(key string) ([]step, error) {
	var steps []step
	for i := 0; i < len(key); {
		if c := key[i]; c == '.' || c == '[' {
			return nil, fmt.Errorf("unexpected character at pos %d", i)
		}
		var part strings.Builder
		for i < len(key) && key[i] != '.' && key[i] != '[' {
			if key[i] == '\\' {
				if i+1 == len(key) {
					return nil, fmt.Errorf("trailing backslash at pos %d", i)
				}
				if !strings.ContainsRune(`.[]\`, rune(key[i+1])) {
					return nil, fmt.Errorf(`invalid escape sequence '\%c' at pos %d`, key[i+1], i)
				}
				i++
			}
			part.WriteByte(key[i])
			i++
		}
		steps = append(steps, step{name: part.String(), named: true})
		for i < len(key) && key[i] == '[' {
			end := strings.IndexByte(key[i:], ']')
			if end < 0 {
				return nil, fmt.Errorf("missing ']' at pos %d", len(key))
			}
			s := step{index: -1}
			if digits := key[i+1 : i+end]; digits != "" {
				for _, c := range digits {
					if c < '0' || c > '9' {
						return nil, fmt.Errorf("expected a numeric index, found '%s'", digits)
					}
				}
				n, err := strconv.Atoi(digits)
				if err != nil {
					return nil, fmt.Errorf("expected a numeric index, found '%s'", digits)
				}
				s.index = n
			}
			steps = append(steps, s)
			i += end + 1
		}
		if i < len(key) {
			if key[i] != '.' {
				return nil, fmt.Errorf("expected '.' character at pos %d", i-1)
			}
			i++
		}
	}
	return steps, nil
}
