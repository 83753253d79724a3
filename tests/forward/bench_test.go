// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bench is set by "make bench": the machine is ours, and times count.
var bench = os.Getenv("FALCO_BENCH") != ""

// 11: how many events a second are accepted, in posts of 100 lines, while one output delivers them. A floor in time holds
// only where nobody else is at work; what the forwarder itself computes for an event holds everywhere. Of two processors
// it gets one, senders and receivers the other: 20,000 events a second are 50 µs each, 5,000 are 200 µs.
func TestThroughput(t *testing.T) {
	for _, c := range []struct {
		sync   string
		floor  float64
		budget time.Duration
	}{{"interval", 20000, 50 * time.Microsecond}, {"always", 5000, 200 * time.Microsecond}} {
		t.Run(c.sync, func(t *testing.T) {
			n := 20000
			if long || bench {
				n = 200000
			}
			sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
			t.Cleanup(sink.Close)
			s := start(t, t.TempDir(), "webhook: {address: '"+sink.URL+"', format: ndjson, batchsize: 500}\nspool: {sync: "+c.sync+", interval: 100ms}\n")
			const each, senders = 100, 4
			var bodies [][]byte
			for from := 0; from < n; from += each {
				bodies = append(bodies, lines(from, from+each))
			}
			client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
			was, begin := cpuOf(t, s.cmd.Process.Pid), time.Now()
			var next atomic.Int64
			var wg sync.WaitGroup
			for range senders {
				wg.Go(func() {
					for {
						i := int(next.Add(1)) - 1
						if i >= len(bodies) {
							return
						}
						res, err := client.Post("http://"+s.addr+"/", "application/x-ndjson", bytes.NewReader(bodies[i]))
						if err != nil {
							t.Error(err)
							return
						}
						io.Copy(io.Discard, res.Body)
						res.Body.Close()
						if res.StatusCode != 200 {
							t.Error(res.Status)
							return
						}
					}
				})
			}
			wg.Wait()
			took := time.Since(begin)
			until(t, "all are delivered", func() bool {
				return s.metric(`falcosecurity_falcosidekick_output_delivered_total{destination="webhook"}`) == float64(n)
			})
			per := (cpuOf(t, s.cmd.Process.Pid) - was) / time.Duration(n)
			rate := float64(n) / took.Seconds()
			t.Logf("spool.sync %s: %.0f events/s accepted (want %.0f) in posts of %d, %d connections; %v of processor time for one, with its delivery (want at most %v)",
				c.sync, rate, c.floor, each, senders, per, c.budget)
			if per > c.budget {
				t.Errorf("%v of processor time for an event, want at most %v", per, c.budget)
			}
			if bench && rate < c.floor {
				t.Errorf("%.0f events/s accepted, want %.0f", rate, c.floor)
			}
		})
	}
}

// cpuOf is what a process has computed so far, of all cores.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
