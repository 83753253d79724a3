// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"
)

// Check says what an event lacks.
func (e *Event) Check() error {
	switch {
	case e.Priority == None:
		return errors.New("priority is missing")
	case e.Rule == "":
		return errors.New("rule is missing")
	case e.Time.IsZero():
		return errors.New("time is missing")
	case len(e.Fields) == 0:
		return errors.New("output_fields is missing or empty")
	}
	return nil
}

// JSON returns the event as it goes out: what the documentation of outputs calls P. The
// text is shared, do not change it. It is valid UTF-8 whatever came in.
func (e *Event) JSON() []byte {
	if e.text != nil {
		return e.text
	}
	return e.AppendJSON(nil)
}

// Seal makes the text that JSON returns from then on. It is for the one who owns the event,
// before others see it.
func (e *Event) Seal() *Event {
	e.text = e.AppendJSON(make([]byte, 0, 768))
	return e
}

// AppendJSON appends the event. Members stand in the order of the original; fields
// are sorted by name.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	if e.UUID != "" {
		b = append(AppendString(append(b, `"uuid":`...), e.UUID), ',')
	}
	b = AppendString(append(b, `"output":`...), e.Output)
	b = AppendString(append(b, `,"priority":`...), e.Priority.String())
	b = AppendString(append(b, `,"rule":`...), e.Rule)
	b = e.Time.AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	b = append(b, `","output_fields":{`...)
	for i, f := range e.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendString(b, f.Key), ':')
		b = AppendValue(b, f.Value)
	}
	b = AppendString(append(b, `},"source":`...), e.Source)
	if len(e.Tags) > 0 {
		b = append(b, `,"tags":[`...)
		for i, t := range e.Tags {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendString(b, t)
		}
		b = append(b, ']')
	}
	if e.Hostname != "" {
		b = AppendString(append(b, `,"hostname":`...), e.Hostname)
	}
	if e.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	return append(b, '}')
}

// AppendValue appends a value as Field has them.
func AppendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return AppendString(b, v)
	case json.Number:
		return append(b, v...)
	case bool:
		if v {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case nil:
		return append(b, "null"...)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return append(b, "null"...)
	}
	return append(b, bytes.TrimRight(text.Bytes(), "\n")...)
}

const hex = "0123456789abcdef"

// AppendString appends s as JSON. Bytes that are no UTF-8 become U+FFFD.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
			b = append(b, s[from:i]...)
			if n == 1 {
				b = append(b, "\ufffd"...)
			} else {
				b = append(b, '\\', 'u', '2', '0', '2', hex[r&15])
			}
			i += n
			from = i
			continue
		}
		i += n
	}
	return append(append(b, s[from:]...), '"')
}

// SetJSON gives e the text that it was parsed from, if that was made by AppendJSON.
func (e *Event) SetJSON(text []byte) { e.text = text }
