// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/spool"
)

// Limits of a delivery.
const (
	defaultTimeout = 10 * time.Second
	maxPanics      = 3 // of one event alone, until it goes to the dead letters
	sayEach        = time.Minute
	abandon        = 3 * time.Second // how long a Send may take to notice that its time is over
)

// item is an event on its way to an output.
type item struct {
	seq      uint64
	at       time.Time // when it was accepted
	e        *event.Event
	attempts int
	panics   int
	extra    bool // a summary of the throttle: not in the spool
}

// bundle is what a worker takes at once.
type bundle struct {
	items  []item
	digest bool // to be sent as one summary
}

// delivery is one output at work.
//
//	feed ─► work ─┐ gate, rate ─► Send ─► Ack
//	     ─► work ─┘                └────► again, dead letters
type delivery struct {
	f    *Forwarder
	inst *Instance
	kind output.Kind // as the settings have adjusted it
	out  output.Output
	r    *spool.Reader
	born time.Time
	sig  string

	ledger *ledger
	dead   *deadLetters
	gate   *gate
	rate   *bucket

	limits  event.Limits
	batch   output.Batch
	workers int
	timeout time.Duration
	digest  int

	cancel  context.CancelFunc
	done    chan struct{} // closed when all goroutines have ended
	feeding chan struct{} // closed when feed has

	mu      sync.Mutex
	said    time.Time
	unsaid  int
	lastErr string
}

// adjust lays the settings over what the kind has.
func (d *delivery) adjust() {
	k, s := d.inst.Kind, &d.inst.Delivery
	d.kind = *k
	if k.Adjust != nil {
		k.Adjust(d.inst.Config, &d.kind)
	}
	pick := func(set *int, kind int) int {
		if set != nil {
			return *set
		}
		return kind
	}
	d.limits = event.Limits{Event: pick(s.MaxEvent, d.kind.Limits.Event), Field: pick(s.MaxField, d.kind.Limits.Field)}
	if m := d.kind.Limits.Event; m > 0 && d.limits.Event == 0 && s.MaxEvent == nil {
		d.limits.Event = m
	}
	d.batch = d.kind.Batch
	if s.BatchEvents > 0 && d.batch.Events > 1 { // one is all that some can take
		d.batch.Events = s.BatchEvents
	}
	if s.BatchBytes > 0 {
		d.batch.Bytes = s.BatchBytes
	}
	if s.BatchWait > 0 {
		d.batch.Wait = s.BatchWait
	}
	d.batch.Events = max(d.batch.Events, 1)
	d.workers = max(d.kind.Workers, 1)
	if c, ok := d.inst.Config.(interface{ Concurrent() *int }); ok && c.Concurrent() != nil {
		if d.workers = *c.Concurrent(); d.workers == 0 {
			d.workers = 16
		}
	}
	d.workers = min(max(pick(s.Workers, d.workers), 1), 256)
	d.timeout = s.Timeout
	if d.timeout <= 0 {
		d.timeout = d.kind.Timeout
	}
	if d.timeout <= 0 {
		d.timeout = defaultTimeout
	}
	d.digest = pick(s.Digest, d.kind.Digest)
	rate := d.kind.Rate
	if r := d.inst.rate; r != nil {
		rate = output.Rate{N: *r, Per: time.Second}
		if *r > 0 && *r < 1 {
			rate = output.Rate{N: 1, Per: time.Duration(float64(time.Second) / *r)}
		}
	}
	d.rate = newBucket(rate)
	d.gate = newGate(s)
}

// start begins with the first event that is not acknowledged.
func (d *delivery) start() {
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel, d.done, d.feeding = cancel, make(chan struct{}), make(chan struct{})
	if d.ledger.copy().State == statePaused {
		d.gate.pause(true)
	} else {
		d.ledger.state(stateOK)
	}
	d.r.Rewind()
	loads := make(chan bundle)
	var wg sync.WaitGroup
	for range d.workers {
		wg.Go(func() { d.work(ctx, loads) })
	}
	go func() {
		d.feed(ctx, loads)
		close(loads)
		close(d.feeding)
		wg.Wait()
		close(d.done)
	}()
}

// stop ends the delivery: what is under way is sent again by whoever comes next. It does
// not wait for a Send that does not end.
func (d *delivery) stop() {
	d.cancel()
	<-d.feeding
	select {
	case <-d.done:
		if err := d.closeOutput(); err != nil {
			d.f.log.Debugf("%s: close: %v", d.inst.Title(), err)
		}
	case <-time.After(abandon):
		d.f.log.Warnf("%s: an attempt does not end; it is left behind", d.inst.Title())
	}
	d.dead.close()
}

func (d *delivery) closeOutput() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return d.out.Close()
}

func (d *delivery) work(ctx context.Context, loads <-chan bundle) {
	for l := range loads {
		d.deliver(ctx, l)
	}
}

// deliver brings a load to its end: when it returns, each event is acknowledged,
// unless ctx is done.
func (d *delivery) deliver(ctx context.Context, l bundle) {
	if l.digest {
		d.deliverDigest(ctx, l.items)
		return
	}
	todo := [][]item{l.items} // the last is next
	for len(todo) > 0 {
		batch := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		probe, err := d.gate.enter(ctx)
		if err == nil {
			if err = d.rate.take(ctx); err != nil {
				d.gate.leave(probe)
			}
		}
		if err != nil {
			return
		}
		if probe && len(batch) > 1 {
			todo = append(todo, batch[1:])
			batch = batch[:1]
		}
		events := make([]*event.Event, len(batch))
		for i := range batch {
			batch[i].attempts++
			events[i] = batch[i].e
		}
		err = d.attempt(ctx, events)
		if ctx.Err() != nil && err != nil {
			d.gate.leave(probe)
			return
		}
		todo = d.settle(ctx, todo, batch, probe, err)
	}
}

// settle does what the result of an attempt asks for; it returns todo with what is to be tried
// again.
func (d *delivery) settle(ctx context.Context, todo [][]item, batch []item, probe bool, err error) [][]item {
	if err == nil {
		d.gate.pass(probe)
		d.delivered(batch)
		return todo
	}
	d.say(err)
	if p, ok := errors.AsType[*output.Partial](err); ok && len(p.Errs) == len(batch) {
		return d.settleEach(todo, batch, probe, p.Errs)
	}
	if _, ok := errors.AsType[*panicError](err); ok {
		d.gate.pass(probe) // it is us, not the receiver
		if len(batch) > 1 {
			return append(todo, halves(batch)...)
		}
		if batch[0].panics++; batch[0].panics >= maxPanics {
			d.bury(batch, err)
			return todo
		}
		return append(todo, batch)
	}
	class, after := output.ClassOf(err)
	switch {
	case (class == output.Final || class == output.Big) && len(batch) > 1:
		d.gate.pass(probe)
		return append(todo, halves(batch)...)
	case class == output.Final || class == output.Big:
		d.gate.pass(probe)
		d.bury(batch, err)
		return todo
	}
	d.shut(d.gate.fail(probe, class, after, true), err)
	if batch = d.expire(batch, err); len(batch) > 0 {
		todo = append(todo, batch)
	}
	return todo
}

// halves are in the order in which they are to be taken from the end.
func halves(batch []item) [][]item {
	n := len(batch) / 2
	return [][]item{batch[n:], batch[:n]}
}

// settleEach is settle for a batch of which each event has its own result.
func (d *delivery) settleEach(todo [][]item, batch []item, probe bool, errs []error) [][]item {
	var good, again []item
	worst, wait := output.Retryable, time.Duration(0)
	var why error
	understood := false
	for i, it := range batch {
		err := errs[i]
		if err == nil {
			good = append(good, it)
			understood = true
			continue
		}
		class, after := output.ClassOf(err)
		if class == output.Final || class == output.Big {
			d.bury([]item{it}, err)
			understood = true
			continue
		}
		again = append(again, it)
		if class == output.Configuration {
			worst = class
		}
		wait, why = max(wait, after), err
	}
	d.delivered(good)
	if len(again) == 0 {
		d.gate.pass(probe)
		return todo
	}
	// One stubborn event does not open the breaker for the others.
	d.shut(d.gate.fail(probe, worst, wait, !understood || worst == output.Configuration), why)
	if again = d.expire(again, why); len(again) > 0 {
		todo = append(todo, again)
	}
	return todo
}

// shut notes what state an output has come to.
func (d *delivery) shut(state string, err error) {
	if d.ledger.state(state) && (state == stateOpen || state == stateMisconfigured) {
		d.f.log.Warnf("%s - is %s: events wait (%v)", d.inst.Title(), state, err)
	}
}

// delivered acknowledges.
func (d *delivery) delivered(batch []item) {
	if len(batch) == 0 {
		return
	}
	n, extra := uint64(0), uint64(0)
	for _, it := range batch {
		if it.extra {
			extra++
		} else {
			n++
		}
	}
	recovered := false
	d.ledger.do(func(b *Books) {
		b.Delivered += n
		b.Summaries += extra
		if b.State != stateOK && b.State != statePaused {
			recovered, b.State = b.State != stateRetrying, stateOK
		}
	})
	if recovered {
		d.f.log.Infof("%s - works again", d.inst.Title())
	}
	d.f.metrics.output(d, "ok", len(batch))
	d.tell(batch, nil)
	d.ack(batch)
}

// tell reports what has become of events.
func (d *delivery) tell(batch []item, err error) {
	if d.f.outcome == nil {
		return
	}
	now := d.f.now()
	list := make([]Outcome, 0, len(batch))
	for _, it := range batch {
		if !it.extra {
			list = append(list, Outcome{it.e.UUID, d.inst.ID, it.attempts, err, now})
		}
	}
	d.f.outcome(list)
}

func (d *delivery) ack(batch []item) {
	for _, it := range batch {
		if !it.extra {
			d.r.Ack(it.seq)
		}
	}
}

// deliverDigest sends a summary until it is through; if it is refused for good, its events go
// one by one.
func (d *delivery) deliverDigest(ctx context.Context, items []item) {
	events := make([]*event.Event, len(items))
	for i, it := range items {
		events[i] = it.e
	}
	sum := digest(events).Cut(d.limits)
	for {
		probe, err := d.gate.enter(ctx)
		if err == nil {
			if err = d.rate.take(ctx); err != nil {
				d.gate.leave(probe)
			}
		}
		if err != nil {
			return
		}
		err = d.attempt(ctx, []*event.Event{sum})
		if ctx.Err() != nil && err != nil {
			d.gate.leave(probe)
			return
		}
		if p, ok := errors.AsType[*output.Partial](err); ok && len(p.Errs) == 1 {
			err = p.Errs[0]
		}
		class, after := output.ClassOf(err)
		_, panicked := errors.AsType[*panicError](err)
		switch {
		case err == nil:
			d.gate.pass(probe)
			d.ledger.do(func(b *Books) { b.Digested += uint64(len(items)); b.Summaries++ })
			d.delivered(items)
			return
		case class == output.Final, class == output.Big, panicked:
			d.gate.pass(probe)
			d.say(err)
			d.deliver(ctx, bundle{items: items})
			return
		}
		d.say(err)
		d.shut(d.gate.fail(probe, class, after, true), err)
		if items = d.expire(items, err); len(items) == 0 {
			return
		}
	}
}

// panicError is a panic of an output.
type panicError struct{ what any }

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.what) }

// attempt is one Send.
func (d *delivery) attempt(ctx context.Context, events []*event.Event) (err error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	from := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p}
			d.ledger.do(func(b *Books) { b.Panics++ })
			d.f.log.Errorf("%s: panic: %v\n%s", d.inst.Title(), p, debug.Stack())
		}
		d.f.metrics.sent(d, time.Since(from), len(events))
		d.ledger.do(func(b *Books) {
			b.Sends++
			if err != nil {
				b.Failures++
			}
		})
		if err != nil {
			d.f.metrics.output(d, "error", len(events))
		}
	}()
	return d.out.Send(ctx, events)
}

// expire buries those of batch that have been tried often or long enough, and returns
// the others.
func (d *delivery) expire(batch []item, err error) []item {
	s := &d.inst.Delivery
	var old, rest []item
	for _, it := range batch {
		if s.MaxAge > 0 && time.Since(it.at) > s.MaxAge || s.MaxAttempts > 0 && it.attempts >= s.MaxAttempts {
			old = append(old, it)
		} else {
			rest = append(rest, it)
		}
	}
	if len(old) > 0 {
		d.bury(old, fmt.Errorf("given up: %w", err))
	}
	d.ledger.do(func(b *Books) { b.Retries += uint64(len(rest)) })
	return rest
}

// bury puts events aside, and acknowledges them when they are safe there. While that is not
// possible they are counted as dropped: an event that nobody will ever take must not hold up
// the others.
func (d *delivery) bury(batch []item, why error) {
	letters := make([]Letter, 0, len(batch))
	n := uint64(0)
	for _, it := range batch {
		letters = append(letters, Letter{At: d.f.now().UTC(), Accepted: it.at.UTC(), Attempts: it.attempts, Error: why.Error(), Event: it.e.JSON()})
		if !it.extra {
			n++
		}
	}
	if err := d.dead.add(letters); err != nil {
		d.f.log.Errorf("%s: %d events are dropped: dead letters: %v", d.inst.Title(), len(batch), err)
		d.ledger.drop(dropDeadFull, n)
	} else {
		d.ledger.do(func(b *Books) { b.Dead += n })
	}
	d.tell(batch, why)
	d.ack(batch)
}

// say tells the operator about a failure: the first of its kind, and then one a minute.
func (d *delivery) say(err error) {
	now := time.Now()
	d.ledger.failed(err, d.f.now())
	d.mu.Lock()
	defer d.mu.Unlock()
	text := err.Error()
	if text == d.lastErr && now.Sub(d.said) < sayEach || now.Sub(d.said) < time.Second {
		d.unsaid++
		return
	}
	more := ""
	if d.unsaid > 0 {
		more = fmt.Sprintf(" (and %d failures since)", d.unsaid)
	}
	d.said, d.unsaid, d.lastErr = now, 0, text
	d.f.log.Errorf("%s - %v%s", d.inst.Title(), err, more)
}

// books returns the output's counts as they are now.
func (d *delivery) books() Books {
	b := d.ledger.copy()
	r := d.r.Stats()
	b.Queued = r.Pending
	b.Accepted = r.Pending + r.Acked + r.Capped + r.Aged + r.Damaged - b.Started
	if r.Capped+r.Aged > 0 {
		b.Dropped[dropRoom] += r.Capped + r.Aged
	}
	if r.Damaged > 0 {
		b.Dropped[dropDamaged] += r.Damaged
	}
	if ns, ok := d.r.Oldest(); ok {
		b.OldestAge = max(time.Since(time.Unix(0, ns)), 0)
	}
	b.DeadNow, b.DeadBytes = d.dead.stats()
	return b
}
