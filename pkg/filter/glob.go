// SPDX-License-Identifier: Apache-2.0

package filter

import "strings"

// glob matches the whole of s as fnmatch(3) with no flags does: * and ? match
// any byte, "/" and a leading "." among them, and a backslash takes the byte
// behind it for what it is. A "[" that is never closed is an ordinary byte.
func glob(pattern, s string, fold bool) bool {
	p, i := 0, 0
	star, mark := -1, 0 // where to go on if what follows the last * does not match
	for i < len(s) || p < len(pattern) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				star, mark = p, i
				p++
				if mark = seek(pattern[p:], s, mark, fold); mark < 0 {
					return false
				}
				i = mark
				continue
			}
			if i < len(s) {
				if n := one(pattern[p:], s[i], fold); n > 0 {
					p += n
					i++
					continue
				}
			}
		}
		if star < 0 || mark >= len(s) {
			return false
		}
		if mark = seek(pattern[star+1:], s, mark+1, fold); mark < 0 {
			return false
		}
		p, i = star+1, mark
	}
	return true
}

// seek returns the first place in s, from that one on, where the pattern may begin; -1 if there is none.
func seek(pattern, s string, from int, fold bool) int {
	if fold || pattern == "" {
		return from
	}
	switch pattern[0] {
	case '*', '?', '[', '\\':
		return from
	}
	n := strings.IndexByte(s[from:], pattern[0])
	if n < 0 {
		return -1
	}
	return from + n
}

// one matches the byte c against the front of a pattern and returns the bytes of
// the pattern that it took, 0 if c does not match.
func one(pattern string, c byte, fold bool) int {
	switch pattern[0] {
	case '?':
		return 1
	case '[':
		if n, in := bracket(pattern, c, fold); n > 0 {
			if in {
				return n
			}
			return 0
		}
	case '\\':
		if len(pattern) > 1 {
			if same(pattern[1], c, fold) {
				return 2
			}
			return 0
		}
	}
	if same(pattern[0], c, fold) {
		return 1
	}
	return 0
}

func same(a, b byte, fold bool) bool { return a == b || fold && lower(a) == lower(b) }

// bracket matches c against the bracket expression that the pattern starts with.
// It returns its length, 0 if it does not end.
func bracket(pattern string, c byte, fold bool) (n int, in bool) {
	i := 1
	negate := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negate {
		i++
	}
	for start := i; i < len(pattern); {
		if pattern[i] == ']' && i > start {
			return i + 1, in != negate
		}
		if strings.HasPrefix(pattern[i:], "[:") {
			if end := strings.Index(pattern[i+2:], ":]"); end >= 0 {
				name := pattern[i+2 : i+2+end]
				in = in || inClass(name, c) || fold && (inClass(name, lower(c)) || inClass(name, upper(c)))
				i += end + 4
				continue
			}
		}
		lo, w := bracketByte(pattern[i:])
		i += w
		hi := lo
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			hi, w = bracketByte(pattern[i+1:])
			i += 1 + w
		}
		in = in || lo <= c && c <= hi ||
			fold && (lo <= lower(c) && lower(c) <= hi || lo <= upper(c) && upper(c) <= hi)
	}
	return 0, false
}

func bracketByte(s string) (c byte, n int) {
	if s[0] == '\\' && len(s) > 1 {
		return s[1], 2
	}
	return s[0], 1
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

func inClass(name string, c byte) bool {
	switch name {
	case "alpha":
		return isAlpha(c)
	case "digit":
		return isDigit(c)
	case "alnum":
		return isAlpha(c) || isDigit(c)
	case "upper":
		return c >= 'A' && c <= 'Z'
	case "lower":
		return c >= 'a' && c <= 'z'
	case "xdigit":
		return isHex(c)
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r'
	case "blank":
		return c == ' ' || c == '\t'
	case "cntrl":
		return c < ' ' || c == 0x7f
	case "print":
		return c >= ' ' && c < 0x7f
	case "graph":
		return c > ' ' && c < 0x7f
	case "punct":
		return c > ' ' && c < 0x7f && !isAlpha(c) && !isDigit(c)
	}
	return false
}

// paths is a set of path prefixes, by component. A component without special
// characters is an entry of the map, the others are tried one after the other.
type paths struct {
	end   bool // a pattern ends here
	next  map[string]*paths
	globs []globPath
}

type globPath struct {
	pattern string
	next    *paths
}

// component returns the first component of path and what follows it, skipping
// empty ones; both are "" at the end.
func component(path string) (name, rest string) {
	for path != "" && path[0] == '/' {
		path = path[1:]
	}
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

func (t *paths) add(path string) {
	name, rest := component(path)
	if name == "" {
		t.end = true
		return
	}
	if strings.ContainsAny(name, `*?[\`) {
		for _, g := range t.globs {
			if g.pattern == name {
				g.next.add(rest)
				return
			}
		}
		next := new(paths)
		t.globs = append(t.globs, globPath{name, next})
		next.add(rest)
		return
	}
	if t.next == nil {
		t.next = map[string]*paths{}
	}
	if t.next[name] == nil {
		t.next[name] = new(paths)
	}
	t.next[name].add(rest)
}

// match reports whether one of the prefixes matches path.
func (t *paths) match(path string) bool {
	for {
		if t.end {
			return true
		}
		name, rest := component(path)
		if name == "" {
			return false
		}
		for _, g := range t.globs {
			if glob(g.pattern, name, false) && g.next.match(rest) {
				return true
			}
		}
		next := t.next[name]
		if next == nil {
			return false
		}
		t, path = next, rest
	}
}
