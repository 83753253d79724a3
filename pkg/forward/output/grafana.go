// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"html"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/forward/event"
)

type grafanaConfig struct {
	HostPort      string            `key:"hostport" enables:"true" doc:"URL of Grafana"`
	APIKey        Secret            `key:"apikey" enables:"true" doc:"token of a service account"`
	DashboardID   int               `key:"dashboardid"`
	DashboardUID  string            `key:"dashboarduid" doc:"instead of dashboardid, which Grafana wants to end"`
	PanelID       int               `key:"panelid"`
	AllFields     bool              `key:"allfieldsastags"`
	CustomHeaders map[string]string `key:"customheaders"`
	HTTP
}

// Limits of an annotation.
const (
	grafanaTag  = 100
	grafanaTags = 100
	grafanaText = 10000
)

var grafana = Define(Kind{
	Name: "grafana", Title: "Grafana", Section: "grafana", Limits: Limits{Event: 64 << 10, Field: 4096},
}, func(cfg *grafanaConfig, env *Env) (Output, error) {
	if err := CheckURL("hostport", cfg.HostPort); err != nil {
		return nil, err
	}
	c, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	h := Headers(cfg.CustomHeaders, "Authorization", "Bearer "+string(cfg.APIKey))
	return &grafanaOutput{cfg, c, strings.TrimRight(cfg.HostPort, "/") + "/api/annotations", h}, nil
})

type grafanaOutput struct {
	cfg    *grafanaConfig
	client *Client
	url    string
	header map[string]string
}

type grafanaAnnotation struct {
	DashboardID  int      `json:"dashboardId,omitempty"`
	DashboardUID string   `json:"dashboardUID,omitempty"`
	PanelID      int      `json:"panelId,omitempty"`
	Time         int64    `json:"time"`
	TimeEnd      int64    `json:"timeEnd"`
	Tags         []string `json:"tags"`
	Text         string   `json:"text"`
}

func (o *grafanaOutput) Send(ctx context.Context, batch []*Event) error {
	for i, e := range batch {
		body, err := JSON(o.annotation(e))
		if err == nil {
			_, err = o.client.Do(ctx, &Request{URL: o.url, Header: o.header, Body: body, OK: []int{200}})
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

func (o *grafanaOutput) annotation(e *Event) *grafanaAnnotation {
	ms := e.Time.UnixMilli()
	// Grafana shows the text as HTML.
	a := &grafanaAnnotation{DashboardID: o.cfg.DashboardID, DashboardUID: o.cfg.DashboardUID, PanelID: o.cfg.PanelID, Time: ms, TimeEnd: ms, Text: html.EscapeString(filled(event.ShortenRunes(clean(e.Output), grafanaText)))}
	if a.DashboardUID != "" {
		a.DashboardID = 0
	}
	tag := func(s string) {
		if s = event.ShortenRunes(headerText(s), grafanaTag); s != "" && len(a.Tags) < grafanaTags && !slices.Contains(a.Tags, s) {
			a.Tags = append(a.Tags, s)
		}
	}
	tag("falco")
	for _, p := range e.Std("priority", "rule", "source", "hostname") {
		tag(p.Value)
	}
	if o.cfg.AllFields {
		for _, p := range e.Std("fields") {
			tag(p.Value)
		}
		for _, t := range e.Tags {
			tag(t)
		}
	}
	return a
}

func (o *grafanaOutput) Close() error { return o.client.Close() }
