// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	for _, tc := range []struct {
		name                string
		events, bytes, size uint64
		took                time.Duration
		columns             int
		want                string
	}{
		{"a.scap", 0, 0, 100, 0, 0, "a.scap  [>                   ]   0%  0 events  0/s"},
		{"a.scap", 2286000, 45, 100, time.Second, 0, "a.scap  [=========>          ]  45%  2,286,000 events  2.3 M/s  ETA 1s"},
		{"a.scap", 999, 25, 100, 40 * time.Second, 0, "a.scap  [=====>              ]  25%  999 events  25/s  ETA 2m0s"},
		{"a.scap", 80000, 100, 100, 2 * time.Second, 0, "a.scap  [====================] 100%  80,000 events  40 k/s"},
		{"a.scap", 5, 200, 100, time.Second, 0, "a.scap  [====================] 100%  5 events  5/s"}, // it has grown
		{"pipe", 1234, 500, 0, time.Second, 0, "pipe  1,234 events  1 k/s"},
		{"a.scap", 2286000, 45, 100, time.Second, 20, "a.scap  [=========>"},
		{"\x1b[2Jé.scap", 0, 0, 0, 0, 0, "?[2Jé.scap  0 events  0/s"},
	} {
		if got := progressLine(tc.name, tc.events, tc.bytes, tc.size, tc.took, tc.columns); got != tc.want {
			t.Errorf("got  %q\nwant %q", got, tc.want)
		}
	}
}

// What passes is written where the line was, never behind it; nothing is drawn
// after the end.
func TestProgressGivesWay(t *testing.T) {
	var terminal bytes.Buffer
	p := &progress{to: &terminal, columns: func() int { return 80 }, quit: make(chan struct{}), name: "a",
		seen: func() (uint64, uint64) { return 7, 0 }}
	out := &past{p, &terminal}
	io.WriteString(out, "first\n")
	p.draw(time.Now())
	io.WriteString(out, "second\n")
	io.WriteString(out, "third\n")
	p.draw(time.Now())
	p.stop()
	p.stop()
	p.draw(time.Now())
	io.WriteString(out, "last\n")
	got := strings.ReplaceAll(terminal.String(), eraseLine, "|")
	want := "first\n|a  7 events  L/s|second\nthird\n|a  7 events  L/s|last\n"
	rate := got[strings.Index(got, "events  ")+8 : strings.Index(got, "/s")]
	if got = strings.ReplaceAll(got, rate, "L"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
