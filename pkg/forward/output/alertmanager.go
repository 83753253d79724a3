// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

type alertmanagerConfig struct {
	HostPort         []string          `key:"hostport" enables:"true" doc:"URLs: each gets every event"`
	Endpoint         string            `key:"endpoint" default:"/api/v2/alerts"`
	RequireAll       bool              `key:"requireall" doc:"an event is delivered when all of hostport have it, not only one: for those that are no cluster"`
	ExpiresAfter     time.Duration     `key:"expiresafter" doc:"when an alert ends; by default what Alertmanager's resolve_timeout says"`
	ExtraLabels      map[string]string `key:"extralabels"`
	ExtraAnnotations map[string]string `key:"extraannotations"`
	Severities       map[string]string `key:"customseveritymap" doc:"priority:severity"`
	CustomHeaders    map[string]string `key:"customheaders"`
	User             string            `key:"user"`
	Password         Secret            `key:"password"`
	DropDefault      string            `key:"dropeventdefaultpriority" default:"critical" doc:"of events about lost system calls"`
	DropThresholds   map[string]string `key:"dropeventthresholds" default:"10000:critical,1000:critical,100:critical,10:warning,1:warning" doc:"more than so many:priority"`
	HTTP
}

var alertmanager = Define(Kind{
	Name: "alertmanager", Title: "AlertManager", Section: "alertmanager", Batch: Batch{Events: 100}, Limits: Limits{Event: 64 << 10, Field: 4096},
}, newAlertmanager)

type alertmanagerOutput struct {
	cfg         *alertmanagerConfig
	env         *Env
	client      *Client
	urls        []string
	header      map[string]string
	severities  map[event.Priority]string
	dropDefault event.Priority
	thresholds  []dropThreshold // the highest first
}

type dropThreshold struct {
	over     int64
	priority event.Priority
}

func newAlertmanager(cfg *alertmanagerConfig, env *Env) (Output, error) {
	o := &alertmanagerOutput{cfg: cfg, env: env, header: Headers(cfg.CustomHeaders), severities: map[event.Priority]string{}}
	for _, h := range cfg.HostPort {
		if err := CheckURL("hostport", h); err != nil {
			return nil, err
		}
		o.urls = append(o.urls, strings.TrimRight(h, "/")+"/"+strings.TrimLeft(cfg.Endpoint, "/"))
	}
	for name, severity := range cfg.Severities {
		p, ok := event.ParsePriority(name)
		if !ok {
			return nil, fmt.Errorf("customseveritymap: %q is no priority", name)
		}
		o.severities[p] = severity
	}
	var ok bool
	if o.dropDefault, ok = event.ParsePriority(cfg.DropDefault); !ok {
		return nil, fmt.Errorf("dropeventdefaultpriority: %q is no priority", cfg.DropDefault)
	}
	for over, name := range cfg.DropThresholds {
		n, err := strconv.ParseInt(over, 10, 64)
		p, ok := event.ParsePriority(name)
		if err != nil || !ok {
			return nil, fmt.Errorf("dropeventthresholds: %s:%s is not number:priority", over, name)
		}
		o.thresholds = append(o.thresholds, dropThreshold{n, p})
	}
	slices.SortFunc(o.thresholds, func(a, b dropThreshold) int { return int(max(min(b.over-a.over, 1), -1)) })
	if cfg.User != "" {
		o.header["Authorization"] = basic(cfg.User, cfg.Password)
	}
	var err error
	o.client, err = env.Client(&cfg.HTTP)
	return o, err
}

type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    *time.Time        `json:"startsAt,omitempty"`
	EndsAt      *time.Time        `json:"endsAt,omitempty"`
}

// Send posts to all at once: one that hangs must not keep an alert from the others.
func (o *alertmanagerOutput) Send(ctx context.Context, batch []*Event) error {
	alerts := make([]alert, len(batch))
	for i, e := range batch {
		alerts[i] = o.alert(e)
	}
	body, err := JSON(alerts)
	if err != nil {
		return Permanent(err)
	}
	errs := make([]error, len(o.urls))
	var wg sync.WaitGroup
	for i, u := range o.urls {
		wg.Go(func() { _, errs[i] = o.client.Post(ctx, u, body, o.header) })
	}
	wg.Wait()
	var worst error
	taken := 0
	for _, err := range errs {
		if err == nil {
			taken++
			continue
		}
		if class, _ := ClassOf(err); worst == nil || class == Retryable {
			worst = err
		}
	}
	if worst != nil && taken > 0 && !o.cfg.RequireAll {
		o.env.Log.Warnf("%s: %d of %d have the alert: %v", o.env.Title, taken, len(o.urls), errors.Join(errs...))
		return nil
	}
	return worst
}

func (o *alertmanagerOutput) alert(e *Event) alert {
	labels := map[string]string{}
	priority := e.Priority
	for _, f := range e.Fields {
		text, ok := f.Text()
		if !ok || strings.HasPrefix(f.Key, "n_evts") {
			continue
		}
		if strings.HasPrefix(f.Key, "n_drop") {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				var least event.Priority
				text, least = o.drops(n)
				priority = max(priority, least)
			}
		}
		setLabel(labels, alertLabel(f.Key), text)
	}
	for k, v := range map[string]string{"source": "falco", "rule": filled(e.Rule), "alertname": filled(e.Rule), "eventsource": e.Source, "hostname": e.Hostname,
		"tags": strings.Join(e.Tags, ","), "priority": priority.String(), "severity": priority.Alertmanager()} {
		delete(labels, k) // an empty one must not leave a field's in its place
		setLabel(labels, k, v)
	}
	if s, ok := o.severities[priority]; ok {
		labels["severity"] = s
	}
	for k, v := range o.cfg.ExtraLabels {
		setLabel(labels, alertLabel(k), v)
	}
	output := clean(e.Output)
	a := alert{Labels: labels, Annotations: map[string]string{"info": output, "description": output, "summary": clean(e.Rule)}}
	for k, v := range o.cfg.ExtraAnnotations {
		setLabel(a.Annotations, alertLabel(k), v)
	}
	from := e.Time
	if from.Year() > 9000 {
		from = o.env.Now()
	}
	a.StartsAt = &from
	if o.cfg.ExpiresAfter > 0 {
		// An alert that is late must not be over before it is told.
		to := from
		if now := o.env.Now(); now.After(to) {
			to = now
		}
		to = to.Add(o.cfg.ExpiresAfter)
		a.EndsAt = &to
	}
	return a
}

// drops is what a label says of so many lost events, and how grave that is at least.
func (o *alertmanagerOutput) drops(n int64) (string, event.Priority) {
	if n == 0 {
		return "0", event.Warning
	}
	for _, t := range o.thresholds {
		if n > t.over {
			return ">" + strconv.FormatInt(t.over, 10), t.priority
		}
	}
	return strconv.FormatInt(n, 10), o.dropDefault
}

var (
	noLabel    = regexp.MustCompile(`[^A-Za-z0-9_]+`)
	manyUnders = regexp.MustCompile(`__+`)
)

// alertLabel makes a name of a label of Prometheus.
func alertLabel(name string) string {
	name = strings.Trim(manyUnders.ReplaceAllString(noLabel.ReplaceAllString(name, "_"), "_"), "_")
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name[:min(len(name), 256)]
}

// setLabel leaves out what would be no label.
func setLabel(m map[string]string, name, value string) {
	if value = clean(value); name != "" && value != "" {
		m[name] = value
	}
}

func (o *alertmanagerOutput) Close() error { return o.client.Close() }
