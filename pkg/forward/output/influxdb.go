// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

type influxdbConfig struct {
	HostPort     string   `key:"hostport" enables:"true" doc:"URL of InfluxDB"`
	Database     string   `key:"database" default:"falco" doc:"of version 1"`
	Organization string   `key:"organization" doc:"of version 2: with it and bucket, its API is used"`
	Bucket       string   `key:"bucket" default:"falco"`
	Precision    string   `key:"precision" default:"ns" oneof:"ns,us,ms,s" doc:"of the time: two events of one rule and host at the same time are one point"`
	User         string   `key:"user"`
	Password     Secret   `key:"password"`
	Token        Secret   `key:"token"`
	Tags         []string `key:"tags" doc:"fields that are indexed, beside rule, priority, source and hostname: such of few values"`
	Compress     bool     `key:"enablecompression" default:"true"`
	HTTP
}

var influxdb = Define(Kind{
	Name: "influxdb", Title: "Influxdb", Section: "influxdb", Workers: 2, Batch: Batch{Events: 5000, Bytes: 4 << 20, Wait: time.Second},
	Limits: Limits{Event: 256 << 10, Field: 16 << 10},
}, newInfluxdb)

type influxdbOutput struct {
	cfg    *influxdbConfig
	env    *Env
	client *Client
	url    string
	header map[string]string
}

func newInfluxdb(cfg *influxdbConfig, env *Env) (Output, error) {
	if err := CheckURL("hostport", cfg.HostPort); err != nil {
		return nil, err
	}
	o := &influxdbOutput{cfg: cfg, env: env, header: map[string]string{"Accept": "application/json", "Content-Type": "text/plain; charset=utf-8"}}
	query, path := url.Values{"precision": {cfg.Precision}}, "/write"
	if cfg.Organization != "" && cfg.Bucket != "" {
		path = "/api/v2/write"
		query.Set("org", cfg.Organization)
		query.Set("bucket", cfg.Bucket)
	} else {
		query.Set("db", cfg.Database)
		if cfg.Precision == "us" {
			query.Set("precision", "u")
		}
	}
	o.url = strings.TrimRight(cfg.HostPort, "/") + path + "?" + query.Encode()
	switch {
	case cfg.Token != "":
		o.header["Authorization"] = "Token " + string(cfg.Token)
	case cfg.User != "":
		o.header["Authorization"] = basic(cfg.User, cfg.Password) // not in the URL, which stands in logs
	}
	var err error
	o.client, err = env.Client(&cfg.HTTP)
	return o, err
}

func (o *influxdbOutput) Send(ctx context.Context, batch []*Event) error {
	var body []byte
	for _, e := range batch {
		body = o.line(body, e)
	}
	_, err := o.client.Do(ctx, &Request{URL: o.url, Header: o.header, Body: body, Gzip: o.cfg.Compress, Classify: o.classify})
	return err
}

// classify knows what version 1 answers with 400 and 500.
func (o *influxdbOutput) classify(a *Answer) error {
	text := string(a.Body)
	switch {
	case a.Status == 400 && strings.Contains(text, "too large"):
		return TooBig(errors.New("the body is too large"))
	case a.Status == 500 && (strings.Contains(text, "field type conflict") || strings.Contains(text, "unable to parse")):
		return &Error{Class: Final, Status: 500, Err: errors.New("the point is refused")}
	}
	return nil
}

// line appends an event as a point of the measurement events. Fields are strings, whatever they
// are in the event: the database remembers the type of a field, and refuses points with another.
func (o *influxdbOutput) line(b []byte, e *Event) []byte {
	b = append(b, "events"...)
	taken := map[string]bool{"time": true}
	tag := func(name, value string) {
		name, value = pointKey(name), pointTag(value)
		if name != "" && value != "" && !taken[name] {
			taken[name] = true
			b = append(append(append(append(b, ','), name...), '='), value...)
		}
	}
	tag("rule", e.Rule)
	tag("priority", e.Priority.String())
	tag("source", e.Source)
	tag("hostname", e.Hostname)
	for _, name := range o.cfg.Tags {
		if v, ok := e.Fields.Get(name); ok {
			text, _ := (event.Field{Value: v}).Text()
			tag(name, text)
		}
	}
	b = append(b, ` value="`...)
	b = append(pointString(b, e.Output), '"')
	field := func(name, value string) {
		if name = pointKey(name); name != "" && name != "value" && !taken[name] {
			taken[name] = true
			b = append(append(append(b, ','), name...), '=', '"')
			b = append(pointString(b, value), '"')
		}
	}
	field("uuid", e.UUID)
	if len(e.Tags) > 0 {
		field("tags", strings.Join(e.Tags, ","))
	}
	for _, f := range e.Fields {
		if slices.Contains(o.cfg.Tags, f.Key) {
			continue
		}
		if text, ok := f.Text(); ok {
			field(f.Key, text)
		}
	}
	at := e.Time
	if at.Year() > 2261 || at.Year() < 1678 {
		at = o.env.Now()
	}
	n := at.UnixNano()
	switch o.cfg.Precision {
	case "us":
		n /= 1e3
	case "ms":
		n /= 1e6
	case "s":
		n /= 1e9
	}
	return append(strconv.AppendInt(append(b, ' '), n, 10), '\n')
}

var pointEscape = strings.NewReplacer(`\`, "_", ",", `\,`, "=", `\=`, " ", `\ `)

// pointKey is the name of a tag or field: a backslash cannot be written in one, names that
// begin with _ are the database's own.
func pointKey(s string) string {
	s = strings.TrimLeft(headerText(event.ShortenRunes(s, 256)), "_#")
	return pointEscape.Replace(s)
}

// pointTag is the value of a tag.
func pointTag(s string) string { return pointEscape.Replace(headerText(event.ShortenRunes(s, 1024))) }

var pointQuote = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// pointString appends the inside of a string.
func pointString(b []byte, s string) []byte {
	return append(b, pointQuote.Replace(event.Shorten(clean(s), 32<<10))...)
}

func (o *influxdbOutput) Close() error { return o.client.Close() }
