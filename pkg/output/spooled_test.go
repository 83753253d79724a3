// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/spool"
)

// spoolIn returns what opens the spool in dir.
func spoolIn(dir string, opt spool.Options) func() (*spool.Spool, error) {
	return func() (*spool.Spool, error) { return spool.Open(dir, SpoolOptions(opt)) }
}

// durable are options of a queue with a spool, and pauses that suit a test.
func durable(dir string) Options {
	return Options{Style: alert.Style{JSON: true, UUID: true, Location: time.UTC}, Spool: spoolIn(dir, spool.Options{}),
		retryMin: time.Millisecond, retryMax: 4 * time.Millisecond}
}

// balanced fails if the books of a queue that is closed do not add up.
func balanced(t *testing.T, s Stats) {
	t.Helper()
	if s.Backlog+s.Accepted != s.Sent+s.Failed+s.Dropped+s.Capped+s.Aged+s.Damaged+s.Queued+s.Spooled {
		t.Errorf("the books do not balance: %+v", s)
	}
}

// until waits for something to become true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for a minute: %s", what)
		}
	}
}

// scripted is a sink that answers as it is told, and keeps what it has taken.
type scripted struct {
	mu     sync.Mutex
	answer func(n int, l Line) error // nil: yes
	tries  int
	taken  []string
	ids    map[alert.ID]bool
}

func (s *scripted) Name() string  { return "scripted" }
func (s *scripted) Reopen() error { return nil }
func (s *scripted) Close() error  { return nil }
func (s *scripted) Write(_ context.Context, l Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.answer != nil {
		if err := s.answer(s.tries, l); err != nil {
			return err
		}
	}
	if s.ids == nil {
		s.ids = map[alert.ID]bool{}
	}
	s.ids[l.ID] = true
	s.taken = append(s.taken, message(l))
	return nil
}

func (s *scripted) got() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.taken, " ")
}

func message(l Line) string {
	var a struct{ Rule, UUID string }
	if err := json.Unmarshal(l.Text, &a); err != nil || a.UUID != l.ID.String() {
		return fmt.Sprintf("TORN %q", l.Text)
	}
	return a.Rule
}

var ids = alert.NewIDs()

func numbered(n int) *alert.Alert {
	return &alert.Alert{ID: ids.Next(), Rule: fmt.Sprint(n), Severity: 4}
}

func numbers(from, to int) string {
	var out []string
	for ; from <= to; from++ {
		out = append(out, fmt.Sprint(from))
	}
	return strings.Join(out, " ")
}

// What fails is tried until it works, in order; what was waiting when the program
// ended goes first in the next run; each alert keeps its ID.
func TestSpooled(t *testing.T) {
	dir, before := filepath.Join(t.TempDir(), "s"), runtime.NumGoroutine()
	s := &scripted{answer: func(n int, _ Line) error {
		if n%3 != 0 {
			return errors.New("not now")
		}
		return nil
	}}
	q := Start(s, durable(dir))
	for n := 1; n <= 50; n++ {
		q.Send(numbered(n))
	}
	until(t, "some deliveries", func() bool { return q.Stats().Sent >= 5 })
	if !q.Close(time.Minute) || s.got() != numbers(1, s.tries/3) {
		t.Errorf("got %s", s.got())
	}
	// Whoever fails when the end comes is not waited for.
	st := q.Stats()
	if balanced(t, st); st.Spooled+st.Sent != 50 || st.Retried < 1 {
		t.Errorf("%+v", st)
	}

	away := &scripted{answer: func(int, Line) error { return errors.New("away") }}
	q = Start(away, durable(dir))
	for n := 51; n <= 100; n++ {
		q.Send(numbered(n))
	}
	until(t, "attempts", func() bool { return q.Stats().Retried > 5 })
	q.Close(0)
	if st := q.Stats(); st.Sent != 0 || st.Dropped != 0 || st.Spooled != st.Backlog+50 {
		t.Errorf("%+v", st)
	}

	back := &scripted{}
	q = Start(back, durable(dir))
	q.Send(numbered(101))
	q.Close(time.Minute)
	if got := s.got() + " " + back.got(); got != numbers(1, 101) || len(s.ids)+len(back.ids) != 101 {
		t.Errorf("got %s", got)
	}
	balanced(t, q.Stats())
	until(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// A line that is refused for good is counted and kept aside, and does not stand in the way of others; one that
// has become too old neither.
func TestRefused(t *testing.T) {
	s := &scripted{answer: func(_ int, l Line) error {
		switch message(l) {
		case "2":
			return &Refusal{Text: "no", Final: true}
		case "3":
			return errors.New("not now")
		}
		return nil
	}}
	dir := filepath.Join(t.TempDir(), "s")
	opt := durable(dir)
	opt.MaxAge = 20 * time.Millisecond
	q := Start(s, opt)
	for n := 1; n <= 4; n++ {
		q.Send(numbered(n))
	}
	until(t, "the last one", func() bool { return q.Stats().Sent == 2 })
	q.Close(time.Minute)
	st := q.Stats()
	aside := content(t, filepath.Join(dir, "refused"))
	if strings.Count(aside, "\n") != 1 || !strings.Contains(aside, `"rule":"2"`) {
		t.Errorf("kept aside: %q", aside)
	}
	if balanced(t, st); s.got() != "1 4" || st.Failed != 1 || st.Aged != 1 {
		t.Errorf("got %s, %+v", s.got(), st)
	}
}

// The time that a receiver asks for is waited for; whoever wants the queue to
// reopen or to end need not wait.
func TestRetryAfter(t *testing.T) {
	first := time.Time{}
	var pause time.Duration
	s := &scripted{answer: func(n int, _ Line) error {
		switch n {
		case 1:
			first = time.Now()
			return &Refusal{Text: "busy", After: 300 * time.Millisecond}
		case 2:
			pause = time.Since(first)
		case 3:
			return &Refusal{Text: "busy", After: time.Hour}
		case 4:
			return nil
		case 5:
			return &Refusal{Text: "busy", After: time.Hour}
		}
		return nil
	}}
	opt, r := durable(filepath.Join(t.TempDir(), "s")), newReports()
	opt.Report = r.report
	q := Start(s, opt)
	q.Send(numbered(1))
	for <-r.c != Works {
	}
	if pause < 300*time.Millisecond {
		t.Errorf("it was asked again after %v", pause)
	}
	q.Send(numbered(2))
	until(t, "the third attempt", func() bool { return q.Stats().Retried == 2 })
	q.Reopen()
	until(t, "number 2", func() bool { return s.got() == "1 2" })
	q.Send(numbered(3))
	until(t, "the fifth attempt", func() bool { return q.Stats().Retried == 3 })
	if q.Close(time.Minute); q.Stats().Spooled != 1 {
		t.Errorf("%+v", q.Stats())
	}
}

// Without its spool, or with a full one, a queue delivers from memory, in order;
// what is too much is dropped and counted.
func TestNoDisk(t *testing.T) {
	for name, open := range map[string]func() (*spool.Spool, error){
		"none": func() (*spool.Spool, error) { return nil, errors.New("read-only file system") },
		"full": func() (*spool.Spool, error) {
			opt := SpoolOptions(spool.Options{Max: 1})
			opt.Full = spool.Refuse
			sp, err := spool.Open(filepath.Join(t.TempDir(), "s"), opt)
			if err == nil {
				for err == nil { // until there is no room
					_, err = sp.Append(spool.Entry{Payload: make([]byte, 1<<10)})
				}
				r, _ := sp.Reader(readerName)
				for {
					rec, ok, _ := r.TryNext()
					if !ok {
						break
					}
					r.Ack(rec.Seq)
				}
			}
			return sp, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan struct{})
			s := &scripted{answer: func(n int, _ Line) error {
				if n == 1 {
					<-hold
				}
				if n%2 == 1 {
					return errors.New("not now")
				}
				return nil
			}}
			opt, r := durable(""), newReports()
			opt.Spool, opt.Report, opt.Capacity = open, func(p Problem, text string) {
				if p == Disk {
					r.report(p, text)
				}
			}, 500
			q := Start(s, opt)
			if name == "none" {
				<-r.c
			}
			for n := 1; n <= 2000; n++ {
				q.Send(numbered(n))
				if n == 1 {
					until(t, "the first attempt", func() bool { st := q.Stats(); return st.Queued == 1 && st.Spooled == 0 })
				}
			}
			close(hold)
			until(t, "deliveries", func() bool { st := q.Stats(); return st.Queued == 0 })
			q.Close(time.Minute)
			st := q.Stats()
			balanced(t, st)
			got := strings.Fields(s.got())
			if uint64(len(got)) != st.Sent || st.Sent < 500 || st.Sent+st.Dropped != 2000 {
				t.Errorf("%d came, %+v", len(got), st)
			}
			if strings.Join(got[:500], " ") != numbers(1, 500) {
				t.Errorf("the order is %s", got[:500])
			}
		})
	}
}

// A spool that another queue is about to leave is waited for.
func TestSpoolInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	held, err := spool.Open(dir, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, tried := &scripted{}, make(chan struct{})
	opt, open, once := durable(dir), durable(dir).Spool, sync.Once{}
	opt.Spool = func() (*spool.Spool, error) {
		defer once.Do(func() { close(tried) })
		return open()
	}
	q := Start(s, opt)
	q.Send(numbered(1))
	<-tried
	held.Close()
	until(t, "the alert", func() bool { return s.got() == "1" })
	if q.Close(time.Minute); !q.Stats().HasSpool {
		t.Error("it does without")
	}
}

// A reload that changes where alerts go keeps their order, whatever the old place
// is up to: what was there before goes to it while it answers, and the rest to the new one.
func TestReplace(t *testing.T) {
	for _, spooled := range []bool{false, true} {
		g, to := newGate(), &scripted{}
		opt := Options{Style: alert.Style{JSON: true, UUID: true}}
		if spooled {
			opt = durable(filepath.Join(t.TempDir(), "s"))
		}
		q := Start(g, opt)
		for n := 1; n <= 5; n++ {
			q.Send(numbered(n))
		}
		<-g.in
		g.out <- nil
		<-g.in // has 2
		q.Replace(to, opt, time.Hour)
		for n := 6; n <= 9; n++ {
			q.Send(numbered(n))
		}
		g.out <- nil
		want := "6 7 8 9"
		if spooled { // what is on the disk belongs to whoever is there
			want = "3 4 5 6 7 8 9"
		} else {
			for range 3 {
				<-g.in
				g.out <- nil
			}
		}
		until(t, "the others", func() bool { return to.got() == want })
		if !q.Close(time.Minute) {
			t.Error("it did not come to its end")
		}
		if st := q.Stats(); st.Sent != 9 {
			t.Errorf("%+v", st)
		}
	}
}

// stubborn takes nothing until its context ends.
type stubborn struct{ scripted }

func (s *stubborn) Write(ctx context.Context, _ Line) error {
	<-ctx.Done()
	return ctx.Err()
}

// A sink that hangs keeps nothing from the one that takes its place, and no
// shutdown waits longer than it may.
func TestReplaceHung(t *testing.T) {
	for _, spooled := range []bool{false, true} {
		to := &scripted{}
		opt := Options{Style: alert.Style{JSON: true, UUID: true}}
		if spooled {
			opt = durable(filepath.Join(t.TempDir(), "s"))
		}
		q := Start(&stubborn{}, opt)
		for n := 1; n <= 5; n++ {
			q.Send(numbered(n))
		}
		q.Replace(&scripted{}, opt, time.Hour) // is replaced before it has anything
		q.Replace(to, opt, 10*time.Millisecond)
		q.Send(numbered(6))
		until(t, "all", func() bool { return to.got() == numbers(1, 6) })
		q.Close(time.Minute)
		if st := q.Stats(); st.Sent != 6 || st.Dropped+st.Failed != 0 {
			t.Errorf("%+v", st)
		}

		q = Start(&stubborn{}, opt)
		q.Send(numbered(1))
		q.Send(numbered(2))
		if spooled {
			until(t, "the disk", func() bool { return q.Stats().Spooled == 2 })
		}
		ended := q.Close(time.Millisecond)
		st := q.Stats()
		balanced(t, st)
		if spooled && (!ended || st.Spooled != 2) || !spooled && (ended || st.Dropped != 2) {
			t.Errorf("spooled %v: %v %+v", spooled, ended, st)
		}
	}
}

// Who does not use a spool has one goroutine for each output, and no memory for a
// queue that is empty.
func TestCostsNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	q := Start(NewStdout(io.Discard, false), Options{})
	if n := runtime.NumGoroutine() - before; n != 1 || q.line != nil || q.disk != nil {
		t.Errorf("%d goroutines, room for %d", n, len(q.line))
	}
	for n := range 100_000 {
		q.Send(numbered(n))
	}
	until(t, "an empty queue", func() bool { return q.Stats().Queued == 0 })
	q.mu.Lock()
	if len(q.line) > 1024 {
		t.Errorf("an empty queue has room for %d", len(q.line))
	}
	q.mu.Unlock()
	q.Close(time.Minute)
}

// A server that answers in every way there is costs nothing that the spool has:
// each alert comes, in order, and with the header that names it.
func TestServerOfMoods(t *testing.T) {
	var mu sync.Mutex
	var taken []string
	n, bad := 0, 0
	release := make(chan struct{})
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		n++
		if !strings.Contains(string(body), `"uuid":"`+r.Header.Get("Idempotency-Key")+`"`) {
			bad++
		}
		switch n % 9 {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		case 3: // garbage
			c, _, _ := http.NewResponseController(w).Hijack()
			io.WriteString(c, "\x00\xff no HTTP\r\n\r\n")
			c.Close()
		case 4: // nothing at all
			c, _, _ := http.NewResponseController(w).Hijack()
			c.Close()
		case 5: // never
			mu.Unlock()
			select {
			case <-release:
			case <-r.Context().Done():
			}
			mu.Lock()
		case 6:
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case 7: // slowly, and an answer without end
			w.WriteHeader(http.StatusInternalServerError)
			for range 100 {
				w.Write(make([]byte, 64<<10))
			}
		default:
			// An answer that comes too late is none; the receiver knows the alert by its name.
			got := message(Line{Text: body, ID: idOf(r.Header.Get("Idempotency-Key"))})
			if k := len(taken); k == 0 || taken[k-1] != got {
				taken = append(taken, got)
			}
			w.WriteHeader(http.StatusNoContent)
		}
	})
	defer close(release)
	sink, err := NewHTTP(HTTP{URL: srv.URL, Answers: true, connect: time.Minute, request: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	q := Start(sink, durable(filepath.Join(t.TempDir(), "s")))
	const alerts = 40
	for n := 1; n <= alerts; n++ {
		q.Send(numbered(n))
	}
	until(t, "all", func() bool { return q.Stats().Sent == alerts })
	q.Close(time.Minute)
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(taken, " "); got != numbers(1, alerts) || bad > 0 {
		t.Errorf("%d without their name, got %s", bad, got)
	}
	balanced(t, q.Stats())
}

func idOf(text string) (id alert.ID) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err == nil {
		copy(id[:], b)
	}
	return id
}
