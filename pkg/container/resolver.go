// SPDX-License-Identifier: Apache-2.0

package container

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Resolver keeps in touch with all engines, and asks them for containers of which
// somebody has been seen before the engines have told of them.
//
//	Ask ─► asks ─► plan ─► due ─► workers ─► engines
//	                ▲               │            │ Watch
//	                └──── done ◄────┤            ▼
//	              Options.Tell ◄─── out ◄── what became known
//
// Every queue in it is bounded and never waited for: what does not fit is counted,
// and asked for again when somebody is seen in that container once more. Everything
// that an engine is asked has a deadline.
type Resolver struct {
	opt   Options
	asks  chan Match
	due   chan *question
	done  chan reply
	out   chan Change
	links []*link
	stop  context.CancelFunc
	wait  sync.WaitGroup

	asked, lost, answered, failed, told atomic.Uint64
	waiting                             atomic.Int64
}

// Options are what a Resolver is made from.
type Options struct {
	Engines []Engine

	// Tell takes in what became known, oldest first, by one goroutine; it may block.
	Tell func([]Change)

	// Report is called when an engine has become reachable (why is nil), or is not
	// any more; with the same reason not again. It may be nil.
	Report func(engine string, why error)

	Times Times
}

// Times are the periods that a Resolver keeps; what is 0 is as the comment says.
type Times struct {
	Call   time.Duration // 1 s: for all answers to one question
	Wait   time.Duration // 0: so long somebody waits for an answer at least
	Step   time.Duration // 30 ms: between the first five attempts
	Slow   time.Duration // 250 ms: after these, and twice as long after each further one ...
	Slower time.Duration // 2 s: ... up to this
	Give   time.Duration // 20 s: when an id is given up
	Again  time.Duration // 50 ms: until a broken engine is tried again, and twice as long each time ...
	Rarely time.Duration // 5 s: ... up to this
}

func (t Times) withDefaults() Times {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&t.Call, time.Second)
	set(&t.Step, 30*time.Millisecond)
	set(&t.Slow, 250*time.Millisecond)
	set(&t.Slower, 2*time.Second)
	set(&t.Give, 20*time.Second)
	set(&t.Again, 50*time.Millisecond)
	set(&t.Rarely, 5*time.Second)
	return t
}

const (
	maxAsks    = 1024 // ids that the loop may be ahead of us
	maxWaiting = 4096 // ids that are asked for at a time
	maxOut     = 4096 // changes that may wait for the loop
	maxBatch   = 64   // of which so many are told at once
	workers    = 4
	quickTries = 5
)

// Stats counts what has become of the questions.
type Stats struct {
	Asked    uint64 // ids that were asked for
	Lost     uint64 // questions and changes for which there was no room
	Answered uint64 // ids that a look-up has found
	Failed   uint64 // ids that were given up for good
	Told     uint64 // changes that were told
	Waiting  int64  // ids that are asked for now
}

// Start begins to watch the engines. Close ends it.
func Start(o Options) *Resolver {
	ctx, stop := context.WithCancel(context.Background())
	o.Times = o.Times.withDefaults()
	r := &Resolver{opt: o, stop: stop, asks: make(chan Match, maxAsks), due: make(chan *question, maxWaiting),
		done: make(chan reply, workers), out: make(chan Change, maxOut)}
	for _, e := range o.Engines {
		r.links = append(r.links, &link{Engine: e})
	}
	begin := func(f func(context.Context)) {
		r.wait.Add(1)
		go func() {
			defer r.wait.Done()
			f(ctx)
		}()
	}
	for _, l := range r.links {
		begin(func(ctx context.Context) { r.keep(ctx, l) })
	}
	for range workers {
		begin(r.work)
	}
	begin(r.plan)
	begin(r.deliver)
	return r
}

// Close ends all of it, and comes back when nothing runs any more.
func (r *Resolver) Close() {
	r.stop()
	r.wait.Wait()
}

// Ask asks for a container; the answer comes by Tell. It never blocks: false means
// that there are too many questions already.
func (r *Resolver) Ask(m Match) bool {
	select {
	case r.asks <- m:
		r.asked.Add(1)
		return true
	default:
		r.lost.Add(1)
		return false
	}
}

// Stats returns the counters.
func (r *Resolver) Stats() Stats {
	return Stats{r.asked.Load(), r.lost.Load(), r.answered.Load(), r.failed.Load(), r.told.Load(), r.waiting.Load()}
}

// tell puts c into the queue of what the loop gets; false means that it is full.
func (r *Resolver) tell(c Change) bool {
	select {
	case r.out <- c:
		return true
	default:
		r.lost.Add(1)
		return false
	}
}

// deliver hands on what became known, several at once if the loop is slower.
func (r *Resolver) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-r.out:
			batch := []Change{c}
		more:
			for len(batch) < maxBatch {
				select {
				case c := <-r.out:
					batch = append(batch, c)
				default:
					break more
				}
			}
			r.told.Add(uint64(len(batch)))
			r.opt.Tell(batch)
		}
	}
}

// link is an engine and how things stand with it.
type link struct {
	Engine
	up     atomic.Bool
	reason atomic.Pointer[error] // why it is not
	shut   atomic.Int64          // ns since 1970 until when it is not asked, for it has not answered
}

// errStarting is why an engine is not there in the first moment.
var errStarting = errors.New("not asked yet")

func (l *link) why() error {
	if p := l.reason.Load(); p != nil {
		return *p
	}
	return errStarting
}

// keep watches an engine, again and again.
func (r *Resolver) keep(ctx context.Context, l *link) {
	pause := r.opt.Times.Again
	last := ""
	for {
		err := l.Watch(ctx, func(c Change) {
			if c.What == Ready {
				l.up.Store(true)
				pause, last = r.opt.Times.Again, ""
				r.report(l, nil)
			}
			if c.What == Known && c.Info.Partial && r.complete(l, c.Info) {
				return
			}
			r.tell(c)
		})
		l.up.Store(false)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = ErrDown
		}
		l.reason.Store(&err)
		if s := err.Error(); s != last {
			last = s
			r.report(l, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, r.opt.Times.Rarely)
	}
}

// complete asks all engines for a container of which this one knows a part, if that
// one was too slow or others are there: whoever waits for the container is not to take
// that for all.
func (r *Resolver) complete(l *link, part *Info) bool {
	for _, other := range r.links {
		if part.Late || other != l && other.up.Load() {
			select {
			case r.asks <- Match{ID: part.ID, FullID: part.FullID}:
				return true
			default:
				return false
			}
		}
	}
	return false
}

func (r *Resolver) report(l *link, why error) {
	if r.opt.Report != nil {
		r.opt.Report(l.Name(), why)
	}
}
