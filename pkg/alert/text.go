// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"time"
	"unicode/utf8"
)

// Layouts of the times that lead a text line.
const (
	clockLayout = "15:04:05.000000000"
	isoLayout   = "2006-01-02T15:04:05.000000000-0700"
)

// line returns the text line of a before it is escaped; JSON carries it as
// "output" in this form.
func (s *Style) line(a *Alert) string {
	b := make([]byte, 0, 64+len(a.Message))
	t := time.Unix(0, int64(a.TimeNs))
	if s.ISO8601 {
		b = t.UTC().AppendFormat(b, isoLayout)
	} else {
		loc := s.Location
		if loc == nil {
			loc = time.Local
		}
		b = t.In(loc).AppendFormat(b, clockLayout)
	}
	b = append(b, ": "...)
	b = append(b, a.Severity.String()...)
	b = append(b, ' ')
	return string(append(b, a.Message...))
}

// appendText appends the escaped text line of a. The values that follow an
// internal message are JSON already and are not escaped twice.
func (s *Style) appendText(b []byte, a *Alert) []byte {
	b = appendEscaped(b, s.line(a))
	if a.Source == Internal {
		b = appendPairs(b, a.Fields)
	}
	return b
}

// appendPairs writes the fields of an internal message: ` (k="v" n=1)`.
func appendPairs(b []byte, fields []Field) []byte {
	b = append(b, " ("...)
	for i, f := range sorted(fields) {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, f.Key...)
		b = append(b, '=')
		b = appendValue(b, f.Value)
	}
	return append(b, ')')
}

// appendEscaped appends text as the body of a JSON string, so that an alert is
// one line whatever a process calls itself. Text outside ASCII stays; bytes that
// are no UTF-8 become U+FFFD. The controls above ASCII (U+0080 to U+009F) are
// escaped too: a terminal obeys them.
func appendEscaped(b []byte, text string) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, n := rune(c), 1
		if c >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(text[i:])
			if r > 0x9f && (r != utf8.RuneError || n > 1) {
				i += n
				continue
			}
		}
		b = append(b, text[start:i]...)
		i += n
		start = i
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == utf8.RuneError:
			b = append(b, "\uFFFD"...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		}
	}
	return append(b, text[start:]...)
}
