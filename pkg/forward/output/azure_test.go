// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const azureBearer = "header.payload.signature"

// noAzure forgets who the machine that runs the tests may be for Azure.
func noAzure(t *testing.T) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AZURE_") || strings.HasPrefix(name, "IDENTITY_") || strings.HasPrefix(name, "MSI_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
}

// managedIdentity plays the service that Azure runs beside an app; it is found by variables. The
// identity is one that nobody has had: the SDK keeps the tokens of all.
func managedIdentity(t *testing.T, answer func() (int, string)) {
	t.Helper()
	noAzure(t)
	who := fmt.Sprint("identity-", time.Now().UnixNano())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := url.Values{"api-version": {"2019-08-01"}, "resource": {"https://eventhubs.azure.net"}, "client_id": {who}}
		got := r.URL.Query()
		got.Set("resource", strings.TrimSuffix(got.Get("resource"), "/")) // which the SDK's client of AMQP adds
		if r.Method != "GET" || r.URL.Path != "/msi/token" || got.Encode() != want.Encode() || r.Header.Get("X-IDENTITY-HEADER") != "whisper" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		code, text := answer()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	t.Setenv("IDENTITY_ENDPOINT", s.URL+"/msi/token")
	t.Setenv("IDENTITY_HEADER", "whisper")
	t.Setenv("AZURE_CLIENT_ID", who)
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "prod")
}

const azureGranted = `{"access_token": "` + azureBearer + `", "expires_on": "4102444800", "resource": "https://eventhubs.azure.net", "token_type": "Bearer"}`

// The machine's identity: asked for once, however many batches there are.
func TestEventHubByManagedIdentity(t *testing.T) {
	asked := 0
	managedIdentity(t, func() (int, string) {
		if asked++; asked == 1 {
			return 503, `{"error": "later"}`
		}
		return 200, azureGranted
	})
	s := eventHubServer(t, azureBearer)
	o := outputtest.Open(t, "azureeventhub", "azure: {eventhub: {name: hub, namespace: ns.servicebus.windows.net, endpoint: "+s.URL+"}}")
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Retryable)
	for i := range 3 {
		if err := o.Send(t, outputtest.Event(i)); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 2 || len(s.Requests()) != 3 {
		t.Errorf("asked %d times, %d requests", asked, len(s.Requests()))
	}
}

func TestEventHubOverAMQPByManagedIdentity(t *testing.T) {
	dir, port, said := amqpHub(t, "bearer", azureBearer)
	managedIdentity(t, func() (int, string) { return 200, azureGranted })
	open := func() *outputtest.Opened {
		return outputtest.Open(t, "azureeventhub", "azure: {eventhub: {name: hub, namespace: localhost, transport: amqp, endpoint: '127.0.0.1:"+port+"', cacertfile: "+filepath.Join(dir, "ca.crt")+"}}")
	}
	o := open()
	outputtest.Class(t, one(o.Output.Send(within(t, 20e9), outputtest.Events(1))), output.Retryable) // the hub is busy the first time
	if err := o.Output.Send(within(t, 20e9), outputtest.Events(5)); err != nil {
		t.Fatal(err)
	}
	until(t, "the events", func() bool { return strings.Contains(said.String(), outputtest.UUID(4)) })
	managedIdentity(t, func() (int, string) { return 200, strings.Replace(azureGranted, azureBearer, "other", 1) })
	outputtest.Class(t, one(open().Output.Send(within(t, 20e9), outputtest.Events(1))), output.Configuration)
}

// entra plays login.microsoftonline.com behind a proxy, which gives everybody to it who asks for that host.
func entra(t *testing.T, token http.HandlerFunc) (proxy, ca string) {
	t.Helper()
	noAzure(t)
	dir := t.TempDir()
	certificates(t, dir, "login.microsoftonline.com")
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	const authority = "https://login.microsoftonline.com/tenant"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /common/discovery/instance", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"tenant_discovery_endpoint": "%[1]s/v2.0/.well-known/openid-configuration", "api-version": "1.1",
			"metadata": [{"preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net", "aliases": ["login.microsoftonline.com", "login.windows.net"]}]}`, authority)
	})
	mux.HandleFunc("GET /tenant/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"authorization_endpoint": "%[1]s/oauth2/v2.0/authorize", "token_endpoint": "%[1]s/oauth2/v2.0/token", "issuer": "%[1]s/v2.0"}`, authority)
	})
	mux.HandleFunc("POST /tenant/oauth2/v2.0/token", token)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("asked for %s %s", r.Method, r.URL)
		http.NotFound(w, r)
	})
	s := httptest.NewUnstartedServer(mux)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	t.Cleanup(s.Close)
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect { // the hub, which has no TLS in the test
			r.RequestURI = ""
			res, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			defer res.Body.Close()
			w.WriteHeader(res.StatusCode)
			io.Copy(w, res.Body)
			return
		}
		if r.Host != "login.microsoftonline.com:443" {
			t.Errorf("the proxy is asked for %s", r.Host)
		}
		there, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		w.WriteHeader(200)
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() { io.Copy(there, here); there.Close() }()
		io.Copy(here, there)
		here.Close()
	}))
	t.Cleanup(p.Close)
	return p.URL, filepath.Join(dir, "ca.crt")
}

// An application of Microsoft Entra, with a secret or with the token that Kubernetes has mounted, over a
// proxy, and with a CA of one's own.
func TestEventHubByEntra(t *testing.T) {
	mounted := filepath.Join(t.TempDir(), "token")
	writeFile(t, mounted, "from kubernetes")
	for what, c := range map[string]struct{ environ, form map[string]string }{
		"secret": {map[string]string{"AZURE_CLIENT_SECRET": "topsecret"}, map[string]string{"client_secret": "topsecret"}},
		"workload identity": {map[string]string{"AZURE_FEDERATED_TOKEN_FILE": mounted},
			map[string]string{"client_assertion": "from kubernetes", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}},
	} {
		t.Run(what, func(t *testing.T) {
			known := true
			proxy, ca := entra(t, func(w http.ResponseWriter, r *http.Request) {
				if err := r.ParseForm(); err != nil {
					t.Error(err)
				}
				want := map[string]string{"grant_type": "client_credentials", "client_id": "app"}
				for k, v := range c.form {
					want[k] = v
				}
				for k, v := range want {
					if r.PostForm.Get(k) != v {
						t.Errorf("%s is %q, want %q", k, r.PostForm.Get(k), v)
					}
				}
				if !slices.Contains(strings.Fields(r.PostForm.Get("scope")), "https://eventhubs.azure.net/.default") {
					t.Errorf("scope %q", r.PostForm.Get("scope"))
				}
				w.Header().Set("Content-Type", "application/json")
				if !known {
					w.WriteHeader(401)
					io.WriteString(w, `{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided: topsecret"}`)
					return
				}
				io.WriteString(w, `{"token_type": "Bearer", "expires_in": 3599, "access_token": "`+azureBearer+`"}`)
			})
			for k, v := range c.environ {
				t.Setenv(k, v)
			}
			t.Setenv("AZURE_TENANT_ID", "tenant")
			t.Setenv("AZURE_CLIENT_ID", "app")
			t.Setenv("AZURE_TOKEN_CREDENTIALS", "prod")
			s := eventHubServer(t, azureBearer)
			yaml := "azure: {eventhub: {name: hub, namespace: ns.servicebus.windows.net, endpoint: " + s.URL + ", proxy: " + proxy + ", cacertfile: " + ca + "}}"
			if err := outputtest.Open(t, "azureeventhub", yaml).Send(t, outputtest.Event(0)); err != nil {
				t.Fatal(err)
			}
			s.One()
			known = false
			err := outputtest.Open(t, "azureeventhub", yaml).Send(t, outputtest.Event(0))
			outputtest.Class(t, err, output.Configuration)
			if text := err.Error(); !strings.Contains(text, "AADSTS7000215") || strings.Contains(text, "topsecret") {
				t.Errorf("error is %v", err)
			}
		})
	}
}
