// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/forward/event"
)

// What the chats share. An event's texts come from whoever is watched: they must not call
// people, hide an address behind a word, or fetch a picture.

// chatDigest is how many events may wait before they are summed up.
const chatDigest = 50

// perSecond is the rate of chats that take one message a second.
var perSecond = Rate{1, time.Second}

// blank separates what would mean something together, and is not seen.
const blank = "\u200b"

// defuse takes the meaning out of what Markdown dialects would act on: a name behind an @ at the
// begin of a word, and links and pictures.
func defuse(s string) string {
	if s = clean(s); !strings.ContainsAny(s, "@]") {
		return s
	}
	var b strings.Builder
	last := ' '
	for i, r := range s {
		b.WriteRune(r)
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		switch {
		case r == '@' && !wordRune(last) && wordRune(next), r == ']' && (next == '(' || next == '['):
			b.WriteString(blank)
		}
		last = r
	}
	return b.String()
}

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// clean returns s as UTF-8 without what nobody sees but everything acts on: controls, of
// which NUL breaks the databases of some chats, and marks that turn the direction of text.
func clean(s string) string {
	ok := true
	for _, r := range s {
		if r == utf8.RuneError || unseen(r) {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unseen(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

func unseen(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// escapedView is what a template sees of an event for a receiver with a syntax of its own: the
// template may use the syntax, the event may not.
func escapedView(e *Event, esc func(string) string) *event.View {
	v := e.View()
	v.Output, v.Rule, v.Source, v.Hostname = esc(v.Output), esc(v.Rule), esc(v.Source), esc(v.Hostname)
	v.Tags = slices.Clone(v.Tags)
	for i, t := range v.Tags {
		v.Tags[i] = esc(t)
	}
	v.OutputFields = escapedValue(v.OutputFields, esc).(map[string]any)
	return v
}

func escapedValue(x any, esc func(string) string) any {
	switch x := x.(type) {
	case string:
		return esc(x)
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, v := range x {
			m[esc(k)] = escapedValue(v, esc)
		}
		return m
	case []any:
		l := make([]any, len(x))
		for i, v := range x {
			l[i] = escapedValue(v, esc)
		}
		return l
	}
	return x
}

// fitted is s escaped, cut so that at most limit characters are left.
func fitted(s string, limit int, esc func(string) string) string {
	s = clean(s)
	for n := limit; ; {
		text := esc(event.ShortenRunes(s, n))
		over := utf8.RuneCountInString(text) - limit
		if over <= 0 {
			return text
		}
		n -= over/5 + 1
	}
}

// formatted is the text of a messageformat, "" if there is none or it fails: the event is sent
// all the same.
func formatted(t *Template, e *Event, env *Env, esc func(string) string) string {
	if t == nil {
		return ""
	}
	text, err := t.Execute(escapedView(e, esc))
	if err != nil {
		env.Log.Warnf("%s: messageformat: %v", env.Title, err)
		return ""
	}
	return event.ShortenRunes(clean(text), attachmentText)
}

// foremost are the fields that tell most about an event, for receivers that show few.
var foremost = []string{"proc.cmdline", "proc.name", "user.name", "fd.name", "k8s.ns.name", "k8s.pod.name", "container.name", "container.id",
	"container.image.repository", "container.image.tag", "proc.pname", "proc.exepath", "evt.type", "proc.pid", "user.loginname"}

// choose splits pairs into n that are kept, in their order, and the others. What is no field of the event
// is kept first, then the foremost fields, then those in front.
func choose(pairs []Pair, n int) (kept, rest []Pair) {
	if len(pairs) <= n {
		return pairs, nil
	}
	class := func(p Pair) int {
		if !p.Field {
			return 0
		}
		if i := slices.Index(foremost, p.Name); i >= 0 {
			return 1 + i
		}
		return 1 + len(foremost)
	}
	order := make([]int, len(pairs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return class(pairs[a]) - class(pairs[b]) })
	take := make([]bool, len(pairs))
	for _, i := range order[:max(n, 0)] {
		take[i] = true
	}
	for i, p := range pairs {
		if take[i] {
			kept = append(kept, p)
		} else {
			rest = append(rest, p)
		}
	}
	return kept, rest
}

// pairsJSON is pairs as an object, cut to limit characters.
func pairsJSON(pairs []Pair, limit int) string {
	b := []byte{'{'}
	for i, p := range pairs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(event.AppendString(b, p.Name), ':')
		b = event.AppendString(b, p.Value)
		if len(b) > 4*limit {
			break
		}
	}
	return event.ShortenRunes(string(append(b, '}')), limit)
}

// within encodes what build makes of as many of n parts as fit into limit bytes.
func within(limit, n int, build func(n int) any) ([]byte, error) {
	for {
		body, err := JSON(build(n))
		if err != nil {
			return nil, Permanent(err)
		}
		if len(body) <= limit {
			return body, nil
		}
		if n == 0 {
			return nil, Permanentf("the message is longer than %d bytes", limit)
		}
		n /= 2
	}
}

// acknowledged tells from a body of 200 whether the message was taken: "ok", or
// JSON that does not say ok or success: false. Somebody else's page (a proxy's, a log-in) is neither.
func acknowledged(body []byte) error {
	text := bytes.TrimSpace(body)
	if len(text) == 0 || bytes.EqualFold(text, []byte("ok")) {
		return nil
	}
	var a struct {
		OK, Success *bool
		Error       any
	}
	if json.Unmarshal(text, &a) != nil {
		return Misconfiguredf("who answered is no chat: %s", Line(event.Shorten(clean(string(text)), 100)))
	}
	if a.OK != nil && !*a.OK || a.Success != nil && !*a.Success {
		return Permanentf("the message was refused: %.100v", a.Error)
	}
	return nil
}
