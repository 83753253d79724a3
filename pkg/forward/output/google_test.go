// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// googleAccount returns the key of a service account, in base64, and the server that gives it tokens:
// for an assertion that it has signed, "api-token" or "id-token".
func googleAccount(t *testing.T) (string, *outputtest.Server) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var audience string
	s := outputtest.Serve(t, outputtest.Want{Path: "/token", Check: func(r *outputtest.Request) error {
		q, err := url.ParseQuery(string(r.Body))
		if err != nil {
			return err
		}
		part := strings.Split(q.Get("assertion"), ".")
		if len(part) != 3 || q.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			return fmt.Errorf("body %q", r.Body)
		}
		sig, err := base64.RawURLEncoding.DecodeString(part[2])
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(part[0] + "." + part[1]))
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
			return err
		}
		claims, err := base64.RawURLEncoding.DecodeString(part[1])
		if err != nil {
			return err
		}
		var c struct{ Iss, Aud, Scope, Target_audience string }
		if err := json.Unmarshal(claims, &c); err != nil {
			return err
		}
		if audience = c.Target_audience; c.Iss != "falco@p.iam.gserviceaccount.com" || audience == "" && c.Scope == "" {
			return fmt.Errorf("claims %s", claims)
		}
		return nil
	}, Reply: map[string]string{"Content-Type": "application/json"}, Respond: func(*outputtest.Request) string {
		if audience != "" {
			claims := base64.RawURLEncoding.EncodeToString([]byte(`{"aud":"` + audience + `","exp":4102444800}`))
			return `{"id_token":"e30.` + claims + `.c2ln"}`
		}
		return `{"access_token":"api-token","token_type":"Bearer","expires_in":3600}`
	}})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "falco@p.iam.gserviceaccount.com", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": s.URL + "/token"})
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text), s
}

func TestGCS(t *testing.T) {
	account, tokens := googleAccount(t)
	s := outputtest.Serve(t, outputtest.Want{Path: "/upload/storage/v1/b/alerts/o", Schema: webhookSchema, Body: `{"kind":"storage#object"}`,
		Header: map[string]string{"Authorization": "Bearer api-token", "Content-Type": "application/json"},
		Query:  map[string]string{"uploadType": "media", "ifGenerationMatch": "0", "name": "falco/2026-05-17/2026-05-17T15-31-56.747609046Z-" + outputtest.UUID(1) + ".json"}})
	o := outputtest.Open(t, "gcpstorage", "gcp: {credentials: "+account+", storage: {bucket: alerts, endpoint: "+s.URL+"}}")
	for range 2 {
		if err := o.Send(t, outputtest.Event(1)); err != nil {
			t.Fatal(err)
		}
	}
	tokens.One() // one token for both
	outputtest.SameJSON(t, s.Requests()[0].Body, outputtest.Event(1).JSON())
	for _, c := range []struct {
		status int
		body   string
		want   output.Class
	}{
		{403, `{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}`, output.Retryable}, {403, `{"error":{"errors":[{"reason":"forbidden"}]}}`, output.Configuration},
		{404, ``, output.Configuration}, {400, ``, output.Final}, {503, ``, output.Retryable}, {429, ``, output.Retryable}, {401, ``, output.Configuration},
	} {
		s.Script(outputtest.Answer{Status: c.status, Body: c.body})
		outputtest.Class(t, one(o.Send(t, outputtest.Event(1))), c.want)
	}
	s.Script(outputtest.Answer{Status: 412}) // it is there already
	if err := o.Send(t, outputtest.Event(1)); err != nil {
		t.Error(err)
	}
	if n := len(tokens.Requests()); n != 2 {
		t.Errorf("%d tokens, want another one after 401", n)
	}
}

func TestGoogleWithoutAToken(t *testing.T) {
	account, tokens := googleAccount(t)
	o := outputtest.Open(t, "gcpstorage", "gcp: {credentials: "+account+", storage: {bucket: alerts, endpoint: 'http://127.0.0.1:1'}}")
	for _, c := range []struct {
		status int
		want   output.Class
	}{{400, output.Configuration}, {503, output.Retryable}, {0, output.Retryable}} {
		tokens.Script(outputtest.Answer{Status: c.status, Body: `{"error":"invalid_grant"}`})
		outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), c.want)
	}
	for _, bad := range []string{"'***'", "e30=", "'{\"type\":\"authorized_user\"}'"} {
		if _, err := outputtest.TryOpen(t, "gcpstorage", "gcp: {credentials: "+bad+", storage: {bucket: b}}"); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestGCSIntoARealServer(t *testing.T) {
	url := "http://" + serverOf(t, "gcs")
	for _, layout := range []string{"per_event", "batch"} {
		o := outputtest.Open(t, "gcpstorage", "gcp: {storage: {bucket: alerts, prefix: "+layout+", layout: "+layout+", endpoint: "+url+"}}")
		for range 2 {
			if err := o.Send(t, outputtest.Events(20)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	var list struct{ Items []struct{ Name string } }
	getJSON(t, url+"/storage/v1/b/alerts/o?prefix=per_event/", &list)
	if len(list.Items) != 20 {
		t.Fatalf("%d objects, want 20", len(list.Items))
	}
	getJSON(t, url+"/storage/v1/b/alerts/o?prefix=batch/", &list)
	if len(list.Items) != 1 {
		t.Fatalf("%d objects, want one", len(list.Items))
	}
	res, err := http.Get(url + "/download/storage/v1/b/alerts/o/" + strings.NewReplacer("/", "%2F", "=", "%3D").Replace(list.Items[0].Name) + "?alt=media")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if z, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
		if text, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 20 {
		t.Fatalf("%d lines, want 20", len(lines))
	}
	outputtest.SameJSON(t, []byte(lines[19]), outputtest.Event(19).JSON())
	gone := outputtest.Open(t, "gcpstorage", "gcp: {storage: {bucket: nosuch, endpoint: "+url+"}}")
	outputtest.Class(t, one(gone.Send(t, outputtest.Event(0))), output.Configuration)
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

// gofakes3 is a second opinion about S3.
func TestS3IntoGofakes3(t *testing.T) {
	url := "http://" + serverOf(t, "s3")
	o := outputtest.Open(t, "awss3", "aws: {"+outputtest.AWS+", s3: {bucket: alerts, endpoint: "+url+"}}")
	if err := o.Send(t, outputtest.Events(20)...); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(url + "/alerts/falco/2026-05-17/2026-05-17T15-31-56.753609046Z-" + outputtest.UUID(7) + ".json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, body, outputtest.Event(7).JSON())
}

const pubsubSchema = `{"type": "object", "additionalProperties": false, "required": ["messages"], "properties": {"messages": {"type": "array", "minItems": 1, "maxItems": 1000,
	"items": {"type": "object", "additionalProperties": false, "required": ["data", "attributes"], "properties": {
		"data": {"type": "string", "pattern": "^[A-Za-z0-9+/=]+$"}, "orderingKey": {"type": "string", "minLength": 1, "maxLength": 1024},
		"attributes": {"type": "object", "maxProperties": 100, "propertyNames": {"minLength": 1, "maxLength": 256, "pattern": "^(?!goog)"}, "additionalProperties": {"type": "string", "maxLength": 1024}}}}}}}`

func TestPubSub(t *testing.T) {
	account, _ := googleAccount(t)
	s := outputtest.Serve(t, outputtest.Want{Path: "/v1/projects/p/topics/t:publish", Schema: strings.Replace(pubsubSchema, `, "pattern": "^(?!goog)"`, "", 1), Body: `{"messageIds":["1"]}`,
		Header: map[string]string{"Authorization": "Bearer api-token"}})
	o := outputtest.Open(t, "gcppubsub", "gcp: {credentials: "+account+", pubsub: {projectid: p, topic: t, endpoint: "+s.URL+"}}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status int
		body   string
		want   output.Class
	}{{404, `{"error":{"status":"NOT_FOUND"}}`, output.Configuration}, {400, ``, output.Final}, {429, ``, output.Retryable}, {200, `{"messageIds":[]}`, output.Retryable}, {503, ``, output.Retryable}} {
		s.Script(outputtest.Answer{Status: c.status, Body: c.body})
		outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), c.want)
	}
	outputtest.Hostile(t, o)
	if _, err := outputtest.TryOpen(t, "gcppubsub", "gcp: {pubsub: {projectid: p, topic: t, customattributes: {google: x}}}"); err == nil {
		t.Error("an attribute that Google keeps for itself")
	}
}

func TestPubSubIntoPstest(t *testing.T) {
	url := "http://" + serverOf(t, "pubsub")
	o := outputtest.Open(t, "gcppubsub", "gcp: {pubsub: {projectid: p, topic: alerts, customattributes: {Team: blue}, orderingkeytemplate: '{{.Hostname}}', endpoint: "+url+"}}")
	events := outputtest.Events(250)
	if err := o.Send(t, events...); err != nil {
		t.Fatal(err)
	}
	var got []struct {
		Data        string
		Attributes  map[string]string
		OrderingKey string
	}
	getJSON(t, url+"/messages", &got)
	if len(got) != len(events) {
		t.Fatalf("%d messages, want %d", len(got), len(events))
	}
	for i, m := range got {
		if m.Attributes["uuid"] != outputtest.UUID(i) || m.Attributes["Team"] != "blue" || m.OrderingKey != "node-1" {
			t.Fatalf("message %d: %+v", i, m)
		}
		outputtest.SameJSON(t, []byte(m.Data), events[i].JSON())
	}
	o = outputtest.Open(t, "gcppubsub", "gcp: {pubsub: {projectid: p, topic: nosuch, endpoint: "+url+"}}")
	outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), output.Configuration)
}

func TestCloudRunAsTheOriginal(t *testing.T) {
	want, e := outputtest.Original(t, "cloudrun"), outputtest.OriginalEvent(t)
	s := outputtest.Serve(t, outputtest.Want{Path: want.Path, Header: map[string]string{"Authorization": want.Header.Get("Authorization"),
		"Content-Type": want.Header.Get("Content-Type"), "User-Agent": want.Header.Get("User-Agent")}})
	o := outputtest.Open(t, "gcpcloudrun", "gcp: {cloudrun: {endpoint: "+s.URL+want.Path+", jwt: JWT}}")
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, s.One().Body, want.Body)
}

// Without a token in the settings the original has no client, and falls over its first event. Ours asks for
// an ID token, for that service.
func TestCloudRunGetsItsToken(t *testing.T) {
	account, tokens := googleAccount(t)
	var audience string
	s := outputtest.Serve(t, outputtest.Want{Schema: webhookSchema, Check: func(r *outputtest.Request) error {
		part := strings.Split(r.Header.Get("Authorization"), ".")
		if len(part) != 3 {
			return errors.New("no ID token")
		}
		claims, err := base64.RawURLEncoding.DecodeString(part[1])
		if err != nil {
			return err
		}
		var c struct{ Aud string }
		if err := json.Unmarshal(claims, &c); err != nil || c.Aud != audience {
			return fmt.Errorf("claims %s", claims)
		}
		return nil
	}})
	audience = s.URL + "/run"
	o := outputtest.Open(t, "gcpcloudrun", "gcp: {credentials: "+account+", cloudrun: {endpoint: "+s.URL+"/run}}")
	if err := o.Send(t, outputtest.Events(3)...); err != nil {
		t.Fatal(err)
	}
	tokens.One()
	for status, class := range map[int]output.Class{401: output.Configuration, 403: output.Configuration, 429: output.Retryable, 400: output.Final, 503: output.Retryable} {
		s.Script(outputtest.Answer{Status: status})
		outputtest.Class(t, o.Send(t, outputtest.Event(0)), class)
	}
	outputtest.Hostile(t, o)
}

func TestCloudFunctions(t *testing.T) {
	account, _ := googleAccount(t)
	s := outputtest.Serve(t, outputtest.Want{Path: "/v1/projects/p/locations/l/functions/f:call", Header: map[string]string{"Authorization": "Bearer api-token"},
		Schema: `{"type": "object", "additionalProperties": false, "required": ["data"], "properties": {"data": {"type": "string"}}}`, Body: `{"executionId":"1","result":"ok"}`,
		Check: func(r *outputtest.Request) error {
			b, err := awsBody[struct{ Data string }](r)
			if err == nil && (!json.Valid([]byte(b.Data)) || !utf8.ValidString(b.Data)) {
				err = errors.New("data is no JSON")
			}
			return err
		}})
	o := outputtest.Open(t, "gcpcloudfunctions", "gcp: {credentials: "+account+", cloudfunctions: {name: projects/p/locations/l/functions/f, endpoint: "+s.URL+"}}")
	if err := o.Send(t, outputtest.Event(3)); err != nil {
		t.Fatal(err)
	}
	one := s.One()
	b, _ := awsBody[struct{ Data string }](&one)
	outputtest.SameJSON(t, []byte(b.Data), outputtest.Event(3).JSON())
	s.Script(outputtest.Answer{Status: 200, Body: `{"executionId":"1","error":"boom"}`})
	err := o.Send(t, outputtest.Event(0))
	if outputtest.Class(t, err, output.Retryable); !strings.Contains(err.Error(), "boom") {
		t.Errorf("error is %v", err)
	}
	outputtest.Hostile(t, o)
	if _, err := outputtest.TryOpen(t, "gcpcloudfunctions", "gcp: {cloudfunctions: {name: f}}"); err == nil {
		t.Error("a name that is none")
	}
}
