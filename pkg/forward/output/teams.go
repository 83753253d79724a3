// SPDX-License-Identifier: Apache-2.0

package output

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

type teamsConfig struct {
	WebhookURL    Secret `key:"webhookurl" enables:"true" doc:"URL of a workflow that posts to a channel"`
	ActivityImage string `key:"activityimage" doc:"URL of a picture"`
	OutputFormat  string `key:"outputformat" default:"all" oneof:"all,text,facts"`
	Format        string `key:"format" default:"adaptivecard" oneof:"adaptivecard,messagecard" doc:"messagecard: for the connectors that Microsoft retired at the end of 2025"`
	HTTP
}

// teamsBody is how long a message may be.
const teamsBody = 28 << 10

var teams = Define(Kind{
	Name: "teams", Title: "Teams", Section: "teams", Limits: ChatLimits, Rate: Rate{4, time.Second}, Digest: chatDigest,
}, func(cfg *teamsConfig, env *Env) (Output, error) {
	o, err := newChat(env, &cfg.HTTP, cfg.WebhookURL, func(e *Event) ([]byte, error) {
		pairs, _ := choose(e.Std("rule", "priority", "source", "hostname", "fields", "tags"), 100)
		if cfg.OutputFormat == "text" {
			pairs = nil
		}
		return within(teamsBody, len(pairs), func(n int) any {
			some, _ := choose(pairs, n)
			if cfg.Format == "messagecard" {
				return cfg.messageCard(e, some)
			}
			return cfg.adaptiveCard(e, some)
		})
	})
	if err != nil {
		return nil, err
	}
	o.check = teamsCheck
	return o, nil
})

var teamsError = regexp.MustCompile(`HTTP error (\d+)`)

// teamsCheck reads what the connectors say with a 200: that the message did not get through.
func teamsCheck(body []byte) error {
	text := string(body[:min(len(body), 4096)])
	if m := teamsError.FindStringSubmatch(text); m != nil {
		status, _ := strconv.Atoi(m[1])
		return Classify(&Answer{Status: status}, time.Time{})
	}
	if strings.Contains(text, "delivery failed") {
		return Retry(errors.New("the message was not delivered"), 0)
	}
	return nil
}

type teamsFact struct {
	Name  string `json:"name,omitempty"`
	Title string `json:"title,omitempty"`
	Value string `json:"value"`
}

func (cfg *teamsConfig) text(e *Event) string {
	if cfg.OutputFormat == "facts" {
		return ""
	}
	return fitted(e.Output, 6000, defuse)
}

// messageCard is the old form. Its texts may hold HTML.
func (cfg *teamsConfig) messageCard(e *Event, pairs []Pair) any {
	esc := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	type section struct {
		Title    string      `json:"activityTitle"`
		Subtitle string      `json:"activitySubtitle"`
		Image    string      `json:"activityImage,omitempty"`
		Text     string      `json:"text"`
		Facts    []teamsFact `json:"facts,omitempty"`
	}
	s := section{Title: "Falcosidekick", Subtitle: e.Time.String(), Image: cfg.ActivityImage, Text: esc(cfg.text(e))}
	for _, p := range pairs {
		s.Facts = append(s.Facts, teamsFact{Name: filled(esc(fitted(p.Name, 256, defuse))), Value: filled(esc(fitted(p.Value, 1000, defuse)))})
	}
	return map[string]any{"@type": "MessageCard", "@context": "https://schema.org/extensions", "summary": filled(esc(fitted(e.Output, 1000, defuse))), "themeColor": e.Priority.TeamsColor(), "sections": []section{s}}
}

// teamsColors are the few that an adaptive card has.
func teamsColors(p Priority) string {
	switch {
	case p >= event.Error:
		return "attention"
	case p == event.Warning:
		return "warning"
	case p == event.Notice:
		return "good"
	}
	return "accent"
}

func (cfg *teamsConfig) adaptiveCard(e *Event, pairs []Pair) any {
	type block = map[string]any
	title := block{"type": "TextBlock", "text": filled(fitted(e.Priority.String()+": "+e.Rule, 256, defuse)), "weight": "bolder", "size": "medium", "wrap": true, "color": teamsColors(e.Priority)}
	body := []any{title}
	if cfg.ActivityImage != "" {
		body = []any{block{"type": "ColumnSet", "columns": []any{
			block{"type": "Column", "width": "auto", "items": []any{block{"type": "Image", "url": cfg.ActivityImage, "size": "small", "altText": "Falco"}}},
			block{"type": "Column", "width": "stretch", "items": []any{title}}}}}
	}
	body = append(body, block{"type": "TextBlock", "text": e.Time.String(), "isSubtle": true, "spacing": "none", "wrap": true})
	if text := cfg.text(e); text != "" {
		body = append(body, block{"type": "TextBlock", "text": text, "wrap": true})
	}
	var facts []teamsFact
	for _, p := range pairs {
		facts = append(facts, teamsFact{Title: filled(fitted(p.Name, 256, defuse)), Value: filled(fitted(p.Value, 1000, defuse))})
	}
	if len(facts) > 0 {
		body = append(body, block{"type": "FactSet", "facts": facts})
	}
	card := block{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body, "msteams": block{"width": "Full"}}
	return block{"type": "message", "attachments": []any{block{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}}}
}
