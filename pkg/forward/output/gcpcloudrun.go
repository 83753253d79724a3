// SPDX-License-Identifier: Apache-2.0

package output

import "context"

// Cloud Run, and the functions of its second generation, take events as they are. Who may call
// shows an ID token: one of the settings, or one that the account asks for.

type cloudRunConfig struct {
	Endpoint      Secret `key:"endpoint" enables:"true" doc:"URL of the service"`
	JWT           Secret `key:"jwt" doc:"a token; without it the account gets one, again and again"`
	Audience      string `key:"audience" doc:"of that token, by default the endpoint"`
	GoogleAccount `key:"/gcp"`
	HTTP
}

var gcpcloudrun = Define(Kind{Name: "gcpcloudrun", Title: "GCPCloudRun", Section: "gcp.cloudrun", Workers: 2}, newCloudRun)

type cloudRunOutput struct {
	cfg    *cloudRunConfig
	client *googleClient
}

func newCloudRun(cfg *cloudRunConfig, env *Env) (Output, error) {
	audience := cfg.Audience
	if audience == "" {
		audience = string(cfg.Endpoint)
	}
	c, err := cfg.GoogleAccount.open(env, &cfg.HTTP, string(cfg.Endpoint), audience)
	if err != nil {
		return nil, err
	}
	if cfg.JWT != "" {
		c.source = nil
	}
	return &cloudRunOutput{cfg, c}, nil
}

func (o *cloudRunOutput) Send(ctx context.Context, batch []*Event) error {
	r := &Request{URL: string(o.cfg.Endpoint), Body: batch[0].JSON()}
	if o.cfg.JWT != "" {
		r.Header = map[string]string{"Authorization": "Bearer " + string(o.cfg.JWT)}
	}
	_, err := o.client.send(ctx, r)
	return err
}

func (o *cloudRunOutput) Close() error { return o.client.Close() }
