// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// FileOutput is the file that alerts are appended to.
type FileOutput struct {
	Enabled, KeepAlive, Spool bool
	Name                      string
}

// ProgramOutput is the command that alerts are written to.
type ProgramOutput struct {
	Enabled, KeepAlive, Spool bool
	Command                   string
}

// HTTPOutput is the server that alerts are posted to.
type HTTPOutput struct {
	Enabled   bool
	Spool     bool // alerts wait on disk until the server has taken them
	URL       string
	UserAgent string

	Insecure                 bool // whoever answers is believed
	CACert, CABundle, CAPath string
	MTLS                     bool
	ClientCert, ClientKey    string

	Echo        bool // what the server answers goes to stdout
	Compress    bool
	KeepAlive   bool // of TCP
	MaxTimeouts int  // attempts after the first one that timed out
}

// Spool is where alerts wait on disk, for the outputs that have theirs do so.
type Spool struct {
	Path      string // a folder in it for each output
	Megabytes int    // of each
	MaxAge    time.Duration
	SyncMs    int // between two fsyncs; 0 is one for each batch
}

// What a full queue does, beside dropping what comes and going on.
const (
	RecoverContinue = "continue"
	RecoverEmpty    = "empty"
	RecoverExit     = "exit"
)

// StaticField is an item of static_fields: a field that is the same everywhere.
type StaticField struct{ Name, Value string }

// requireOutput makes sure that an output that is on knows where to.
func requireOutput(of func(*Config) *bool, name, key, noun string) func(*loader, *node) error {
	read := boolean(of)
	return func(l *loader, n *node) error {
		if err := read(l, n); err != nil || !*of(l.cfg) {
			return err
		}
		v, err := l.tree.find(key)
		if err != nil {
			return err
		}
		if v == nil || v.text == "" {
			return l.reading(n, "%s output enabled but no %s in configuration block", name, noun)
		}
		return nil
	}
}

// readURL takes the quotes away that some shells leave around it.
func readURL(l *loader, n *node) error {
	l.cfg.HTTP.URL = strings.Trim(n.text, `"'`)
	return nil
}

// readMaxTimeouts reads a number of eight bits.
func readMaxTimeouts(l *loader, n *node) error {
	err := number(func(c *Config) *int { return &c.HTTP.MaxTimeouts })(l, n)
	l.cfg.HTTP.MaxTimeouts &= 0xff
	return err
}

func readRecovery(l *loader, n *node) error {
	switch n.text {
	case RecoverContinue, RecoverEmpty, RecoverExit:
		l.cfg.QueueRecovery = n.text
	case "0", "1", "2": // as its first version spelt them
		l.cfg.QueueRecovery = []string{RecoverContinue, RecoverExit, RecoverEmpty}[n.text[0]-'0']
	default:
		l.warn(n.at, "%q is not a recovery strategy (continue, exit, empty); %s is used", n.text, l.cfg.QueueRecovery)
	}
	return nil
}

// readSpoolAge reads a time with its unit; 0 is any age.
func readSpoolAge(l *loader, n *node) error {
	text := n.text
	if text == "0" {
		text = "0s"
	}
	if v, err := time.ParseDuration(text); n.kind == scalar && err == nil && v >= 0 {
		l.cfg.Spool.MaxAge = v
	} else {
		l.warn(n.at, "%q is not a time with a unit (24h, 90m); %v is used", n.text, l.cfg.Spool.MaxAge)
	}
	return nil
}

// readSpoolSize reads how big a spool may become.
func readSpoolSize(l *loader, n *node) error {
	mb := l.cfg.Spool.Megabytes
	err := number(func(*Config) *int { return &mb })(l, n)
	if mb < 1 {
		l.warn(n.at, "a spool of %d MB holds nothing; %d is used", mb, l.cfg.Spool.Megabytes)
		return err
	}
	l.cfg.Spool.Megabytes = mb
	return err
}

// decimal reads a number with a fraction.
func decimal(of func(*Config) *float64) func(*loader, *node) error {
	return func(l *loader, n *node) error {
		to := of(l.cfg)
		if v, err := strconv.ParseFloat(n.text, 64); n.kind == scalar && err == nil {
			*to = v
		} else {
			l.warn(n.at, "%q is not a number; %v is used", n.text, *to)
		}
		return nil
	}
}

func readStaticFields(l *loader, n *node) error {
	for i, name := range n.keys {
		if v := n.items[i]; v.kind == scalar {
			l.cfg.Static = append(l.cfg.Static, StaticField{name, v.text})
		} else {
			return badConversion(v, "static_fields maps names to texts")
		}
	}
	slices.SortFunc(l.cfg.Static, func(a, b StaticField) int { return strings.Compare(a.Name, b.Name) })
	return nil
}
