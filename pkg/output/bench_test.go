// SPDX-License-Identifier: Apache-2.0

package output

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/spool"
)

// BenchmarkQueue: from Send to a sink that takes everything.
func BenchmarkQueue(b *testing.B) {
	for name, sync := range map[string]time.Duration{"plain": 0, "spooled": time.Second, "spooled-always": spool.Always} {
		b.Run(name, func(b *testing.B) {
			opt := durable("")
			if opt.Spool = nil; sync != 0 {
				opt.Spool = spoolIn(filepath.Join(b.TempDir(), "s"), spool.Options{Sync: sync})
			}
			q := Start(&scripted{}, opt)
			a := numbered(1)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				for i%256 == 0 && q.Stats().Queued > 10_000 {
					time.Sleep(100 * time.Microsecond)
				}
				q.Send(a)
			}
			for q.Stats().Sent < uint64(b.N) {
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
			b.StopTimer()
			q.Close(time.Minute)
		})
	}
}
