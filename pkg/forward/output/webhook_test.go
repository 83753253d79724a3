// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const webhookSchema = `{"type": "object", "additionalProperties": false,
	"required": ["uuid", "output", "priority", "rule", "time", "output_fields", "source"],
	"properties": {
		"uuid": {"type": "string"}, "output": {"type": "string"}, "rule": {"type": "string"}, "source": {"type": "string"},
		"priority": {"enum": ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"]},
		"time": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T"}, "output_fields": {"type": "object"},
		"tags": {"type": "array", "items": {"type": "string"}}, "hostname": {"type": "string"}}}`

func TestWebhook(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/hook", Schema: webhookSchema, Header: map[string]string{
		"Content-Type": "application/json; charset=utf-8", "User-Agent": "Falcosidekick", "X-Auth": "abc", "X-Secret": "s",
		"Idempotency-Key": outputtest.UUID(1), "Authorization": "-"}})
	o := outputtest.Open(t, "webhook", "webhook: {address: "+s.URL+"/hook, customheaders: {X-Auth: abc}}", "WEBHOOK_CUSTOMHEADERS=X-Auth:abc,X-Secret:s")
	e := outputtest.Event(1)
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, s.One().Body, e.JSON())
}

func TestWebhookAsTheOriginal(t *testing.T) {
	want, e := outputtest.Original(t, "webhook"), outputtest.OriginalEvent(t)
	s := outputtest.Serve(t, outputtest.Want{Method: want.Method, Path: want.Path, Header: map[string]string{
		"Content-Type": want.Header.Get("Content-Type"), "User-Agent": want.Header.Get("User-Agent"), "X-Auth": want.Header.Get("X-Auth")}})
	o := outputtest.Open(t, "webhook", "webhook: {address: "+s.URL+"/webhook, customheaders: {X-Auth: abc}}")
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, s.One().Body, want.Body)
}

func TestWebhookBatches(t *testing.T) {
	lines := outputtest.Serve(t, outputtest.Want{Schema: webhookSchema, Lines: true, Header: map[string]string{"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}})
	o := outputtest.Open(t, "webhook", "webhook: {address: "+lines.URL+", format: ndjson, batchsize: 3, enablecompression: true, method: post}")
	if err := o.Send(t, outputtest.Events(7)...); err != nil {
		t.Fatal(err)
	}
	if n := len(lines.Requests()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
	array := outputtest.Serve(t, outputtest.Want{Schema: `{"type": "array", "minItems": 1, "items": ` + webhookSchema + `}`})
	o = outputtest.Open(t, "webhook", "webhook: {address: "+array.URL+", format: array}")
	if err := o.Send(t, outputtest.Events(7)...); err != nil {
		t.Fatal(err)
	}
	array.One()
}

func TestWebhookSigns(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Check: func(r *outputtest.Request) error {
		mac := hmac.New(sha256.New, []byte("key"))
		mac.Write([]byte(r.Header.Get("X-Timestamp") + "."))
		mac.Write(r.Body)
		if got, want := r.Header.Get("X-Signature"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("X-Signature is %q, want %q", got, want)
		}
		return nil
	}})
	o := outputtest.Open(t, "webhook", "webhook: {address: "+s.URL+", hmackey: key, bodytemplate: '{{.Rule}} by {{index .OutputFields \"user.name\"}}'}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	if got, want := string(s.One().Body), "Terminal shell in container by root"; got != want {
		t.Errorf("body %q, want %q", got, want)
	}
}

func TestWebhookAnswers(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{})
	o := outputtest.Open(t, "webhook", "webhook: {address: "+s.URL+"/topsecret}")
	for _, c := range []struct {
		a    outputtest.Answer
		want output.Class
	}{
		{outputtest.Answer{Status: 0}, output.Retryable}, // first: on a connection that was used before, net/http tries again
		{outputtest.Answer{Status: 400}, output.Final},
		{outputtest.Answer{Status: 422}, output.Final},
		{outputtest.Answer{Status: 401}, output.Configuration},
		{outputtest.Answer{Status: 404}, output.Configuration},
		{outputtest.Answer{Status: 302, Header: map[string]string{"Location": s.URL}}, output.Configuration},
		{outputtest.Answer{Status: 413}, output.Big},
		{outputtest.Answer{Status: 503}, output.Retryable},
	} {
		s.Script(c.a)
		err := o.Send(t, outputtest.Event(0))
		outputtest.Class(t, err, c.want)
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("the error tells the URL: %v", err)
		}
	}
	s.Script(outputtest.Answer{Status: 429, Header: map[string]string{"Retry-After": "7"}})
	if _, after := output.ClassOf(o.Send(t, outputtest.Event(0))); after != 7*time.Second {
		t.Errorf("Retry-After of %v, want 7s", after)
	}
}

func TestWebhookRefusesWhatCannotWork(t *testing.T) {
	if _, err := outputtest.TryOpen(t, "webhook", "webhook: {address: 'ftp://x/secret'}"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error is %v", err)
	}
}

func TestWebhookHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: webhookSchema})
	outputtest.Hostile(t, outputtest.Open(t, "webhook", "webhook: {address: "+s.URL+"}"))
}
