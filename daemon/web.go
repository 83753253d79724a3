// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strconv"
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
	page   *config.Web
}

// startWeb opens the server, if there is to be one.
func (d *daemon) startWeb() error {
	c := d.cfg.Web
	if !c.Enabled || d.cfg.Engine.Kind == config.KindReplay {
		return nil
	}
	if c.Threads <= 0 {
		c.Threads = runtime.NumCPU()
	}
	var conf *tls.Config
	suffix := ""
	if c.TLS {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Certificate)
		if err != nil {
			return &failure{form: exiting, text: "invalid webserver configuration", hint: "webserver.ssl_certificate: " + err.Error()}
		}
		conf, suffix = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, " (SSL)"
	}
	d.log.infof("Starting health webserver with threadiness %d, listening on %s:%d%s", c.Threads, c.Address, c.Port, suffix)
	l, err := net.Listen("tcp", net.JoinHostPort(c.Address, strconv.Itoa(c.Port)))
	if err != nil {
		return &failure{form: exiting, text: "an error occurred while starting webserver", hint: err.Error()}
	}
	at := l.Addr()
	guests := newGuests(webConns)
	l = &counted{Listener: l, guests: guests}
	if conf != nil {
		l = tls.NewListener(l, conf)
	}
	w := &web{addr: at, room: make(chan struct{}, c.Threads), health: &d.health, page: &c}
	w.server = &http.Server{Handler: w, ConnState: guests.moved, ReadHeaderTimeout: webHeaderTime, ReadTimeout: webTime, WriteTimeout: webTime, IdleTimeout: webHeaderTime,
		MaxHeaderBytes: webHeader, ErrorLog: log.New(io.Discard, "", 0)}
	d.web = w
	go w.server.Serve(l)
	d.atEnd(func() { w.server.Close() })
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
