// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"fmt"
	"net/url"
)

type fissionConfig struct {
	Function   string `key:"function" enables:"true"`
	Service    string `key:"routerservice" default:"router"`
	Port       int    `key:"routerport" default:"80"`
	Namespace  string `key:"routernamespace" default:"fission"`
	Kubeconfig string `key:"kubeconfig" doc:"from outside the cluster: go through the API server that this file names"`
	HTTP
}

// Its name has the capital letter that metrics of the original have.
var fission = Define(Kind{Name: "Fission", Title: "Fission", Section: "fission", Workers: 2}, newFission)

type fissionOutput struct {
	service *kubeService
	path    string
}

func newFission(cfg *fissionConfig, env *Env) (Output, error) {
	s, err := openService(env, &cfg.HTTP, cfg.Kubeconfig, fmt.Sprintf("http://%s.%s.svc.cluster.local:%d", cfg.Service, cfg.Namespace, cfg.Port),
		cfg.Namespace, cfg.Service, cfg.Port)
	if err != nil {
		return nil, err
	}
	return &fissionOutput{s, "/fission-function/" + url.PathEscape(cfg.Function)}, nil
}

func (o *fissionOutput) Send(ctx context.Context, batch []*Event) error {
	r, err := o.service.request(o.path, batch[0], "event-id", batch[0].UUID)
	if err != nil {
		return err
	}
	_, err = o.service.client.Do(ctx, r)
	return err
}

func (o *fissionOutput) Close() error { return o.service.client.Close() }
