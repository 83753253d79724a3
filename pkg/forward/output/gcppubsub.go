// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Pub/Sub publishes many messages a request, all or none.

type pubsubConfig struct {
	Project       string            `key:"projectid" enables:"true"`
	Topic         string            `key:"topic" enables:"true"`
	Attributes    map[string]string `key:"customattributes" doc:"attributes to add to each message"`
	OrderingKey   *Template         `key:"orderingkeytemplate" doc:"messages with the same key stay in order: {{.Hostname}}"`
	Endpoint      string            `key:"endpoint" default:"https://pubsub.googleapis.com" doc:"a regional one, if order matters"`
	GoogleAccount `key:"/gcp"`
	HTTP
}

const pubsubMax = 10 << 20 // of a message, and of a request

var gcppubsub = Define(Kind{
	Name: "gcppubsub", Title: "GCPPubSub", Section: "gcp.pubsub", Workers: 2,
	Limits: Limits{Event: pubsubMax * 2 / 3, Field: 1 << 20},
	Batch:  Batch{Events: 100, Bytes: 1 << 20, Wait: 10 * time.Millisecond},
	Adjust: func(cfg any, k *Kind) {
		if cfg.(*pubsubConfig).OrderingKey != nil {
			k.Workers = 1
		}
	},
}, newPubSub)

type pubsubOutput struct {
	cfg    *pubsubConfig
	url    string
	client *googleClient
}

type pubsubMessage struct {
	Data        []byte            `json:"data"`
	Attributes  map[string]string `json:"attributes"`
	OrderingKey string            `json:"orderingKey,omitempty"`
}

func newPubSub(cfg *pubsubConfig, env *Env) (Output, error) {
	topic := cfg.Topic
	if !strings.HasPrefix(topic, "projects/") {
		topic = "projects/" + url.PathEscape(cfg.Project) + "/topics/" + url.PathEscape(topic)
	}
	for k, v := range cfg.Attributes {
		if k == "" || len(k) > 256 || len(v) > 1024 || strings.HasPrefix(k, "goog") {
			return nil, fmt.Errorf("customattributes: %q is no attribute that Pub/Sub takes", k)
		}
	}
	if len(cfg.Attributes) > 90 {
		return nil, fmt.Errorf("customattributes: %d are more than Pub/Sub takes", len(cfg.Attributes))
	}
	c, err := cfg.GoogleAccount.open(env, &cfg.HTTP, cfg.Endpoint, "")
	if err != nil {
		return nil, err
	}
	return &pubsubOutput{cfg, strings.TrimSuffix(cfg.Endpoint, "/") + "/v1/" + topic + ":publish", c}, nil
}

func (o *pubsubOutput) Send(ctx context.Context, batch []*Event) error {
	errs := make([]error, len(batch))
	var req struct {
		Messages []pubsubMessage `json:"messages"`
	}
	var sent []int
	for i, e := range batch {
		m := pubsubMessage{Data: e.JSON(), Attributes: Headers(o.cfg.Attributes, "uuid", brief(e.UUID), "rule", brief(e.Rule), "priority", e.Priority.String(), "source", brief(e.Source))}
		if o.cfg.OrderingKey != nil {
			key, err := o.cfg.OrderingKey.Execute(e.View())
			if err != nil {
				errs[i] = Permanentf("orderingkeytemplate: %w", err)
				continue
			}
			m.OrderingKey = brief(key)
		}
		req.Messages = append(req.Messages, m)
		sent = append(sent, i)
	}
	if len(sent) == 0 {
		return Results(errs)
	}
	err := o.publish(ctx, &req, len(sent))
	if err != nil && len(sent) == len(batch) {
		return err
	}
	for _, i := range sent {
		errs[i] = err
	}
	return Results(errs)
}

func (o *pubsubOutput) publish(ctx context.Context, req any, n int) error {
	body, err := JSON(req)
	if err != nil {
		return Permanent(err)
	}
	a, err := o.client.send(ctx, &Request{URL: o.url, Body: body, OK: []int{200}})
	if err != nil {
		return err
	}
	var res struct {
		MessageIDs []string `json:"messageIds"`
	}
	if err := json.Unmarshal(a.Body, &res); err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	if len(res.MessageIDs) != n {
		return fmt.Errorf("the answer names %d of %d messages", len(res.MessageIDs), n)
	}
	return nil
}

func (o *pubsubOutput) Close() error { return o.client.Close() }
