// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

// storm is containers that begin and end while containerd is killed, hangs and
// answers with nothing in it.
type storm struct {
	containers int
	every      time.Duration // a container begins
	life       time.Duration // of each
	kills      int
	live       int // containers that go on living, of the whole number
}

// exit ends the only process of a container.
func (r *running) exit(tid int64) {
	r.do(func(p *pipeline) {
		r.src.live = append(r.src.live, eventtest.New(schema.ProcexitE).Tid(tid).TS(uint64(time.Now().UnixNano())).Bytes())
	})
}

// watchStalls measures how long the machine keeps a goroutine from running.
func (r *running) watchStalls() {
	go func() {
		for last := time.Now(); ; {
			select {
			case <-r.stop:
				return
			case <-time.After(time.Millisecond):
			}
			now := time.Now()
			if gap := int64(now.Sub(last)); gap > r.stall.Load() {
				r.stall.Store(gap)
			}
			last = now
		}
	}()
}

func (r *running) stalled() time.Duration { return time.Duration(r.stall.Load()) }

// heap returns the bytes that are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers let go of
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// blow lets a storm pass over the daemon, and looks at what is left of both.
func (st storm) blow(t *testing.T) {
	before := runtime.NumGoroutine()
	s := startContainerd(t)
	r := runAsking(t, 100, s.Path)
	r.up(s)
	r.watchStalls()
	events := 0
	alerts := map[string]int{} // of the rule on every shell, by what is known
	images := 0
	count := func(text string) {
		switch _, why, isExec := strings.Cut(text, ": "); {
		case !isExec:
			images++
		case strings.HasPrefix(why, "missing"):
			alerts["missing"]++
		default:
			alerts[why]++
		}
		if strings.HasPrefix(text, "exec ") {
			events++
		}
	}
	type ending struct {
		at  time.Time
		n   int
		id  string
		tid int64
	}
	var endings []ending
	end := func(now time.Time) {
		for len(endings) > 0 && !now.Before(endings[0].at) {
			e := endings[0]
			endings = endings[1:]
			s.Delete("default", e.id)
			r.exit(e.tid)
		}
	}
	ticker := time.NewTicker(st.every)
	defer ticker.Stop()
	step := max(st.containers/(3*st.kills), 3) // one misfortune each: killed, mute, out of its mind
	live := map[string]int{}                   // and what they are called
	var third uint64
	for n := range st.containers {
		now := <-ticker.C
		end(now)
		switch n % (3 * step) {
		case step:
			s.Kill()
		case step + step/2:
			s.Start(t)
		case 2 * step:
			s.Silent.Store(true)
		case 2*step + step/4:
			s.Silent.Store(false)
			s.Nonsense.Store(true)
		case 2*step + step/2:
			s.Nonsense.Store(false)
		}
		id, tid := fmt.Sprintf("c%d", n), int64(1000+n)
		s.Create(nginx(id))
		r.exec(tid, "/default/"+id, "sh")
		if n%(st.containers/st.live) == 0 {
			live[id] = n
		} else {
			endings = append(endings, ending{time.Now().Add(st.life), n, id, tid})
		}
		for len(r.sink.to) > 0 {
			count(<-r.sink.to)
		}
		if n == st.containers/3 {
			third = heap()
		}
	}
	s.Silent.Store(false)
	s.Nonsense.Store(false)
	s.Kill()
	s.Start(t)
	end(time.Now().Add(time.Hour))

	// It calms down.
	for events < st.containers {
		count(r.next())
	}
	for len(r.sink.to) > 0 {
		count(<-r.sink.to)
	}
	r.until("all that live to be known", func() bool {
		missing := 0
		r.do(func(p *pipeline) {
			for id := range live {
				if i := p.state.Container(id); i == nil || i.ImageRepo != "docker.io/library/nginx" {
					missing++
				}
			}
		})
		return missing == 0
	})
	var stats deferStats
	r.until("the last row", func() (none bool) {
		r.do(func(p *pipeline) {
			none = len(p.later.queue) == 0 && p.later.rows == 0 && p.later.bytes == 0
			stats = p.later.stats
		})
		return none
	})
	last := heap()
	t.Logf("%d containers, one each %v, life %v, %d misfortunes: metadata of the first exec %v; %+v; longest stall %v; heap %d KB after a third, %d KB at the end",
		st.containers, st.every, st.life, 3*st.kills, alerts, stats, r.stalled(), third>>10, last>>10)
	if images != alerts["known"]+alerts["gone"] {
		t.Errorf("%d alerts by image, execs in containers: %v", images, alerts)
	}
	if images < st.containers/3 {
		t.Errorf("only %d were known", images)
	}
	if stats.Known+stats.Late+stats.Missing != stats.Deferred || stats.Overflow != 0 {
		t.Errorf("rows do not add up: %+v", stats)
	}
	if stall := r.stalled(); stats.Longest > 150*time.Millisecond+4*stall { // machines stumble, and so do we then
		t.Errorf("an event was held for %v; the machine has stalled for %v at most", stats.Longest, stall)
	}
	if limit := third + 32<<20; last > limit {
		t.Errorf("the heap has grown from %d to %d bytes", third, last)
	}
	r.close()
	s.Kill()
	for n := 0; runtime.NumGoroutine() > before+2; n++ { // the queue of the output, until the test ends
		if n > 2000 {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestContainerStorm: containers that live for 50 ms, 1,000 a minute for four minutes
// in the long form, which meets twenty kills. In the short form they are fewer and
// come faster.
func TestContainerStorm(t *testing.T) {
	st := storm{containers: 300, every: 8 * time.Millisecond, life: 50 * time.Millisecond, kills: 4, live: 20}
	if os.Getenv("FALCO_LONG") != "" {
		st = storm{containers: 4000, every: 60 * time.Millisecond, life: 50 * time.Millisecond, kills: 20, live: 40}
	}
	st.blow(t)
}
