// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"
)

// validate warns about the keys of a file that the table does not know, and
// returns the status that the log shows beside the file's name. It is for
// information: no key is an error here.
func (l *loader) validate(tree *node) string {
	if tree.kind != dict {
		return "failed for <root>: Value type not permitted by 'type' constraint."
	}
	status := "ok"
	before := l.strange
	l.unknown(tree, "", "<root>", &status)
	if n := l.strange - max(before, maxStrange); n > 0 {
		l.warn(tree.at, "%d more unknown keys are ignored", n)
	}
	return status
}

// maxStrange is how many unknown keys are told one by one: a file of another kind
// has nothing else, and to find the nearest names takes its time.
const maxStrange = 20

func (l *loader) unknown(n *node, path, root string, status *string) {
	fail := func(format string, args ...any) {
		if *status == "ok" {
			*status = fmt.Sprintf("failed for "+format, args...)
		}
	}
	if n.kind == list {
		for i, v := range n.items {
			l.unknown(v, path+"[]", fmt.Sprintf("%s[%d]", root, i), status)
		}
		return
	}
	for i, name := range n.keys {
		v, full := n.items[i], name
		if path != "" {
			full = path + "." + name
		}
		known, old := lookup(full)
		if !known || old {
			fail("%s: Object contains a property that could not be validated using 'properties' or 'additionalProperties' constraints: '%s'.", root, name)
		}
		if !known {
			if l.strange++; l.strange <= maxStrange {
				l.warn(v.named(), "unknown key '%s' is ignored%s", full, suggestion(full))
			}
			continue
		}
		if !old && !keyAt(full).is.fits(v) {
			fail("%s[%s]: Value type not permitted by 'type' constraint.", root, name)
		}
		if !whole[full] {
			l.unknown(v, full, root+"["+name+"]", status)
		}
	}
	if n.kind == dict {
		if filledMaps[path] && len(n.keys) == 0 {
			fail("%s: Object should have no fewer than 1 properties.", root)
		}
		for required := range requiredKeys {
			if name, ok := strings.CutPrefix(required, path+"."); ok && !strings.Contains(name, ".") && n.get(name) == nil {
				fail("%s: Missing required property '%s'.", root, name)
			}
		}
	}
}

// lookup reports whether path is a key, or leads to one, and whether it is a
// name of an earlier version.
func lookup(path string) (known, old bool) {
	for i := range keys {
		switch rest, ok := strings.CutPrefix(keys[i].path, path); {
		case ok && rest == "":
			return true, keys[i].old != ""
		case ok && (rest[0] == '.' || rest[0] == '['):
			known = true
		}
	}
	return known, false
}

// suggestion names the key that is spelt most like path, if one is near.
func suggestion(path string) string {
	var names []string
	for i := range keys {
		for p := keys[i].path; p != ""; {
			if !slices.Contains(names, p) && keys[i].old == "" {
				names = append(names, p)
			}
			cut := strings.LastIndexAny(p, ".[")
			p = p[:max(cut, 0)]
		}
	}
	if near := Nearest(path, names); near != "" {
		return fmt.Sprintf("; did you mean '%s'?", near)
	}
	return ""
}

// Nearest returns the candidate that word may have been meant to be: the one
// that takes the fewest edits, or that word is the beginning of. It is "" if all
// of them are other words.
func Nearest(word string, candidates []string) string {
	best, limit := "", len(word)/3+1
	for _, c := range candidates {
		if d := distance(word, c, limit); d <= limit && (best == "" || d < limit) {
			best, limit = c, d
		}
	}
	for i := 0; best == "" && len(word) > 2 && i < len(candidates); i++ {
		if strings.HasPrefix(candidates[i], word) {
			best = candidates[i]
		}
	}
	return best
}

// distance counts insertions, deletions, replacements and swaps of neighbours
// between a and b; beyond limit it may stop early.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > 200 || len(b) > 200 {
		return limit + 1
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, prev, row = prev, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
