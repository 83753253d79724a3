// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
)

type openFaaSConfig struct {
	Function          string `key:"functionname" enables:"true"`
	FunctionNamespace string `key:"functionnamespace" default:"openfaas-fn"`
	Service           string `key:"gatewayservice" default:"gateway"`
	Port              int    `key:"gatewayport" default:"8080"`
	Namespace         string `key:"gatewaynamespace" default:"openfaas"`
	GatewayURL        string `key:"gatewayurl" doc:"of the gateway, if it is not the service of that name"`
	User              string `key:"user"`
	Password          Secret `key:"password"`
	Async             bool   `key:"async" doc:"let the gateway queue the call: delivered means queued"`
	Kubeconfig        string `key:"kubeconfig" doc:"from outside the cluster: go through the API server that this file names"`
	HTTP
}

var openfaas = Define(Kind{Name: "openfaas", Title: "OpenFaaS", Section: "openfaas", Workers: 2}, newOpenFaaS)

type openFaaSOutput struct {
	cfg     *openFaaSConfig
	service *kubeService
	path    string
}

func newOpenFaaS(cfg *openFaaSConfig, env *Env) (Output, error) {
	inside := cfg.GatewayURL
	if inside == "" {
		inside = fmt.Sprintf("http://%s.%s:%d", cfg.Service, cfg.Namespace, cfg.Port)
	} else if cfg.Kubeconfig != "" {
		return nil, errors.New("of gatewayurl and kubeconfig only one can be set")
	}
	if cfg.User != "" && cfg.Kubeconfig != "" {
		return nil, errors.New("user does not go with kubeconfig: the API server has the header for itself")
	}
	s, err := openService(env, &cfg.HTTP, cfg.Kubeconfig, inside, cfg.Namespace, cfg.Service, cfg.Port)
	if err != nil {
		return nil, err
	}
	path := "/function/"
	if cfg.Async {
		path = "/async-function/"
	}
	return &openFaaSOutput{cfg, s, path + url.PathEscape(cfg.Function+"."+cfg.FunctionNamespace)}, nil
}

func (o *openFaaSOutput) Send(ctx context.Context, batch []*Event) error {
	r, err := o.service.request(o.path, batch[0], "X-Event-Id", batch[0].UUID)
	if err != nil {
		return err
	}
	if o.cfg.User != "" {
		r.Header["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(o.cfg.User+":"+string(o.cfg.Password)))
	}
	_, err = o.service.client.Do(ctx, r)
	return err
}

func (o *openFaaSOutput) Close() error { return o.service.client.Close() }
