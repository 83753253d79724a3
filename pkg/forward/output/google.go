// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"golang.org/x/oauth2/jwt"
)

// GoogleAccount are the settings that all outputs to Google Cloud have in common.
type GoogleAccount struct {
	Credentials Secret `key:"credentials" doc:"JSON of a service account's key, as it is or in base64; without it Google's usual places are searched, down to the machine's own account"`
}

const googleScope = "https://www.googleapis.com/auth/cloud-platform"

// googleClient posts with a token of the account.
type googleClient struct {
	*Client
	env    *Env
	source func(ctx context.Context) (oauth2.TokenSource, error) // nil: no token is sent

	turn  chan struct{}
	token *oauth2.Token
}

// open reads the account. For audience "" its tokens are for the API, else they are ID tokens
// for that service. An endpoint without TLS is an emulator, which gets no token.
func (a *GoogleAccount) open(env *Env, h *HTTP, endpoint, audience string) (*googleClient, error) {
	if err := CheckURL("endpoint", endpoint); err != nil {
		return nil, err
	}
	c, err := env.Client(h)
	if err != nil {
		return nil, err
	}
	g := &googleClient{Client: c, env: env, turn: make(chan struct{}, 1)}
	if strings.HasPrefix(endpoint, "http:") && a.Credentials == "" {
		return g, nil
	}
	web := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: c.client.Transport, Timeout: 2 * connectTimeout})
	if a.Credentials == "" {
		g.source = func(ctx context.Context) (oauth2.TokenSource, error) { return defaultGoogle(web, audience) }
		return g, nil
	}
	text := []byte(a.Credentials)
	if !strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		if text, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), "")); err != nil {
			return nil, errors.New("gcp.credentials is neither JSON nor base64")
		}
	}
	conf, err := serviceAccount(text, audience)
	if err != nil {
		return nil, err
	}
	g.source = func(context.Context) (oauth2.TokenSource, error) { return conf.TokenSource(web), nil }
	return g, nil
}

func serviceAccount(text []byte, audience string) (*jwt.Config, error) {
	conf, err := google.JWTConfigFromJSON(text, googleScope)
	if err != nil {
		return nil, errors.New("gcp.credentials is no key of a service account")
	}
	if audience != "" {
		conf.Scopes, conf.UseIDToken, conf.PrivateClaims = nil, true, map[string]any{"target_audience": audience}
	}
	return conf, nil
}

// defaultGoogle searches the usual places.
func defaultGoogle(ctx context.Context, audience string) (oauth2.TokenSource, error) {
	found, err := google.FindDefaultCredentials(ctx, googleScope)
	if err != nil {
		return nil, Misconfigured(err)
	}
	if audience == "" {
		return found.TokenSource, nil
	}
	if len(found.JSON) > 0 {
		conf, err := serviceAccount(found.JSON, audience)
		if err != nil {
			return nil, Misconfigured(err)
		}
		return conf.TokenSource(ctx), nil
	}
	return &machineIdentity{audience}, nil
}

// machineIdentity has ID tokens from the metadata server.
type machineIdentity struct{ audience string }

func (m *machineIdentity) Token() (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	text, err := metadata.GetWithContext(ctx, "instance/service-accounts/default/identity?audience="+url.QueryEscape(m.audience))
	if err != nil {
		return nil, err
	}
	text = strings.TrimSpace(text)
	return &oauth2.Token{AccessToken: text, Expiry: jwtExpiry(text)}, nil
}

// jwtExpiry reads when a token ends, the zero time if it does not say.
func jwtExpiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}
	}
	return time.Unix(claims.Exp, 0)
}

// authorization returns the header, with a token that is valid for a while.
func (g *googleClient) authorization(ctx context.Context) (string, error) {
	if g.source == nil {
		return "", nil
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-g.turn }()
	if !g.token.Valid() {
		source, err := g.source(ctx)
		if err != nil {
			return "", err
		}
		if g.token, err = source.Token(); err != nil {
			return "", googleTokenError(err)
		}
	}
	return "Bearer " + g.token.AccessToken, nil
}

func googleTokenError(err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.Response != nil {
		text := fmt.Errorf("no token: %d %s %s", e.Response.StatusCode, e.ErrorCode, Line(e.ErrorDescription))
		if s := e.Response.StatusCode; s >= 400 && s < 500 && s != http.StatusTooManyRequests && s != http.StatusRequestTimeout {
			return Misconfigured(text)
		}
		return text
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("no token: %w", err)
}

// send is Do with a token.
func (g *googleClient) send(ctx context.Context, r *Request) (*Answer, error) {
	auth, err := g.authorization(ctx)
	if err != nil {
		return nil, err
	}
	r.Header = Headers(r.Header, "Authorization", auth)
	r.Classify = g.classify
	a, err := g.Do(ctx, r)
	if a != nil && a.Status == http.StatusUnauthorized && g.source != nil {
		g.turn <- struct{}{}
		g.token = nil
		<-g.turn
	}
	return a, err
}

// classify knows that 403 may be about a quota too.
func (g *googleClient) classify(a *Answer) error {
	var body struct {
		Error struct {
			Errors []struct{ Reason string }
		}
	}
	if a.Status != http.StatusForbidden || json.Unmarshal(a.Body, &body) != nil {
		return nil
	}
	for _, e := range body.Error.Errors {
		switch e.Reason {
		case "rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded":
			err := Classify(a, g.env.Now()).(*Error)
			err.Class = Retryable
			return err
		}
	}
	return nil
}
