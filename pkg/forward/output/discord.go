// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/forward/event"
)

type discordConfig struct {
	WebhookURL Secret `key:"webhookurl" enables:"true" doc:"URL of a webhook"`
	Icon       string `key:"icon" default:"https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png" doc:"URL of a picture"`
	HTTP
}

// Limits of a message. The characters are those of all its embeds together.
const (
	discordEmbeds      = 10
	discordFields      = 25
	discordName        = 256
	discordValue       = 1024
	discordDescription = 2000 // 4096 would leave too little for fields
	discordTotal       = 6000
)

// Ten events fit into a message if they are short: their JSON is about as long as their embeds.
var discord = Define(Kind{
	Name: "discord", Title: "Discord", Section: "discord", Limits: ChatLimits, Rate: Rate{5, 2 * time.Second}, Digest: chatDigest,
	Batch: Batch{Events: discordEmbeds, Bytes: 4500},
}, func(cfg *discordConfig, env *Env) (Output, error) {
	o, err := newChat(env, &cfg.HTTP, cfg.WebhookURL, nil)
	if err != nil {
		return nil, err
	}
	return &discordOutput{cfg: cfg, chatOutput: o}, nil
})

type discordOutput struct {
	cfg *discordConfig
	*chatOutput
}

type discordMessage struct {
	Content  string         `json:"content"`
	Avatar   string         `json:"avatar_url,omitempty"`
	Embeds   []discordEmbed `json:"embeds"`
	Mentions struct {
		Parse []string `json:"parse"`
	} `json:"allowed_mentions"`
}

type discordEmbed struct {
	Title       string         `json:"title"`
	URL         string         `json:"url"`
	Description string         `json:"description"`
	Color       int            `json:"color"`
	Fields      []discordField `json:"fields"`
}

type discordField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

func runes(s string) int { return utf8.RuneCountInString(s) }

func (d *discordEmbed) size() int {
	n := runes(d.Description)
	for _, f := range d.Fields {
		n += runes(f.Name) + runes(f.Value)
	}
	return n
}

// Send puts as many events into a message as fit; what does not is one message more. Events of a message that
// is refused are sent alone, so that the one at fault is found.
func (o *discordOutput) Send(ctx context.Context, batch []*Event) error {
	errs := make([]error, len(batch))
	for from := 0; from < len(batch); {
		m, total, to := o.message(), 0, from
		for to < len(batch) && len(m.Embeds) < discordEmbeds {
			d := embed(batch[to])
			if total += d.size(); total > discordTotal && to > from {
				break
			}
			m.Embeds = append(m.Embeds, d)
			to++
		}
		err := o.post(ctx, m)
		if class, _ := ClassOf(err); err != nil && to-from > 1 && (class == Final || class == Big) {
			for i, d := range m.Embeds {
				alone := o.message()
				alone.Embeds = []discordEmbed{d}
				errs[from+i] = o.post(ctx, alone)
			}
		} else if err != nil {
			for i := from; i < len(batch); i++ {
				errs[i] = err
			}
			break
		}
		from = to
	}
	if len(batch) == 1 {
		return errs[0]
	}
	return Results(errs)
}

func (o *discordOutput) message() *discordMessage {
	m := &discordMessage{Avatar: o.cfg.Icon}
	m.Mentions.Parse = []string{}
	return m
}

func (o *discordOutput) post(ctx context.Context, m *discordMessage) error {
	body, err := JSON(m)
	if err != nil {
		return Permanent(err)
	}
	_, err = o.client.Do(ctx, &Request{URL: o.url, Body: body, Classify: discordClassify})
	return err
}

// discordClassify reads the pause that a 429 asks for, which has fractions only in the body.
func discordClassify(a *Answer) error {
	var r struct {
		After float64 `json:"retry_after"`
	}
	if a.Status != 429 || json.Unmarshal(a.Body, &r) != nil || r.After <= 0 || r.After > 86400 {
		return nil
	}
	return &Error{Class: Retryable, Status: 429, After: time.Duration(r.After * float64(time.Second)), Err: errRateLimited}
}

// noBlock takes back-ticks apart that would begin or end a block.
func noBlock(s string) string { return strings.ReplaceAll(s, "``", "`"+blank+"`"+blank) }

func discordText(s string) string { return noBlock(defuse(s)) }

// embed is an event within the limits: the fields that tell most come first into what room there
// is, the others share one field as JSON.
func embed(e *Event) discordEmbed {
	d := discordEmbed{Description: fitted(e.Output, discordDescription, discordText), Color: e.Priority.DiscordColor()}
	pairs := e.Std("rule", "priority", "source", "hostname", "fields", "tags", "time")
	kept, rest := choose(pairs, discordFields)
	if len(rest) > 0 {
		kept, rest = choose(pairs, discordFields-1)
	}
	room := discordTotal - d.size()
	const more = "more fields"
	reserve := 0
	if len(rest) > 0 {
		reserve = 400
	}
	for _, p := range kept {
		f := discordField{Name: filled(event.ShortenRunes(clean(p.Name), discordName)), Inline: true}
		if p.Field {
			f.Value = "```" + filled(fitted(p.Value, discordValue-8, noBlock)) + "```"
		} else {
			f.Value = filled(fitted(p.Value, discordValue, discordText))
		}
		if n := runes(f.Name) + runes(f.Value); n <= room-reserve {
			d.Fields, room = append(d.Fields, f), room-n
			continue
		}
		rest = append(rest, p)
		reserve = 400
	}
	if len(rest) > 0 && len(d.Fields) < discordFields {
		if n := min(discordValue, room-len(more)) - 8; n > 16 {
			text := strings.ReplaceAll(clean(pairsJSON(rest, n)), "```", "'''")
			d.Fields = append(d.Fields, discordField{Name: more, Value: "```" + text + "```"})
		}
	}
	return d
}
