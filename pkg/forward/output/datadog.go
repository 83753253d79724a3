// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

type datadogConfig struct {
	APIKey Secret `key:"apikey" enables:"true"`
	Host   string `key:"host" default:"https://api.datadoghq.com" doc:"URL of the site"`
	HTTP
}

// Limits of an event.
const (
	datadogTitle = 500
	datadogText  = 4000
	datadogGroup = 100
	datadogTag   = 200
	datadogTags  = 100
	datadogOld   = 17 * time.Hour // older than 18 is refused
)

var datadog = Define(Kind{
	Name: "datadog", Title: "Datadog", Section: "datadog", Workers: 2, Limits: Limits{Event: 64 << 10, Field: 4096},
}, func(cfg *datadogConfig, env *Env) (Output, error) {
	if err := CheckURL("host", cfg.Host); err != nil {
		return nil, err
	}
	c, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	// The key is a header: in the URL, where the original has it, it gets into logs.
	return &datadogOutput{env, c, strings.TrimRight(cfg.Host, "/") + "/api/v1/events", map[string]string{"DD-API-KEY": string(cfg.APIKey)}}, nil
})

type datadogOutput struct {
	env    *Env
	client *Client
	url    string
	header map[string]string
}

type datadogEvent struct {
	Title  string   `json:"title"`
	Text   string   `json:"text"`
	Alert  string   `json:"alert_type"`
	Source string   `json:"source_type_name"`
	Tags   []string `json:"tags"`
	Group  string   `json:"aggregation_key,omitempty"`
	At     int64    `json:"date_happened"`
	Host   string   `json:"host,omitempty"`
}

func (o *datadogOutput) Send(ctx context.Context, batch []*Event) error {
	for i, e := range batch {
		body, err := JSON(o.event(e))
		if err == nil {
			_, err = o.client.Do(ctx, &Request{URL: o.url, Header: o.header, Body: body, OK: []int{200, 201, 202}})
		}
		if err != nil {
			if len(batch) == 1 {
				return err
			}
			return remaining(len(batch), i, err)
		}
	}
	return nil
}

func (o *datadogOutput) event(e *Event) *datadogEvent {
	d := &datadogEvent{
		Title: filled(event.ShortenRunes(headerText(e.Rule), datadogTitle)), Text: filled(event.ShortenRunes(clean(e.Output), datadogText)), Alert: e.Priority.Datadog(), Source: "falco",
		Group: event.ShortenRunes(headerText(e.Rule), datadogGroup), At: e.Time.Unix(), Host: event.ShortenRunes(headerText(e.Hostname), 255),
	}
	if now := o.env.Now(); now.Sub(e.Time) > datadogOld || e.Time.Sub(now) > time.Hour {
		d.At = now.Unix()
	}
	tag := func(s string) {
		if s = event.ShortenRunes(strings.ReplaceAll(headerText(s), ",", "_"), datadogTag); s != "" && len(d.Tags) < datadogTags {
			d.Tags = append(d.Tags, s)
		}
	}
	tag("source:falco")
	for _, p := range e.Std("source", "hostname") {
		tag(p.Name + ":" + p.Value)
	}
	for _, t := range e.Tags {
		tag(t)
	}
	for _, p := range e.Std("fields") {
		tag(p.Name + ":" + p.Value)
	}
	return d
}

func (o *datadogOutput) Close() error { return o.client.Close() }
