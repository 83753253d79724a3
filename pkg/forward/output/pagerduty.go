// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

type pagerdutyConfig struct {
	RoutingKey Secret    `key:"routingkey" enables:"true" doc:"of an Events API v2 integration"`
	Region     string    `key:"region" default:"us" oneof:"us,eu"`
	BaseURL    string    `key:"baseurl" doc:"instead of the region's"`
	DedupKey   *Template `key:"dedupkey" doc:"a template: events with the same text are one incident; by default the uuid"`
	Client     string    `key:"client" default:"Falcosidekick"`
	ClientURL  string    `key:"clienturl" doc:"where the incident links to"`
	HTTP
}

var pagerduty = Define(Kind{
	Name: "pagerduty", Title: "Pagerduty", Section: "pagerduty", Rate: Rate{120, time.Minute}, Digest: 200, Limits: Limits{Event: 64 << 10, Field: 4096},
}, newPagerduty)

// Limits of the Events API.
const (
	pagerdutySummary = 1024
	pagerdutyKey     = 255
	pagerdutyBody    = 512 << 10
)

type pagerdutyOutput struct {
	cfg    *pagerdutyConfig
	env    *Env
	client *Client
	url    string
}

func newPagerduty(cfg *pagerdutyConfig, env *Env) (Output, error) {
	base := cfg.BaseURL
	if base == "" {
		base = "https://events.pagerduty.com"
		if cfg.Region == "eu" {
			base = "https://events.eu.pagerduty.com"
		}
	}
	if err := CheckURL("baseurl", base); err != nil {
		return nil, err
	}
	c, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	return &pagerdutyOutput{cfg, env, c, strings.TrimRight(base, "/") + "/v2/enqueue"}, nil
}

type pagerdutyEvent struct {
	RoutingKey string           `json:"routing_key"`
	Action     string           `json:"event_action"`
	DedupKey   string           `json:"dedup_key,omitempty"`
	Client     string           `json:"client,omitempty"`
	ClientURL  string           `json:"client_url,omitempty"`
	Payload    pagerdutyPayload `json:"payload"`
}

type pagerdutyPayload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"`
	Timestamp string         `json:"timestamp"`
	Component string         `json:"component,omitempty"`
	Group     string         `json:"group,omitempty"`
	Class     string         `json:"class,omitempty"`
	Details   map[string]any `json:"custom_details"`
}

func (o *pagerdutyOutput) Send(ctx context.Context, batch []*Event) error {
	for i, e := range batch {
		if err := o.one(ctx, e); err != nil {
			if len(batch) == 1 {
				return err
			}
			return remaining(len(batch), i, err)
		}
	}
	return nil
}

func (o *pagerdutyOutput) one(ctx context.Context, e *Event) error {
	p := &pagerdutyEvent{RoutingKey: string(o.cfg.RoutingKey), Action: "trigger", DedupKey: o.key(e), Client: o.cfg.Client, ClientURL: o.cfg.ClientURL,
		Payload: pagerdutyPayload{
			Summary: filled(event.ShortenRunes(clean(e.Output), pagerdutySummary)), Source: "falco", Severity: e.Priority.PagerDuty(), Timestamp: e.Time.Format(time.RFC3339Nano),
			Component: event.ShortenRunes(clean(e.Fields.Str("k8s.pod.name")), 255), Group: event.ShortenRunes(clean(e.Fields.Str("k8s.ns.name")), 255), Class: event.ShortenRunes(clean(e.Rule), 255),
		}}
	body, err := within(pagerdutyBody, len(e.Fields), func(n int) any {
		p.Payload.Details = map[string]any{}
		for _, f := range e.Fields[:n] {
			p.Payload.Details[f.Key] = f.Value
		}
		for _, s := range e.Std("rule", "priority", "source", "hostname", "tags") {
			if _, taken := p.Payload.Details[s.Name]; !taken {
				p.Payload.Details[s.Name] = event.ShortenRunes(s.Value, 4096)
			}
		}
		return p
	})
	if err != nil {
		return err
	}
	_, err = o.client.Do(ctx, &Request{URL: o.url, Body: body, OK: []int{202}, Classify: o.classify})
	return err
}

// key is what makes two events one incident.
func (o *pagerdutyOutput) key(e *Event) string {
	key := e.UUID
	if o.cfg.DedupKey != nil {
		text, err := o.cfg.DedupKey.Execute(e.View())
		if err != nil {
			o.env.Log.Warnf("%s: dedupkey: %v", o.env.Title, err)
		} else {
			key = text
		}
	}
	return shortKey(clean(key), pagerdutyKey)
}

// classify knows that a wrong routing key is answered with 400 too: it is no fault of the event's.
func (o *pagerdutyOutput) classify(a *Answer) error {
	text := strings.ReplaceAll(strings.ToLower(string(a.Body)), "_", " ")
	if a.Status == 400 && strings.Contains(text, "routing key") {
		return &Error{Class: Configuration, Status: a.Status, Err: errors.New("the routing key is refused")}
	}
	return nil
}

func (o *pagerdutyOutput) Close() error { return o.client.Close() }
