// SPDX-License-Identifier: Apache-2.0

// Package consume takes events from the message systems that stand between many
// daemons and a few forwarders.
//
//	daemon ─► forwarder of the node ─► NATS JetStream, Kafka ─► consume ─► spool ─► outputs
//
// Nothing is acknowledged before it is on our disk. What is delivered once more, after a
// crash or a pause too long, is known by the UUID of its event and taken for
// what it is. Each message is one event, as the outputs nats and kafka write them, and nothing in
// it is trusted: what is no event is counted, named in the log, and acknowledged,
// because it will be no better the next time.
package consume

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/settings"
	"github.com/falco-go/falco/pkg/spool"
)

// Config are the settings: those of a system are on when it is said where it is.
type Config struct {
	NATS  NATSConfig  `key:"nats"`
	Kafka KafkaConfig `key:"kafka"`
}

// On reports whether anything is consumed.
func (c *Config) On() bool { return settings.Enabled(&c.NATS) || settings.Enabled(&c.Kafka) }

// Message is one that has come.
type Message struct {
	Body []byte
	ID   string // a UUID for an event that has none: the same each time that the message comes
}

// Result is what became of messages. Each is accepted, a duplicate or rejected, unless
// there is an error.
type Result struct {
	Accepted, Duplicates, Rejected int
	First                          int   // the first that was rejected
	Why                            error // it was
	Err                            error // of the spool: all are to be given once more
}

// Sink takes messages of a source. When it returns without an error they are on the disk.
type Sink func(source string, msgs []Message) Result

// Limits of a consumer.
const (
	batchEvents = 500
	batchBytes  = 4 << 20
	gather      = 20 * time.Millisecond // how long a batch waits to become larger
	patience    = 20 * time.Second      // how long a batch is held while the spool refuses; then the system has it again
	sayEach     = time.Minute
)

// Consumer is one source at work.
type Consumer struct {
	Source string // "nats", "kafka"

	sig  string
	env  *output.Env
	sink Sink
	run  func(ctx context.Context, c *Consumer) error // until ctx is done, or the connection fails

	up     atomic.Bool
	mu     sync.Mutex
	err    error
	said   time.Time
	cancel context.CancelFunc
	done   chan struct{}
}

// Open makes the consumers that the settings ask for. Nothing is connected yet.
func Open(c *Config, env *output.Env, sink Sink) (out []*Consumer, err error) {
	add := func(name string, cfg any, run func(ctx context.Context, c *Consumer) error, err error) error {
		if err != nil {
			return fmt.Errorf("consume.%s: %w", name, err)
		}
		out = append(out, &Consumer{Source: name, sig: settings.Signature(cfg), env: env, sink: sink, run: run})
		return nil
	}
	if settings.Enabled(&c.NATS) {
		run, err := c.NATS.open(env)
		if err := add("nats", &c.NATS, run, err); err != nil {
			return nil, err
		}
	}
	if settings.Enabled(&c.Kafka) {
		run, err := c.Kafka.open(env)
		if err := add("kafka", &c.Kafka, run, err); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Same reports whether two consumers have the same settings.
func (c *Consumer) Same(d *Consumer) bool { return c.Source == d.Source && c.sig == d.sig }

// Up reports whether it is connected, and the last error.
func (c *Consumer) Up() (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up.Load(), c.err
}

// Start lets it run until Stop: it connects, and connects again when that has failed.
func (c *Consumer) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.done = cancel, make(chan struct{})
	go func() {
		defer close(c.done)
		pause := spool.Backoff{Min: 250 * time.Millisecond, Max: 30 * time.Second}
		for ctx.Err() == nil {
			err := c.guarded(ctx)
			if c.up.Swap(false) {
				pause.Reset()
			}
			if ctx.Err() != nil {
				return
			}
			c.failed(err)
			select {
			case <-time.After(pause.Next(0)):
			case <-ctx.Done():
			}
		}
	}()
}

// Stop ends it: what was taken is acknowledged, nothing more is.
func (c *Consumer) Stop() {
	if c.cancel != nil {
		c.cancel()
		<-c.done
	}
}

func (c *Consumer) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.run(ctx, c)
}

// connected notes that all is well.
func (c *Consumer) connected() {
	if !c.up.Swap(true) {
		c.env.Log.Infof("consume.%s - connected", c.Source)
		c.mu.Lock()
		c.said = time.Time{}
		c.mu.Unlock()
	}
}

// failed notes an error, and says it now and then.
func (c *Consumer) failed(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	c.err = err
	say := time.Since(c.said) > sayEach
	if say {
		c.said = time.Now()
	}
	c.mu.Unlock()
	if say {
		c.env.Log.Warnf("consume.%s - %v", c.Source, err)
	}
}

// take brings messages to the spool. While that refuses it tries again: then hold is called, each time, to
// say that we are still at it. An error means that the messages are not to be acknowledged.
func (c *Consumer) take(ctx context.Context, msgs []Message, where func(i int) string, hold func()) error {
	end := time.Now().Add(patience)
	pause := spool.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
	for {
		r := c.sink(c.Source, msgs)
		if r.Err == nil {
			if r.Rejected > 0 {
				c.failed(fmt.Errorf("%d messages are no events: %s: %w", r.Rejected, where(r.First), r.Why))
			}
			return nil
		}
		c.failed(fmt.Errorf("the spool takes nothing now: %w", r.Err))
		if time.Now().After(end) {
			return r.Err
		}
		hold()
		select {
		case <-time.After(pause.Next(0)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// place makes a UUID of where a message lies, so that it has the same each time that it comes.
func place(format string, args ...any) string {
	h := sha256.Sum256(fmt.Appendf(nil, format, args...))
	b := h[:16]
	b[6], b[8] = b[6]&0x0f|0x50, b[8]&0x3f|0x80
	t := hex.EncodeToString(b)
	return t[:8] + "-" + t[8:12] + "-" + t[12:16] + "-" + t[16:20] + "-" + t[20:]
}
