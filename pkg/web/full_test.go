// SPDX-License-Identifier: Apache-2.0

package web

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/spool/spooltest"
)

// On a full disk the store says so, keeps what it has acknowledged, still answers,
// and goes on as soon as there is room.
func TestFullDisk(t *testing.T) {
	out := spooltest.OnSmallDisk(t, "12m", func(t *testing.T, disk string) {
		ballast := filepath.Join(disk, "ballast")
		must(t, os.WriteFile(ballast, make([]byte, 4<<20), 0o600))
		x := serve(t, Config{Database: filepath.Join(disk, "events.db"), AnonymousRead: true, Retention: Retention{Age: 100 * 365 * day}})
		r := rand.New(rand.NewPCG(1, 1))
		kept := 0
		var err error
		for i := 0; i < 20000 && err == nil; i += 50 {
			var batch []*Event
			for j := range 50 {
				batch = append(batch, made(r, i+j, 50*time.Hour))
			}
			if _, err = x.s.append(t.Context(), batch); err == nil {
				kept += 50
			}
		}
		if !errors.Is(err, ErrFull) || kept == 0 {
			t.Fatalf("after %d events: %v", kept, err)
		}
		body := `{"rule":"r","priority":"Error","time":"2026-05-17T15:31:56Z","output":"` + strings.Repeat("o", 60000) + `","output_fields":{"a":"b"}}`
		for i := range 200 { // the last corners
			res, text := x.do("POST", "/api/v2/events", strings.Replace(body, `"r"`, fmt.Sprintf(`"r%d"`, i), 1))
			if res.StatusCode == 200 {
				kept++
				continue
			}
			if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
				t.Errorf("post: %s %s", res.Status, text)
			}
			break
		}
		if res, _ := x.do("GET", "/readyz", ""); res.StatusCode != 503 {
			t.Errorf("ready: %s", res.Status)
		}
		if c, err := x.s.store.Count(t.Context(), &Query{}); err != nil || c.Total != int64(kept) {
			t.Errorf("%d events, %v; %d were acknowledged", c.Total, err, kept)
		}
		must(t, os.Remove(ballast))
		if res, text := x.do("POST", "/api/v2/events", body); res.StatusCode != 200 {
			t.Errorf("with room again: %s %s", res.Status, text)
		}
		if res, _ := x.do("GET", "/readyz", ""); res.StatusCode != 200 {
			t.Errorf("ready: %s", res.Status)
		}
		fmt.Println("kept", kept)
	})
	if out != nil {
		t.Logf("%s", out)
	}
}
