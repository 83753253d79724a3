// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/metrics"
)

// Limits of the web server: whoever is slow, or sends much, is sent away.
const (
	webHeaderTime = 5 * time.Second
	webTime       = 30 * time.Second
	webHeader     = 16 << 10
	webConns      = 256 // connections at the same time; the one that has said nothing for longest makes room
)

// web answers how we are. It never asks the loop: it has what the loop has
// published.
type web struct {
	server *http.Server
	addr   net.Addr
	room   chan struct{} // one place for each request that is served
	health *health
	page   config.Web
	pair   atomic.Pointer[tls.Certificate]
}

// startWeb opens the server, if there is to be one.
func (d *daemon) startWeb() error {
	d.atEnd(d.closeWeb)
	return d.openWeb(d.cfg.Web)
}

func (d *daemon) closeWeb() {
	if d.web != nil {
		d.web.server.Close()
		d.web = nil
	}
}

// reloadWeb makes the server the one that next asks for, with the certificate that is
// there now. If it cannot be, it stays as it was, in next, too.
func (d *daemon) reloadWeb(next *config.Config) {
	from := d.cfg.Web
	failed := func(err error) {
		why := err.Error()
		if f := (*failure)(nil); errors.As(err, &f) {
			why += ": " + f.hint
		}
		d.log.errorf("%s; it stays as it was", why)
	}
	if from.Same(next.Web) {
		if d.web != nil && from.TLS {
			if err := d.web.renew(); err != nil {
				failed(err)
			}
		}
		return
	}
	d.closeWeb() // the address may be the same
	err := d.openWeb(next.Web)
	if err == nil {
		return
	}
	failed(err)
	from.Prometheus = next.Web.Prometheus
	next.Web = from
	if err := d.openWeb(from); err != nil {
		d.log.errorf("there is no web server any more: %v", err)
	}
}

// renew reads the certificate.
func (w *web) renew() error {
	pair, err := tls.LoadX509KeyPair(w.page.Certificate, w.page.Certificate)
	if err != nil {
		return &failure{form: exiting, text: "invalid webserver configuration", hint: "webserver.ssl_certificate: " + err.Error()}
	}
	w.pair.Store(&pair)
	return nil
}

func (d *daemon) openWeb(c config.Web) error {
	if !c.Enabled || d.cfg.Engine.Kind == config.KindReplay {
		return nil
	}
	if c.Threads <= 0 {
		c.Threads = runtime.NumCPU()
	}
	w := &web{room: make(chan struct{}, c.Threads), health: &d.health, page: c}
	suffix := ""
	if c.TLS {
		if err := w.renew(); err != nil {
			return err
		}
		suffix = " (SSL)"
	}
	d.log.infof("Starting health webserver with threadiness %d, listening on %s:%d%s", c.Threads, c.Address, c.Port, suffix)
	l, err := net.Listen("tcp", net.JoinHostPort(c.Address, strconv.Itoa(c.Port)))
	if err != nil {
		return &failure{form: exiting, text: "an error occurred while starting webserver", hint: err.Error()}
	}
	w.addr = l.Addr()
	guests := newGuests(webConns)
	l = &counted{Listener: l, guests: guests}
	if c.TLS {
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return w.pair.Load(), nil }})
	}
	w.server = &http.Server{Handler: w, ConnState: guests.moved, ReadHeaderTimeout: webHeaderTime, ReadTimeout: webTime, WriteTimeout: webTime, IdleTimeout: webHeaderTime,
		MaxHeaderBytes: webHeader, ErrorLog: log.New(io.Discard, "", 0)}
	d.web = w
	go w.server.Serve(l)
	return nil
}

func (w *web) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	w.room <- struct{}{}
	status, kind, body := w.answer(r)
	<-w.room // who reads slowly holds up nobody
	h := to.Header()
	h.Set("Keep-Alive", "timeout=5, max=100")
	h.Set("Vary", "Accept")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	to.WriteHeader(status)
	to.Write(body)
}

// answer returns what there is at that path.
func (w *web) answer(r *http.Request) (status int, kind string, body []byte) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return http.StatusNotFound, "", nil
	}
	var b bytes.Buffer
	switch r.URL.Path {
	case w.page.Healthz:
		if why := w.health.complaint(); why != "" {
			return http.StatusServiceUnavailable, "application/json", fmt.Appendf(nil, `{"status": "failing", "reason": %q}`, why)
		}
		return http.StatusOK, "application/json", []byte(`{"status": "ok"}`)
	case "/versions":
		printVersion(&b, true)
		return http.StatusOK, "application/json", bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	case "/metrics":
		if p := w.health.latest.Load(); p != nil {
			o := p.options
			o.Original = metrics.Scrapes(r.Header)
			p.Prometheus(&b, o)
			return http.StatusOK, metrics.ContentType, b.Bytes()
		}
	}
	return http.StatusNotFound, "", nil
}
