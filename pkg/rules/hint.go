// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
)

// hint looks for what the author may have meant.
func (c *compiler) hint(fe *filter.Error, text string) string {
	rest := text[min(fe.Pos.Offset, len(text)):]
	before := func(words ...string) bool {
		for _, w := range words {
			if strings.HasPrefix(rest, w) {
				return true
			}
		}
		return false
	}
	switch {
	case fe.Unknown != "":
		return fieldHint(fe.Unknown)
	case strings.HasPrefix(fe.Msg, "unknown event type"):
		return suggest(fe.At, field.TypeNames())
	case strings.HasSuffix(fe.Msg, "is not a valid number") && len(fe.At) > 1 && (fe.At[0] == '>' || fe.At[0] == '<'):
		return fmt.Sprintf("write \"%c=\" for \"=%c\"", fe.At[0], fe.At[0])
	case !strings.HasPrefix(fe.Msg, "expected") && !strings.HasPrefix(fe.Msg, "unexpected"):
		return ""
	case strings.Count(text, `"`)%2 == 1 || strings.Count(text, `'`)%2 == 1:
		return "a quote is missing"
	case before("=>", "=<"):
		return fmt.Sprintf("write \"%c=\" for %q", rest[1], rest[:2])
	case before("AND ", "OR ", "NOT ", "IN ", "CONTAINS ", "EXISTS", "STARTSWITH ", "ENDSWITH "):
		return "keywords and operators are written in lower case"
	case before("&&"):
		return "write \"and\" for \"&&\""
	case before("||"):
		return "write \"or\" for \"||\""
	case before("#"):
		return "a condition has no comments"
	}
	return ""
}

// listHint recognises the name of a list where a macro should stand; its items
// have then made the condition unreadable.
func (c *compiler) listHint(cond string) string {
	e, err := c.syntax.Parse(&filter.Source{Text: cond})
	if err != nil {
		return ""
	}
	hint := ""
	filter.Walk(e, func(e filter.Expr) {
		if id, ok := e.(*filter.Ident); ok && hint == "" && c.lists.find(id.Name) != nil {
			hint = fmt.Sprintf("%q is a list: compare a field with it, as in \"proc.name in (%s)\"", id.Name, id.Name)
		}
	})
	return hint
}

func fieldHint(token string) string {
	if name, ok := field.Suggest(token); ok {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return ""
}

// suggest returns a hint if one of the names is near to the word.
func suggest(word string, names []string) string {
	if name, ok := field.Nearest(word, names); ok {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return ""
}

// place says in which line of the file the text stands that an error is about.
// The original's own places count from the wrong start.
func (c *compiler) place(fe *filter.Error, ctx *context, text string) string {
	word, where := fe.Unknown, ""
	if word == "" {
		word = fe.At
	}
	if word == "" {
		if word = text[min(fe.Pos.Offset, len(text)):]; word == "" {
			return ""
		}
		if i := strings.IndexAny(word, " \t\r\n"); i > 0 {
			word = word[:i]
		}
	}
	if fe.Pos.Src != nil && fe.Pos.Src.Name != "" {
		m := c.macros.find(fe.Pos.Src.Name)
		ctx = m.cctx
		where = fmt.Sprintf(", in macro %q", m.name)
	}
	i := strings.Index(ctx.src.text[min(ctx.loc.Offset, len(ctx.src.text)):], word)
	if i < 0 {
		return strings.TrimPrefix(where, ", ")
	}
	before := ctx.src.text[:ctx.loc.Offset+i]
	line := 1 + strings.Count(before, "\n")
	return fmt.Sprintf("%q stands at %s:%d:%d%s", word, ctx.src.name, line, len(before)-strings.LastIndexByte(before, '\n'), where)
}
