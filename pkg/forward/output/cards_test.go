// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// Teams, Discord and Google Chat.

const teamsSchema = `{"type": "object", "required": ["type", "attachments"], "properties": {"type": {"const": "message"}, "attachments": {"type": "array", "minItems": 1, "maxItems": 1, "items": {
	"type": "object", "required": ["contentType", "content"], "properties": {"contentType": {"const": "application/vnd.microsoft.card.adaptive"}, "content": {"type": "object", "required": ["type", "version", "body"],
	"properties": {"type": {"const": "AdaptiveCard"}, "version": {"const": "1.4"}, "body": {"type": "array", "minItems": 1, "items": {"oneOf": [
		{"properties": {"type": {"const": "TextBlock"}, "text": {"type": "string", "minLength": 1}, "color": {"enum": ["attention", "warning", "good", "accent"]}}, "required": ["text"]},
		{"properties": {"type": {"const": "FactSet"}, "facts": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["title", "value"],
			"properties": {"title": {"type": "string"}, "value": {"type": "string"}}}}}, "required": ["facts"]},
		{"properties": {"type": {"const": "ColumnSet"}}, "required": ["columns"]}]}}}}}}}}}`

const messageCardSchema = `{"type": "object", "additionalProperties": false, "required": ["@type", "summary", "themeColor", "sections"], "properties": {"@type": {"const": "MessageCard"}, "@context": {"type": "string"},
	"summary": {"type": "string", "minLength": 1}, "themeColor": {"pattern": "^[0-9a-f]{6}$"}, "sections": {"type": "array", "items": {"type": "object", "additionalProperties": false,
	"required": ["activityTitle", "activitySubtitle", "text"], "properties": {"activityTitle": {"const": "Falcosidekick"}, "activitySubtitle": {"type": "string"}, "activityImage": {"type": "string"}, "text": {"type": "string"},
	"facts": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["name", "value"], "properties": {"name": {"type": "string"}, "value": {"type": "string"}}}}}}}}}`

// noneOf fails when a body holds what the receiver would act on.
func noneOf(t *testing.T, bad ...string) func(r *outputtest.Request) error {
	return func(r *outputtest.Request) error {
		for _, b := range bad {
			if strings.Contains(string(r.Body), b) {
				t.Errorf("%q is in the message: %.300s", b, r.Body)
			}
		}
		return nil
	}
}

func TestTeams(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: teamsSchema, Status: 202, MaxBody: 28 << 10, Check: noneOf(t, "](http", "@everyone")})
	o := outputtest.Open(t, "teams", "teams: {webhookurl: "+s.URL+"/topsecret, activityimage: 'https://x/i.png'}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	body := at(t, decode(t, s.One().Body), "attachments", 0, "content", "body")
	if got := at(t, body, 2, "text"); got != outputtest.Event(0).Output {
		t.Errorf("text is %v", got)
	}
	list := names(t, at(t, body, 3, "facts"), "title")
	if !slices.Equal(list[:5], []string{"rule", "priority", "source", "hostname", "container.id"}) || list[len(list)-1] != "tags" {
		t.Errorf("facts are %v", list)
	}
	classes(t, o, s, nil)
	outputtest.Hostile(t, o)
	for _, e := range append(outputtest.HostileEvents(), crowded(900)) {
		if err := o.Output.Send(t.Context(), []*event.Event{e}); err != nil {
			t.Error(err)
		}
	}
}

// The old form is the original's; there is no recording of it.
func TestTeamsMessageCard(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: messageCardSchema, Body: "1", MaxBody: 28 << 10, Check: noneOf(t, "<script", "](http")})
	o := outputtest.Open(t, "teams", "teams: {webhookurl: "+s.URL+", format: messagecard, activityimage: 'https://x/i.png'}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	m := decode(t, s.One().Body)
	list := names(t, at(t, m, "sections", 0, "facts"), "name")
	if at(t, m, "themeColor") != "ffff00" || at(t, m, "sections", 0, "activitySubtitle") != "2026-05-17 15:31:56.746609046 +0000 UTC" || at(t, m, "sections", 0, "text") != outputtest.Event(0).Output ||
		list[0] != "rule" || list[len(list)-1] != "tags" {
		t.Errorf("message is %v", m)
	}
	for body, want := range map[string]output.Class{
		"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x": output.Retryable,
		"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 with ContextId x": output.Big,
		"message delivery failed": output.Retryable,
	} {
		s.Script(outputtest.Answer{Status: 200, Body: body})
		outputtest.Class(t, o.Send(t, outputtest.Event(0)), want)
	}
	outputtest.Hostile(t, o)
	for format, want := range map[string][2]bool{"text": {true, false}, "facts": {false, true}} {
		o := outputtest.Open(t, "teams", "teams: {webhookurl: "+s.URL+", format: messagecard, outputformat: "+format+"}")
		if err := o.Send(t, outputtest.Event(0)); err != nil {
			t.Fatal(err)
		}
		r := s.Requests()
		section := at(t, decode(t, r[len(r)-1].Body), "sections", 0).(map[string]any)
		if (section["text"] != "") != want[0] || (section["facts"] != nil) != want[1] {
			t.Errorf("%s: %v", format, section)
		}
	}
}

const discordSchema = `{"type": "object", "additionalProperties": false, "required": ["content", "embeds", "allowed_mentions"], "properties": {"content": {"const": ""}, "avatar_url": {"type": "string"},
	"allowed_mentions": {"const": {"parse": []}}, "embeds": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "object", "additionalProperties": false, "properties": {
	"title": {"const": ""}, "url": {"const": ""}, "description": {"type": "string", "maxLength": 4096}, "color": {"type": "integer", "maximum": 16777215},
	"fields": {"type": "array", "maxItems": 25, "items": {"type": "object", "additionalProperties": false, "required": ["name", "value", "inline"], "properties": {
		"name": {"type": "string", "minLength": 1, "maxLength": 256}, "value": {"type": "string", "minLength": 1, "maxLength": 1024}, "inline": {"type": "boolean"}}}}}}}}}`

// discordTotal is what no schema says: 6000 characters in all embeds, and no block that ends early.
func discordTotal(t *testing.T) func(r *outputtest.Request) error {
	return func(r *outputtest.Request) error {
		n := 0
		for _, d := range at(t, decode(t, r.Body), "embeds").([]any) {
			d := d.(map[string]any)
			n += len([]rune(d["description"].(string)))
			for _, f := range d["fields"].([]any) {
				value := at(t, f, "value").(string)
				n += len([]rune(at(t, f, "name").(string))) + len([]rune(value))
				if c := strings.Count(value, "```"); c != 0 && c != 2 {
					t.Errorf("value %q", value)
				}
			}
		}
		if n > 6000 {
			return fmt.Errorf("embeds of %d characters", n)
		}
		return nil
	}
}

func TestDiscordAsTheOriginal(t *testing.T) {
	// Corrected: the colour is a number, nobody is mentioned.
	want, e := outputtest.Original(t, "discord"), outputtest.OriginalEvent(t)
	s := outputtest.Serve(t, outputtest.Want{Method: want.Method, Path: want.Path, Schema: discordSchema, Status: 204, Check: discordTotal(t), Header: map[string]string{
		"Content-Type": want.Header.Get("Content-Type"), "User-Agent": want.Header.Get("User-Agent")}})
	o := outputtest.Open(t, "discord", "discord: {webhookurl: "+s.URL+"/discord}")
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	got := decode(t, s.One().Body)
	at(t, got, "embeds", 0).(map[string]any)["fields"] = withoutNumbers(t, at(t, got, "embeds", 0, "fields"), "name")
	outputtest.SameJSON(t, reencode(t, got), want.Body, "allowed_mentions", "embeds.0.color")
	if c := fmt.Sprint(int(at(t, got, "embeds", 0, "color").(float64))); c != at(t, decode(t, want.Body), "embeds", 0, "color") {
		t.Errorf("colour %s", c)
	}
}

func TestDiscordLimits(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: discordSchema, Status: 204, Check: discordTotal(t)})
	o := outputtest.Open(t, "discord", "discord: {webhookurl: "+s.URL+"}")
	if err := o.Output.Send(t.Context(), []*event.Event{crowded(100)}); err != nil {
		t.Fatal(err)
	}
	fields := at(t, decode(t, s.One().Body), "embeds", 0, "fields")
	list := names(t, fields, "name")
	if !slices.Contains(list, "proc.cmdline") || !slices.Contains(list, "k8s.pod.name") || list[len(list)-1] != "more fields" || !strings.Contains(at(t, fields, len(list)-1, "value").(string), `{"a.field.`) {
		t.Errorf("fields are %v", list)
	}
	for _, e := range outputtest.HostileEvents() {
		if err := o.Output.Send(t.Context(), []*event.Event{e}); err != nil {
			t.Error(err)
		}
	}
	outputtest.Hostile(t, o)
}

// longer are events of which few fit into a message.
func longer(n int) []*event.Event {
	out := outputtest.Events(n)
	for i, e := range out {
		e = e.Clone()
		e.Output = strings.Repeat("long ", 200)
		out[i] = e.Seal()
	}
	return out
}

// Several events share a message while they fit; when one message fails, what was before it is through.
func TestDiscordBatches(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: discordSchema, Status: 204, Check: discordTotal(t)})
	o := outputtest.Open(t, "discord", "discord: {webhookurl: "+s.URL+"}")
	if err := o.Output.Send(t.Context(), longer(10)); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, r := range s.Requests() {
		total += len(at(t, decode(t, r.Body), "embeds").([]any))
	}
	if n := len(s.Requests()); total != 10 || n < 2 || n > 4 {
		t.Errorf("%d events in %d messages", total, n)
	}
	s.Script(outputtest.Answer{Status: 503})
	outputtest.Class(t, o.Output.Send(t.Context(), outputtest.Events(1)), output.Retryable)
	failing := outputtest.Serve(t, outputtest.Want{Schema: discordSchema, Status: 204})
	o2 := outputtest.Open(t, "discord", "discord: {webhookurl: "+failing.URL+"}")
	failing.Script(outputtest.Answer{Status: 204}, outputtest.Answer{Status: 429, Body: `{"message": "You are being rate limited.", "retry_after": 1.25, "global": false}`})
	err := o2.Output.Send(t.Context(), longer(10))
	p, ok := err.(*output.Partial)
	if !ok {
		t.Fatalf("error is %v", err)
	}
	through := 0
	for through < 10 && p.Errs[through] == nil {
		through++
	}
	if class, after := output.ClassOf(p.Errs[through]); through == 0 || class != output.Retryable || after != 1250*time.Millisecond || p.Errs[9] == nil {
		t.Errorf("%d are through, then %v after %v", through, class, after)
	}
}

// One event that is refused does not take along those that share its message.
func TestDiscordPoison(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Status: 204})
	o := outputtest.Open(t, "discord", "discord: {webhookurl: "+s.URL+"}")
	s.Script(outputtest.Answer{Status: 400}, outputtest.Answer{Status: 204}, outputtest.Answer{Status: 400}) // the message, and two of its three alone
	p, ok := o.Output.Send(t.Context(), outputtest.Events(3)).(*output.Partial)
	if !ok || p.Errs[0] != nil || p.Errs[2] != nil {
		t.Fatalf("%v", p)
	}
	outputtest.Class(t, p.Errs[1], output.Final)
}

func TestDiscordAnswers(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Status: 204})
	classes(t, outputtest.Open(t, "discord", "discord: {webhookurl: "+s.URL+"/topsecret}"), s, nil)
}

const googlechatSchema = `{"type": "object", "additionalProperties": false, "minProperties": 1, "properties": {"text": {"type": "string", "minLength": 1}, "thread": {"type": "object"},
	"cards": {"type": "array", "items": {"type": "object", "required": ["sections"]}},
	"cardsV2": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["cardId", "card"], "properties": {"cardId": {"type": "string", "minLength": 1}, "card": {"type": "object",
		"additionalProperties": false, "properties": {"header": {"type": "object", "required": ["title"], "properties": {"title": {"type": "string", "minLength": 1}}}, "sections": {"type": "array", "items": {"type": "object",
		"properties": {"widgets": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"oneOf": [{"required": ["textParagraph"]}, {"required": ["decoratedText"]}]}}}}}}}}}}}}`

func TestGooglechatAsTheOriginal(t *testing.T) {
	// The original's form is the deprecated one; its empty header is left out.
	want, e := outputtest.Original(t, "googlechat"), outputtest.OriginalEvent(t)
	s := outputtest.Serve(t, outputtest.Want{Method: want.Method, Path: want.Path, Schema: googlechatSchema, MaxBody: 32000, Header: map[string]string{
		"Content-Type": want.Header.Get("Content-Type"), "User-Agent": want.Header.Get("User-Agent")}})
	conf := "googlechat: {webhookurl: " + s.URL + "/googlechat, messageformat: 'x {{ .Rule }}'"
	if err := outputtest.Open(t, "googlechat", conf+", format: cards}").Send(t, e); err != nil {
		t.Fatal(err)
	}
	old := decode(t, s.One().Body)
	var widgets []any
	for _, w := range at(t, old, "cards", 0, "sections", 0, "widgets").([]any) {
		widgets = append(widgets, at(t, w, "keyValue"))
	}
	kept := withoutNumbers(t, widgets, "topLabel")
	for i, w := range kept {
		kept[i] = map[string]any{"keyValue": w}
	}
	at(t, old, "cards", 0, "sections", 0).(map[string]any)["widgets"] = kept
	outputtest.SameJSON(t, reencode(t, old), want.Body, "cards.0.header")
	// The form of today has the same fields.
	if err := outputtest.Open(t, "googlechat", conf+"}").Send(t, e); err != nil {
		t.Fatal(err)
	}
	m := decode(t, s.Requests()[1].Body)
	for i, w := range widgets {
		now := at(t, m, "cardsV2", 0, "card", "sections", 0, "widgets", i+1, "decoratedText")
		if at(t, now, "topLabel") != at(t, w, "topLabel") || at(t, now, "text") != at(t, w, "content") {
			t.Errorf("%v is now %v", w, now)
		}
	}
}

func TestGooglechat(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: googlechatSchema, MaxBody: 32000, Query: map[string]string{"key": "k", "token": "topsecret", "messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"}})
	o := outputtest.Open(t, "googlechat", "googlechat: {webhookurl: '"+s.URL+"/?key=k&token=topsecret', outputformat: text, threads: rule}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, s.One().Body, []byte(`{"text": `+string(event.AppendString(nil, outputtest.Event(0).Output))+`, "thread": {"threadKey": "falco-Terminal shell in container"}}`))
	classes(t, o, s, nil)
	strict := outputtest.Serve(t, outputtest.Want{Schema: googlechatSchema, MaxBody: 32000, Check: noneOf(t, "<script", "<users", "<!", "<a", "<http", "<@")})
	for _, format := range []string{"cardsv2", "cards"} {
		o := outputtest.Open(t, "googlechat", "googlechat: {webhookurl: "+strict.URL+", format: "+format+", messageformat: '{{.Rule}} {{.Output}} {{.OutputFields}}'}")
		outputtest.Hostile(t, o)
		for _, e := range append(outputtest.HostileEvents(), crowded(900)) {
			if err := o.Output.Send(t.Context(), []*event.Event{e}); err != nil {
				t.Error(err)
			}
		}
	}
}
