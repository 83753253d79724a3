// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

// What senders get: NDJSON posts of 100, several at once, with one output that delivers at the
// same time.

func BenchmarkIntakeInterval(b *testing.B) {
	benchIntake(b, "spool: {sync: interval, interval: 100ms}")
}

func BenchmarkIntakeAlways(b *testing.B) { benchIntake(b, "spool: {sync: always}") }

// the floor: one event a post, one connection.
func BenchmarkIntakeSingle(b *testing.B) {
	r := begin(b, b.TempDir(), "spool: {sync: interval}")
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if code, text := r.send(line(n)); code != 200 {
			b.Fatal(code, text)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

func benchIntake(b *testing.B, spool string) {
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer sink.Close()
	r := begin(b, b.TempDir(), "webhook: {address: '"+sink.URL+"', format: ndjson, batchsize: 500}\n"+spool)
	const each, senders = 100, 4
	bodies := make([][]byte, 64)
	for i := range bodies {
		var t bytes.Buffer
		for n := range each {
			t.Write(line(i*each+n, func(e *event.Event) { e.UUID = "" }))
			t.WriteByte('\n')
		}
		bodies[i] = t.Bytes()
	}
	var next atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	b.SetBytes(int64(len(bodies[0])))
	b.ReportAllocs()
	from := cpu()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				res, err := client.Post(r.srv.URL, "application/x-ndjson", bytes.NewReader(bodies[n%64]))
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode != 200 {
					b.Error(res.Status)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N*each)/b.Elapsed().Seconds(), "events/s")
	b.StopTimer()
	b.ReportMetric(float64((cpu()-from).Microseconds())/float64(b.N*each), "µs-cpu/event") // senders and receiver included
	b.ReportMetric(float64(r.Books()["webhook"].Delivered)/b.Elapsed().Seconds(), "delivered/s")
}

// cpu is what this process has used so far, of all cores.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
