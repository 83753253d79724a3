// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/forward/event"
)

type wavefrontConfig struct {
	Type      string        `key:"endpointtype" enables:"true" oneof:"direct,proxy"`
	Host      string        `key:"endpointhost" enables:"true" doc:"without a scheme"`
	Token     Secret        `key:"endpointtoken" doc:"for direct"`
	Port      int           `key:"endpointmetricport" default:"2878" doc:"of the proxy"`
	Metric    string        `key:"metricname" default:"falco.alert"`
	BatchSize int           `key:"batchsize" default:"10000"`
	Flush     time.Duration `key:"flushintervalseconds" default:"1"`
	HTTP
}

// Limits of a point.
const (
	wavefrontTag  = 254 // name and value together
	wavefrontTags = 20
)

var wavefront = Define(Kind{
	Name: "wavefront", Title: "Wavefront", Section: "wavefront", Gone: "reaches its end of life",
	Limits: Limits{Event: 64 << 10, Field: 1024},
	Adjust: func(cfg any, k *Kind) {
		c := cfg.(*wavefrontConfig)
		k.Batch = Batch{Events: min(max(c.BatchSize, 1), 10000), Bytes: 4 << 20, Wait: c.Flush}
	},
}, func(cfg *wavefrontConfig, env *Env) (Output, error) {
	o := &wavefrontOutput{cfg: cfg, env: env, header: map[string]string{"Content-Type": "application/octet-stream"}}
	base := "https://" + cfg.Host
	if cfg.Type == "proxy" {
		base = "http://" + net.JoinHostPort(strings.Trim(cfg.Host, "[]"), strconv.Itoa(cfg.Port))
	} else if cfg.Token == "" {
		return nil, errors.New("endpointtoken is missing")
	} else {
		o.header["Authorization"] = "Bearer " + string(cfg.Token)
	}
	if strings.Contains(cfg.Host, "/") || CheckURL("endpointhost", base) != nil {
		return nil, errors.New("endpointhost is no name of a host")
	}
	o.url = base + "/report?f=wavefront"
	var err error
	o.client, err = env.Client(&cfg.HTTP)
	return o, err
})

type wavefrontOutput struct {
	cfg    *wavefrontConfig
	env    *Env
	client *Client
	url    string
	header map[string]string
}

func (o *wavefrontOutput) Send(ctx context.Context, batch []*Event) error {
	var body []byte
	for _, e := range batch {
		body = o.point(body, e)
	}
	_, err := o.client.Do(ctx, &Request{URL: o.url, Header: o.header, Body: body, Gzip: true, OK: []int{200, 202}})
	return err
}

// point appends an event as a point of value 1. Its time has seconds.
func (o *wavefrontOutput) point(b []byte, e *Event) []byte {
	at := e.Time
	if at.Year() > 2261 {
		at = o.env.Now()
	}
	b = append(b, quoteWave(waveName(o.cfg.Metric))+" 1 "+strconv.FormatInt(at.Unix(), 10)+` source="falco-exporter"`...)
	pairs := []Pair{{Name: "severity", Value: e.Priority.String()}}
	pairs = append(pairs, e.Std("rule", "source", "hostname", "tags", "fields")...)
	seen := map[string]bool{}
	kept := 0
	pairs, _ = choose(pairs, wavefrontTags)
	for _, p := range pairs {
		name := waveName(event.ShortenRunes(clean(p.Name), 100))
		if p.Name == "source" && !p.Field {
			name = "source" // beside the source of the point, as the original has it
		}
		value := event.ShortenRunes(headerText(p.Value), wavefrontTag-utf8.RuneCountInString(name)-1)
		if name == "" || value == "" || seen[name] || kept == wavefrontTags {
			continue
		}
		seen[name] = true
		kept++
		b = append(b, " "+quoteWave(name)+"="+quoteWave(value)...)
	}
	return append(b, '\n')
}

// waveName leaves what a name may have.
func waveName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, s)
}

// quoteWave quotes a text, which has no end of a line. A backslash would take away its end.
func quoteWave(s string) string {
	return `"` + strings.NewReplacer(`\`, `/`, `"`, `\"`).Replace(s) + `"`
}

func (o *wavefrontOutput) Close() error { return o.client.Close() }
