// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// Role is what somebody may do. A greater one may all that a smaller one may, but
// that RoleIngest reads nothing.
type Role uint8

// Values of Role.
const (
	RoleNone    Role = iota
	RoleIngest       // posts events
	RoleViewer       // reads
	RoleAnalyst      // says what events mean, keeps views
	RoleAdmin        // deletes, controls outputs, makes users
)

var roleNames = [...]string{"none", "ingest", "viewer", "analyst", "admin"}

func (r Role) String() string { return roleNames[r] }

// ParseRole reads the name of a role.
func ParseRole(s string) (Role, error) {
	if i := slices.Index(roleNames[1:], s); i >= 0 {
		return Role(i + 1), nil
	}
	return RoleNone, fmt.Errorf("%q is no role; they are %s", s, strings.Join(roleNames[1:], ", "))
}

const (
	sessionCookie = "falco_session"
	sessionLife   = 12 * time.Hour
	loginsMinute  = 5 // from one address, that fail
	minPassword   = 8
)

// identity is who asks.
type identity struct {
	Name string `json:"name"`
	Role Role   `json:"-"`
	Via  string `json:"via"` // "session", "token", "basic", "proxy", "loopback" or "anonymous"
	CSRF string `json:"csrf,omitempty"`
	key  string // of the session's record
	oidc bool
}

// session is what the store has of one, under the sum of its cookie.
type session struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	CSRF string `json:"csrf"`
	OIDC bool   `json:"oidc,omitempty"` // the provider has let them in
}

// account is what the store has of a user made in the page.
type account struct {
	Hash string `json:"hash"`
	Role Role   `json:"role"`
}

// auth knows who is who.
type auth struct {
	s     *Server
	key   []byte // of sums that only this process makes
	setup string

	mu     sync.Mutex
	stored int                    // users in the store
	failed map[string][]time.Time // log-ins by address
	known  map[[32]byte]known     // passwords that were right a short time ago
}

type known struct {
	id    identity
	until time.Time
}

func newAuth(ctx context.Context, s *Server) (*auth, error) {
	a := &auth{s: s, key: []byte(secret()), setup: secret(), failed: map[string][]time.Time{}, known: map[[32]byte]known{}}
	list, err := s.store.Records(ctx, "user")
	if err != nil {
		return nil, err
	}
	a.stored = len(list)
	return a, nil
}

// loopback reports that nobody can log in.
func (a *auth) loopback() bool { return a.open(a.s.conf()) }

// open is loopback with other settings.
func (a *auth) open(c *settings) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stored == 0 && len(c.Users) == 0 && c.OIDC == nil && c.Proxy == nil && !c.AnonymousRead
}

func (a *auth) setupCode() string {
	if !a.loopback() {
		return ""
	}
	return a.setup
}

// Hash makes of a password what may be written down.
func Hash(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	return "$argon2id$v=19$m=19456,t=2,p=1$" + base64.RawStdEncoding.EncodeToString(salt) + "$" +
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(password), salt, 2, 19456, 1, 32))
}

// verify compares a password with its hash.
func verify(password, hash string) bool {
	var m, t uint32
	var p uint8
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m, &t, &p); err != nil || n != 3 || m > 1<<20 || t > 16 || t == 0 || p == 0 {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) < 16 || len(want) > 64 {
		return false
	}
	return subtle.ConstantTimeCompare(argon2.IDKey([]byte(password), salt, t, m, p, uint32(len(want))), want) == 1
}

// nobody's hash is compared where there is no such user, so that both take as long.
var nobody = sync.OnceValue(func() string { return Hash(secret()) })

// check says who has a name and a password.
func (a *auth) check(ctx context.Context, name, password string) (identity, bool) {
	mac := hmac.New(sha256.New, a.key)
	fmt.Fprintf(mac, "%d:%s%s", len(name), name, password)
	var sum [32]byte
	mac.Sum(sum[:0])
	a.mu.Lock()
	k, ok := a.known[sum]
	a.mu.Unlock()
	if ok && time.Now().Before(k.until) {
		return k.id, true
	}
	hash, role, found := nobody(), RoleNone, false
	for _, u := range a.s.conf().Users {
		if u.Name == name {
			hash, role, found = u.Hash, u.Role, true
		}
	}
	if text, err := a.s.store.Record(ctx, "user", name); !found && err == nil {
		var acc account
		if json.Unmarshal(text, &acc) == nil {
			hash, role, found = acc.Hash, acc.Role, true
		}
	}
	if right := verify(password, hash); !right || !found {
		return identity{}, false
	}
	id := identity{Name: name, Role: role}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) > 1000 {
		clear(a.known)
	}
	a.known[sum] = known{id, time.Now().Add(time.Minute)}
	return id, true
}

// forget makes passwords that have changed known no more.
func (a *auth) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.known)
}

// admit reports whether an address may try to log in once more.
func (a *auth) admit(addr string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	since := time.Now().Add(-time.Minute)
	if len(a.failed) > 10000 {
		clear(a.failed)
	}
	list := slices.DeleteFunc(a.failed[addr], func(t time.Time) bool { return t.Before(since) })
	if a.failed[addr] = list; len(list) == 0 {
		delete(a.failed, addr)
	}
	return len(list) < loginsMinute
}

func (a *auth) fails(addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed[addr] = append(a.failed[addr], time.Now())
}

// login makes a session and sets its cookie.
func (a *auth) login(c *call, id *identity) error {
	value := secret()
	id.Via, id.CSRF = "session", secret()
	sess := session{id.Name, id.Role, id.CSRF, id.oidc}
	text, err := json.Marshal(sess)
	if err != nil {
		return err
	}
	if err := a.s.store.PutRecord(c.r.Context(), "session", sumOf(value), text, now()+sessionLife.Microseconds()); err != nil {
		return err
	}
	a.cookie(c, value, int(sessionLife/time.Second))
	a.s.audit(c.r, id.Name, "log in", "")
	return nil
}

func (a *auth) cookie(c *call, value string, age int) {
	http.SetCookie(c.w, &http.Cookie{Name: sessionCookie, Value: value, Path: c.base(), MaxAge: age, HttpOnly: true,
		Secure: a.s.conf().Secure || c.r.TLS != nil, SameSite: http.SameSiteStrictMode})
}

func sumOf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// who says who asks. A wrong token or cookie is the same as none.
func (a *auth) who(r *http.Request) identity {
	ctx := r.Context()
	if text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		sum := sha256.Sum256([]byte(text))
		if t, ok := a.s.conf().tokens[sum]; ok {
			return identity{Name: t.Name, Role: t.Role, Via: "token"}
		}
		if rec, err := a.s.store.Record(ctx, "token", hex.EncodeToString(sum[:])); err == nil {
			var t session
			if json.Unmarshal(rec, &t) == nil {
				return identity{Name: t.Name, Role: t.Role, Via: "token"}
			}
		}
		return identity{}
	}
	if name, password, ok := r.BasicAuth(); ok && strings.Contains(r.URL.Path, "/api/v1") {
		addr := peer(r)
		if !a.admit(addr) {
			return identity{}
		}
		id, ok := a.check(ctx, name, password)
		if !ok {
			a.fails(addr)
			return identity{}
		}
		id.Via = "basic"
		return id
	}
	if ck, err := r.Cookie(sessionCookie); err == nil {
		if id, ok := a.session(ctx, sumOf(ck.Value)); ok {
			return id
		}
	}
	if id, ok := a.proxied(r); ok {
		return id
	}
	switch {
	case a.s.conf().AnonymousRead:
		return identity{Role: RoleViewer, Via: "anonymous"}
	case a.loopback() && isLoopback(peer(r)):
		return identity{Role: RoleViewer, Via: "loopback"}
	}
	return identity{}
}

func (a *auth) session(ctx context.Context, key string) (identity, bool) {
	text, err := a.s.store.Record(ctx, "session", key)
	var sess session
	if err != nil || json.Unmarshal(text, &sess) != nil {
		return identity{}, false
	}
	return identity{Name: sess.Name, Role: sess.Role, Via: "session", CSRF: sess.CSRF, key: key, oidc: sess.OIDC}, true
}

// proxied believes a server in front, if it is one of those that we know.
func (a *auth) proxied(r *http.Request) (identity, bool) {
	p := a.s.conf().Proxy
	if p == nil {
		return identity{}, false
	}
	addr, err := netip.ParseAddr(peer(r))
	if err != nil || !slices.ContainsFunc(p.From, func(n netip.Prefix) bool { return n.Contains(addr.Unmap()) }) {
		return identity{}, false
	}
	header := func(name, def string) string {
		if name == "" {
			name = def
		}
		return r.Header.Get(name)
	}
	name := header(p.UserHeader, "X-Forwarded-User")
	role := roleOf(p.Roles, strings.Split(header(p.RoleHeader, "X-Forwarded-Groups"), ","))
	return identity{Name: name, Role: role, Via: "proxy"}, name != "" && role != RoleNone
}

// roleOf returns the greatest role that the groups give.
func roleOf(roles map[string]Role, groups []string) Role {
	best := roles["*"]
	for _, g := range groups {
		best = max(best, roles[strings.TrimSpace(g)])
	}
	return best
}

// peer is the address of the other end, without the port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func isLoopback(host string) bool {
	if host == "localhost" || host == "" || host == "@" { // a unix socket has no address
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// hostOf is what the client calls us, without the port.
func hostOf(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(host, ".")
}

// sameOrigin reports whether a change was asked for by our own page or by no page
// at all: browsers say where a request comes from.
func sameOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Host == r.Host || u.Host == r.Header.Get("X-Forwarded-Host"))
}

// allow reports why a request may not be served, nil if it may.
func (a *auth) allow(r *http.Request, id identity, need Role, ingest bool) error {
	change := r.Method != http.MethodGet && r.Method != http.MethodHead
	switch {
	case a.loopback() && !isLoopback(hostOf(r)):
		return &apiError{Status: http.StatusForbidden, Code: "loopback_only",
			Message: "no user has been made yet: until then the page answers to loopback names only"}
	case change && !sameOrigin(r):
		return &apiError{Status: http.StatusForbidden, Code: "cross_origin", Message: "another site's page has asked for this"}
	case need == RoleNone:
		return nil
	case ingest && (a.s.conf().AnonymousIngest || id.Role >= RoleAdmin || id.Role == RoleIngest ||
		isLoopback(peer(r)) && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""):
		return a.csrf(r, id)
	case ingest && id.Role != RoleNone && id.Via != "loopback" && id.Via != "anonymous":
		return &apiError{Status: http.StatusForbidden, Code: "role", Message: "your role is " + id.Role.String() + "; this needs ingest"}
	case ingest:
		return &apiError{Status: http.StatusUnauthorized, Code: "login", Message: "a token is needed to post events"}
	case id.Role == RoleIngest, id.Role < need && id.Role != RoleNone && id.Via != "loopback" && id.Via != "anonymous":
		return &apiError{Status: http.StatusForbidden, Code: "role", Message: "your role is " + id.Role.String() + "; this needs " + need.String()}
	case id.Role < need:
		return &apiError{Status: http.StatusUnauthorized, Code: "login", Message: "log in first"}
	case change:
		return a.csrf(r, id)
	}
	return nil
}

func (a *auth) csrf(r *http.Request, id identity) error {
	if id.Via == "session" && subtle.ConstantTimeCompare([]byte(r.Header.Get("X-CSRF-Token")), []byte(id.CSRF)) != 1 {
		return &apiError{Status: http.StatusForbidden, Code: "csrf", Message: "the header X-CSRF-Token is missing or wrong"}
	}
	return nil
}

// audit writes down who has done what.
func (s *Server) audit(r *http.Request, who, what, detail string) {
	s.conf().Log("audit: %q from %s: %s %s", who, peer(r), what, detail)
	text, err := json.Marshal(map[string]any{"time": now(), "user": who, "address": peer(r), "action": what, "detail": short(detail, 1024)})
	if err == nil {
		key := fmt.Sprintf("%020d-%s", now(), secret()[:6])
		err = s.store.PutRecord(r.Context(), "audit", key, text, now()+(365*day).Microseconds())
	}
	if err != nil {
		s.conf().Log("audit: %v", err)
	}
}
