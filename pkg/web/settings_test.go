// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reload puts another configuration in force.
func (x *site) reload(cfg Config) error {
	apply, err := x.s.Reload(x.t.Context(), cfg)
	if err == nil {
		err = apply()
	}
	return err
}

// A reload changes who may come in at once, logs out who may not, and leaves everybody
// else where they are. What is wrong changes nothing.
func TestReload(t *testing.T) {
	x := serve(t, guarded())
	in := func(cookie string) bool {
		res, _ := x.do("GET", "/api/v2/events", "", "Cookie", cookie)
		return res.StatusCode == 200
	}
	token := func(text string) bool {
		res, _ := x.do("GET", "/api/v2/events", "", bearer(text)...)
		return res.StatusCode == 200
	}
	ann, _, _ := x.login("ann", "correct horse")
	leo, _, _ := x.login("leo", "correct horse")
	if !in(ann) || !in(leo) || !token(viewToken) {
		t.Fatal("nobody is in")
	}
	for name, spoil := range map[string]func(*Config){
		"short token": func(c *Config) { c.Tokens = []Token{{"x", "short", RoleViewer}} },
		"no password": func(c *Config) { c.Users = []User{{Name: "ann"}} },
		"no provider": func(c *Config) { c.OIDC = &OIDC{} },
		"nobody":      func(c *Config) { c.Users, c.Remote = nil, true },
	} {
		cfg := guarded()
		spoil(&cfg)
		if err := x.reload(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if !in(ann) || !in(leo) || !token(viewToken) {
		t.Fatal("what is wrong has changed who is in")
	}
	if err := x.reload(guarded()); err != nil || !in(ann) || !in(leo) {
		t.Errorf("the same again: %v, ann %v, leo %v", err, in(ann), in(leo))
	}
	cfg := guarded()
	cfg.Users[1].Password = "another horse"
	cfg.Tokens = []Token{{"n", "another-token-0123456789", RoleViewer}}
	cfg.Retention = Retention{Events: 4242}
	cfg.Database = "somewhere/else.db" // takes a restart, and does no harm
	if err := x.reload(cfg); err != nil {
		t.Fatal(err)
	}
	if !in(ann) || in(leo) || token(viewToken) || !token("another-token-0123456789") {
		t.Errorf("ann %v, leo %v, old token %v", in(ann), in(leo), token(viewToken))
	}
	if _, _, status := x.login("leo", "correct horse"); status != 401 {
		t.Errorf("the old password: %d", status)
	}
	if cookie, _, status := x.login("leo", "another horse"); status != 200 || !in(cookie) {
		t.Errorf("the new password: %d", status)
	}
	if _, text := x.do("GET", "/api/v2/status", "", bearer("another-token-0123456789")...); !strings.Contains(text, `"events":4242`) {
		t.Errorf("status %s", text)
	}
	cfg.Users = cfg.Users[1:]
	if err := x.reload(cfg); err != nil || in(ann) {
		t.Errorf("%v, one who is gone is in: %v", err, in(ann))
	}
}

// A restart with other settings is as strict as a reload.
func TestRestartEndsSessions(t *testing.T) {
	cfg := guarded()
	cfg.Database = filepath.Join(t.TempDir(), "events.db")
	first, err := New(t.Context(), cfg)
	must(t, err)
	for name, sess := range map[string]session{"ann": {Name: "ann", Role: RoleAdmin}, "leo": {Name: "leo", Role: RoleAnalyst}, "mia": {Name: "mia", Role: RoleAdmin, OIDC: true}} {
		text := `{"name":"` + sess.Name + `","role":4,"csrf":"c"`
		if sess.OIDC {
			text += `,"oidc":true`
		}
		must(t, first.store.PutRecord(t.Context(), "session", sumOf(name), []byte(text+"}"), now()+day.Microseconds()))
	}
	must(t, first.Close())
	names := func(cfg Config) string {
		s, err := New(t.Context(), cfg)
		must(t, err)
		defer s.Close()
		var in []string
		for _, name := range []string{"ann", "leo", "mia"} {
			if _, ok := s.auth.session(t.Context(), sumOf(name)); ok {
				in = append(in, name)
			}
		}
		return strings.Join(in, " ")
	}
	if got := names(cfg); got != "ann leo mia" {
		t.Errorf("the same settings: %s are in", got)
	}
	cfg.OIDC = &OIDC{Issuer: "http://a", ClientID: "b", RedirectURL: "http://c", Roles: map[string]Role{"*": RoleViewer}}
	if got := names(cfg); got != "ann leo" {
		t.Errorf("another provider: %s are in", got)
	}
	cfg.Users[0].Role = RoleViewer
	if got := names(cfg); got != "leo" {
		t.Errorf("another role: %s are in", got)
	}
	cfg.Users[1].Hash, cfg.Users[1].Password = Hash("correct horse"), ""
	if got := names(cfg); got != "" {
		t.Errorf("another hash: %s are in", got)
	}
}

// Who is logged out sees nothing more, also on a page that is open.
func TestStreamEndsWithSession(t *testing.T) {
	was := heartbeat
	heartbeat = 20 * time.Millisecond
	t.Cleanup(func() { heartbeat = was })
	x := serve(t, guarded())
	cookie, _, _ := x.login("leo", "correct horse")
	req, err := http.NewRequestWithContext(t.Context(), "GET", x.url+"/api/v2/stream", nil)
	must(t, err)
	req.Header.Set("Cookie", cookie)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	beats := 0
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), ": still here") {
			continue
		}
		if beats++; beats == 3 {
			cfg := guarded()
			cfg.Users = cfg.Users[:1]
			must(t, x.reload(cfg))
		}
		if beats > 100 {
			t.Fatal("the stream goes on")
		}
	}
	if beats < 3 {
		t.Errorf("the stream ended after %d beats", beats)
	}
}
