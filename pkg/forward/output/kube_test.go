// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// kubeconfigFor writes a file that leads to s, with what user says.
func kubeconfigFor(t *testing.T, s *outputtest.Server, user string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: main
contexts: [{name: other, context: {cluster: x, user: x}}, {name: main, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: u, user: {%s}}]
`, s.URL, base64.StdEncoding.EncodeToString(certPEM(s.Certificate())), user)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Functions in a cluster, from outside: through an API server with TLS, which checks the token.
func TestFunctionsThroughTheAPIServer(t *testing.T) {
	for _, c := range []struct {
		name, path, yaml string
		header           map[string]string
	}{
		{"kubeless", "/api/v1/namespaces/ns/services/fn:8080/proxy/", "kubeless: {function: fn, namespace: ns, kubeconfig: %s}",
			map[string]string{"Event-Id": outputtest.UUID(1), "Event-Type": "falco", "Event-Namespace": "ns"}},
		{"openfaas", "/api/v1/namespaces/openfaas/services/gateway:8080/proxy/function/fn.openfaas-fn", "openfaas: {functionname: fn, kubeconfig: %s}", nil},
		{"fission", "/api/v1/namespaces/fission/services/router:80/proxy/fission-function/fn", "fission: {function: fn, kubeconfig: %s}", map[string]string{"Event-Id": outputtest.UUID(1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := map[string]string{"Authorization": "Bearer tok", "Content-Type": output.ContentJSON}
			for k, v := range c.header {
				header[k] = v
			}
			s := outputtest.ServeTLS(t, outputtest.Want{Path: c.path, Header: header, Schema: webhookSchema})
			o := outputtest.Open(t, c.name, fmt.Sprintf(c.yaml, kubeconfigFor(t, s, "token: tok")))
			if err := o.Send(t, outputtest.Event(1)); err != nil {
				t.Fatal(err)
			}
			outputtest.SameJSON(t, s.One().Body, outputtest.Event(1).JSON())
			for status, class := range map[int]output.Class{400: output.Final, 401: output.Configuration, 404: output.Configuration, 408: output.Retryable, 425: output.Retryable, 429: output.Retryable, 502: output.Retryable, 413: output.Big} {
				s.Script(outputtest.Answer{Status: status})
				outputtest.Class(t, o.Send(t, outputtest.Event(1)), class)
			}
		})
	}
}

func TestKubeconfig(t *testing.T) {
	s := outputtest.ServeTLS(t, outputtest.Want{Header: map[string]string{"Authorization": "Bearer from-file"}})
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := outputtest.Open(t, "fission", "fission: {function: fn, kubeconfig: "+kubeconfigFor(t, s, "tokenFile: "+token)+"}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"exec: {command: aws}", "client-certificate-data: '***'", "client-certificate: /does/not/exist"} {
		if _, err := outputtest.TryOpen(t, "fission", "fission: {function: fn, kubeconfig: "+kubeconfigFor(t, s, user)+"}"); err == nil {
			t.Errorf("%s: no error", user)
		}
	}
	if _, err := outputtest.TryOpen(t, "fission", "fission: {function: fn, kubeconfig: /does/not/exist}"); err == nil {
		t.Error("a file that is not there")
	}
}

func TestOpenFaaS(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/async-function/fn.space", Status: 202, Schema: webhookSchema,
		Header: map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p"))}})
	o := outputtest.Open(t, "openfaas", "openfaas: {functionname: fn, functionnamespace: space, gatewayurl: "+s.URL+"/, user: u, password: p, async: true}")
	if err := o.Send(t, outputtest.Event(1)); err != nil {
		t.Fatal(err)
	}
	outputtest.Hostile(t, o)
	for name, yaml := range map[string]string{"kubeless": "kubeless: {function: 'a b', namespace: n}", "openfaas": "openfaas: {functionname: f, gatewayurl: 'ftp://x'}"} {
		if _, err := outputtest.TryOpen(t, name, yaml); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, name := range []string{"kubeless"} {
		if k := output.Find(name); !strings.Contains(k.Gone, "archived") {
			t.Errorf("%s: nobody is told that it is gone", name)
		}
	}
}
