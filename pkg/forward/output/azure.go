// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// azureIdentity is who this machine is for Azure, as the SDK finds it out: by variables (AZURE_CLIENT_ID and its kin), a file that
// Kubernetes has mounted, or by asking the machine's host. It trusts whom the output trusts, and uses its proxy.
func azureIdentity(env *Env, h *HTTP) (azcore.TokenCredential, error) {
	t, err := env.Transport(&HTTP{CheckCert: true, CACertFile: h.CACertFile, Proxy: h.Proxy})
	if err != nil {
		return nil, err
	}
	t.Proxy = notForHost(t.Proxy)
	opts := &azidentity.DefaultAzureCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: t, Timeout: requestTimeout}}}
	opts.Retry = policy.RetryOptions{MaxRetries: -1} // the engine does
	return azidentity.NewDefaultAzureCredential(opts)
}

// notForHost leaves the proxy out for what is on this machine, or its host: the services
// that hand out identities are there.
func notForHost(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		if a, err := netip.ParseAddr(r.URL.Hostname()); err == nil && (a.IsLoopback() || a.IsLinkLocalUnicast()) {
			return nil, nil
		}
		return proxy(r)
	}
}

// azureToken returns a token for a service. The SDK keeps it while it is valid.
func azureToken(ctx context.Context, c azcore.TokenCredential, scope string) (string, error) {
	token, err := c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	if err != nil {
		return "", azureError(fmt.Errorf("no token: %w", err))
	}
	return token.Token, nil
}

// aadCode is what Microsoft Entra calls an error.
var aadCode = regexp.MustCompile(`AADSTS[0-9]+`)

// azureError gives an error about who we are its class, and leaves all others as they are. Of the SDK's text,
// which is a page, the status and the code remain.
func azureError(err error) error {
	e, ok := errors.AsType[*azidentity.AuthenticationFailedError](err)
	if !ok {
		return err
	}
	if e.RawResponse == nil {
		return Retry(errors.New("no token: "+Line(e.Error())), 0)
	}
	why := fmt.Errorf("no token: %s %s", e.RawResponse.Status, aadCode.FindString(e.Error()))
	if code := e.RawResponse.StatusCode; code == 429 || code >= 500 {
		return Retry(why, 0)
	}
	return Misconfigured(why)
}
