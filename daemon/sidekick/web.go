// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/falco-go/falco/pkg/forward"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/settings"
	"github.com/falco-go/falco/pkg/web"
)

// webSettings are those of the web page, beside webui.url, which is the output's.
type webSettings struct {
	Enabled       bool            `key:"enabled" doc:"serve the web page"`
	ListenAddress string          `key:"listenaddress" default:"127.0.0.1"`
	ListenPort    int             `key:"listenport" default:"2802"`
	CertFile      string          `key:"certfile" doc:"serve TLS"`
	KeyFile       string          `key:"keyfile"`
	Database      settings.Secret `key:"database" doc:"path of an SQLite file, memory, or postgres://…; default: events.db in state_dir"`
	BasePath      string          `key:"base_path"`
	Secure        bool            `key:"secure" doc:"it is reached over TLS, of a proxy"`
	User          string          `key:"user" default:"admin"`
	Password      settings.Secret `key:"password" doc:"of user, who may do everything"`
	Viewer        string          `key:"viewer" default:"viewer"`
	ViewPassword  settings.Secret `key:"viewer_password" doc:"of viewer, who may read"`
	Token         settings.Secret `key:"token" doc:"forwarders show it when they post events"`
	AnonRead      bool            `key:"anonymous_read"`
	AnonIngest    bool            `key:"anonymous_ingest"`
	Sensors       []string        `key:"sensors" doc:"URLs of the metrics of daemons"`
	Retention     struct {
		Age    time.Duration `key:"age"`
		Events int64         `key:"events"`
		Bytes  int64         `key:"bytes"`
	} `key:"retention"`
	OIDC struct {
		Issuer       string            `key:"issuer"`
		ClientID     string            `key:"clientid"`
		ClientSecret settings.Secret   `key:"clientsecret"`
		RedirectURL  string            `key:"redirecturl"`
		GroupsClaim  string            `key:"groupsclaim"`
		Roles        map[string]string `key:"roles" doc:"group: viewer, analyst or admin"`
	} `key:"oidc"`
	Proxy struct {
		From       []string          `key:"from" doc:"networks of the proxies that may name the user"`
		UserHeader string            `key:"userheader"`
		RoleHeader string            `key:"roleheader"`
		Roles      map[string]string `key:"roles"`
	} `key:"proxy"`
}

func (w *webSettings) sections() []forward.Section {
	return []forward.Section{{Name: "webui", Into: w}}
}

// page is the web page at work; nil if it is off.
type page struct {
	web    *web.Server
	http   *http.Server
	listen net.Listener
	f      *forward.Forwarder
	set    *webSettings // with which it was opened
	pair   atomic.Pointer[tls.Certificate]

	outcomes chan []forward.Outcome // waiting to be written down
	stop     chan struct{}          // closed when there are no more
	written  chan struct{}          // closed when all are written
}

// storeID is the name of the output that the page's store is.
const storeID = "webui-store"

// maxOutcomes is how many batches of outcomes wait for the store; what is beyond is not shown.
const maxOutcomes = 1024

// openPage opens the store and the listener, and makes the store an output of the
// forwarder, if the page is on.
func openPage(w *webSettings, cfg *forward.Config, log *logger) (*page, error) {
	if !w.Enabled {
		return nil, nil
	}
	p := &page{set: w}
	ip := net.ParseIP(w.ListenAddress)
	if ip == nil {
		return nil, fmt.Errorf("webui: %q is no IP address", w.ListenAddress)
	}
	conf, err := w.config(cfg, log)
	if err != nil {
		return nil, err
	}
	conf.Outputs, conf.Remote = p, !ip.IsLoopback()
	if p.web, err = web.New(context.Background(), *conf); err != nil {
		return nil, fmt.Errorf("webui: %w", err)
	}
	fail := func(err error) (*page, error) {
		p.web.Close()
		return nil, fmt.Errorf("webui: %w", err)
	}
	if p.listen, err = net.Listen("tcp", net.JoinHostPort(w.ListenAddress, strconv.Itoa(w.ListenPort))); err != nil {
		return fail(err)
	}
	if w.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(w.CertFile, w.KeyFile)
		if err != nil {
			p.listen.Close()
			return fail(err)
		}
		p.pair.Store(&pair)
		p.listen = tls.NewListener(p.listen, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.pair.Load(), nil }})
	}
	p.http = &http.Server{Handler: p.web.Handler(), ReadHeaderTimeout: time.Minute, IdleTimeout: 2 * time.Minute} // streams have no end
	cfg.Add(storeKind(p.web), storeID)
	p.outcomes, p.stop, p.written = make(chan []forward.Outcome, maxOutcomes), make(chan struct{}), make(chan struct{})
	go p.write(log)
	return p, nil
}

// reload looks at other settings and returns what puts them in force. Those that take
// a restart it names.
func (p *page) reload(w *webSettings, cfg *forward.Config, log *logger) (apply func() error, err error) {
	was := &webSettings{}
	if p != nil {
		was = p.set
	}
	for _, k := range []struct {
		key     string
		changed bool
	}{{"enabled", w.Enabled != was.Enabled}, {"listenaddress", w.ListenAddress != was.ListenAddress}, {"listenport", w.ListenPort != was.ListenPort},
		{"certfile", (w.CertFile == "") != (was.CertFile == "")}, {"database", w.Database != was.Database}, {"base_path", w.BasePath != was.BasePath}} {
		if k.changed && (p != nil || k.key == "enabled") {
			log.Warnf("webui.%s takes a restart; it stays as it was", k.key)
		}
	}
	if p == nil || !w.Enabled {
		return func() error { return nil }, nil
	}
	conf, err := w.config(cfg, log)
	if err != nil {
		return nil, err
	}
	conf.Remote = !net.ParseIP(was.ListenAddress).IsLoopback()
	conf.Secure = w.Secure || was.CertFile != ""
	pair := p.pair.Load()
	if pair != nil && w.CertFile != "" {
		fresh, err := tls.LoadX509KeyPair(w.CertFile, w.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("webui: %w", err)
		}
		pair = &fresh
	}
	into, err := p.web.Reload(context.Background(), *conf)
	if err != nil {
		return nil, fmt.Errorf("webui: %w", err)
	}
	return func() error {
		p.pair.Store(pair)
		return into()
	}, nil
}

// outcome is where the forwarder tells what becomes of events; nil without a page.
func (p *page) outcome() func([]forward.Outcome) {
	if p == nil {
		return nil
	}
	return func(list []forward.Outcome) {
		if len(list) > 0 && list[0].Output != storeID {
			select {
			case p.outcomes <- list:
			default:
			}
		}
	}
}

// write brings outcomes to the store.
func (p *page) write(log *logger) {
	defer close(p.written)
	for {
		var list []forward.Outcome
		select {
		case list = <-p.outcomes:
		default:
			select {
			case list = <-p.outcomes:
			case <-p.stop:
				return
			}
		}
		for len(list) < 500 && len(p.outcomes) > 0 {
			list = append(list, <-p.outcomes...)
		}
		out := make([]web.Delivery, 0, len(list))
		for _, o := range list {
			d := web.Delivery{UUID: o.UUID, Output: o.Output, State: "delivered", Attempts: o.Attempts, Time: o.At.UnixMicro()}
			if o.Err != nil {
				d.State, d.Error = "dead", o.Err.Error()
			}
			out = append(out, d)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if err := p.web.Deliver(ctx, out); err != nil {
			log.Warnf("webui: %v", err)
		}
		cancel()
	}
}

func (w *webSettings) config(cfg *forward.Config, log *logger) (*web.Config, error) {
	c := &web.Config{
		Database: string(w.Database), BasePath: w.BasePath, Secure: w.Secure || w.CertFile != "", AnonymousRead: w.AnonRead, AnonymousIngest: w.AnonIngest,
		Sensors: w.Sensors, Version: version, Log: log.Warnf, Retention: web.Retention{Age: w.Retention.Age, Events: w.Retention.Events, Bytes: w.Retention.Bytes},
	}
	if c.Database == "" {
		c.Database = filepath.Join(cfg.StateDir, "events.db")
	}
	if w.Password != "" {
		c.Users = append(c.Users, web.User{Name: w.User, Password: string(w.Password), Role: web.RoleAdmin})
	}
	if w.ViewPassword != "" {
		c.Users = append(c.Users, web.User{Name: w.Viewer, Password: string(w.ViewPassword), Role: web.RoleViewer})
	}
	if w.Token != "" {
		c.Tokens = append(c.Tokens, web.Token{Name: "forwarder", Token: string(w.Token), Role: web.RoleIngest})
	}
	roles := func(m map[string]string) (map[string]web.Role, error) {
		out := map[string]web.Role{}
		for group, name := range m {
			r, err := web.ParseRole(name)
			if err != nil {
				return nil, fmt.Errorf("webui: roles: %w", err)
			}
			out[group] = r
		}
		return out, nil
	}
	if o := &w.OIDC; o.Issuer != "" {
		r, err := roles(o.Roles)
		if err != nil {
			return nil, err
		}
		c.OIDC = &web.OIDC{Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: string(o.ClientSecret), RedirectURL: o.RedirectURL, GroupsClaim: o.GroupsClaim, Roles: r}
	}
	if x := &w.Proxy; len(x.From) > 0 {
		r, err := roles(x.Roles)
		if err != nil {
			return nil, err
		}
		c.Proxy = &web.Proxy{UserHeader: x.UserHeader, RoleHeader: x.RoleHeader, Roles: r}
		for _, text := range x.From {
			n, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, fmt.Errorf("webui.proxy.from: %w", err)
			}
			c.Proxy.From = append(c.Proxy.From, n)
		}
	}
	return c, nil
}

// start serves the page. failed is told if that ends before its time.
func (p *page) start(f *forward.Forwarder, log *logger, failed chan<- error) {
	if p == nil {
		return
	}
	p.f = f
	go func() {
		if err := p.http.Serve(p.listen); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	log.Infof("the web page is at %s", p.listen.Addr())
	if path := p.web.SetupPath(); path != "" {
		log.Infof("nobody can log in yet; the first user is made at http://%s%s", p.listen.Addr(), path)
	}
}

// Close ends the page. The forwarder must have ended before: it delivers to the store.
func (p *page) Close() error {
	if p == nil {
		return nil
	}
	p.http.Close()
	p.listen.Close()
	close(p.stop)
	<-p.written
	return p.web.Close()
}

// quiet ends the connections of browsers, while the store goes on.
func (p *page) quiet() {
	if p != nil {
		p.http.Close()
	}
}

// store is the output that keeps events for the page. It needs no network.
type store struct{ web *web.Server }

type storeConfig struct{}

func storeKind(w *web.Server) *output.Kind {
	return output.Define(output.Kind{
		Name: "webui", Title: "WebUI", Section: "webui", NoMinimum: true, Batch: output.Batch{Events: 500, Bytes: 4 << 20, Wait: 50 * time.Millisecond},
		Timeout: time.Minute,
	}, func(*storeConfig, *output.Env) (output.Output, error) { return &store{w}, nil })
}

// Send implements output.Output.
func (s *store) Send(ctx context.Context, batch []*output.Event) error {
	texts := make([][]byte, len(batch))
	for i, e := range batch {
		texts[i] = e.JSON()
	}
	errs, err := s.web.Ingest(ctx, texts)
	if err != nil {
		return err
	}
	for i := range errs {
		if errs[i] != nil {
			errs[i] = output.Permanent(errs[i])
		}
	}
	return output.Results(errs)
}

// Close implements output.Output. The store is the page's.
func (s *store) Close() error { return nil }

// Outputs tells the page how the forwarder's outputs are.
func (p *page) Outputs() []web.Output {
	if p.f == nil {
		return nil
	}
	var out []web.Output
	for _, s := range p.f.Status() {
		o := web.Output{Name: s.ID, State: "ok", Backlog: int64(s.Queued), Sent: int64(s.Delivered), Failed: int64(s.Failures), Retried: int64(s.Retries),
			Dead: int64(s.DeadNow), LastError: s.LastError}
		for _, n := range s.Dropped {
			o.Dropped += int64(n)
		}
		switch {
		case s.State == "paused":
			o.State = "paused"
		case s.State != "ok":
			o.State = "failing"
		case s.Sends == 0:
			o.State = "idle"
		}
		if s.Queued > 0 {
			o.Oldest = time.Now().Add(-s.OldestAge).UnixMicro()
		}
		if !s.LastAt.IsZero() {
			o.ErrorTime = s.LastAt.UnixMicro()
		}
		out = append(out, o)
	}
	return out
}

// Do implements web.Outputs.
func (p *page) Do(_ context.Context, name, action string) (err error) {
	if p.f == nil {
		return errors.New("the forwarder has not begun yet")
	}
	switch action {
	case "test":
		return p.f.Test(name)
	case "pause", "resume":
		return p.f.Pause(name, action == "pause")
	case "replay":
		_, err = p.f.Replay(name)
		return err
	}
	return fmt.Errorf("%q is nothing that can be done", action)
}

// DeadLetters implements web.Outputs.
func (p *page) DeadLetters(name string, limit int) ([]web.DeadLetter, error) {
	if p.f == nil {
		return nil, nil
	}
	letters, err := p.f.DeadLetters(name, limit)
	if err != nil {
		return nil, err
	}
	var out []web.DeadLetter
	for _, l := range letters {
		e, err := web.ParseEvent(l.Event)
		if err != nil {
			continue
		}
		out = append(out, web.DeadLetter{UUID: e.UUID, Rule: e.Rule, Time: l.At.UnixMicro(), Error: l.Error})
	}
	return out, nil
}
