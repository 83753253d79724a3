// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"slices"
)

// Web is the server that answers how we are.
type Web struct {
	Enabled     bool
	Threads     int // requests that are served at the same time; 0 is one for each CPU
	Port        int
	Address     string
	Healthz     string
	Prometheus  bool
	TLS         bool
	Certificate string // with its key in the same file
}

// Same reports whether w and o ask for the same server; what it tells may differ.
func (w Web) Same(o Web) bool {
	w.Prometheus = o.Prometheus
	return w == o
}

// Drops says what happens when events are lost.
type Drops struct {
	Threshold        float64 // of the events lost in a second
	Log, Alert, Exit bool
	Rate             float64 // actions a second
	Burst            float64
	Simulate         bool
}

// Metrics says what is counted, and who is told.
type Metrics struct {
	Enabled  bool
	Interval string // as configured; the daemon reads it
	Rule     bool
	File     string

	Rules, Resources, State, Kernel, PerCPU bool

	Megabytes bool // memory in those
	Empty     bool // counters that are 0 are told too
}

func readListenAddress(l *loader, n *node) error {
	if _, err := netip.ParseAddr(n.text); err != nil {
		return l.reading(n, "webserver listen address \"%s\" is not a valid IP address", n.text)
	}
	l.cfg.Web.Address = n.text
	return nil
}

func readPort(l *loader, n *node) error {
	port := l.cfg.Web.Port
	err := number(func(*Config) *int { return &port })(l, n)
	if port > 65535 {
		l.warn(n.at, "%d is not a port; %d is used", port, l.cfg.Web.Port)
		return err
	}
	l.cfg.Web.Port = port
	return err
}

func readThreshold(l *loader, n *node) error {
	d := &l.cfg.Drops
	if err := decimal(func(c *Config) *float64 { return &c.Drops.Threshold })(l, n); err != nil {
		return err
	}
	if !(d.Threshold >= 0 && d.Threshold <= 1) {
		return l.reading(n, "syscall event drops threshold must be a double in the range [0, 1]")
	}
	return nil
}

func readActions(l *loader, n *node) error {
	actions, err := n.texts()
	if err != nil {
		return err
	}
	d := &l.cfg.Drops
	for _, a := range actions {
		switch a {
		case "ignore":
		case "log":
			d.Log = true
		case "alert":
			d.Alert = true
		case "exit":
			d.Exit = true
		default:
			return l.reading(n, `available actions for syscall event drops are "ignore", "log", "alert", and "exit"`)
		}
		if a != "ignore" && slices.Contains(actions, "ignore") {
			return l.reading(n, `syscall event drop action "%s" does not make sense with the "ignore" action`, a)
		}
	}
	return nil
}

func readMaxConsecutives(l *loader, n *node) error {
	if err := number(func(c *Config) *int { return &c.MaxTimeouts })(l, n); err != nil {
		return err
	}
	if l.cfg.MaxTimeouts == 0 {
		return &Error{Text: "Error reading config file(" + l.opt.Path + "): the maximum consecutive timeouts without an event must be an unsigned integer > 0", At: n.at}
	}
	return nil
}
