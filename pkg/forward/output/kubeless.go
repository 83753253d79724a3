// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"fmt"
)

type kubelessConfig struct {
	Function   string `key:"function" enables:"true"`
	Namespace  string `key:"namespace" enables:"true"`
	Port       int    `key:"port" default:"8080"`
	Kubeconfig string `key:"kubeconfig" doc:"from outside the cluster: go through the API server that this file names"`
	HTTP
}

var kubeless = Define(Kind{Name: "kubeless", Title: "Kubeless", Section: "kubeless", Workers: 2, Gone: "was archived in 2021"}, newKubeless)

type kubelessOutput struct {
	cfg     *kubelessConfig
	service *kubeService
}

func newKubeless(cfg *kubelessConfig, env *Env) (Output, error) {
	s, err := openService(env, &cfg.HTTP, cfg.Kubeconfig, fmt.Sprintf("http://%s.%s.svc.cluster.local:%d", cfg.Function, cfg.Namespace, cfg.Port),
		cfg.Namespace, cfg.Function, cfg.Port)
	if err != nil {
		return nil, err
	}
	return &kubelessOutput{cfg, s}, nil
}

func (o *kubelessOutput) Send(ctx context.Context, batch []*Event) error {
	r, err := o.service.request("/", batch[0], "event-id", batch[0].UUID, "event-type", "falco", "event-namespace", o.cfg.Namespace)
	if err != nil {
		return err
	}
	_, err = o.service.client.Do(ctx, r)
	return err
}

func (o *kubelessOutput) Close() error { return o.service.client.Close() }
