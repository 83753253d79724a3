// SPDX-License-Identifier: Apache-2.0

package rules

import "strings"

// piece is a part of a condition that stands in one place: a condition that has
// been appended to has several.
type piece struct {
	ctx  *context
	text string
}

// placeOf returns the file and line of the word at an offset of text, a condition
// that lists have been put into and exceptions have been added to. YAML may have
// folded it and left quotes away, so that the words are counted: the third
// "proc.name" here is the third one there. What exceptions have added is at the
// rule itself.
func placeOf(text string, offset int, pieces []piece, item *context) (file string, line int) {
	start := min(offset, len(text))
	for start < len(text) && !wordByte(text[start]) {
		start++
	}
	end := start
	for end < len(text) && wordByte(text[end]) {
		end++
	}
	if word := text[start:end]; word != "" {
		n := strings.Count(text[:start], word)
		for _, p := range pieces {
			if here := strings.Count(p.text, word); n >= here {
				n -= here
				continue
			}
			src := p.ctx.src
			at := min(p.ctx.loc.Offset, len(src.text))
			for ; n >= 0; n-- {
				i := strings.Index(src.text[at:], word)
				if i < 0 {
					return src.name, p.ctx.loc.Line + 1
				}
				if n == 0 {
					return src.name, 1 + strings.Count(src.text[:at+i], "\n")
				}
				at += i + len(word)
			}
		}
	}
	return item.src.name, item.loc.Line + 1
}

func wordByte(c byte) bool {
	return c == '_' || c == '.' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
