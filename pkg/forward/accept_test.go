// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/spool/spooltest"
)

// The acceptance tests, by their numbers in the specification. Those that need the program
// itself (2, 5's memory, 8) are in tests/forward, 12 is in each output's own test.

func lines(addr string) string {
	return "webhook: {address: 'http://" + addr + "', format: ndjson, delivery: {batch_wait: 1ms}}\n"
}

// 1: the receiver is away for the whole run, and all that was accepted arrives when it comes.
func TestReceiverComesLate(t *testing.T) {
	n, addr := scale(3000, 10000), freeAddr(t)
	dir := t.TempDir()
	r := begin(t, dir, lines(addr))
	r.post(0, n)
	if b := r.Books()["webhook"]; b.Queued != uint64(n) || b.Delivered != 0 {
		t.Errorf("%+v", b)
	}
	s := receiverAt(t, addr)
	r.idle()
	s.has(t, 0, n)
	if s.count() != n {
		t.Errorf("%d deliveries of %d events", s.count(), n)
	}
}

// 3: all kinds of failures that pass, in a pattern; and who asks for a pause gets it.
func TestFailuresThatPass(t *testing.T) {
	s := newReceiver(t)
	var turn atomic.Int64
	s.talk(func(r *http.Request, _ []*event.Event) (int, map[string]string) {
		switch turn.Add(1) % 8 {
		case 1:
			return 503, nil
		case 2:
			return 429, map[string]string{"Retry-After": "0"}
		case 3:
			return -1, nil
		case 4:
			<-r.Context().Done()
			return -1, nil
		case 5:
			return 500, nil
		case 6:
			return 408, nil
		}
		return 0, nil
	})
	n := scale(1000, 5000)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"', format: ndjson, delivery: {timeout: 50ms, batch_wait: 1ms}}\n")
	r.post(0, n)
	r.idle()
	s.has(t, 0, n)
}

func TestRetryAfterIsRespected(t *testing.T) {
	s := newReceiver(t)
	var mu sync.Mutex
	var asked, came time.Time
	s.talk(func(*http.Request, []*event.Event) (int, map[string]string) {
		mu.Lock()
		defer mu.Unlock()
		if asked.IsZero() {
			asked = time.Now()
			return 429, map[string]string{"Retry-After": "1"}
		}
		came = time.Now()
		return 0, nil
	})
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\n")
	r.post(0, 1)
	r.idle()
	if pause := came.Sub(asked); pause < 900*time.Millisecond {
		t.Errorf("it came back after %v, asked for 1s", pause)
	}
}

// 4: what is refused for good, and nothing else, becomes dead letters; and is delivered from there when it is mended.
func TestDeadLettersAndReplay(t *testing.T) {
	s := newReceiver(t)
	bad := func(e *event.Event) bool { return strings.HasSuffix(e.UUID, "07") || strings.HasSuffix(e.UUID, "63") }
	s.talk(func(_ *http.Request, events []*event.Event) (int, map[string]string) {
		if slices.ContainsFunc(events, bad) {
			return 400, nil
		}
		return 0, nil
	})
	n := 1280
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"', format: ndjson, delivery: {batch_wait: 1ms}}\n")
	r.post(0, n)
	r.idle()
	var refused []string
	for i := range n {
		if i&0xff == 0x07 || i&0xff == 0x63 {
			refused = append(refused, uuid(i))
		}
	}
	s.has(t, 0, n, refused...)
	b := r.Books()["webhook"]
	if b.Dead != uint64(len(refused)) || b.DeadNow != len(refused) {
		t.Errorf("%d dead letters, %d lie there, want %d", b.Dead, b.DeadNow, len(refused))
	}
	letters, err := r.find("webhook").dead.list(100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range letters {
		e, err := event.Parse(l.Event)
		if err != nil || l.Attempts < 1 || !strings.Contains(l.Error, "400") || l.Accepted.IsZero() {
			t.Errorf("letter %+v: %v", l, err)
			continue
		}
		got = append(got, e.UUID)
	}
	slices.Sort(got)
	if !slices.Equal(got, refused) {
		t.Errorf("letters of %v, want %v", got, refused)
	}

	s.talk(nil)
	if n, err := r.Replay("webhook"); n != len(refused) || err != nil {
		t.Errorf("replay: %d, %v", n, err)
	}
	r.idle()
	s.has(t, 0, n)
	if b := r.Books()["webhook"]; b.DeadNow != 0 {
		t.Errorf("%d letters lie there after the replay", b.DeadNow)
	}
}

// 5: an output that hangs costs the others nothing.
func TestHungOutput(t *testing.T) {
	run := func(hang bool) (delivered int) {
		good, bad := newReceiver(t), newReceiver(t)
		if hang {
			bad.talk(func(r *http.Request, _ []*event.Event) (int, map[string]string) {
				<-r.Context().Done()
				return -1, nil
			})
		}
		r := begin(t, t.TempDir(), fmt.Sprintf(`
outputs:
  - {name: good, type: webhook, settings: {address: '%s', format: ndjson}, delivery: {batch_wait: 1ms}}
  - {name: bad, type: webhook, settings: {address: '%s', format: ndjson}, delivery: {batch_wait: 1ms, timeout: 1h}}
`, good.URL, bad.URL))
		n := scale(5000, 100000)
		r.post(0, n)
		until(t, "the good one has all", func() bool { return r.Books()["good"].Queued == 0 })
		good.has(t, 0, n)
		if hang {
			if b := r.Books()["bad"]; b.Queued != uint64(n) || b.Delivered != 0 {
				t.Errorf("bad: %+v", b)
			}
		}
		return good.count()
	}
	with, without := run(true), run(false)
	if with*100 < without*95 {
		t.Errorf("%d events with a hung neighbour, %d without", with, without)
	}
}

// An outage of one receiver while events go on coming: it gets all of them afterwards, in their
// order, and the other has had them all along.
func TestOutage(t *testing.T) {
	away, other := newReceiver(t), newReceiver(t)
	away.talk(func(*http.Request, []*event.Event) (int, map[string]string) { return 503, nil })
	r := begin(t, t.TempDir(), fmt.Sprintf(`
outputs:
  - {name: away, type: webhook, settings: {address: '%s', format: ndjson}, delivery: {workers: 1}}
  - {name: other, type: webhook, settings: {address: '%s', format: ndjson}}
`, away.URL, other.URL))
	n := scale(5000, 100000)
	r.post(0, n)
	until(t, "the other one has all", func() bool { return r.Books()["other"].Delivered == uint64(n) })
	if b := r.Books()["away"]; b.Queued != uint64(n) || b.State != stateOpen && b.State != stateRetrying {
		t.Errorf("away: %+v", b)
	}
	away.talk(nil)
	r.idle()
	away.has(t, 0, n)
	other.has(t, 0, n)
	if !slices.IsSorted(away.order) {
		t.Error("the order is lost")
	}
}

// 6: at the spool's limit each policy does what it says, and the counts are exact.
func TestQuota(t *testing.T) {
	for _, policy := range []string{"drop_oldest", "drop_lowest_priority", "block"} {
		t.Run(policy, func(t *testing.T) {
			addr := freeAddr(t)
			r := begin(t, t.TempDir(), lines(addr)+"spool: {sync: interval, max_bytes: 400000, segment_bytes: 65536, on_overflow: "+policy+"}\n"+
				"delivery: {retry_min: 1ms, retry_max: 20ms}\n")
			accepted, critical := 0, map[string]bool{}
			for n := range 2000 {
				grave := n%100 == 50
				code, _ := r.send(line(n, func(e *event.Event) {
					if grave {
						e.Priority = event.Critical
					}
				}))
				switch {
				case code == 200:
					accepted++
					if grave {
						critical[uuid(n)] = true
					}
				case code == 503 && policy == "block":
				default:
					t.Fatalf("event %d: %d", n, code)
				}
			}
			r.balanced()
			b := r.Books()["webhook"]
			if b.Accepted != uint64(accepted) {
				t.Errorf("%d accepted by the books, %d by the answers", b.Accepted, accepted)
			}
			s := receiverAt(t, addr)
			r.idle()
			b = r.Books()["webhook"]
			if int(b.Delivered) != len(s.uuids()) {
				t.Errorf("%d delivered by the books, %d have come", b.Delivered, len(s.uuids()))
			}
			switch policy {
			case "block":
				if accepted == 2000 || len(b.Dropped) > 0 || len(s.uuids()) != accepted {
					t.Errorf("%d of 2000 accepted, %d came, dropped %v", accepted, len(s.uuids()), b.Dropped)
				}
			default:
				if b.Dropped[dropRoom] == 0 || b.Delivered+b.Dropped[dropRoom] != 2000 {
					t.Errorf("%+v", b)
				}
			}
			if policy == "drop_lowest_priority" {
				for u := range critical {
					if s.got[u] == 0 {
						t.Errorf("a critical event was dropped before others: %s", u)
					}
				}
			}
		})
	}
}

// 6, for one output: it would rather have the senders wait than lose anything.
func TestQuotaOfOneOutput(t *testing.T) {
	addr, good := freeAddr(t), newReceiver(t)
	r := begin(t, t.TempDir(), fmt.Sprintf(`
outputs:
  - {name: good, type: webhook, settings: {address: '%s', format: ndjson}}
  - {name: archive, type: webhook, settings: {address: 'http://%s', format: ndjson}, delivery: {on_overflow: block}}
spool: {sync: interval, max_bytes: 400000, segment_bytes: 65536}
delivery: {retry_min: 1ms, retry_max: 20ms}
`, good.URL, addr))
	accepted := 0
	for n := range 2000 {
		if code, _ := r.send(line(n)); code == 200 {
			accepted++
		}
	}
	if accepted == 2000 {
		t.Error("nothing was refused")
	}
	s := receiverAt(t, addr)
	r.idle()
	if len(s.uuids()) != accepted {
		t.Errorf("%d accepted, %d came", accepted, len(s.uuids()))
	}
}

// 7: a full disk refuses, hurts nothing, and all goes on when there is room.
func TestFullDisk(t *testing.T) { spooltest.OnSmallDisk(t, "2m", fullDisk) }

func fullDisk(t *testing.T, dir string) {
	addr := freeAddr(t)
	r := begin(t, dir, lines(addr)+"spool: {sync: always, segment_bytes: 65536}\ndelivery: {retry_min: 1ms, retry_max: 20ms}\n")
	var taken []string
	code := 200
	for n := 0; code == 200 && n < 20000; n++ {
		if code, _ = r.send(line(n)); code == 200 {
			taken = append(taken, uuid(n))
		}
	}
	if code != 503 {
		t.Fatalf("the disk is full, and the answer is %d", code)
	}
	if res, err := http.Get(r.srv.URL + "/readyz"); err != nil || res.StatusCode != 503 {
		t.Errorf("readyz: %v %v", res, err)
	}
	s := receiverAt(t, addr)
	r.idle()
	for _, u := range taken {
		if s.got[u] == 0 {
			t.Fatalf("accepted and not delivered: %s", u)
		}
	}
	until(t, "it takes events again", func() bool { code, _ := r.send(line(30000)); return code == 200 })
	if res, err := http.Get(r.srv.URL + "/readyz"); err != nil || res.StatusCode != 200 {
		t.Errorf("readyz: %v %v", res, err)
	}
	r.idle()
	if s.got[uuid(30000)] == 0 {
		t.Error("the event after the full disk has not come")
	}
}

// 8: what is not delivered when the forwarder ends is delivered by the next.
func TestStopWithBacklog(t *testing.T) {
	dir, addr, n := t.TempDir(), freeAddr(t), 1000
	r := begin(t, dir, lines(addr))
	r.post(0, n)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if left := r.Drain(ctx); left != uint64(n) {
		t.Errorf("%d events left, want %d", left, n)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	s := receiverAt(t, addr)
	next := begin(t, dir, lines(addr))
	if b := next.Books()["webhook"]; b.Started != uint64(n) {
		t.Errorf("%d events at the start, want %d", b.Started, n)
	}
	next.idle()
	s.has(t, 0, n)
}

// 9: a byte that has changed on the disk costs one event, and is told.
func TestCorruptByte(t *testing.T) {
	dir, addr, n := t.TempDir(), freeAddr(t), 500
	r := begin(t, dir, lines(addr))
	r.post(0, n)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "spool", "*"))
	if err != nil {
		t.Fatal(err)
	}
	hit := false
	for _, name := range files {
		text, err := os.ReadFile(name)
		if i := strings.Index(string(text), uuid(250)); err == nil && i > 0 {
			text[i] ^= 0x20
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
			hit = true
		}
	}
	if !hit {
		t.Fatalf("no file holds the event: %v", files)
	}
	s := receiverAt(t, addr)
	next := begin(t, dir, lines(addr))
	next.idle()
	s.has(t, 0, n, uuid(250))
	if next.sp.Stats().Damaged == 0 {
		t.Error("the damage is not counted")
	}
}

// A stubborn event is not in the way of those that follow, whichever way it fails.
func TestPoison(t *testing.T) {
	s := newReceiver(t)
	s.talk(func(_ *http.Request, events []*event.Event) (int, map[string]string) {
		if slices.ContainsFunc(events, func(e *event.Event) bool { return e.UUID == uuid(3) }) {
			return 500, nil
		}
		return 0, nil
	})
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"', delivery: {max_attempts: 3}}\n")
	r.post(0, 10)
	r.idle()
	s.has(t, 0, 10, uuid(3))
	if b := r.Books()["webhook"]; b.Dead != 1 {
		t.Errorf("%+v", b)
	}
}

// What the settings are to blame for waits, and goes when they are mended.
func TestMisconfigured(t *testing.T) {
	s := newReceiver(t)
	s.talk(func(*http.Request, []*event.Event) (int, map[string]string) { return 401, nil })
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\n")
	r.post(0, 10)
	until(t, "the output says it", func() bool { return r.Books()["webhook"].State == stateMisconfigured })
	res, err := http.Get(r.srv.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	var health struct {
		Status   string
		Degraded []string
	}
	if err := json.NewDecoder(res.Body).Decode(&health); err != nil || health.Status != "ok" || !slices.Equal(health.Degraded, []string{"webhook"}) {
		t.Errorf("healthz says %+v, %v", health, err)
	}
	s.talk(nil)
	r.idle()
	s.has(t, 0, 10)
	if b := r.Books()["webhook"]; b.Dead != 0 || b.State != stateOK {
		t.Errorf("%+v", b)
	}
}
