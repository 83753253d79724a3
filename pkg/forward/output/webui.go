// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"

	"github.com/falco-go/falco/pkg/forward/event"
)

type webuiConfig struct {
	URL   Secret `key:"url" enables:"true" doc:"URL of the web page"`
	Token Secret `key:"token" doc:"sent as Authorization: Bearer"`
	HTTP
}

// The web page shows everything: it has no minimum priority. It knows events by their uuid, so
// that one that comes twice is there once.
var webui = Define(Kind{
	Name: "webui", Title: "WebUI", Section: "webui", NoMinimum: true, Batch: Batch{Events: 100, Bytes: 1 << 20},
}, func(cfg *webuiConfig, env *Env) (Output, error) {
	if err := CheckURL("url", string(cfg.URL)); err != nil {
		return nil, err
	}
	c, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	o := &webuiOutput{cfg: cfg, env: env, client: c}
	if cfg.Token != "" {
		o.header = map[string]string{"Authorization": "Bearer " + string(cfg.Token)}
	}
	return o, nil
})

type webuiOutput struct {
	cfg    *webuiConfig
	env    *Env
	client *Client
	header map[string]string
}

// Send posts one event a request, as the original's page wants it; the connection stays.
func (o *webuiOutput) Send(ctx context.Context, batch []*Event) error {
	names := []byte{'['}
	for i, n := range o.env.Enabled() {
		if i > 0 {
			names = append(names, ',')
		}
		names = event.AppendString(names, n)
	}
	for i, e := range batch {
		body := append([]byte(`{"event":`), e.JSON()...)
		body = append(append(append(body, `,"outputs":`...), names...), "]}"...)
		if _, err := o.client.Do(ctx, &Request{URL: string(o.cfg.URL), Header: o.header, Body: body, Quiet: i > 0}); err != nil {
			if len(batch) == 1 {
				return err
			}
			return remaining(len(batch), i, err)
		}
	}
	return nil
}

func (o *webuiOutput) Close() error { return o.client.Close() }
