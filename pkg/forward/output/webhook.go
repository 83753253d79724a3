// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// The webhook posts events as they are: one a request, or several as an array or as
// lines.

type webhookConfig struct {
	Address       Secret            `key:"address" enables:"true" doc:"URL to post to"`
	Method        string            `key:"method" default:"POST" oneof:"POST,PUT"`
	CustomHeaders map[string]string `key:"customheaders" doc:"headers to add"`
	Token         Secret            `key:"token" doc:"sent as Authorization: Bearer"`
	HMACKey       Secret            `key:"hmackey" doc:"sign: X-Signature is the HMAC-SHA256 of X-Timestamp, a dot and the body"`
	Format        string            `key:"format" default:"single" oneof:"single,array,ndjson" doc:"one event a request, or many"`
	BatchSize     int               `key:"batchsize" default:"100" doc:"events a request, unless format is single"`
	Body          *Template         `key:"bodytemplate" doc:"a template of the body, for format single"`
	Compress      bool              `key:"enablecompression" doc:"gzip the body"`
	HTTP
}

var webhook = Define(Kind{
	Name: "webhook", Title: "Webhook", Section: "webhook", Workers: 2,
	Adjust: func(cfg any, k *Kind) {
		if c := cfg.(*webhookConfig); c.Format != "single" {
			k.Batch = Batch{Events: max(c.BatchSize, 1), Bytes: 1 << 20, Wait: 200 * time.Millisecond}
		}
	},
}, newWebhook)

type webhookOutput struct {
	cfg    *webhookConfig
	env    *Env
	client *Client
}

func newWebhook(cfg *webhookConfig, env *Env) (Output, error) {
	if err := CheckURL("address", string(cfg.Address)); err != nil {
		return nil, err
	}
	c, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	return &webhookOutput{cfg, env, c}, nil
}

func (o *webhookOutput) Send(ctx context.Context, batch []*Event) error {
	body, err := o.body(batch)
	if err != nil {
		return Permanent(err)
	}
	h := Headers(o.cfg.CustomHeaders)
	if o.cfg.Format == "ndjson" {
		h = Headers(h, "Content-Type", "application/x-ndjson")
	}
	if o.cfg.Token != "" {
		h["Authorization"] = "Bearer " + string(o.cfg.Token)
	}
	h["Idempotency-Key"] = batch[0].UUID
	if o.cfg.HMACKey != "" {
		at := strconv.FormatInt(o.env.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(o.cfg.HMACKey))
		mac.Write([]byte(at + "."))
		mac.Write(body)
		h["X-Timestamp"], h["X-Signature"] = at, "sha256="+hex.EncodeToString(mac.Sum(nil))
	}
	_, err = o.client.Do(ctx, &Request{Method: o.cfg.Method, URL: string(o.cfg.Address), Header: h, Body: body, Gzip: o.cfg.Compress})
	return err
}

func (o *webhookOutput) body(batch []*Event) ([]byte, error) {
	if o.cfg.Format == "single" {
		if o.cfg.Body != nil {
			text, err := o.cfg.Body.Execute(batch[0].View())
			return []byte(text), err
		}
		return batch[0].JSON(), nil
	}
	if o.cfg.Format == "array" {
		return append(joinJSON([]byte{'['}, batch, ','), ']'), nil
	}
	return append(joinJSON(nil, batch, '\n'), '\n'), nil
}

// joinJSON appends the JSON of events with a byte in between.
func joinJSON(b []byte, batch []*Event, between byte) []byte {
	for i, e := range batch {
		if i > 0 {
			b = append(b, between)
		}
		b = append(b, e.JSON()...)
	}
	return b
}

func (o *webhookOutput) Close() error { return o.client.Close() }
