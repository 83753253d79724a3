// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/falco-go/falco/pkg/forward/event"
)

// Lambda calls a function with each event, or with an array of events.

type lambdaConfig struct {
	Function   string `key:"functionname" enables:"true" doc:"name or ARN"`
	Invocation string `key:"invocationtype" default:"RequestResponse" oneof:"RequestResponse,Event,DryRun" doc:"wait for the function, only for it to be queued, or try the permission alone"`
	LogType    string `key:"logtype" default:"Tail" oneof:"Tail,None" doc:"Tail: the end of the function's log goes to our debug log"`
	Qualifier  string `key:"qualifier" doc:"version or alias"`
	Ignore     bool   `key:"ignorefunctionerror" doc:"an error inside the function counts as delivered"`
	BatchSize  int    `key:"batchsize" default:"1" doc:"above 1: call with an array of up to that many events"`
	Endpoint   string `key:"endpoint" doc:"URL of the service, if not the usual one"`
	AWSAccount `key:"/aws"`
	HTTP
}

const (
	lambdaSync  = 6 << 20
	lambdaAsync = 256 << 10
)

var awslambda = Define(Kind{
	Name: "awslambda", Title: "AWSLambda", Section: "aws.lambda", Workers: 2,
	Adjust: func(cfg any, k *Kind) {
		c := cfg.(*lambdaConfig)
		room := lambdaSync - 1024
		if c.Invocation == "Event" {
			room = lambdaAsync - 1024
		}
		k.Limits = Limits{Event: room, Field: room / 4}
		if c.BatchSize > 1 {
			k.Batch = Batch{Events: c.BatchSize, Bytes: room}
		}
	},
}, newLambda)

type lambdaOutput struct {
	cfg     *lambdaConfig
	env     *Env
	session *awsSession
	client  *lambda.Client
}

func newLambda(cfg *lambdaConfig, env *Env) (Output, error) {
	s, err := cfg.AWSAccount.open(env, &cfg.HTTP, arnRegion(cfg.Function), cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	return &lambdaOutput{cfg, env, s, lambda.NewFromConfig(s.Config)}, nil
}

func (o *lambdaOutput) Send(ctx context.Context, batch []*Event) error {
	if err := o.session.ready(ctx); err != nil {
		return err
	}
	payload := batch[0].JSON()
	if o.cfg.BatchSize > 1 {
		payload = append(joinJSON([]byte{'['}, batch, ','), ']')
	}
	in := &lambda.InvokeInput{FunctionName: &o.cfg.Function, InvocationType: types.InvocationType(o.cfg.Invocation), Payload: payload}
	if o.cfg.Invocation == "RequestResponse" { // with the others Lambda refuses it, or says nothing
		in.LogType = types.LogType(o.cfg.LogType)
	}
	if o.cfg.Qualifier != "" {
		in.Qualifier = &o.cfg.Qualifier
	}
	out, err := o.client.Invoke(ctx, in)
	if err != nil {
		return o.session.failure(err)
	}
	if out.LogResult != nil {
		if text, err := base64.StdEncoding.DecodeString(*out.LogResult); err == nil {
			o.env.Log.Debugf("%s: %s", o.env.Title, Line(event.Shorten(strings.ToValidUTF8(string(text), "?"), 4096)))
		}
	}
	if why := aws.ToString(out.FunctionError); why != "" && !o.cfg.Ignore {
		// Whether another try helps is known to the function alone.
		return fmt.Errorf("the function has failed: %s%s", Line(why), (&Answer{Body: out.Payload}).excerpt())
	}
	if out.StatusCode < 200 || out.StatusCode > 299 {
		return errors.New("the answer has no status of success")
	}
	return nil
}

func (o *lambdaOutput) Close() error { return nil }
