// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/forward/event"
)

// What a message of syslog looks like, around and inside. Messages are one line whatever is in an
// event: a line of its own would be a message of its own.

// Limits of RFC 5424.
const (
	syslogHostLen  = 255
	syslogAppLen   = 48
	syslogMsgIDLen = 32
)

// line is a message without framing.
func (o *syslogOutput) line(e *Event) []byte {
	b := append(strconv.AppendInt([]byte{'<'}, int64(o.facility*8+e.Priority.Syslog()), 10), '>')
	host, app := word(e.Hostname, syslogHostLen), word(o.cfg.AppName, syslogAppLen)
	switch o.cfg.Standard {
	case "rfc5424":
		b = append(b, '1', ' ')
		b = e.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00")
		b = append(b, ' ')
		b = append(b, host+" "+app+" "+o.pid+" "+word(e.Source, syslogMsgIDLen)+" [falco@"+word(o.cfg.Enterprise, 20)...)
		b = param(b, "rule", e.Rule)
		b = param(b, "priority", e.Priority.String())
		b = param(b, "uuid", e.UUID)
		b = append(b, "] "...)
	case "rfc3164":
		b = e.Time.UTC().AppendFormat(b, "Jan _2 15:04:05")
		b = append(b, " "+host+" "+tagWord(app)+"["+o.pid+"]: "...)
	default:
		b = e.Time.AppendFormat(b, "2006-01-02T15:04:05Z07:00")
		b = append(b, " "+host+" "+tagWord(app)+"["+o.pid+"]: "...)
	}
	if o.cfg.Format == "cef" {
		return append(b, cef(e)...)
	}
	return append(b, e.JSON()...)
}

// word is s as one of the words of a header: printable ASCII without blanks, "-" if there is
// none.
func word(s string, limit int) string {
	if s == "" {
		return "-"
	}
	b := []byte(s[:min(len(s), limit)])
	for i, c := range b {
		if c <= ' ' || c >= 0x7f {
			b[i] = '_'
		}
	}
	return string(b)
}

// tagWord leaves nothing in a tag that would end it.
func tagWord(s string) string { return strings.NewReplacer("[", "_", "]", "_", ":", "_").Replace(s) }

// param appends a parameter of structured data.
func param(b []byte, name, value string) []byte {
	b = append(b, " "+name+`="`...)
	b = append(b, strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(clean(Line(event.Shorten(value, 1024))))...)
	return append(b, '"')
}

// Escapes of CEF: in its header bars are escaped, in its extension equals signs and ends of lines.
var (
	cefHeader = strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", " ", "\r", " ")
	cefValue  = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
	cefKey    = strings.NewReplacer(" ", "_", ":", "_", "\n", "_", "\r", "_", "\t", "_")
)

// cef is an event in the Common Event Format.
func cef(e *Event) string {
	value := func(s string) string { return cefValue.Replace(clean(s)) }
	var b strings.Builder
	b.WriteString("CEF:0|Falcosecurity|Falco|1.0|Falco Event|" + cefHeader.Replace(clean(event.Shorten(e.Rule, 512))) + "|" + strconv.Itoa(e.Priority.CEF()) + "|")
	b.WriteString("uuid=" + value(e.UUID) + " start=" + strconv.FormatInt(e.Time.UnixMilli(), 10) + " msg=" + value(e.Output) + " source=" + value(e.Source))
	if e.Hostname != "" {
		b.WriteString(" hostname=" + value(e.Hostname))
	}
	between := " outputfields="
	for _, f := range e.Fields {
		if text, ok := f.Text(); ok {
			b.WriteString(between + value(cefKey.Replace(f.Key)) + ":" + value(text))
			between = " "
		}
	}
	if len(e.Tags) > 0 {
		b.WriteString(" tags=" + value(strings.Join(e.Tags, ",")))
	}
	return b.String()
}
