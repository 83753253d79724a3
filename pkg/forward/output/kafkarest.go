// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kafka's REST proxy takes records over HTTP. Versions 1 and 2 take many at once, and
// answer for each; version 3 takes a stream of JSON.

type kafkaRESTConfig struct {
	Address  Secret            `key:"address" enables:"true" doc:"URL of the topic: http://HOST:8082/topics/TOPIC; for version 3 that of its records: http://HOST:8082/v3/clusters/ID/topics/TOPIC/records"`
	Version  int               `key:"version" default:"2" oneof:"1,2,3"`
	User     string            `key:"username"`
	Password Secret            `key:"password"`
	Headers  map[string]string `key:"customheaders"`
	Key      *Template         `key:"keytemplate" doc:"of the record"`
	HTTP
}

var kafkarest = Define(Kind{
	Name: "kafkarest", Title: "KafkaRest", Section: "kafkarest", Workers: 2,
	Batch: Batch{Events: 500, Bytes: 900 << 10, Wait: 100 * time.Millisecond},
}, newKafkaREST)

type kafkaRESTOutput struct {
	cfg    *kafkaRESTConfig
	env    *Env
	client *Client
}

func newKafkaREST(cfg *kafkaRESTConfig, env *Env) (Output, error) {
	if err := CheckURL("address", string(cfg.Address)); err != nil {
		return nil, err
	}
	c, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	return &kafkaRESTOutput{cfg, env, c}, nil
}

type restRecord struct {
	Key   string `json:"key,omitempty"`
	Value string `json:"value"`
}

type restBinary struct {
	Type string `json:"type"`
	Data string `json:"data"`
}

type restRecord3 struct {
	Key     *restBinary   `json:"key,omitempty"`
	Value   restBinary    `json:"value"`
	Headers []restHeader3 `json:"headers,omitempty"`
}

type restHeader3 struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// restOffset is the answer for one record, of all versions.
type restOffset struct {
	Code    *int   `json:"error_code"`
	Error   string `json:"error"`
	Message string `json:"message"`
}

func (o *kafkaRESTOutput) Send(ctx context.Context, batch []*Event) error {
	errs := make([]error, len(batch))
	keys := make([]string, len(batch))
	var sent []int
	for i, e := range batch {
		if o.cfg.Key != nil {
			key, err := o.cfg.Key.Execute(e.View())
			if err != nil {
				errs[i] = Permanentf("keytemplate: %w", err)
				continue
			}
			keys[i] = key
		}
		sent = append(sent, i)
	}
	if len(sent) == 0 {
		return Results(errs)
	}
	h := Headers(o.cfg.Headers, "Content-Type", fmt.Sprintf("application/vnd.kafka.binary.v%d+json", o.cfg.Version))
	if o.cfg.Version == 3 {
		h["Content-Type"] = "application/json"
	}
	if o.cfg.User != "" {
		h["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(o.cfg.User+":"+string(o.cfg.Password)))
	}
	body, err := o.body(batch, keys, sent)
	if err != nil {
		return Permanent(err)
	}
	a, err := o.client.Do(ctx, &Request{URL: string(o.cfg.Address), Header: h, Body: body, OK: []int{200}, Classify: o.classify})
	if err != nil {
		return err
	}
	answers, err := restAnswers(a.Body, o.cfg.Version, len(sent))
	if err != nil {
		return err
	}
	for k, i := range sent {
		errs[i] = answers[k]
	}
	return Results(errs)
}

func (o *kafkaRESTOutput) body(batch []*Event, keys []string, sent []int) ([]byte, error) {
	b64 := base64.StdEncoding.EncodeToString
	if o.cfg.Version < 3 {
		var req struct {
			Records []restRecord `json:"records"`
		}
		for _, i := range sent {
			req.Records = append(req.Records, restRecord{b64([]byte(keys[i])), b64(batch[i].JSON())})
		}
		return JSON(&req)
	}
	var out []byte
	for _, i := range sent {
		r := restRecord3{Value: restBinary{"BINARY", b64(batch[i].JSON())}, Headers: []restHeader3{{"uuid", b64([]byte(batch[i].UUID))}}}
		if keys[i] != "" {
			r.Key = &restBinary{"BINARY", b64([]byte(keys[i]))}
		}
		text, err := JSON(&r)
		if err != nil {
			return nil, err
		}
		out = append(append(out, text...), '\n')
	}
	return out, nil
}

// classify reads the code of an error: the proxy's are the status and two digits.
func (o *kafkaRESTOutput) classify(a *Answer) error {
	var r restOffset
	if json.Unmarshal(a.Body, &r) != nil || r.Code == nil {
		return nil
	}
	err := Classify(a, o.env.Now()).(*Error)
	switch *r.Code {
	case 40401, 40402, 40403: // no such topic, partition, consumer
		err.Class = Configuration
	case 42206: // the schema registry cannot be reached
		err.Class = Retryable
	case 40801, 50002, 50003:
		err.Class = Retryable
	}
	return err
}

// restAnswers returns the error of each of n records. Code 1 is one for good, code 2 goes away.
func restAnswers(body []byte, version, n int) ([]error, error) {
	var list []restOffset
	if version < 3 {
		var r struct {
			Offsets []restOffset `json:"offsets"`
		}
		if err := json.Unmarshal(body, &r); err != nil {
			return nil, fmt.Errorf("the answer is no JSON: %w", err)
		}
		list = r.Offsets
	} else {
		dec := json.NewDecoder(strings.NewReader(string(body)))
		for dec.More() && len(list) <= n {
			var r restOffset
			if err := dec.Decode(&r); err != nil {
				return nil, fmt.Errorf("the answer is no JSON: %w", err)
			}
			list = append(list, r)
		}
	}
	if len(list) != n {
		return nil, fmt.Errorf("the answer is about %d of %d records", len(list), n)
	}
	errs := make([]error, n)
	for i, r := range list {
		if r.Code == nil || *r.Code == 0 || version == 3 && *r.Code == 200 {
			continue
		}
		text := Line(r.Error + r.Message)
		if text == "" {
			text = "error " + strconv.Itoa(*r.Code)
		}
		err := &Error{Class: Retryable, Err: errors.New(text)}
		switch c := *r.Code; {
		case c == 1, c == 422, c == 400, c/100 == 422, c/100 == 400:
			err.Class = Final
		case c == 401, c == 403, c == 404, c/100 == 401, c/100 == 403, c/100 == 404:
			err.Class = Configuration
		case c == 413, c/100 == 413:
			err.Class = Big
		}
		errs[i] = err
	}
	return errs, nil
}

func (o *kafkaRESTOutput) Close() error { return o.client.Close() }
