// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Parse reads one event. It says nothing about whether the event is complete (Check), but
// what is there has to be of the right kind. Numbers stay as they are written.
//
// A forwarder does this for every event, twice: hence by hand. The text is known to be valid JSON
// before the first look at it, so that what follows need not doubt it.
func Parse(text []byte) (*Event, error) {
	if !json.Valid(text) {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, err
		}
	}
	s := string(text)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	p := reader{s: s}
	if p.space(); p.s[p.at] != '{' {
		return nil, errors.New("an event is a JSON object")
	}
	e := &Event{}
	err := p.object(func(key string) error { return e.member(key, &p) })
	if err != nil {
		return nil, err
	}
	return e, nil
}

// reader goes through valid JSON.
type reader struct {
	s  string
	at int
}

func (p *reader) space() {
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// object calls f for each member; f reads the value.
func (p *reader) object(f func(key string) error) error {
	p.at++ // {
	for {
		p.space()
		switch p.s[p.at] {
		case '}':
			p.at++
			return nil
		case ',':
			p.at++
			continue
		}
		key := p.str()
		p.space()
		p.at++ // :
		p.space()
		if err := f(key); err != nil {
			return err
		}
	}
}

// raw returns the next value as it is written.
func (p *reader) raw() string {
	from := p.at
	switch p.s[p.at] {
	case '"':
		p.skipString()
	case '{', '[':
		for depth := 0; ; {
			switch p.s[p.at] {
			case '"':
				p.skipString()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			p.at++
			if depth == 0 {
				break
			}
		}
	default:
		for p.at < len(p.s) && !strings.ContainsRune(",]} \t\r\n", rune(p.s[p.at])) {
			p.at++
		}
	}
	return p.s[from:p.at]
}

func (p *reader) skipString() {
	p.at++
	for p.s[p.at] != '"' {
		if p.s[p.at] == '\\' {
			p.at++
		}
		p.at++
	}
	p.at++
}

// str reads a string.
func (p *reader) str() string {
	from := p.at
	p.skipString()
	inner := p.s[from+1 : p.at-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	return unescape(inner)
}

func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r := hex4(s[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if strings.HasPrefix(s[i+1:], `\u`) {
					if pair = utf16.DecodeRune(r, hex4(s[i+3:])); pair != utf8.RuneError {
						i += 6
					}
				}
				r = pair
			}
			b.WriteRune(r)
		default: // the character itself
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func hex4(s string) rune {
	n, _ := strconv.ParseUint(s[:4], 16, 32)
	return rune(n)
}

// member reads the value of a member of the event. Names have no case, as encoding/json has it.
func (e *Event) member(key string, p *reader) (err error) {
	if p.s[p.at] == 'n' {
		p.raw()
		return nil
	}
	name := key
	if !slices.Contains(members, name) {
		name = strings.ToLower(key)
	}
	switch name {
	case "uuid":
		e.UUID, err = p.text(key)
	case "output":
		e.Output, err = p.text(key)
	case "rule":
		e.Rule, err = p.text(key)
	case "source":
		e.Source, err = p.text(key)
	case "hostname":
		e.Hostname, err = p.text(key)
	case "priority":
		var s string
		if s, err = p.text(key); err == nil && s != "" {
			ok := false
			if e.Priority, ok = ParsePriority(s); !ok {
				err = fmt.Errorf("unknown priority %q", Shorten(s, 64))
			}
		}
	case "time":
		var s string
		if s, err = p.text(key); err == nil && s != "" {
			if e.Time, err = time.Parse(time.RFC3339Nano, s); err != nil {
				err = fmt.Errorf("time %q is not of RFC 3339", Shorten(s, 64))
			} else if y := e.Time.UTC().Year(); y < 1 || y > 9999 {
				err = fmt.Errorf("time %q is not of our era", Shorten(s, 64))
			}
		}
	case "output_fields":
		if p.s[p.at] != '{' {
			return fmt.Errorf("%s is no object", key)
		}
		e.Fields, err = p.fields()
	case "tags":
		if p.s[p.at] != '[' {
			return fmt.Errorf("%s is no list", key)
		}
		e.Tags, err = p.texts(key)
	case "truncated":
		e.Truncated = p.raw() == "true"
	default:
		p.raw()
	}
	return err
}

var members = []string{"uuid", "output", "priority", "rule", "time", "output_fields", "source", "tags", "hostname", "truncated"}

func (p *reader) text(key string) (string, error) {
	if p.s[p.at] != '"' {
		return "", fmt.Errorf("%s is no text", key)
	}
	return p.str(), nil
}

func (p *reader) texts(key string) (out []string, err error) {
	p.at++ // [
	for {
		p.space()
		switch p.s[p.at] {
		case ']':
			p.at++
			return out, nil
		case ',':
			p.at++
			continue
		}
		s, err := p.text(key)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
}

// fields reads output_fields. Of a name that is there twice the last counts.
func (p *reader) fields() (Fields, error) {
	out := make(Fields, 0, 16)
	err := p.object(func(key string) error {
		v, err := p.value()
		out = append(out, Field{key, v})
		return err
	})
	if err != nil {
		return nil, err
	}
	byKey := func(a, b Field) int { return strings.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(out, byKey) {
		slices.SortStableFunc(out, byKey)
	}
	n := 0
	for i := range out {
		if n > 0 && out[n-1].Key == out[i].Key {
			n--
		}
		out[n] = out[i]
		n++
	}
	clear(out[n:])
	return out[:n], nil
}

func (p *reader) value() (any, error) {
	switch p.s[p.at] {
	case '"':
		return p.str(), nil
	case 't', 'f':
		return p.raw() == "true", nil
	case 'n':
		p.raw()
		return nil, nil
	case '{', '[':
		dec := json.NewDecoder(strings.NewReader(p.raw()))
		dec.UseNumber()
		var v any
		err := dec.Decode(&v)
		return v, err
	}
	return json.Number(p.raw()), nil
}
