// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkAppend: posts of a hundred records of half a kilobyte, while a reader
// follows.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name string
		sync time.Duration
	}{{"interval", time.Second}, {"always", Always}} {
		b.Run(c.name, func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "s"), Options{Readers: []string{"x"}, Sync: c.sync})
			x := reader(b, s, "x")
			batch := make([]Entry, 100)
			for i := range batch {
				batch[i].Payload = make([]byte, 512)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range b.N * len(batch) {
					rec, err := x.Next(context.Background())
					if err != nil {
						b.Error(err)
						return
					}
					x.Ack(rec.Seq)
				}
			}()
			b.SetBytes(int64(len(batch) * 512))
			b.ResetTimer()
			for i := range b.N {
				for i%100 == 0 && x.Stats().Pending > 100_000 { // it must not lag behind for ever
					time.Sleep(time.Millisecond)
				}
				if _, err := s.Append(batch...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "records/s")
			<-done
			if n := x.Stats().Capped; n > 0 {
				b.Errorf("%d were dropped", n)
			}
		})
	}
}
