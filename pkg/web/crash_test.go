// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// appender is the process that is killed: it appends for as long as it lives, and
// says which events are kept.
func appender(path string) error {
	s, err := OpenSQLite(context.Background(), path)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for {
		var batch []*Event
		for range 1 + r.IntN(40) {
			batch = append(batch, made(r, int(r.Uint64()>>17), 50*time.Hour))
		}
		if _, err := s.Append(context.Background(), batch); err != nil {
			return err
		}
		for _, e := range batch {
			fmt.Println(e.UUID)
		}
	}
}

// kill -9 while events come in: all that was acknowledged is there, each once, the
// counts are those of the events, and the database is whole.
func TestKilledWhileAppending(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	acknowledged := map[string]bool{}
	for range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FALCO_WEB_APPENDER="+path)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		until := 50 + r.IntN(400)
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if len(lines.Text()) == 36 {
				acknowledged[lines.Text()] = true
			}
			if n == until {
				cmd.Process.Kill() // what it has written until then is still in the pipe
			}
		}
		cmd.Wait()
	}
	s, err := OpenSQLite(t.Context(), path)
	must(t, err)
	defer s.Close()
	if len(acknowledged) < 250 {
		t.Fatalf("only %d events were acknowledged", len(acknowledged))
	}
	for uuid := range acknowledged {
		if _, err := s.Get(t.Context(), uuid); err != nil {
			t.Fatalf("%s was acknowledged: %v", uuid, err)
		}
	}
	db := s.(*sqlStore).read
	var whole string
	var events, counted, indexed int64
	must(t, db.QueryRow(`PRAGMA integrity_check`).Scan(&whole))
	must(t, db.QueryRow(`SELECT COUNT(*) FROM event`).Scan(&events))
	must(t, db.QueryRow(`SELECT SUM(n) FROM roll_up WHERE level = 3600`).Scan(&counted))
	must(t, db.QueryRow(`SELECT COUNT(*) FROM fts`).Scan(&indexed))
	if whole != "ok" || counted != events || indexed != events || events < int64(len(acknowledged)) {
		t.Errorf("integrity %s, %d events, %d counted, %d indexed, %d acknowledged", whole, events, counted, indexed, len(acknowledged))
	}
}
