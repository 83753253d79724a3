// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Clients look on while 100 events a second come, some leave and come again: nothing
// piles up. Three seconds, or with FALCO_LONG=1 ten minutes.
func TestLiveSoak(t *testing.T) {
	long := 3 * time.Second
	if os.Getenv("FALCO_LONG") == "1" {
		long = 10 * time.Minute
	}
	cfg := guarded()
	cfg.Retention.Events = 2000
	x := serve(t, cfg)
	var heard atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: -1}}
	look := func(stop <-chan struct{}) {
		req, err := http.NewRequest("GET", x.url+"/api/v2/stream", nil)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+viewToken)
		res, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		go func() { <-stop; res.Body.Close() }()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "event: falco") {
				heard.Add(1)
			}
		}
	}
	state := func() (int, uint64) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	r := rand.New(rand.NewPCG(21, 22))
	before, heapBefore := 0, uint64(0)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(long)
	for round := 0; time.Now().Before(end); round++ {
		stop := make(chan struct{})
		done := make(chan struct{}, 10)
		for range 10 {
			go func() { look(stop); done <- struct{}{} }()
		}
		for range 10 {
			<-tick.C
			var batch []*Event
			for range 10 {
				batch = append(batch, made(r, int(r.Uint64()>>17), time.Hour))
			}
			if _, err := x.s.append(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		for range 10 {
			<-done
		}
		for deadline := time.Now().Add(10 * time.Second); x.s.hub.count() > 0 && time.Now().Before(deadline); {
			<-tick.C
		}
		if round == 0 {
			before, heapBefore = state()
		}
	}
	after, heapAfter := state()
	if x.s.hub.count() != 0 || after > before+5 || heapAfter > heapBefore+32<<20 {
		t.Errorf("%d clients, %d goroutines and then %d, heap %d KiB and then %d", x.s.hub.count(), before, after, heapBefore>>10, heapAfter>>10)
	}
	if heard.Load() == 0 {
		t.Error("nobody heard anything")
	}
	t.Logf("heard %d events", heard.Load())
}
