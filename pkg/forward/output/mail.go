// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

// What a mail looks like. No text of an event gets into a header as it is, or into HTML.

const subjectLen = 150

// message is a mail about one event, or several.
func (o *smtpOutput) message(batch []*Event) ([]byte, error) {
	e := batch[0]
	for _, x := range batch {
		if x.Priority > e.Priority {
			e = x
		}
	}
	subject, err := o.sub.Execute(e.View())
	if err != nil {
		o.env.Log.Warnf("%s: subject: %v", o.env.Title, err)
		subject = "[" + e.Priority.String() + "] " + e.Rule
	}
	if len(batch) > 1 {
		subject = fmt.Sprintf("%s (and %d more)", event.ShortenRunes(headerText(subject), subjectLen-20), len(batch)-1)
	}
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	_, domain, _ := strings.Cut(o.from.Address, "@")
	header("Subject", encodedHeader(event.ShortenRunes(headerText(subject), subjectLen)))
	header("From", address(o.from))
	var to []string
	for _, a := range o.to {
		to = append(to, address(a))
	}
	header("To", strings.Join(to, ",\r\n "))
	header("Date", e.Time.Format(time.RFC1123Z))
	header("Message-ID", "<"+messageID(batch)+"@"+domain+">")
	rule := sha256.Sum256([]byte(e.Rule))
	header("References", "<rule-"+hex.EncodeToString(rule[:8])+"@"+domain+">") // one thread a rule
	header("Auto-Submitted", "auto-generated")
	for _, p := range e.Std("rule", "priority", "source", "hostname") {
		header("X-Falco-"+strings.ToUpper(p.Name[:1])+p.Name[1:], encodedHeader(event.ShortenRunes(headerText(p.Value), subjectLen)))
	}
	header("X-Falco-Uuid", encodedHeader(event.ShortenRunes(headerText(e.UUID), 64)))
	header("MIME-Version", "1.0")
	if o.cfg.OutputFormat == "text" {
		header("Content-Type", "text/plain; charset=utf-8")
		header("Content-Transfer-Encoding", "quoted-printable")
		b.WriteString("\r\n")
		err := quoted(&b, mailText(batch))
		return b.Bytes(), err
	}
	m := multipart.NewWriter(&b)
	header("Content-Type", "multipart/alternative; boundary="+m.Boundary())
	b.WriteString("\r\n")
	for _, part := range []struct{ kind, text string }{{"text/plain", mailText(batch)}, {"text/html", mailHTML(batch)}} {
		w, err := m.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
		if err != nil {
			return nil, err
		}
		if err := quoted(w, part.text); err != nil {
			return nil, err
		}
	}
	err = m.Close()
	return b.Bytes(), err
}

// messageID is the same when the same events are sent again.
func messageID(batch []*Event) string {
	if len(batch) == 1 && isWord(batch[0].UUID) {
		return batch[0].UUID
	}
	h := sha256.New()
	for _, e := range batch {
		h.Write([]byte(e.UUID + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func isWord(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}

// address is one without its name being anything but a name.
func address(a *mail.Address) string {
	if a.Name == "" {
		return a.Address // as the original has it
	}
	return a.String()
}

// headerText is s on one line.
func headerText(s string) string { return strings.Join(strings.Fields(clean(Line(s))), " ") }

// encodedHeader is s as RFC 2047 wants it, on lines that are not too long.
func encodedHeader(s string) string {
	if s == "" {
		return "-"
	}
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", s), "?= =?", "?=\r\n =?")
}

func quoted(w interface{ Write([]byte) (int, error) }, text string) error {
	q := quotedprintable.NewWriter(w)
	if _, err := q.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n"))); err != nil {
		return err
	}
	return q.Close()
}

var mailOrder = []string{"priority", "output", "rule", "source", "hostname", "tags", "time", "fields"}

func mailText(batch []*Event) string {
	var b strings.Builder
	for i, e := range batch {
		if i > 0 {
			b.WriteString("\n----\n\n")
		}
		for _, p := range e.Std(mailOrder...) {
			// A second line is indented: it cannot look like another name.
			fmt.Fprintf(&b, "%s: %s\n", headerText(p.Name), strings.ReplaceAll(mailClean(p.Value), "\n", "\n    "))
		}
	}
	return b.String()
}

func mailClean(s string) string {
	return clean(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s))
}

func mailHTML(batch []*Event) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body style=\"font-family: sans-serif; font-size: 14px\">\n")
	for _, e := range batch {
		fmt.Fprintf(&b, "<table style=\"border-collapse: collapse; margin-bottom: 24px\">\n<tr><th colspan=\"2\" style=\"background-color: %s; padding: 8px; text-align: left\">%s</th></tr>\n",
			e.Priority.MailColor(), html.EscapeString(clean(e.Priority.String()+": "+headerText(e.Rule))))
		for _, p := range e.Std(mailOrder[1:]...) {
			fmt.Fprintf(&b, "<tr><td style=\"padding: 4px 12px 4px 8px; vertical-align: top; font-weight: bold\">%s</td>\n<td style=\"padding: 4px; white-space: pre-wrap\">%s</td></tr>\n",
				html.EscapeString(headerText(p.Name)), html.EscapeString(mailClean(p.Value)))
		}
		b.WriteString("</table>\n")
	}
	b.WriteString("</body></html>\n")
	return b.String()
}
