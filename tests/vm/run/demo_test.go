// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// What the daemon prints is on the page, all of it, and on the terminal as the daemon would print it as text, without
// what it tells of itself.
func TestDemoLines(t *testing.T) {
	page, err := vm.OpenPage(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := page.Close(); err != nil {
			t.Error(err)
		}
		if res, err := http.Get(page.URL); err == nil {
			res.Body.Close()
			t.Error("the page is still there")
		}
	})
	if !strings.HasPrefix(page.URL, "http://127.0.0.1:") {
		t.Errorf("the page is at %s", page.URL)
	}
	var out bytes.Buffer
	lines := demoLines{page, &out}
	for _, line := range []string{
		`{"hostname":"guest","output":"10:11:12.000000001: Warning A \"quoted\" \u001b[31m thing","output_fields":{"evt.time":1,"proc.name":"cat"},"priority":"Warning","rule":"Read sensitive file untrusted","source":"syscall","tags":["host"],"time":"2026-11-21T10:11:12.000000001Z"}`,
		`{"hostname":"guest","output":"Falco metrics snapshot","output_fields":{"scap.n_evts":12},"priority":"Informational","rule":"Falco internal: metrics snapshot","source":"internal","time":"2026-11-21T10:11:13.000000001Z"}`,
		`{"hostname":"guest","output":"10:11:14.000000001: Critical 中文","output_fields":{"evt.time":2},"priority":"Critical","rule":"Another","source":"syscall","tags":[],"time":"2026-11-21T10:11:14.000000001Z"}`,
		`no alert`,
	} {
		io.WriteString(lines, line+"\n")
	}
	const want = `10:11:12.000000001: Warning A \"quoted\" \u001b[31m thing
10:11:14.000000001: Critical 中文
no alert
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	if n, err := page.Shown(t.Context()); err != nil || n != 3 {
		t.Errorf("%d events are on the page, %v", n, err)
	}
	events, err := page.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, e := range events {
		rules = append(rules, e.Rule)
	}
	if want := []string{"Another", "Falco internal: metrics snapshot", "Read sensitive file untrusted"}; !slices.Equal(rules, want) {
		t.Errorf("the page has %q, want %q", rules, want)
	}
}
