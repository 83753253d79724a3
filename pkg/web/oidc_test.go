// SPDX-License-Identifier: Apache-2.0

package web

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"crypto"
)

// provider logs everybody in, as the groups that the test says.
type provider struct {
	*httptest.Server
	key       *rsa.PrivateKey
	groups    []string
	nonce     string
	challenge string
	badNonce  bool
}

func newProvider(t *testing.T) *provider {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	p := &provider{key: key}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())}}})
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		v := r.URL.Query()
		p.nonce, p.challenge = v.Get("nonce"), v.Get("code_challenge")
		http.Redirect(w, r, v.Get("redirect_uri")+"?"+url.Values{"code": {"c"}, "state": {v.Get("state")}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if r.FormValue("code") != "c" || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]any{"error": "invalid_grant"})
			return
		}
		nonce := p.nonce
		if p.badNonce {
			nonce = "another"
		}
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.sign(t, map[string]any{"iss": p.URL, "sub": "s", "aud": "falco",
			"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": nonce, "email": "mia@example.org", "groups": p.groups})})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) sign(t *testing.T, claims map[string]any) string {
	body, err := json.Marshal(claims)
	must(t, err)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	must(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestOIDC(t *testing.T) {
	p := newProvider(t)
	cfg := Config{Database: "memory", OIDC: &OIDC{Issuer: p.URL, ClientID: "falco", ClientSecret: "s", RedirectURL: "http://set.below/api/v2/oidc/callback",
		Roles: map[string]Role{"security": RoleAnalyst, "ops": RoleAdmin}}}
	x := serve(t, cfg)
	x.s.conf().oidc.cfg.RedirectURL = x.url + "/api/v2/oidc/callback"
	enter := func() (meV2, string) {
		jar, err := cookiejar.New(nil)
		must(t, err)
		c := &http.Client{Jar: jar}
		res, err := c.Get(x.url + "/api/v2/oidc/login")
		must(t, err)
		res.Body.Close()
		at := res.Request.URL.String()
		res, err = c.Get(x.url + "/api/v2/me")
		must(t, err)
		defer res.Body.Close()
		var me meV2
		must(t, json.NewDecoder(res.Body).Decode(&me))
		return me, at
	}
	p.groups = []string{"staff", "security"}
	if me, _ := enter(); me.User != "mia@example.org" || me.Role != "analyst" || me.CSRF == "" {
		t.Errorf("%+v", me)
	}
	p.groups = []string{"staff"}
	if me, at := enter(); me.User != "" || !strings.HasSuffix(at, "#/login/oidc") {
		t.Errorf("in no group: %+v at %s", me, at)
	}
	p.groups, p.badNonce = []string{"ops"}, true
	if me, _ := enter(); me.User != "" {
		t.Errorf("another's token: %+v", me)
	}
	if res, _ := x.do("GET", "/api/v2/oidc/callback?code=c&state=x", ""); res.StatusCode != http.StatusFound {
		t.Errorf("a callback from nowhere: %s", res.Status)
	}
	if me, _ := x.do("GET", "/api/v2/events", ""); me.StatusCode != http.StatusUnauthorized {
		t.Errorf("without log-in: %s", me.Status)
	}
}
