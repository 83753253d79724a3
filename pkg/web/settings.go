// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// settings are a Config in force, with what is made of it. They do not change: a
// reload puts others in their place.
type settings struct {
	Config
	oidc   *oidcLogin // nil without
	tokens map[[32]byte]Token
}

// conf returns the settings in force.
func (s *Server) conf() *settings { return s.live.Load() }

// newSettings looks at what can be said of a configuration by itself.
func newSettings(cfg Config) (*settings, error) {
	c := &settings{Config: cfg, tokens: map[[32]byte]Token{}}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	r := &c.Retention
	if r.Age == 0 && r.Events == 0 && r.Bytes == 0 && len(r.ByPriority) == 0 {
		*r = DefaultRetention
	}
	c.Users = append([]User(nil), cfg.Users...)
	for i := range c.Users {
		u := &c.Users[i]
		if u.Name == "" || u.Password == "" && u.Hash == "" {
			return nil, errors.New("webui.users: a user without a name or a password")
		}
		if u.Role == RoleNone {
			u.Role = RoleAdmin
		}
	}
	for _, t := range c.Tokens {
		if len(t.Token) < 16 {
			return nil, fmt.Errorf("webui.tokens: the token %q is shorter than 16 letters", t.Name)
		}
		c.tokens[sha256.Sum256([]byte(t.Token))] = t
	}
	if c.OIDC != nil {
		var err error
		if c.oidc, err = newOIDC(c.OIDC); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Reload says whether another configuration can be put in the place of the one in
// force, and returns what does so. Users, tokens, OIDC, proxies, retention and sensors
// change at once, and who may not come in any more is logged out. Database, BasePath,
// Outputs, Version and Log stay as they were.
func (s *Server) Reload(ctx context.Context, cfg Config) (apply func() error, err error) {
	old := s.conf()
	cfg.Database, cfg.BasePath, cfg.Outputs, cfg.Version, cfg.Log = old.Database, old.BasePath, old.Outputs, old.Version, old.Log
	next, err := newSettings(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.reachable(next); err != nil {
		return nil, err
	}
	return func() error {
		if err := s.admit(ctx, next); err != nil {
			return err
		}
		s.live.Store(next)
		s.auth.forget()
		return nil
	}, nil
}

// reachable refuses to show events to whoever reaches a port.
func (s *Server) reachable(c *settings) error {
	if c.Remote && s.auth.open(c) {
		return errors.New("nobody can log in yet, so that the page is for this machine alone: set webui.password or webui.oidc, or leave webui.listenaddress at 127.0.0.1")
	}
	return nil
}

// admit ends the sessions of those whom an earlier configuration has let in, before a
// reload or a restart, and this one does not: users who are gone or have another
// password or role, and everybody of another identity provider. What let people in is
// kept for that in the store: hashes, which go on to be used, and a sum.
func (s *Server) admit(ctx context.Context, c *settings) error {
	if err := s.reachable(c); err != nil {
		return err
	}
	before, err := s.store.Records(ctx, "configured")
	if err != nil {
		return err
	}
	same := map[string]bool{}
	for i := range c.Users {
		u := &c.Users[i]
		var was account
		known := json.Unmarshal(before[u.Name], &was) == nil && was.Role == u.Role
		switch {
		case u.Hash != "":
			known = known && was.Hash == u.Hash
		case known && verify(u.Password, was.Hash):
			u.Hash = was.Hash
		default:
			u.Hash, known = Hash(u.Password), false
		}
		u.Password = ""
		same[u.Name] = known
		if known {
			continue
		}
		text, err := json.Marshal(account{u.Hash, u.Role})
		if err == nil {
			err = s.store.PutRecord(ctx, "configured", u.Name, text, 0)
		}
		if err != nil {
			return err
		}
	}
	gone := map[string]bool{}
	for name := range before {
		if !same[name] {
			gone[name] = true
		}
		if _, still := same[name]; !still {
			if err := s.store.DeleteRecord(ctx, "configured", name); err != nil {
				return err
			}
		}
	}
	provider := c.provider()
	was, err := s.store.Record(ctx, "provider", "oidc")
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	other := string(was) != provider
	if other {
		if err := s.store.PutRecord(ctx, "provider", "oidc", []byte(provider), 0); err != nil {
			return err
		}
	}
	return s.endSessions(ctx, func(_ string, sess *session) bool {
		if sess.OIDC {
			return other
		}
		return gone[sess.Name]
	})
}

// provider is a sum of what says whom the identity provider lets in, as JSON.
func (c *settings) provider() string {
	if c.OIDC == nil {
		return `""`
	}
	o := *c.OIDC
	o.ClientSecret = ""
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
