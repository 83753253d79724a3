// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/spool"
)

// helper tells a process that a test has started what it is to do.
const helper = "FALCO_OUTPUT_HELPER"

func TestMain(m *testing.M) {
	if job := strings.Fields(os.Getenv(helper)); len(job) == 4 {
		raise(job[1], job[2], job[3])
	}
	os.Exit(m.Run())
}

// raise is the life of a process that will be killed: it raises numbered alerts
// and says which have reached the disk. After "last" it delivers what is there, and ends.
func raise(dir, url, from string) {
	sink, err := NewHTTP(HTTP{URL: url, Answers: true})
	if err != nil {
		panic(err)
	}
	opt := durable(dir)
	opt.Spool = spoolIn(dir, spool.Options{Segment: 64 << 10, Max: 64 << 20, Sync: 10 * time.Millisecond})
	q := Start(sink, opt)
	fmt.Println("began")
	if from == "last" {
		for st := q.Stats(); !st.HasSpool || st.Spooled > 0; st = q.Stats() {
			time.Sleep(time.Millisecond)
		}
		q.Close(time.Minute)
		os.Exit(0)
	}
	first, _ := strconv.Atoi(from)
	for n := first; ; {
		for range rand.IntN(40) {
			q.Send(numbered(n))
			n++
		}
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond)
		// What has left the memory is on the disk: nothing is dropped here, and there is one order.
		if st := q.Stats(); st.HasSpool {
			fmt.Println("in", uint64(first)+st.Accepted-st.Queued-st.Dropped-1)
		}
	}
}

// The process that raises alerts is killed at random moments, many times, while the
// server is there or not. Every alert that was on the disk comes at least
// once, whole, with one name each, and the first time in order.
func TestKilled(t *testing.T) {
	rounds := 20
	if os.Getenv("FALCO_LONG") != "" {
		rounds = 200
	}
	const perRound = 1_000_000
	var mu sync.Mutex
	seen, names := map[int]bool{}, map[alert.ID]int{}
	top, again, moods := 0, 0, 0
	var wrong []string
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id := idOf(r.Header.Get("Idempotency-Key"))
		mu.Lock()
		defer mu.Unlock()
		if moods++; moods%97 < 20 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		n, err := strconv.Atoi(message(Line{Text: body, ID: id}))
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("torn: %q", body))
		case seen[n]:
			if again++; names[id] != n {
				wrong = append(wrong, fmt.Sprintf("%d has another name", n))
			}
		case n < top:
			wrong = append(wrong, fmt.Sprintf("%d comes after %d", n, top))
		default:
			top, seen[n], names[id] = n, true, n
		}
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "s")
	start := func(from string) (*exec.Cmd, io.Reader) {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=raise %s %s %s", helper, dir, srv.URL, from))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		return cmd, out
	}
	var accepted [][2]int
	for round := range rounds {
		first := round*perRound + 1
		cmd, out := start(strconv.Itoa(first))
		last := first - 1
		var timer *time.Timer
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if timer == nil {
				timer = time.AfterFunc(time.Duration(rand.IntN(80_000))*time.Microsecond, func() { cmd.Process.Kill() })
			}
			if text, ok := strings.CutPrefix(lines.Text(), "in "); ok {
				if n, err := strconv.Atoi(text); err == nil && n >= first {
					last = n
				}
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("round %d: %v", round, err)
		}
		accepted = append(accepted, [2]int{first, last})
	}
	cmd, out := start("last")
	io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	all, missing := 0, 0
	for _, a := range accepted {
		for n := a[0]; n <= a[1]; n++ {
			if all++; !seen[n] {
				missing++
			}
		}
	}
	if missing > 0 || len(wrong) > 0 || all < rounds {
		t.Errorf("%d of %d are missing; %q", missing, all, wrong[:min(len(wrong), 5)])
	}
	t.Logf("killed %d times: %d alerts on the disk, all delivered, %d of them twice or more", rounds, all, again)
}
