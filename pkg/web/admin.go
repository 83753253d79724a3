// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

type statusV2 struct {
	Status string `json:"status"`
}

var done = statusV2{"ok"}

type credentials struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

type setup struct {
	Code     string `json:"code"`
	User     string `json:"user"`
	Password string `json:"password"`
}

type meV2 struct {
	User     string   `json:"user"`
	Role     string   `json:"role"`
	Via      string   `json:"via"`
	CSRF     string   `json:"csrf"`
	Password bool     `json:"password_login"`
	OIDC     bool     `json:"oidc_login"`
	Loopback bool     `json:"loopback"` // nobody can log in yet
	May      []string `json:"may"`
}

func (s *Server) meOf(id identity) meV2 {
	a := s.auth
	a.mu.Lock()
	password := a.stored > 0 || len(s.conf().Users) > 0
	a.mu.Unlock()
	out := meV2{User: id.Name, Role: id.Role.String(), Via: id.Via, CSRF: id.CSRF, Password: password, OIDC: a.s.conf().oidc != nil, Loopback: a.loopback(), May: []string{}}
	for _, m := range []struct {
		role Role
		word string
	}{{RoleViewer, "read"}, {RoleAnalyst, "annotate"}, {RoleAdmin, "administer"}} {
		if id.Role >= m.role {
			out.May = append(out.May, m.word)
		}
	}
	return out
}

// me says who asks, and lets the session live on.
func (s *Server) me(c *call) error {
	if ck, err := c.r.Cookie(sessionCookie); err == nil && c.id.Via == "session" {
		text, err := json.Marshal(session{c.id.Name, c.id.Role, c.id.CSRF, c.id.oidc})
		if err == nil {
			err = s.store.PutRecord(c.r.Context(), "session", c.id.key, text, now()+sessionLife.Microseconds())
		}
		if err != nil {
			return err
		}
		s.auth.cookie(c, ck.Value, int(sessionLife/time.Second))
	}
	return c.json(http.StatusOK, s.meOf(c.id))
}

func (s *Server) login(c *call) error {
	var cr credentials
	if err := c.read(&cr); err != nil {
		return err
	}
	addr := peer(c.r)
	if !s.auth.admit(addr) {
		c.w.Header().Set("Retry-After", "60")
		return &apiError{Status: http.StatusTooManyRequests, Code: "lockout", Message: "too many wrong passwords; wait a minute"}
	}
	id, ok := s.auth.check(c.r.Context(), cr.User, cr.Password)
	if !ok {
		s.auth.fails(addr)
		s.audit(c.r, cr.User, "log in refused", "")
		return &apiError{Status: http.StatusUnauthorized, Code: "credentials", Message: "the name or the password is wrong"}
	}
	return s.enter(c, id)
}

func (s *Server) enter(c *call, id identity) error {
	if err := s.auth.login(c, &id); err != nil {
		return err
	}
	return c.json(http.StatusOK, s.meOf(id))
}

func (s *Server) logout(c *call) error {
	if c.id.key != "" {
		if err := s.store.DeleteRecord(c.r.Context(), "session", c.id.key); err != nil {
			return err
		}
	}
	s.auth.cookie(c, "", -1)
	return c.json(http.StatusOK, done)
}

// setup makes the first user, for whoever has the code that the log has told.
func (s *Server) setup(c *call) error {
	var st setup
	if err := c.read(&st); err != nil {
		return err
	}
	code := s.auth.setupCode()
	addr := peer(c.r)
	if !s.auth.admit(addr) || code == "" || subtle.ConstantTimeCompare([]byte(st.Code), []byte(code)) != 1 {
		s.auth.fails(addr)
		return &apiError{Status: http.StatusForbidden, Code: "setup", Message: "this link is not valid (any more)"}
	}
	if err := s.makeUser(c, newUser{st.User, st.Password, RoleAdmin.String()}, true); err != nil {
		return err
	}
	return s.enter(c, identity{Name: st.User, Role: RoleAdmin})
}

type newUser struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Role     string `json:"role"`
}

func (s *Server) makeUser(c *call, u newUser, first bool) error {
	role, err := ParseRole(u.Role)
	switch {
	case err != nil:
		return bad("%v", err)
	case u.Name == "" || len(u.Name) > 128 || strings.ContainsAny(u.Name, "/\x00:"):
		return bad("a name has from 1 to 128 letters, no / and no :")
	case len(u.Password) < minPassword || len(u.Password) > 1024:
		return bad("a password has at least %d letters", minPassword)
	case slices.ContainsFunc(s.conf().Users, func(o User) bool { return o.Name == u.Name }):
		return bad("%q is in the configuration", u.Name)
	}
	text, err := json.Marshal(account{Hash(u.Password), role})
	if err != nil {
		return err
	}
	if first {
		err = s.store.AddRecord(c.r.Context(), "user", u.Name, text, 0)
	} else {
		err = s.store.PutRecord(c.r.Context(), "user", u.Name, text, 0)
	}
	if err != nil {
		return err
	}
	s.audit(c.r, c.id.Name, "make user", u.Name+" as "+u.Role)
	return s.recount(c)
}

// recount makes changes of users known, and ends the sessions of those who changed.
func (s *Server) recount(c *call) error {
	list, err := s.store.Records(c.r.Context(), "user")
	if err != nil {
		return err
	}
	s.auth.forget()
	s.auth.mu.Lock()
	s.auth.stored = len(list)
	s.auth.mu.Unlock()
	return nil
}

func (s *Server) putUser(c *call) error {
	var u newUser
	if err := c.read(&u); err != nil {
		return err
	}
	if err := s.makeUser(c, u, false); err != nil {
		return err
	}
	if err := s.endSessions(c.r.Context(), func(key string, sess *session) bool { return sess.Name == u.Name && key != c.id.key }); err != nil {
		return err
	}
	return c.json(http.StatusOK, done)
}

func (s *Server) dropUser(c *call) error {
	name := c.r.PathValue("name")
	if name == c.id.Name {
		return bad("you cannot remove yourself")
	}
	if _, err := s.store.Record(c.r.Context(), "user", name); err != nil {
		return err
	}
	if err := s.store.DeleteRecord(c.r.Context(), "user", name); err != nil {
		return err
	}
	s.audit(c.r, c.id.Name, "remove user", name)
	if err := s.endSessions(c.r.Context(), func(_ string, sess *session) bool { return sess.Name == name }); err != nil {
		return err
	}
	if err := s.recount(c); err != nil {
		return err
	}
	return c.json(http.StatusOK, done)
}

// endSessions logs out those whom which names.
func (s *Server) endSessions(ctx context.Context, which func(key string, sess *session) bool) error {
	list, err := s.store.Records(ctx, "session")
	if err != nil {
		return err
	}
	for key, text := range list {
		var sess session
		if json.Unmarshal(text, &sess) == nil && which(key, &sess) {
			if err := s.store.DeleteRecord(ctx, "session", key); err != nil {
				return err
			}
		}
	}
	return nil
}

type userV2 struct {
	Name string `json:"name"`
	Role string `json:"role"`
	From string `json:"from"` // "page" or "configuration"
}

type usersV2 struct {
	Items []userV2 `json:"items"`
}

func (s *Server) users(c *call) error {
	out := usersV2{Items: []userV2{}}
	for _, u := range s.conf().Users {
		out.Items = append(out.Items, userV2{u.Name, u.Role.String(), "configuration"})
	}
	list, err := s.store.Records(c.r.Context(), "user")
	if err != nil {
		return err
	}
	for name, text := range list {
		var acc account
		if json.Unmarshal(text, &acc) == nil {
			out.Items = append(out.Items, userV2{name, acc.Role.String(), "page"})
		}
	}
	slices.SortFunc(out.Items, func(a, b userV2) int { return strings.Compare(a.Name, b.Name) })
	return c.json(http.StatusOK, out)
}

type newToken struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

type madeToken struct {
	Name  string `json:"name"`
	Token string `json:"token"`
}

func (s *Server) tokens(c *call) error {
	out := usersV2{Items: []userV2{}}
	for _, t := range s.conf().Tokens {
		out.Items = append(out.Items, userV2{t.Name, t.Role.String(), "configuration"})
	}
	list, err := s.store.Records(c.r.Context(), "token")
	if err != nil {
		return err
	}
	for _, text := range list {
		var t session
		if json.Unmarshal(text, &t) == nil {
			out.Items = append(out.Items, userV2{t.Name, t.Role.String(), "page"})
		}
	}
	slices.SortFunc(out.Items, func(a, b userV2) int { return strings.Compare(a.Name, b.Name) })
	return c.json(http.StatusOK, out)
}

func (s *Server) makeToken(c *call) error {
	var t newToken
	if err := c.read(&t); err != nil {
		return err
	}
	role, err := ParseRole(t.Role)
	if err != nil || t.Name == "" || len(t.Name) > 128 || strings.Contains(t.Name, "/") {
		return bad("a token has a name of up to 128 letters without /, and a role")
	}
	value := secret()
	text, err := json.Marshal(session{Name: t.Name, Role: role})
	if err != nil {
		return err
	}
	if err := s.store.PutRecord(c.r.Context(), "token", sumOf(value), text, 0); err != nil {
		return err
	}
	s.audit(c.r, c.id.Name, "make token", t.Name+" as "+t.Role)
	return c.json(http.StatusOK, madeToken{t.Name, value})
}

func (s *Server) dropToken(c *call) error {
	list, err := s.store.Records(c.r.Context(), "token")
	if err != nil {
		return err
	}
	found := false
	for key, text := range list {
		var t session
		if json.Unmarshal(text, &t) == nil && t.Name == c.r.PathValue("name") {
			if err := s.store.DeleteRecord(c.r.Context(), "token", key); err != nil {
				return err
			}
			found = true
		}
	}
	if !found {
		return ErrNotFound
	}
	s.audit(c.r, c.id.Name, "withdraw token", c.r.PathValue("name"))
	return c.json(http.StatusOK, done)
}

type auditV2 struct {
	Items []json.RawMessage `json:"items"`
}

func (s *Server) auditLog(c *call) error {
	list, err := s.store.Records(c.r.Context(), "audit")
	if err != nil {
		return err
	}
	keys := make([]string, 0, len(list))
	for k := range list {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	slices.Reverse(keys)
	out := auditV2{Items: []json.RawMessage{}}
	for _, k := range keys[:min(len(keys), 500)] {
		out.Items = append(out.Items, list[k])
	}
	return c.json(http.StatusOK, out)
}

type view struct {
	Name   string `json:"name"`
	Query  string `json:"query"` // of the page's address
	Shared bool   `json:"shared"`
	Owner  string `json:"owner,omitempty"`
}

type viewsV2 struct {
	Items []view `json:"items"`
}

func (s *Server) views(c *call) error {
	list, err := s.store.Records(c.r.Context(), "view")
	if err != nil {
		return err
	}
	out := viewsV2{Items: []view{}}
	for _, text := range list {
		var v view
		if json.Unmarshal(text, &v) == nil && (v.Shared || v.Owner == c.id.Name) {
			out.Items = append(out.Items, v)
		}
	}
	slices.SortFunc(out.Items, func(a, b view) int { return strings.Compare(a.Name, b.Name) })
	return c.json(http.StatusOK, out)
}

func (s *Server) putView(c *call) error {
	var v view
	if err := c.read(&v); err != nil {
		return err
	}
	if v.Name == "" || len(v.Name) > 128 || len(v.Query) > maxQuery {
		return bad("a view has a name of up to 128 letters, and a query")
	}
	v.Owner = c.id.Name
	key := v.Owner + "\x1f" + v.Name
	if v.Query == "" {
		if err := s.store.DeleteRecord(c.r.Context(), "view", key); err != nil {
			return err
		}
		return c.json(http.StatusOK, done)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := s.store.PutRecord(c.r.Context(), "view", key, text, 0); err != nil {
		return err
	}
	return c.json(http.StatusOK, done)
}
