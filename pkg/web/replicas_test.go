// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Two replicas on one PostgreSQL: what is posted to one appears on the live page of
// the other. Many posts to both at a time arrive at both, each once, in the order of
// their ids.
func TestReplicas(t *testing.T) {
	cfg := guarded()
	cfg.Database = postgresDB(t)
	a := serve(t, cfg)
	b := serve(t, cfg)
	post := func(x *site, n int) {
		body := fmt.Sprintf(`{"uuid":"00000000-0000-4000-8000-%012x","rule":"r","priority":"Error","time":"2026-05-17T15:31:56Z","output":"number %d","output_fields":{"a":"b"}}`, n, n)
		if res, text := x.do("POST", "/api/v2/events", body, bearer(ingestToken)...); res.StatusCode != 200 {
			t.Errorf("%s %s", res.Status, text)
		}
	}
	var posted time.Time
	var wg sync.WaitGroup
	const most = 41
	var got []string
	b.sse("/api/v2/stream", "", func(kind, id, data string) bool {
		switch {
		case kind == "hello":
			posted = time.Now()
			wg.Go(func() { post(a, 0) })
		case kind == "falco":
			if got = append(got, id); len(got) == 1 {
				t.Logf("it was on the other replica after %v", time.Since(posted).Round(time.Millisecond))
				for n := 1; n < most; n++ {
					wg.Go(func() { post([]*site{a, b}[n%2], n) })
				}
			}
		}
		return len(got) < most
	})
	wg.Wait()
	seen := map[string]bool{}
	last := 0
	for _, id := range got {
		n := 0
		fmt.Sscan(id, &n)
		if seen[id] || n <= last {
			t.Errorf("ids %s", strings.Join(got, " "))
			break
		}
		seen[id], last = true, n
	}
}
