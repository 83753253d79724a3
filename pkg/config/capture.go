// SPDX-License-Identifier: Apache-2.0

package config

import "time"

// Capture tells which matches start a recording, and when it ends.
type Capture struct {
	Enabled    bool
	PathPrefix string
	All        bool          // every rule starts one, not only those that say so
	Duration   time.Duration // after the last match; rules may have their own
	MaxBytes   int64         // of a file; 0 means any
	MaxEvents  int           // in a file; 0 means any
}

// maxCaptureMB is the largest size that makes sense to be given.
const maxCaptureMB = 1 << 20

func readCapturePrefix(l *loader, n *node) error {
	if n.kind == scalar && n.text != "" {
		l.cfg.Capture.PathPrefix = n.text
	}
	return nil
}

func readCaptureMode(l *loader, n *node) error {
	switch n.text {
	case "rules":
		l.cfg.Capture.All = false
	case "all_rules":
		l.cfg.Capture.All = true
	default:
		return l.reading(n, "capture.mode '%s' is not a valid mode.", n.text)
	}
	return nil
}

func readCaptureDuration(l *loader, n *node) error {
	ms := int(l.cfg.Capture.Duration / time.Millisecond)
	err := number(func(*Config) *int { return &ms })(l, n)
	l.cfg.Capture.Duration = time.Duration(ms) * time.Millisecond
	return err
}

func readCaptureSize(l *loader, n *node) error {
	mb := 0
	err := number(func(*Config) *int { return &mb })(l, n)
	if mb > maxCaptureMB {
		l.warn(n.at, "capture.max_file_size_mb is at most %d, which is used", maxCaptureMB)
		mb = maxCaptureMB
	}
	l.cfg.Capture.MaxBytes = int64(mb) << 20
	return err
}

func readCaptureEvents(l *loader, n *node) error {
	return number(func(c *Config) *int { return &c.Capture.MaxEvents })(l, n)
}
