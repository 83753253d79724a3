// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strings"

	"github.com/falco-go/falco/pkg/forward/event"
)

type slackConfig struct {
	WebhookURL   Secret    `key:"webhookurl" enables:"true" doc:"URL of an incoming webhook"`
	Channel      string    `key:"channel" doc:"#channel or @user, if not the webhook's"`
	Footer       string    `key:"footer" default:"https://github.com/falcosecurity/falcosidekick"`
	Icon         string    `key:"icon" default:"https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png" doc:"URL of a picture"`
	Username     string    `key:"username" default:"Falcosidekick"`
	OutputFormat string    `key:"outputformat" default:"all" oneof:"all,text,fields"`
	Message      *Template `key:"messageformat" doc:"a template of the text above the attachment"`
	Format       string    `key:"format" default:"attachments" oneof:"attachments,blocks" doc:"blocks: the layout that Slack has for new messages"`
	HTTP
}

var slack = Define(Kind{
	Name: "slack", Title: "Slack", Section: "slack", Limits: ChatLimits, Rate: perSecond, Digest: chatDigest,
}, func(cfg *slackConfig, env *Env) (Output, error) {
	o, err := newChat(env, &cfg.HTTP, cfg.WebhookURL, func(e *Event) ([]byte, error) { return JSON(cfg.message(e, env)) })
	if err != nil {
		return nil, err
	}
	o.check = acknowledged
	return o, nil
})

// slackEscape takes the meaning from the three characters that have one.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

// Limits of blocks.
const (
	slackHeader    = 150
	slackSection   = 3000
	slackBlockText = 2000 // a field of a section
	slackPerBlock  = 10   // fields
	slackBlocks    = 50
)

func (cfg *slackConfig) message(e *Event, env *Env) *attachmentMessage {
	m := &attachmentMessage{Text: formatted(cfg.Message, e, env, slackEscape), Username: cfg.Username, IconURL: cfg.Icon, Channel: cfg.Channel}
	if cfg.Format != "blocks" {
		m.Attachments = []attachment{attach(e, cfg.OutputFormat, cfg.Footer, slackEscape)}
		return m
	}
	// The colour is the attachment's; a text beside it is what notifications show.
	m.Attachments = []attachment{{Fallback: fitted(e.Output, slackSection, slackEscape), Color: e.Priority.Color(), Blocks: cfg.blocks(e)}}
	return m
}

type slackText struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji,omitempty"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Fields   []slackText `json:"fields,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

// blocks is the message as a header, the line, the fields ten a section, and the footer.
func (cfg *slackConfig) blocks(e *Event) []any {
	no := false
	out := []any{slackBlock{Type: "header", Text: &slackText{"plain_text", fitted(e.Priority.String()+": "+e.Rule, slackHeader, slackEscape), &no}}}
	if cfg.OutputFormat != "fields" {
		out = append(out, slackBlock{Type: "section", Text: &slackText{"mrkdwn", filled(fitted(e.Output, slackSection, slackEscape)), nil}})
	}
	if cfg.OutputFormat != "text" {
		pairs, _ := choose(e.Std(), (slackBlocks-4)*slackPerBlock)
		for len(pairs) > 0 {
			n := min(slackPerBlock, len(pairs))
			section := slackBlock{Type: "section"}
			for _, p := range pairs[:n] {
				text := "*" + fitted(p.Name, 200, slackEscape) + "*\n" + fitted(p.Value, slackBlockText-203, slackEscape)
				section.Fields = append(section.Fields, slackText{"mrkdwn", text, nil})
			}
			pairs = pairs[n:]
			out = append(out, section)
		}
	}
	if cfg.Footer != "" {
		out = append(out, slackBlock{Type: "context", Elements: []slackText{{"mrkdwn", event.ShortenRunes(cfg.Footer, slackBlockText), nil}}})
	}
	return out
}

// filled returns a text that is not empty, which blocks may not have.
func filled(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}
