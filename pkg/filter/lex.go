// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"strings"
)

// Error is what is wrong with a condition, and where.
type Error struct {
	Pos Pos
	Msg string

	Unknown string // the token, if it names no field
	At      string // the text that the message is about, if there is one; for hints
}

// Error returns the message alone: whoever reports it adds the place.
func (e *Error) Error() string { return e.Msg }

// A lexer takes tokens off the front of a text. There is no list of tokens that
// would do everywhere: what "and" or "=" are depends on what the grammar expects,
// so each method takes one kind of token if it stands here, and else nothing.
type lexer struct {
	src    *Source
	text   string
	pos    int
	last   string // the token read last, for messages
	strict bool

	// line and column of the offset mark; places are asked for in rising order
	mark, line, column int
}

func (l *lexer) at(offset int) Pos {
	if l.line == 0 || offset < l.mark {
		l.mark, l.line, l.column = 0, 1, 1
	}
	for ; l.mark < offset && l.mark < len(l.text); l.mark++ {
		if l.text[l.mark] == '\n' {
			l.line++
			l.column = 1
		} else {
			l.column++
		}
	}
	return Pos{l.src, offset, l.line, l.column}
}

func (l *lexer) errorf(format string, args ...any) error {
	return &Error{Pos: l.at(l.pos), Msg: fmt.Sprintf(format, args...)}
}

func (l *lexer) done() bool { return l.pos >= len(l.text) }

func (l *lexer) rest() string { return l.text[l.pos:] }

// take moves over the next n bytes, which are a token.
func (l *lexer) take(n int) string {
	l.last = l.text[l.pos : l.pos+n]
	l.pos += n
	return l.last
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\b' || c == '\r' || c == '\n' }

func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

func isWord(c byte) bool { return isAlpha(c) || isDigit(c) || c == '_' }

func trimBlanks(s string) string { return strings.Trim(s, " \t\b\r\n") }

// blank moves over blanks and reports whether there was one.
func (l *lexer) blank() bool {
	start := l.pos
	for !l.done() && isBlank(l.text[l.pos]) {
		l.pos++
	}
	return l.pos > start
}

// char takes c.
func (l *lexer) char(c byte) bool {
	if l.done() || l.text[l.pos] != c {
		return false
	}
	l.take(1)
	return true
}

// word takes w, whatever follows.
func (l *lexer) word(w string) bool {
	if !strings.HasPrefix(l.rest(), w) {
		return false
	}
	l.take(len(w))
	return true
}

// wordBlank takes w if a blank follows.
func (l *lexer) wordBlank(w string) bool {
	r := l.rest()
	if len(r) <= len(w) || !strings.HasPrefix(r, w) || !isBlank(r[len(w)]) {
		return false
	}
	l.take(len(w))
	return true
}

// identLen returns the length of the identifier that s starts with, 0 if there
// is none. Macros of old rules may begin with an underscore (EXT 5).
func identLen(s string, strict bool) int {
	if s == "" || !isAlpha(s[0]) && (strict || s[0] != '_') {
		return 0
	}
	n := 1
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n
}

// ident takes an identifier.
func (l *lexer) ident() (string, bool) {
	n := identLen(l.rest(), l.strict)
	if n == 0 {
		return "", false
	}
	return l.take(n), true
}

// fieldName takes identifiers with dots between them.
func (l *lexer) fieldName() (string, bool) {
	s := l.rest()
	n, dots := identLen(s, true), 0
	if n == 0 {
		return "", false
	}
	for n < len(s) && s[n] == '.' {
		m := identLen(s[n+1:], true)
		if m == 0 {
			break
		}
		n += 1 + m
		dots++
	}
	if dots == 0 {
		return "", false
	}
	return l.take(n), true
}

// functions are the transformers, in the order in which messages list them.
var functions = []string{"tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt"}

// function takes the name of a transformer and the parenthesis behind it.
func (l *lexer) function() (string, bool) {
	for _, f := range functions {
		if r := l.rest(); len(r) > len(f) && r[len(f)] == '(' && strings.HasPrefix(r, f) {
			l.take(len(f) + 1)
			return f, true
		}
	}
	return "", false
}

// number takes a number: hexadecimal, or decimal with fraction and exponent.
func (l *lexer) number() (string, bool) {
	s := l.rest()
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && isHex(s[2]) {
		n := 3
		for n < len(s) && isHex(s[n]) {
			n++
		}
		return l.take(n), true
	}
	n := 0
	digits := func() (any bool) {
		for n < len(s) && isDigit(s[n]) {
			n, any = n+1, true
		}
		return any
	}
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	if !digits() {
		return "", false
	}
	if n < len(s) && s[n] == '.' {
		n++
		digits()
	}
	if end := n; n+1 < len(s) && (s[n] == 'e' || s[n] == 'E') && (s[n+1] == '+' || s[n+1] == '-') {
		n += 2
		if !digits() {
			n = end // no exponent after all
		}
	}
	return l.take(n), true
}

// bare takes a value without quotes.
func (l *lexer) bare() (string, bool) {
	return l.until(func(c byte) bool {
		return isBlank(c) || c == '(' || c == ')' || c == ',' || c == '=' || c == '"' || c == '\''
	})
}

// bareArg takes the argument of a field, without quotes.
func (l *lexer) bareArg() (string, bool) {
	return l.until(func(c byte) bool { return isBlank(c) || c == '[' || c == ']' || c == '"' || c == '\'' })
}

func (l *lexer) until(end func(c byte) bool) (string, bool) {
	s, n := l.rest(), 0
	for n < len(s) && !end(s[n]) {
		n++
	}
	if n == 0 {
		return "", false
	}
	return l.take(n), true
}

// quoted takes a text in quotes. A text that does not end is no token; one with
// a bad escape is a token and an error.
func (l *lexer) quoted() (text string, ok bool, err error) {
	s := l.rest()
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return "", false, nil
	}
	end := 1
	for ; end < len(s) && s[end] != s[0]; end++ {
		if s[end] != '\\' || end+1 == len(s) {
			continue
		}
		// The original looks only one byte back from a quote (QUIRK 4).
		if next := s[end+1]; next == s[0] || next == '\\' && !l.strict {
			end++
		}
	}
	if end >= len(s) {
		return "", false, nil
	}
	l.pos += end + 1
	text, err = l.unescape(s[1:end], s[0])
	l.last = text
	return text, true, err
}

var escapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '\\': '\\', '/': '/', ' ': '\\'}

func (l *lexer) unescape(s string, quote byte) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case '"', '\'':
			if c != quote {
				return "", l.errorf("invalid \\%c escape in %c-quoted string", c, quote)
			}
			b = append(b, c)
		case 'x':
			if i+2 >= len(s) {
				return "", l.errorf("truncated hex char escape sequence")
			}
			h := s[i+1 : i+3]
			if !isHex(h[0]) || !isHex(h[1]) {
				return "", l.errorf("invalid hex char escape sequence: %s", h)
			}
			b = append(b, hexVal(h[0])<<4|hexVal(h[1]))
			i += 2
		default:
			e, ok := escapes[c]
			if !ok {
				return "", l.errorf("unsupported string escape sequence: \\%c", c)
			}
			b = append(b, e)
		}
	}
	return string(b), nil
}

func hexVal(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
