// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Cloud Functions of the first generation are called through an interface that Google means for
// tests, with a small quota; those of the second are services of Cloud Run.

type cloudFunctionConfig struct {
	Name          string `key:"name" enables:"true" doc:"projects/PROJECT/locations/LOCATION/functions/FUNCTION"`
	Endpoint      string `key:"endpoint" default:"https://cloudfunctions.googleapis.com"`
	GoogleAccount `key:"/gcp"`
	HTTP
}

var gcpcloudfunctions = Define(Kind{Name: "gcpcloudfunctions", Title: "GCPCloudFunctions", Section: "gcp.cloudfunctions", Workers: 2}, newCloudFunction)

var functionName = regexp.MustCompile(`^projects/[\w.:-]+/locations/[\w-]+/functions/[\w-]+$`)

type cloudFunctionOutput struct {
	cfg    *cloudFunctionConfig
	client *googleClient
}

func newCloudFunction(cfg *cloudFunctionConfig, env *Env) (Output, error) {
	if !functionName.MatchString(cfg.Name) {
		return nil, errors.New("name is not projects/PROJECT/locations/LOCATION/functions/FUNCTION")
	}
	c, err := cfg.GoogleAccount.open(env, &cfg.HTTP, cfg.Endpoint, "")
	if err != nil {
		return nil, err
	}
	return &cloudFunctionOutput{cfg, c}, nil
}

func (o *cloudFunctionOutput) Send(ctx context.Context, batch []*Event) error {
	body, err := JSON(map[string]string{"data": string(batch[0].JSON())})
	if err != nil {
		return Permanent(err)
	}
	a, err := o.client.send(ctx, &Request{URL: strings.TrimSuffix(o.cfg.Endpoint, "/") + "/v1/" + o.cfg.Name + ":call", Body: body, OK: []int{200}})
	if err != nil {
		return err
	}
	var res struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(a.Body, &res); err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	if res.Error != "" { // whether another try helps is known to the function alone
		return fmt.Errorf("the function has failed%s", (&Answer{Body: []byte(res.Error)}).excerpt())
	}
	return nil
}

func (o *cloudFunctionOutput) Close() error { return o.client.Close() }
