// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/forward"
)

// serve runs until a signal ends it. It starts in the order of its steps, and stops in their reverse:
//
//	settings ─► page's store ─► outputs, spool ─► listeners, page ─► READY
//	listeners closed ─► drained ─► page ─► outputs, spool ─► page's store
func (p *program) serve() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)

	cfg, web, ok := p.load()
	if !ok {
		return 1
	}
	p.log = newLogger(p.stdout, level(cfg), cfg.Log.Format)
	page, err := openPage(web, cfg, p.log)
	if err != nil {
		return p.complain(err)
	}
	f, err := forward.New(cfg, forward.Options{Log: p.log, Version: version, Outcome: page.outcome()})
	if err != nil {
		page.Close()
		return p.complain(err)
	}
	listeners, err := f.Listen()
	if err != nil {
		f.Close()
		page.Close()
		return p.complain(err)
	}
	f.Start()
	failed := make(chan error, len(listeners)+1)
	page.start(f, p.log, failed)
	for _, l := range listeners {
		go func() {
			if err := l.HTTP.Serve(l.Net); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
		p.log.Infof("Falco Sidekick is up and listening on %s", where(l.Name))
	}
	notify("READY=1")
	code := p.wait(f, page, signals, failed)
	notify("STOPPING=1")
	ctx, cancel := context.WithTimeout(context.Background(), cfg.ShutdownTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, l := range listeners {
		wg.Go(func() {
			if l.HTTP.Shutdown(ctx) != nil {
				l.HTTP.Close()
			}
		})
	}
	wg.Wait()
	f.StopConsumers()
	if left := f.Drain(ctx); left > 0 {
		p.log.Warnf("%d events are not delivered yet; they wait in the spool", left)
	}
	page.quiet()
	if err := errors.Join(f.Close(), page.Close()); err != nil {
		return p.complain(err)
	}
	return code
}

// where writes ":2801" for all addresses.
func where(name string) string {
	if host, port, err := net.SplitHostPort(name); err == nil && host == "" {
		return ":" + port
	}
	return name
}

func level(cfg *forward.Config) string {
	if cfg.Debug {
		return "debug"
	}
	return cfg.Log.Level
}

// wait returns the exit code when it is time to go.
func (p *program) wait(f *forward.Forwarder, page *page, signals <-chan os.Signal, failed <-chan error) int {
	for {
		select {
		case err := <-failed:
			return p.complain(err)
		case s := <-signals:
			if s != syscall.SIGHUP {
				p.log.Infof("%s: stopping", s)
				return 0
			}
			notify("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic()/1000, 10))
			p.reload(f, page)
			notify("READY=1")
		}
	}
}

// reload reads the settings anew; what is wrong with them leaves everything as it is.
func (p *program) reload(f *forward.Forwarder, page *page) {
	cfg, web, ok := p.load()
	if ok {
		if page != nil {
			cfg.Add(storeKind(page.web), storeID)
		}
		apply, err := page.reload(web, cfg, p.log)
		if err == nil {
			if err = f.Reload(cfg); err == nil {
				err = apply()
			}
		}
		if err != nil {
			p.complain(err)
			ok = false
		}
	}
	if !ok {
		p.log.Errorf("the new settings are not used")
		return
	}
	p.log.Infof("the settings have been read again")
}

// start is when the program began, by a clock that nobody sets.
var start = time.Now()

// monotonic is the machine's clock since boot, which systemd compares with its own.
func monotonic() int64 {
	text, err := os.ReadFile("/proc/uptime")
	if err == nil {
		for i, c := range text {
			if c == ' ' {
				if s, err := strconv.ParseFloat(string(text[:i]), 64); err == nil {
					return int64(s * 1e9)
				}
			}
		}
	}
	return int64(time.Since(start))
}

// notify tells systemd how we are, if it wants to know.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(time.Second))
	c.Write([]byte(state))
}
