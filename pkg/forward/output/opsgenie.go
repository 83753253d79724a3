// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/forward/event"
)

type opsgenieConfig struct {
	APIKey  Secret    `key:"apikey" enables:"true" doc:"of an API integration"`
	Region  string    `key:"region" default:"us" oneof:"us,eu"`
	BaseURL string    `key:"baseurl" doc:"instead of the region's: Jira Service Management speaks the same protocol"`
	Alias   *Template `key:"alias" doc:"a template: events with the same text are one alert; by default the uuid"`
	HTTP
}

var opsgenie = Define(Kind{
	Name: "opsgenie", Title: "Opsgenie", Section: "opsgenie", Workers: 2, Digest: 200, Limits: Limits{Event: 64 << 10, Field: 4096},
	Gone: "reaches its end of support in 2027; Jira Service Management takes its place (baseurl)",
}, newOpsgenie)

// Limits of an alert.
const (
	opsgenieMessage     = 130
	opsgenieDescription = 15000
	opsgenieDetails     = 8000 // names and values together
	opsgenieAlias       = 512
	opsgenieTags        = 20
	opsgenieTag         = 50
)

type opsgenieOutput struct {
	cfg    *opsgenieConfig
	env    *Env
	client *Client
	url    string
	header map[string]string
}

func newOpsgenie(cfg *opsgenieConfig, env *Env) (Output, error) {
	base := cfg.BaseURL
	if base == "" {
		base = "https://api.opsgenie.com"
		if cfg.Region == "eu" {
			base = "https://api.eu.opsgenie.com"
		}
	}
	if err := CheckURL("baseurl", base); err != nil {
		return nil, err
	}
	c, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	return &opsgenieOutput{cfg, env, c, strings.TrimRight(base, "/") + "/v2/alerts", map[string]string{"Authorization": "GenieKey " + string(cfg.APIKey)}}, nil
}

type opsgenieAlert struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias,omitempty"`
	Entity      string            `json:"entity"`
	Description string            `json:"description"`
	Details     map[string]string `json:"details"`
	Priority    string            `json:"priority"`
	Tags        []string          `json:"tags,omitempty"`
}

func (o *opsgenieOutput) Send(ctx context.Context, batch []*Event) error {
	for i, e := range batch {
		if _, err := o.client.Do(ctx, &Request{URL: o.url, Header: o.header, Body: o.body(e), OK: []int{202}}); err != nil {
			if len(batch) == 1 {
				return err
			}
			return remaining(len(batch), i, err)
		}
	}
	return nil
}

func (o *opsgenieOutput) body(e *Event) []byte {
	alias := e.UUID
	if o.cfg.Alias != nil {
		text, err := o.cfg.Alias.Execute(e.View())
		if err != nil {
			o.env.Log.Warnf("%s: alias: %v", o.env.Title, err)
		} else {
			alias = text
		}
	}
	a := &opsgenieAlert{
		Message: filled(event.ShortenRunes(headerText(e.Rule+": "+e.Output), opsgenieMessage)), Alias: shortKey(clean(alias), opsgenieAlias), Entity: "Falcosidekick",
		Description: event.ShortenRunes(clean(e.Output), opsgenieDescription), Details: map[string]string{}, Priority: e.Priority.Opsgenie(),
	}
	room := opsgenieDetails
	// What names the event comes first: fields may fill the room that is left.
	pairs := e.Std("rule", "priority", "source", "hostname", "tags", "fields")
	for _, p := range pairs {
		name := clean(p.Name)
		if p.Field {
			name = strings.NewReplacer(".", "_", "[", "_", "]", "").Replace(name)
		}
		value := event.ShortenRunes(clean(p.Value), 1000)
		need := utf8.RuneCountInString(name) + utf8.RuneCountInString(value)
		if _, taken := a.Details[name]; taken || name == "" || need > room {
			continue
		}
		a.Details[name] = value
		room -= need
	}
	for _, t := range e.Tags {
		if t = event.ShortenRunes(headerText(t), opsgenieTag); t != "" && len(a.Tags) < opsgenieTags {
			a.Tags = append(a.Tags, t)
		}
	}
	body, err := JSON(a)
	if err != nil {
		return nil // strings alone: it cannot be
	}
	return body
}

// shortKey keeps a key in its limit: what is longer ends with a hash, so that two long keys stay two.
func shortKey(key string, limit int) string {
	if len(key) <= limit {
		return key
	}
	h := sha256.Sum256([]byte(key))
	return event.Shorten(key, limit-33) + "-" + hex.EncodeToString(h[:16])
}

func (o *opsgenieOutput) Close() error { return o.client.Close() }
