// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const attachmentSchema = `{"type": "object", "additionalProperties": false, "required": ["attachments"], "properties": {
	"text": {"type": "string", "minLength": 1, "maxLength": 40000}, "username": {"type": "string"}, "icon_url": {"type": "string", "format": "uri"}, "channel": {"type": "string"},
	"attachments": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "object", "additionalProperties": false, "required": ["fallback", "color"],
		"properties": {"fallback": {"type": "string"}, "color": {"type": "string", "pattern": "^#[0-9a-f]{6}$"}, "text": {"type": "string", "maxLength": 40000}, "footer": {"type": "string", "maxLength": 300},
			"fields": {"type": "array", "maxItems": 100, "items": {"type": "object", "additionalProperties": false, "required": ["title", "value", "short"],
				"properties": {"title": {"type": "string"}, "value": {"type": "string"}, "short": {"type": "boolean"}}}}}}}}}`

// The limits are those of Slack's reference for blocks.
const blocksSchema = `{"type": "object", "required": ["attachments"], "properties": {"attachments": {"type": "array", "items": {"type": "object", "required": ["color", "blocks"], "properties": {
	"blocks": {"type": "array", "minItems": 1, "maxItems": 50, "items": {"oneOf": [
		{"type": "object", "additionalProperties": false, "required": ["type", "text"], "properties": {"type": {"const": "header"},
			"text": {"type": "object", "properties": {"type": {"const": "plain_text"}, "text": {"type": "string", "minLength": 1, "maxLength": 150}}}}},
		{"type": "object", "additionalProperties": false, "required": ["type", "text"], "properties": {"type": {"const": "section"},
			"text": {"type": "object", "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 3000}}}}},
		{"type": "object", "additionalProperties": false, "required": ["type", "fields"], "properties": {"type": {"const": "section"},
			"fields": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "object", "properties": {"type": {"const": "mrkdwn"}, "text": {"type": "string", "minLength": 1, "maxLength": 2000}}}}}},
		{"type": "object", "additionalProperties": false, "required": ["type", "elements"], "properties": {"type": {"const": "context"}, "elements": {"type": "array", "maxItems": 10}}}
	]}}}}}}}`

// noMention fails on what Slack would act on.
func noMention(t *testing.T) func(r *outputtest.Request) error {
	return func(r *outputtest.Request) error {
		for _, bad := range []string{"<!", "<@", "<#", "<http", "<script"} {
			if strings.Contains(string(r.Body), bad) {
				t.Errorf("%q is in the message: %.300s", bad, r.Body)
			}
		}
		return nil
	}
}

func TestSlackAsTheOriginal(t *testing.T) {
	want, e := outputtest.Original(t, "slack"), outputtest.OriginalEvent(t)
	s := outputtest.Serve(t, outputtest.Want{Method: want.Method, Path: want.Path, Schema: attachmentSchema, Body: "ok", Header: map[string]string{
		"Content-Type": want.Header.Get("Content-Type"), "User-Agent": want.Header.Get("User-Agent")}})
	o := outputtest.Open(t, "slack", `slack: {webhookurl: `+s.URL+`/slack, channel: "#sec", messageformat: 'rule *{{ .Rule }}* user *{{ index .OutputFields "user.name" }}*'}`)
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	got := decode(t, s.One().Body)
	at(t, got, "attachments", 0).(map[string]any)["fields"] = withoutNumbers(t, at(t, got, "attachments", 0, "fields"), "title")
	outputtest.SameJSON(t, reencode(t, got), want.Body)
}

func TestSlackFormats(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: attachmentSchema, Body: "ok"})
	for _, c := range []struct {
		format       string
		text, fields bool
	}{{"all", true, true}, {"text", true, false}, {"fields", false, true}} {
		o := outputtest.Open(t, "slack", "slack: {webhookurl: "+s.URL+", username: '', icon: ''}", "SLACK_OUTPUTFORMAT="+c.format, "SLACK_FOOTER=us")
		if err := o.Send(t, outputtest.Event(0)); err != nil {
			t.Fatal(err)
		}
		r := s.Requests()
		m := decode(t, r[len(r)-1].Body)
		a := at(t, m, "attachments", 0).(map[string]any)
		if (a["text"] != nil) != c.text || (a["fields"] != nil) != c.fields || a["footer"] != "us" || m["username"] != nil || m["icon_url"] != nil || m["channel"] != nil {
			t.Errorf("%s: %v", c.format, m)
		}
	}
	if _, err := outputtest.TryOpen(t, "slack", "slack: {webhookurl: 'hooks.slack.com/topsecret'}"); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("error is %v", err)
	}
}

func TestSlackTemplateFails(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: attachmentSchema, Body: "ok"})
	o := outputtest.Open(t, "slack", `slack: {webhookurl: `+s.URL+`, messageformat: '{{ index .Tags 99 }}'}`)
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	if m := decode(t, s.One().Body); m["text"] != nil {
		t.Errorf("text is %v", m["text"])
	}
}

func TestSlackBlocks(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: blocksSchema, Body: "ok", Check: noMention(t)})
	o := outputtest.Open(t, "slack", `slack: {webhookurl: `+s.URL+`, format: blocks}`)
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	blocks := at(t, decode(t, s.One().Body), "attachments", 0, "blocks")
	if got := at(t, blocks, 0, "text", "text"); got != "Warning: Terminal shell in container" {
		t.Errorf("header is %q", got)
	}
	if got := at(t, blocks, 2, "fields", 0, "text"); got != "*rule*\nTerminal shell in container" {
		t.Errorf("first field is %q", got)
	}
	e := crowded(900)
	if err := o.Output.Send(t.Context(), []*output.Event{e}); err != nil { // not cut
		t.Fatal(err)
	}
	outputtest.Hostile(t, o)
}

func TestSlackAnswers(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Body: "ok"})
	o := outputtest.Open(t, "slack", "slack: {webhookurl: "+s.URL+"/services/topsecret}")
	classes(t, o, s, nil)
	for _, c := range []struct {
		body string
		want output.Class
	}{{`{"ok": false, "error": "no_text"}`, output.Final}, {"<html>log in</html>", output.Configuration}} {
		s.Script(outputtest.Answer{Status: 200, Body: c.body})
		outputtest.Class(t, o.Send(t, outputtest.Event(0)), c.want)
	}
}

func TestSlackHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: attachmentSchema, Body: "ok", Check: noMention(t)})
	o := outputtest.Open(t, "slack", "slack: {webhookurl: "+s.URL+", messageformat: '*{{.Rule}}* {{.Output}} {{.OutputFields}}'}")
	outputtest.Hostile(t, o)
	for _, e := range outputtest.HostileEvents() { // without the engine's limits
		if err := o.Output.Send(t.Context(), []*output.Event{e}); err != nil {
			t.Error(err)
		}
	}
}

func TestRocketchatAsTheOriginal(t *testing.T) {
	// There is no recording of it: the layout is Slack's, with hostname behind.
	s := outputtest.Serve(t, outputtest.Want{Schema: attachmentSchema, Body: `{"success":true}`})
	o := outputtest.Open(t, "rocketchat", "rocketchat: {webhookurl: "+s.URL+"}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	a := at(t, decode(t, s.One().Body), "attachments", 0).(map[string]any)
	list := names(t, a["fields"], "title")
	if list[0] != "rule" || list[len(list)-1] != "hostname" || list[len(list)-2] != "time" || a["footer"] != nil || a["text"] != outputtest.Event(0).Output {
		t.Errorf("attachment is %v", a)
	}
}

func TestRocketchat(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Body: `{"success":true}`})
	o := outputtest.Open(t, "rocketchat", "rocketchat: {webhookurl: "+s.URL+"/topsecret, outputformat: text, messageformat: 'hi {{.Rule}}'}")
	classes(t, o, s, nil)
	s.Script(outputtest.Answer{Status: 200, Body: `{"success": false, "error": "error-invalid-channel"}`})
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Final)
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	m := decode(t, s.One().Body)
	if m["attachments"] != nil || m["text"] != "hi Terminal shell in container" {
		t.Errorf("message is %v", m)
	}
}

func TestMattermostAsTheOriginal(t *testing.T) {
	want, e := outputtest.Original(t, "mattermost"), outputtest.OriginalEvent(t)
	s := outputtest.Serve(t, outputtest.Want{Method: want.Method, Path: want.Path, Schema: attachmentSchema, Body: "ok", Header: map[string]string{
		"Content-Type": want.Header.Get("Content-Type"), "User-Agent": want.Header.Get("User-Agent")}})
	o := outputtest.Open(t, "mattermost", "mattermost: {webhookurl: "+s.URL+"/mattermost}")
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	got := decode(t, s.One().Body)
	at(t, got, "attachments", 0).(map[string]any)["fields"] = withoutNumbers(t, at(t, got, "attachments", 0, "fields"), "title")
	outputtest.SameJSON(t, reencode(t, got), want.Body)
}

// Names and links of an event do nothing in the dialects of Markdown.
func TestMarkdownIsDefused(t *testing.T) {
	check := func(r *outputtest.Request) error {
		for _, bad := range []string{"@everyone", "@here", "](http"} {
			if strings.Contains(string(r.Body), bad) {
				t.Errorf("%q is in the message: %.300s", bad, r.Body)
			}
		}
		return nil
	}
	for _, name := range []string{"mattermost", "rocketchat"} {
		s := outputtest.Serve(t, outputtest.Want{Schema: attachmentSchema, Body: "ok", Check: check})
		o := outputtest.Open(t, name, name+": {webhookurl: "+s.URL+", messageformat: '**{{.Rule}}** {{.Output}} {{.OutputFields}}'}")
		outputtest.Hostile(t, o)
		for _, e := range outputtest.HostileEvents() {
			if err := o.Output.Send(t.Context(), []*output.Event{e}); err != nil {
				t.Error(err)
			}
		}
	}
	s := outputtest.Serve(t, outputtest.Want{Body: "ok"})
	o := outputtest.Open(t, "mattermost", "mattermost: {webhookurl: "+s.URL+"/topsecret}")
	classes(t, o, s, nil)
	e := outputtest.Event(0).Clone()
	e.Output = "ask root@example.org, @bob"
	if err := o.Send(t, e.Seal()); err != nil {
		t.Fatal(err)
	}
	if got := at(t, decode(t, s.One().Body), "attachments", 0, "text"); got != "ask root@example.org, @\u200bbob" {
		t.Errorf("text is %q", got)
	}
}
