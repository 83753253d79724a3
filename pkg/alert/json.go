// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

const zuluLayout = "2006-01-02T15:04:05.000000000Z"

// appendJSON appends the object of a: keys in byte order, no blanks.
func (s *Style) appendJSON(b []byte, a *Alert) []byte {
	internal := a.Source == Internal
	b = append(b, `{"hostname":`...)
	b = appendString(b, s.Hostname)
	if s.Message && !internal {
		b = append(b, `,"message":`...)
		b = appendString(b, a.Message)
	}
	if s.Output {
		b = append(b, `,"output":`...)
		if internal {
			b = appendString(b, a.Message)
		} else {
			b = appendString(b, s.line(a))
		}
	}
	if s.Fields {
		b = append(b, `,"output_fields":{`...)
		fields := a.Fields
		if !internal {
			fields = append([]Field{{s.timeKey(), a.TimeNs}}, fields...)
		}
		for i, f := range sorted(fields) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, f.Key)
			b = append(b, ':')
			b = appendValue(b, f.Value)
		}
		b = append(b, '}')
	}
	b = append(b, `,"priority":`...)
	b = appendString(b, a.Severity.String())
	b = append(b, `,"rule":`...)
	b = appendString(b, a.Rule)
	b = append(b, `,"source":`...)
	b = appendString(b, a.Source)
	if s.Tags && !internal {
		b = append(b, `,"tags":[`...)
		tags := append([]string(nil), a.Tags...)
		sort.Strings(tags)
		for i, t := range tags {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, t)
		}
		b = append(b, ']')
	}
	b = append(b, `,"time":"`...)
	b = time.Unix(0, int64(a.TimeNs)).UTC().AppendFormat(b, zuluLayout)
	if s.UUID && a.ID != (ID{}) {
		b = append(b, `","uuid":"`...)
		b = append(b, a.ID.String()...)
	}
	return append(b, `"}`...)
}

// timeKey names the field that holds the event's time.
func (s *Style) timeKey() string {
	if s.ISO8601 {
		return "evt.time.iso8601"
	}
	return "evt.time"
}

func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	b = appendEscaped(b, text)
	return append(b, '"')
}

// appendValue appends v as JSON. A kind that Field does not name prints as null.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case float64:
		return appendFloat(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}

// appendFloat writes the shortest text that reads back as f, always with a
// fraction or an exponent, so that the kind survives. JSON has no NaN.
func appendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	b = append(b, text...)
	if !strings.ContainsAny(text, ".e") {
		b = append(b, ".0"...)
	}
	return b
}
