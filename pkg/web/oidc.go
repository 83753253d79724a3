// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDC says who logs people in.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	RedirectURL  string // https://…/api/v2/oidc/callback
	Scopes       []string
	NameClaim    string          // "email" if empty, or else the subject
	GroupsClaim  string          // "groups" if empty
	Roles        map[string]Role // of groups; "*" is everybody
}

const oidcCookie = "falco_oidc"

// oidcLogin speaks with the provider, from the first log-in on: it may come up later
// than we do.
type oidcLogin struct {
	cfg *OIDC

	mu       sync.Mutex
	provider *oidc.Provider
}

func newOIDC(cfg *OIDC) (*oidcLogin, error) {
	if cfg.Issuer == "" || cfg.ClientID == "" || cfg.RedirectURL == "" {
		return nil, errors.New("webui.oidc: issuer, clientid and redirecturl are needed")
	}
	if len(cfg.Roles) == 0 {
		return nil, errors.New("webui.oidc: no group has a role: nobody could log in")
	}
	return &oidcLogin{cfg: cfg}, nil
}

func (o *oidcLogin) ready(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		// The provider keeps the client of its context, not the context's end.
		p, err := oidc.NewProvider(ctx, o.cfg.Issuer)
		if err != nil {
			return nil, nil, &apiError{Status: http.StatusBadGateway, Code: "oidc", Message: "the identity provider does not answer"}
		}
		o.provider = p
	}
	scopes := o.cfg.Scopes
	if len(scopes) == 0 {
		scopes = []string{oidc.ScopeOpenID, "profile", "email", "groups"}
	}
	return o.provider, &oauth2.Config{ClientID: o.cfg.ClientID, ClientSecret: o.cfg.ClientSecret, Endpoint: o.provider.Endpoint(),
		RedirectURL: o.cfg.RedirectURL, Scopes: scopes}, nil
}

// pending is a log-in that is under way, in a cookie of the browser that began it.
type pending struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
}

func (s *Server) oidcBegin(c *call) error {
	if s.conf().oidc == nil {
		return ErrNotFound
	}
	_, cfg, err := s.conf().oidc.ready(c.r.Context())
	if err != nil {
		return err
	}
	p := pending{secret(), secret(), oauth2.GenerateVerifier()}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	// Lax: the browser comes back from another site.
	key := secret()
	if err := s.store.PutRecord(c.r.Context(), "oidc", sumOf(key), text, now()+(10*time.Minute).Microseconds()); err != nil {
		return err
	}
	http.SetCookie(c.w, &http.Cookie{Name: oidcCookie, Value: key, Path: c.base(), MaxAge: 600, HttpOnly: true,
		Secure: s.conf().Secure || c.r.TLS != nil, SameSite: http.SameSiteLaxMode})
	http.Redirect(c.w, c.r, cfg.AuthCodeURL(p.State, oidc.Nonce(p.Nonce), oauth2.S256ChallengeOption(p.Verifier)), http.StatusFound)
	return nil
}

func (s *Server) oidcEnd(c *call) error {
	if s.conf().oidc == nil {
		return ErrNotFound
	}
	id, err := s.oidcIdentity(c)
	if err != nil {
		s.audit(c.r, "", "log in refused", "oidc: "+err.Error())
		http.Redirect(c.w, c.r, c.base()+"#/login/oidc", http.StatusFound)
		return nil
	}
	if err := s.auth.login(c, &id); err != nil {
		return err
	}
	// A page of ours goes on: the strict cookie is not sent with a redirect that
	// began at another site.
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(c.w, `<!doctype html><meta http-equiv="refresh" content="0;url=%s"><title>Falco</title>`, c.base())
	return nil
}

func (s *Server) oidcIdentity(c *call) (identity, error) {
	ctx := c.r.Context()
	provider, cfg, err := s.conf().oidc.ready(ctx)
	if err != nil {
		return identity{}, err
	}
	ck, err := c.r.Cookie(oidcCookie)
	if err != nil {
		return identity{}, errors.New("no log-in was begun in this browser")
	}
	text, err := s.store.Record(ctx, "oidc", sumOf(ck.Value))
	var p pending
	if err != nil || json.Unmarshal(text, &p) != nil {
		return identity{}, errors.New("the log-in took too long")
	}
	if err := s.store.DeleteRecord(ctx, "oidc", sumOf(ck.Value)); err != nil { // works once
		return identity{}, err
	}
	v := c.r.URL.Query()
	if v.Get("state") != p.State {
		return identity{}, errors.New("the state is not ours")
	}
	tok, err := cfg.Exchange(ctx, v.Get("code"), oauth2.VerifierOption(p.Verifier))
	if err != nil {
		return identity{}, fmt.Errorf("exchange the code: %w", err)
	}
	raw, _ := tok.Extra("id_token").(string)
	idt, err := provider.Verifier(&oidc.Config{ClientID: cfg.ClientID}).Verify(ctx, raw)
	if err != nil {
		return identity{}, fmt.Errorf("verify the token: %w", err)
	}
	if idt.Nonce != p.Nonce {
		return identity{}, errors.New("the nonce is not ours")
	}
	var claims map[string]any
	if err := idt.Claims(&claims); err != nil {
		return identity{}, err
	}
	return s.conf().oidc.identity(idt.Subject, claims)
}

// identity reads name and role from the claims.
func (o *oidcLogin) identity(subject string, claims map[string]any) (identity, error) {
	claim := func(name, def string) any {
		if name == "" {
			name = def
		}
		return claims[name]
	}
	name, _ := claim(o.cfg.NameClaim, "email").(string)
	if name == "" {
		name = subject
	}
	var groups []string
	switch g := claim(o.cfg.GroupsClaim, "groups").(type) {
	case string:
		groups = strings.Split(g, ",")
	case []any:
		for _, v := range g {
			if text, ok := v.(string); ok {
				groups = append(groups, text)
			}
		}
	}
	role := roleOf(o.cfg.Roles, groups)
	if role < RoleViewer {
		return identity{}, fmt.Errorf("%q is in no group that has a role", name)
	}
	return identity{Name: name, Role: role, oidc: true}, nil
}
