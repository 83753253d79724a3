// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
)

// Hints stand below the report of a file that does not load. The report is the
// original's, word for word; a hint says in our words what the author may have
// meant, and where that stands.

// noKey begins the message about a key that is not there.
const noKey = "Item has no mapping for key "

// itemHints go with errors in items, by how their message begins.
var itemHints = []struct{ message, hint string }{
	{"Rules content is not yaml array", `a rules file is a list: each item begins with "- "`},
	{"Rules content is not yaml", `a rules file is a list of items such as "- rule: …"`},
	{"Unexpected element type", `each item begins with its kind: "- rule: …", "- macro: …", "- list: …"`},
	{noKey + "'enabled'", `a rule needs condition, output, desc and priority; to change one that exists say so with "override"`},
	{noKey + "'condition'", `to change something that exists say so with "override"`},
	{noKey + "'items'", `to change a list that exists say so with "override"`},
	{noKey + "'output'", "a rule needs condition, output, desc and priority"},
	{noKey + "'desc'", "a rule needs condition, output, desc and priority"},
	{noKey + "'priority'", "a rule needs condition, output, desc and priority"},
	{"Invalid priority", "priorities are emergency, alert, critical, error, warning, notice, informational and debug"},
	{"Unexpected key", `under "override" stands what happens to each key; an item that defines something has no "override"`},
	{"Unable to parse engine version", "the version that the rules were written for has three numbers: 0.63.0"},
	{"error at line", "see the indentation of the line and of the one above; blanks indent, tabs do not; a text with \": \" or \" #\" in it has quotes around it"},
	{"Value is not a sequence", "write [a, b], or an element a line, each after \"- \""},
	{"Can't decode YAML scalar value", "write true or false, or a number, as the key asks"},
}

// hintOf returns the hint for an error in an item.
func hintOf(message string) string {
	for _, h := range itemHints {
		if strings.HasPrefix(message, h.message) {
			return h.hint
		}
	}
	return ""
}

// absent reports a change of something that does not exist.
func (r *reader) absent(ctx *context, name string, names []string, message string) error {
	stop := r.fail(ErrValidate, ctx, "%s", message)
	issue := r.res.Errors[len(r.res.Errors)-1]
	if issue.Hint = suggest(name, names); issue.Hint == "" {
		issue.Hint = fmt.Sprintf("files are read in the order of -r or rules_files: the one that defines %q comes first", name)
	}
	return stop
}

// otherWords are how other languages call our operators.
var otherWords = map[string]string{
	"like": "glob", "matches": "regex", "match": "regex", "is": "=", "eq": "=", "equals": "=", "ne": "!=", "neq": "!=", "lt": "<", "gt": ">",
	"le": "<=", "ge": ">=", "has": "contains", "include": "contains", "includes": "contains", "prefix": "startswith", "suffix": "endswith",
	"within": "in", "ilike": "iglob", "exist": "exists", "begins": "startswith", "~": "regex", "===": "=",
}

var operators = strings.Fields("exists <= < >= > == = != glob iglob contains icontains bcontains startswith bstartswith endswith regex intersects in pmatch")

// hint looks for what the author of a condition may have meant.
func (c *compiler) hint(fe *filter.Error, text string) string {
	at := min(fe.Pos.Offset, len(text))
	switch {
	case fe.Unknown != "":
		return fieldHint(fe.Unknown)
	case strings.HasPrefix(fe.Msg, "unknown event type"):
		return suggest(fe.At, field.TypeNames())
	case strings.HasPrefix(fe.Msg, "expected"), strings.HasPrefix(fe.Msg, "unexpected"):
		return syntaxHint(fe.Msg, text[:at], text[at:])
	case strings.HasPrefix(fe.Msg, "unsupported string escape"):
		return `write \\ for a backslash, or leave the quotes away: without them it is a letter like others`
	case strings.HasPrefix(fe.Msg, "unrecognized IPv4 address") && strings.Contains(fe.At, "/"):
		return "networks are compared with fd.net, fd.cnet, fd.snet, fd.lnet and fd.rnet"
	case strings.HasPrefix(fe.Msg, "unrecognized IP network"):
		return "a network has a length, as in 10.0.0.0/8; addresses are compared with fd.ip, fd.cip and fd.sip"
	case strings.HasPrefix(fe.Msg, "unrecognized IPv6 address") && !strings.Contains(fe.At, ":"):
		return "names of hosts are compared with fd.sip.name, fd.cip.name and the like"
	case strings.HasPrefix(fe.Msg, "invalid regex pattern"):
		return "patterns are POSIX extended ones, for the whole value; glob, contains and startswith need none"
	case !strings.HasSuffix(fe.Msg, "is not a valid number"):
	case len(fe.At) > 1 && (fe.At[0] == '>' || fe.At[0] == '<'):
		return fmt.Sprintf("write \"%c=\" for \"=%c\"", fe.At[0], fe.At[0])
	case strings.HasPrefix(fe.At, "0x"):
		return "numbers are decimal"
	}
	return ""
}

// syntaxHint is hint for what the parser did not expect: before and rest are the
// text up to the place and from there on.
func syntaxHint(msg, before, rest string) string {
	before = strings.TrimRight(before, " \t\r\n")
	word := firstWord(rest)
	last := before[strings.LastIndexAny(before, " \t\r\n(),")+1:]
	previous := ""
	if words := strings.Fields(before); len(words) > 1 {
		previous = words[len(words)-2]
	}
	lower := strings.ToLower(word)
	wantsOp := strings.HasPrefix(msg, "expected a valid check operator")
	switch {
	case openQuote(before + rest):
		return "a quote is missing"
	case strings.HasPrefix(rest, "=>"), strings.HasPrefix(rest, "=<"):
		return fmt.Sprintf("write \"%c=\" for %q", rest[1], rest[:2])
	case strings.HasSuffix(before, "=>"), strings.HasSuffix(before, "=<"):
		return fmt.Sprintf("write \"%c=\" for %q", before[len(before)-1], before[len(before)-2:])
	case strings.HasSuffix(before, "=~"):
		return `write "regex" for "=~"`
	case strings.HasSuffix(before, "<") && strings.HasPrefix(rest, ">"):
		return `write "!=" for "<>"`
	case strings.HasPrefix(rest, "&&"):
		return `write "and" for "&&"`
	case strings.HasPrefix(rest, "||"):
		return `write "or" for "||"`
	case strings.HasPrefix(rest, "!") && !strings.HasPrefix(rest, "!="):
		return `write "not" for "!"`
	case strings.HasPrefix(rest, "#"):
		return "a condition has no comments"
	case strings.HasPrefix(rest, "not in") && wantsOp, strings.HasPrefix(rest, "not ") && wantsOp:
		return fmt.Sprintf(`"not" stands in front of the check: not %s %s …`, last, firstWord(strings.TrimSpace(rest[len("not"):])))
	case lower != word && (isConnective(lower) || slices.Contains(operators, lower)):
		return fmt.Sprintf("keywords and operators are written in lower case: %q", lower)
	case wantsOp && (word == "" || isConnective(word) || rest[0] == ')'):
		return fmt.Sprintf("a field alone is no check: \"%s exists\", or \"%s = true\" for one that is true or false", last, last)
	case wantsOp && slices.Contains(operators, word):
		return fmt.Sprintf("nothing follows %q", word)
	case wantsOp && otherWords[lower] != "":
		return fmt.Sprintf("write %q for %q", otherWords[lower], word)
	case wantsOp:
		return suggest(word, operators)
	case isConnective(last) && slices.Contains(operators, previous):
		return fmt.Sprintf("nothing follows %q", previous)
	case isConnective(last) && (isConnective(word) || strings.HasPrefix(msg, "unexpected")):
		return fmt.Sprintf("there is no check in front of %q", last)
	case isConnective(last) && word == "":
		return fmt.Sprintf("nothing follows %q", last)
	case strings.HasPrefix(msg, "expected a ')'") && rest == "":
		return "a parenthesis is not closed"
	case strings.HasPrefix(msg, "expected a ')'") && listOpen(before):
		return fmt.Sprintf("a comma or a quote is missing: (…, %s, %s …) or \"%s %s\"", last, strings.TrimRight(word, ")"), last, strings.TrimRight(word, ")"))
	case strings.HasPrefix(msg, "expected a string value") && strings.HasPrefix(rest, "("):
		if last == "=" || last == "==" {
			return `a list needs "in"`
		}
		return fmt.Sprintf("a list needs a word that says how many of it: %q", last+" anyof (…)")
	case strings.HasPrefix(msg, "expected a string value") && rest == "":
		return fmt.Sprintf("nothing follows %q", last)
	case strings.HasPrefix(msg, "unexpected") && word != "" && !strings.HasSuffix(before, ")") && rest[0] != '(' && rest[0] != ')':
		return fmt.Sprintf("a text with blanks has quotes around it: \"%s %s\"", last, word)
	case strings.HasPrefix(msg, "unexpected") && strings.HasPrefix(rest, ")"):
		return "this parenthesis closes nothing"
	}
	return ""
}

func isConnective(word string) bool { return word == "and" || word == "or" || word == "not" }

// firstWord returns what stands before the first blank.
func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
		return s[:i]
	}
	return s
}

// openQuote reports whether a quoted text has no end.
func openQuote(s string) bool {
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == '\\':
			i++
		case c == quote:
			quote = 0
		}
	}
	return quote != 0
}

// listOpen reports whether the parenthesis that is open at the end of s is that of
// a list of values.
func listOpen(s string) bool {
	depth := 0
	for i := len(s) - 1; i >= 0; i-- {
		switch s[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth < 0 {
				s = strings.TrimRight(s[:i], " \t\r\n")
				op := s[strings.LastIndexAny(s, " \t\r\n")+1:]
				return slices.Contains([]string{"in", "pmatch", "intersects", "oneof", "anyof", "allof"}, op)
			}
		}
	}
	return false
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
			hint = notMacro(id.Name)
		}
	})
	return hint
}

// notMacro is the hint for a list where a macro should stand.
func notMacro(list string) string {
	return fmt.Sprintf("%q is a list: compare a field with it, as in \"proc.name in (%s)\"", list, list)
}

func fieldHint(token string) string {
	name, arg, _ := strings.Cut(token, "[")
	if d, ok := field.Lookup(name); ok && arg != "" {
		if d.Args&field.ArgIndex != 0 {
			return fmt.Sprintf("what %s has in brackets is a number: %s[2]", name, name)
		}
		return name + " has nothing in brackets"
	}
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

// strayWords notes words in lists that look like the name of a list and are
// none: they are compared as they stand, which is seldom meant. The macros in e
// have not been put in.
func (c *compiler) strayWords(e filter.Expr) {
	if c.opts.StrictUpstream || len(c.lists.all) == 0 {
		return
	}
	filter.Walk(e, func(e filter.Expr) {
		check, ok := e.(*filter.Check)
		if !ok || !check.Op.List() && check.Mod == filter.ModNone {
			return
		}
		for _, v := range check.Right.Values {
			if v.Quoted || !strings.Contains(v.Text, "_") || c.lists.find(v.Text) != nil {
				continue
			}
			if near := c.nearList(v.Text); near != "" {
				c.note(fmt.Sprintf("%s is compared as a word (%s); the list is called %q", quoted(v.Text), v.Pos.Where(), near))
			}
		}
	})
}

// maxNear bounds how many words and names are compared: a hint must not be what
// a large file takes its time for.
const maxNear = 20_000

// nearList returns the name of the list that is nearest to a word, "" if none is near.
func (c *compiler) nearList(word string) string {
	near, ok := c.near[word]
	if !ok && (len(c.near)+1)*len(c.lists.all) <= maxNear {
		near, _ = field.Nearest(word, c.lists.names())
		if c.near == nil {
			c.near = map[string]string{}
		}
		c.near[word] = near
	}
	return near
}

// note keeps a hint, once.
func (r *reader) note(hint string) {
	if !slices.Contains(r.res.notes, hint) {
		r.res.notes = append(r.res.notes, hint)
	}
}

// place says in which line of the file the text stands that an error is about.
// The original's own places count from the wrong start.
func (c *compiler) place(fe *filter.Error, ctx *context, text string) string {
	word, where := fe.Unknown, ""
	if word == "" {
		word = fe.At
	}
	if word == "" {
		if word = firstWord(text[min(fe.Pos.Offset, len(text)):]); word == "" {
			return ""
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
	return fmt.Sprintf("%s stands at %s:%d:%d%s", quoted(word), ctx.src.name, line, len(before)-strings.LastIndexByte(before, '\n'), where)
}

// quoted puts quotes around a word, unless it has some.
func quoted(word string) string {
	if strings.ContainsAny(word, `"'`) {
		return word
	}
	return `"` + word + `"`
}
