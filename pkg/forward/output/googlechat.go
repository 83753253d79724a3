// SPDX-License-Identifier: Apache-2.0

package output

import (
	"net/url"
	"strings"

	"github.com/falco-go/falco/pkg/forward/event"
)

type googlechatConfig struct {
	WebhookURL   Secret    `key:"webhookurl" enables:"true" doc:"URL of a webhook of a space"`
	OutputFormat string    `key:"outputformat" default:"all" oneof:"all,text" doc:"text: no card"`
	Message      *Template `key:"messageformat" doc:"a template of the text above the card"`
	Format       string    `key:"format" default:"cardsv2" oneof:"cardsv2,cards" doc:"cards: the form that the original has, and Google wants to end"`
	Threads      string    `key:"threads" default:"none" oneof:"none,rule" doc:"rule: one thread for each"`
	HTTP
}

// Limits of a message.
const (
	googlechatBody    = 32000
	googlechatWidgets = 90
)

var googlechat = Define(Kind{
	Name: "googlechat", Title: "GoogleChat", Section: "googlechat", Limits: ChatLimits, Rate: perSecond, Digest: chatDigest,
}, func(cfg *googlechatConfig, env *Env) (Output, error) {
	o, err := newChat(env, &cfg.HTTP, cfg.WebhookURL, func(e *Event) ([]byte, error) {
		text := formatted(cfg.Message, e, env, googleText)
		pairs, _ := choose(e.Std("rule", "priority", "source", "hostname", "fields", "tags", "time"), googlechatWidgets)
		if cfg.OutputFormat == "text" {
			if text == "" {
				text = googleText(e.Output) // nothing at all would be refused
			}
			pairs = nil
		}
		return within(googlechatBody, len(pairs), func(n int) any {
			some, _ := choose(pairs, n)
			return cfg.message(e, text, some)
		})
	})
	if err != nil {
		return nil, err
	}
	if cfg.Threads == "rule" {
		u, _ := url.Parse(o.url) // newChat has checked it
		q := u.Query()
		q.Set("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
		u.RawQuery = q.Encode()
		o.url = u.String()
	}
	return o, nil
})

// googleText takes the meaning out of < in a text, where it begins a mention or a link.
func googleText(s string) string { return strings.ReplaceAll(defuse(s), "<", "<"+blank) }

// googleHTML is for cards, which know some of HTML.
var googleHTML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

func (cfg *googlechatConfig) message(e *Event, text string, pairs []Pair) any {
	type object = map[string]any
	m := object{}
	if text != "" {
		m["text"] = text
	}
	if cfg.Threads == "rule" {
		m["thread"] = object{"threadKey": shortKey("falco-"+headerText(e.Rule), 200)}
	}
	if cfg.OutputFormat == "text" {
		return m
	}
	var widgets []any
	for _, p := range pairs {
		name, value := filled(fitted(p.Name, 256, googleHTML)), filled(fitted(p.Value, 2000, googleHTML))
		if cfg.Format == "cards" {
			widgets = append(widgets, object{"keyValue": object{"topLabel": name, "content": value}})
		} else {
			widgets = append(widgets, object{"decoratedText": object{"topLabel": name, "text": value, "wrapText": true}})
		}
	}
	if cfg.Format == "cards" {
		m["cards"] = []any{object{"sections": []any{object{"widgets": widgets}}}}
		return m
	}
	line := object{"textParagraph": object{"text": filled(fitted(e.Output, 3000, googleHTML))}}
	m["cardsV2"] = []any{object{"cardId": filled(event.ShortenRunes(headerText(e.UUID), 64)), "card": object{
		"header":   object{"title": filled(fitted(e.Rule, 200, googleText)), "subtitle": e.Priority.String()},
		"sections": []any{object{"widgets": append([]any{line}, widgets...)}}}}}
	return m
}
