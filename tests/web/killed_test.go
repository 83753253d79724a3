// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// kill -9 of falcosidekick while several post to it: when it is back, every event that it
// has said yes to is there, no event is there twice, and the database is whole.
func TestKilledWhilePosting(t *testing.T) {
	missing(t, map[string]string{"sqlite3": "sqlite3"})
	s := startSidekick(t, "webui:\n  enabled: true\n  listenport: 0\n")
	acknowledged := map[string]bool{}
	for round := range 3 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		enough := make(chan struct{})
		var once sync.Once
		until := len(acknowledged) + 100 + rand.IntN(300)
		for who := range 3 {
			wg.Go(func() {
				for n := 0; ; n++ {
					var body strings.Builder
					var ids []string
					for i := range 1 + n%7 {
						id := fmt.Sprintf("%08x-%04x-4000-8000-%012x", round, who, n*10+i)
						fmt.Fprintf(&body, `{"uuid":%q,"rule":"r","priority":"Error","time":%q,"output":"number %d","output_fields":{"a":"b"}}`+"\n", id, time.Now().UTC().Format(time.RFC3339Nano), n)
						ids = append(ids, id)
					}
					res, err := http.Post(s.url+"api/v2/events", "application/x-ndjson", strings.NewReader(body.String()))
					if err != nil {
						return // it is dead
					}
					res.Body.Close()
					if res.StatusCode != http.StatusOK {
						t.Errorf("post: %s", res.Status)
						return
					}
					mu.Lock()
					for _, id := range ids {
						acknowledged[id] = true
					}
					if len(acknowledged) >= until {
						once.Do(func() { close(enough) })
					}
					mu.Unlock()
				}
			})
		}
		select {
		case <-enough:
		case <-time.After(2 * time.Minute):
			t.Fatal("nobody takes events")
		}
		s.stop(syscall.SIGKILL)
		wg.Wait()
		s.start()
		res, err := http.Get(s.url + "api/v2/export?format=ndjson")
		if err != nil {
			t.Fatal(err)
		}
		kept, lines := map[string]bool{}, 0
		for text := bufio.NewScanner(res.Body); text.Scan(); lines++ {
			var e struct{ UUID string }
			if err := json.Unmarshal(text.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			kept[e.UUID] = true
		}
		res.Body.Close()
		for id := range acknowledged {
			if !kept[id] {
				t.Fatalf("%s was acknowledged and is lost, of %d", id, len(acknowledged))
			}
		}
		if lines != len(kept) {
			t.Errorf("%d events, %d of them different", lines, len(kept))
		}
		t.Logf("%d acknowledged, %d kept", len(acknowledged), len(kept))
	}
	files, err := filepath.Glob(filepath.Join(s.state, "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("databases: %v, %v", files, err)
	}
	if out, err := exec.Command("sqlite3", "-readonly", files[0], "PRAGMA integrity_check").CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%s, %v", out, err)
	}
}
