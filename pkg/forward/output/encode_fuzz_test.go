// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/settings"
	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/leodido/go-syslog/v4/rfc5424"
)

// FuzzEncoders gives each encoder an event of any content, and reads the result back: by
// somebody else's reader where there is one, and within the receiver's limits.
func FuzzEncoders(f *testing.F) {
	for _, s := range []string{"a|b|c|d|e|f|g", "\x00\r\n|\\|\"|,= |```|](x|@all", strings.Repeat("é\xff", 700), "a\\|b\\ |c=\\|d\\\n|e|_time|time\\", ""} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		p := strings.SplitN(text, "|", 7)
		for len(p) < 7 {
			p = append(p, text)
		}
		e := &event.Event{UUID: "0b7c5e5e-0000-4000-8000-000000000001", Output: p[0], Rule: p[1], Hostname: p[2], Source: p[3], Tags: []string{p[4], p[5]},
			Priority: event.Priority(n&7) + 1, Time: time.Unix(int64(uint32(n)), 1).UTC()}
		e.Fields.Set(p[5], p[6])
		e.Fields.Set(p[6], p[0])
		e.Fields.Set("k8s.pod.name", json.Number("5"))
		e.Seal()
		env := &Env{Title: "fuzz", Log: NoLog{}, Now: time.Now, Enabled: func() []string { return nil }}

		for _, format := range []string{"json", "cef"} {
			o := &syslogOutput{cfg: &syslogConfig{Standard: "rfc5424", Format: format, AppName: "Falco", Enterprise: "1", UDPSize: 2048, Framing: "lf"}, env: env, facility: 10, pid: "1"}
			for _, line := range [][]byte{o.line(e), o.datagram(e)} {
				if _, err := rfc5424.NewParser().Parse(line); err != nil || bytes.ContainsAny(line, "\n\r") {
					t.Fatalf("syslog: %v: %q", err, line)
				}
			}
		}

		influx := &influxdbOutput{cfg: &influxdbConfig{Precision: "ns", Tags: []string{p[5]}}, env: env}
		d, points := lineprotocol.NewDecoderWithBytes(influx.line(influx.line(nil, e), e)), 0
		for d.Next() {
			points++
			if m, err := d.Measurement(); err != nil || string(m) != "events" {
				t.Fatalf("influxdb: %q %v", m, err)
			}
			for k, err := []byte{0}, error(nil); k != nil; {
				if k, _, err = d.NextTag(); err != nil {
					t.Fatalf("influxdb: %v", err)
				}
			}
			for k, err := []byte{0}, error(nil); k != nil; {
				if k, _, err = d.NextField(); err != nil {
					t.Fatalf("influxdb: %v", err)
				}
			}
			if at, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil || !at.Equal(e.Time) {
				t.Fatalf("influxdb: %v %v", at, err)
			}
		}
		if points != 2 {
			t.Fatalf("influxdb: %d points of two", points)
		}

		wave := (&wavefrontOutput{cfg: &wavefrontConfig{Metric: "m"}, env: env}).point(nil, e)
		if bytes.Count(wave, []byte("\n")) != 1 || bytes.Count(wave, []byte(`"`))%2 != bytes.Count(wave, []byte(`\"`))%2 || bytes.Contains(bytes.ReplaceAll(wave, []byte(`\"`), nil), []byte(`\`)) {
			t.Fatalf("wavefront: %q", wave)
		}

		embedded := embed(e)
		if embedded.size() > discordTotal || len(embedded.Fields) > discordFields {
			t.Fatalf("discord: %d characters, %d fields", embedded.size(), len(embedded.Fields))
		}
		for _, field := range embedded.Fields {
			if c := strings.Count(field.Value, "```"); c != 0 && c != 2 || runes(field.Value) > discordValue || field.Value == "" || field.Name == "" {
				t.Fatalf("discord: %+v", field)
			}
		}

		for _, esc := range []func(string) string{slackEscape, defuse, googleText, googleHTML} {
			if s := fitted(p[6], 100, esc); !utf8.ValidString(s) || runes(s) > 100 {
				t.Fatalf("%d characters: %q", runes(s), s)
			}
		}
		if s := slackEscape(p[0]); strings.ContainsAny(s, "<>") {
			t.Fatalf("slack: %q", s)
		}

		sub, _ := settings.NewTemplate("[{{.Priority}}] {{.Output}}")
		m := &smtpOutput{cfg: &smtpConfig{OutputFormat: "html"}, env: env, from: &mail.Address{Address: "a@x"}, to: []*mail.Address{{Address: "b@x"}}, sub: sub}
		letter, err := m.message([]*Event{e})
		if err != nil {
			t.Fatalf("mail: %v", err)
		}
		checkMail(t, letter)
	})
}

// checkMail: two parts, one recipient, no line too long, and no header that is not ours.
func checkMail(t *testing.T, letter []byte) {
	msg, err := mail.ReadMessage(bytes.NewReader(letter))
	if err != nil {
		t.Fatalf("mail: %v: %.500q", err, letter)
	}
	for name := range msg.Header {
		switch name {
		case "Subject", "From", "To", "Date", "Message-Id", "References", "Auto-Submitted", "Mime-Version", "Content-Type":
		default:
			if !strings.HasPrefix(name, "X-Falco-") {
				t.Fatalf("mail: header %q", name)
			}
		}
	}
	for _, line := range bytes.Split(letter, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("mail: line %.200q", line)
		}
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || msg.Header.Get("To") != "b@x" {
		t.Fatalf("mail: %v %v", err, msg.Header)
	}
	n := 0
	for r := multipart.NewReader(msg.Body, params["boundary"]); ; n++ {
		part, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("mail: %v", err)
		}
		text, err := io.ReadAll(part)
		if err != nil || !utf8.Valid(text) {
			t.Fatalf("mail: %v", err)
		}
	}
	if n != 2 {
		t.Fatalf("mail: %d parts", n)
	}
}
