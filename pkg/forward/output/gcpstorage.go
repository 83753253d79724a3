// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Google's storage gets objects through its JSON interface. An object that is there
// already is the one that an earlier attempt has made.

type gcsConfig struct {
	Bucket   string `key:"bucket" enables:"true"`
	Endpoint string `key:"endpoint" default:"https://storage.googleapis.com"`
	ObjectStore
	GoogleAccount `key:"/gcp"`
	HTTP
}

var gcpstorage = Define(Kind{
	Name: "gcpstorage", Title: "GCPStorage", Section: "gcp.storage", Workers: 2,
	Adjust: func(cfg any, k *Kind) { k.Batch = cfg.(*gcsConfig).batch() },
}, newGCS)

type gcsOutput struct {
	cfg    *gcsConfig
	client *googleClient
}

func newGCS(cfg *gcsConfig, env *Env) (Output, error) {
	c, err := cfg.GoogleAccount.open(env, &cfg.HTTP, cfg.Endpoint, "")
	if err != nil {
		return nil, err
	}
	return &gcsOutput{cfg, c}, nil
}

func (o *gcsOutput) Send(ctx context.Context, batch []*Event) error {
	errs := make([]error, len(batch))
	for _, obj := range o.cfg.objects(batch) {
		to := strings.TrimSuffix(o.cfg.Endpoint, "/") + "/upload/storage/v1/b/" + url.PathEscape(o.cfg.Bucket) + "/o?" +
			url.Values{"uploadType": {"media"}, "name": {obj.key}, "ifGenerationMatch": {"0"}}.Encode()
		_, err := o.client.send(ctx, &Request{URL: to, Body: obj.body, Header: map[string]string{"Content-Type": obj.contentType},
			OK: []int{http.StatusOK, http.StatusPreconditionFailed}})
		for _, i := range obj.events {
			errs[i] = err
		}
	}
	return Results(errs)
}

func (o *gcsOutput) Close() error { return o.client.Close() }
