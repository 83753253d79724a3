// SPDX-License-Identifier: Apache-2.0

package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// shape is what may stand at a key: for the schema, and for the status of a file in
// the log. It is no more than a hint: each key decides itself how it reads a text,
// and a text may come from the environment.
type shape struct {
	kind     shapeKind
	words    []string // of a word
	min, max float64  // of a number, if max > min
}

type shapeKind uint8

const (
	anything shapeKind = iota // its inside is free, or somebody else's
	yesNo
	integer
	decimals
	scalarText
	listOfTexts
	oneWord
	engineMap // runtimes of containers
	textMap
)

var (
	isYesNo   = shape{kind: yesNo}
	isCount   = shape{kind: integer}
	isDecimal = shape{kind: decimals}
	isText    = shape{kind: scalarText}
	isTexts   = shape{kind: listOfTexts}
	isEngines = shape{kind: engineMap}
	isTextMap = shape{kind: textMap}
)

func isOne(words ...string) shape { return shape{kind: oneWord, words: words} }

func isFrom(min, max float64) shape { return shape{kind: integer, min: min, max: max} }

// Texts that stand for other types, as the readers have them.
const (
	envPattern   = `\$\{.*\}|^$`
	yesNoPattern = `^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`
	countPattern = `^(?:[0-9]+|0[xX][0-9a-fA-F]+)$`
	floatPattern = `^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$|^\.(?:inf|nan)$`
)

var patterns = map[shapeKind]*regexp.Regexp{
	yesNo: regexp.MustCompile(yesNoPattern), integer: regexp.MustCompile(countPattern), decimals: regexp.MustCompile(floatPattern),
}

// fits reports whether n may stand where s is asked for. Whoever writes nothing behind
// a key, or a variable that is not set, means the default.
func (s *shape) fits(n *node) bool {
	if n.kind == null || n.kind == scalar && n.text == "" || s.kind == anything {
		return true
	}
	switch s.kind {
	case listOfTexts:
		return n.kind == scalar || n.kind == list && !slices.ContainsFunc(n.items, func(v *node) bool { return v.kind == list || v.kind == dict })
	case engineMap, textMap:
		return n.kind == dict
	}
	if n.kind != scalar {
		return false
	}
	switch s.kind {
	case scalarText:
		return true
	case oneWord:
		return slices.Contains(s.words, n.text)
	}
	if !patterns[s.kind].MatchString(n.text) {
		return false
	}
	if s.max > s.min {
		v, err := strconv.ParseFloat(n.text, 64)
		return err != nil || v >= s.min && v <= s.max
	}
	return true
}

// schema returns s as JSON schema.
func (s *shape) schema() map[string]any {
	type object = map[string]any
	orText := func(o object, pattern string) object {
		return object{"anyOf": []any{o, object{"type": "string", "pattern": strings.TrimPrefix(pattern+"|"+envPattern, "|")}, object{"type": "null"}}}
	}
	number := func(kind, pattern string) object {
		o := object{"type": kind}
		if s.max > s.min {
			o["minimum"], o["maximum"] = s.min, s.max
		} else if kind == "integer" {
			o["minimum"] = 0
		}
		return orText(o, pattern)
	}
	switch s.kind {
	case yesNo:
		return ref("yes_no")
	case integer:
		if s.max > s.min {
			return number("integer", "")
		}
		return ref("count")
	case decimals:
		return number("number", floatPattern)
	case scalarText:
		return ref("text")
	case listOfTexts:
		return ref("texts")
	case oneWord:
		return orText(object{"enum": s.words}, "")
	case engineMap:
		return object{"type": []string{"object", "null"}, "additionalProperties": object{"type": "object", "additionalProperties": false,
			"properties": object{"enabled": ref("yes_no"), "sockets": ref("texts")}}}
	case textMap:
		return object{"type": []string{"object", "null"}, "additionalProperties": ref("text")}
	}
	return object{}
}

// shared are the definitions that many keys use.
func sharedShapes() map[string]any {
	return map[string]any{
		"yes_no": map[string]any{"anyOf": []any{map[string]any{"type": []string{"boolean", "null"}},
			map[string]any{"type": "string", "pattern": yesNoPattern + "|" + envPattern}}},
		"count": map[string]any{"anyOf": []any{map[string]any{"type": "integer", "minimum": 0}, map[string]any{"type": "null"},
			map[string]any{"type": "string", "pattern": countPattern + "|" + envPattern}}},
		"text": map[string]any{"type": []string{"string", "number", "boolean", "null"}},
		"texts": map[string]any{"anyOf": []any{ref("text"),
			map[string]any{"type": "array", "items": ref("text")}}},
	}
}
