// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// NATSConfig says from which stream of NATS JetStream events come.
type NATSConfig struct {
	output.NATSLogin
	Stream   string        `key:"stream" default:"FALCO"`
	Consumer string        `key:"consumer" default:"falcosidekick" doc:"durable; forwarders with the same one share the work"`
	Subject  string        `key:"subject" default:"falco.>" doc:"which messages"`
	Inbox    string        `key:"inboxprefix" default:"_INBOX" doc:"where answers come: one that others may not listen to keeps events from them"`
	AckWait  time.Duration `key:"ackwait" default:"1m" doc:"when the server gives what was not acknowledged to somebody else"`
	Create   bool          `key:"create" doc:"make the stream if it is not there"`
	Replicas int           `key:"replicas" default:"1" doc:"of a stream that is made"`
	MaxAge   time.Duration `key:"max_age" default:"72h" doc:"how long a stream that is made keeps messages"`
	MaxBytes int64         `key:"max_bytes" default:"1073741824" doc:"how much a stream that is made keeps; the oldest go"`
	output.Wire
}

// duplicates is how long a stream that we make knows the names of messages.
const duplicates = 10 * time.Minute

// ackPending is how many messages the server has out at once.
const ackPending = 20000

func (c *NATSConfig) open(env *output.Env) (func(context.Context, *Consumer) error, error) {
	urls, opts, err := c.NATSLogin.Options(&c.Wire, env)
	switch {
	case err != nil:
		return nil, err
	case c.Stream == "" || c.Consumer == "" || c.Subject == "":
		return nil, errors.New("stream, consumer and subject must be set")
	case c.Inbox == "" || strings.ContainsAny(c.Inbox, "*> \t\r\n") || strings.HasSuffix(c.Inbox, "."):
		return nil, fmt.Errorf("inboxprefix %q is none", c.Inbox)
	case c.AckWait < time.Second:
		return nil, errors.New("ackwait is shorter than a second")
	}
	return func(ctx context.Context, k *Consumer) error {
		closed := make(chan struct{})
		opts := append(opts[:len(opts):len(opts)], nats.CustomInboxPrefix(c.Inbox), nats.Timeout(5*time.Second), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
		nc, err := nats.Connect(urls, opts...)
		if err != nil {
			return err
		}
		defer func() { nc.Close(); <-closed }()
		js, err := jetstream.New(nc)
		if err != nil {
			return err
		}
		cons, err := c.consumer(ctx, js)
		if err != nil {
			return err
		}
		k.connected()
		for ctx.Err() == nil {
			if err := c.fetch(ctx, k, nc, cons, closed); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// consumer finds our place in the stream, or makes it.
func (c *NATSConfig) consumer(ctx context.Context, js jetstream.JetStream) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, c.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) && c.Create {
		stream, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: c.Stream, Subjects: []string{c.Subject}, Storage: jetstream.FileStorage,
			Replicas: c.Replicas, MaxAge: c.MaxAge, MaxBytes: c.MaxBytes, Duplicates: min(duplicates, max(c.MaxAge, time.Second))})
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", c.Stream, err)
	}
	cons, err := stream.Consumer(ctx, c.Consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		cons, err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: c.Consumer, FilterSubject: c.Subject, AckPolicy: jetstream.AckExplicitPolicy,
			AckWait: c.AckWait, MaxAckPending: ackPending, MaxDeliver: -1, DeliverPolicy: jetstream.DeliverAllPolicy})
	}
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w", c.Consumer, err)
	}
	if info := cons.CachedInfo(); info != nil && info.Config.AckPolicy != jetstream.AckExplicitPolicy {
		return nil, fmt.Errorf("consumer %s: its acknowledgements are %v, not explicit: events could be lost", c.Consumer, info.Config.AckPolicy)
	}
	return cons, nil
}

// fetch asks for what is there, and takes it as it comes.
func (c *NATSConfig) fetch(ctx context.Context, k *Consumer, nc *nats.Conn, cons jetstream.Consumer, closed <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A message that is longer than what is asked for would be in the way for ever.
	batch, err := cons.FetchBytes(max(batchBytes, int(nc.MaxPayload())+64<<10), jetstream.FetchContext(bounded(ctx, 10*time.Second)))
	if err != nil {
		return err
	}
	for {
		var msgs []jetstream.Msg
		var full <-chan time.Time
		open := true
		for due := false; open && !due && len(msgs) < batchEvents; {
			select {
			case m, ok := <-batch.Messages():
				if open = ok; ok {
					msgs = append(msgs, m)
				}
				if full == nil {
					full = time.After(gather)
				}
			case <-full:
				due = true
			case <-closed:
				return nats.ErrConnectionClosed
			}
		}
		if len(msgs) > 0 {
			if err := c.settle(ctx, k, nc, msgs); err != nil {
				return err
			}
		}
		if !open {
			break
		}
	}
	switch err := batch.Error(); {
	case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrNoMessages):
		return nil
	default:
		return err
	}
}

// bounded is a context that ends after a while; its end is that of its parent at the latest, which is what
// frees it.
func bounded(ctx context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// settle takes messages and acknowledges them.
func (c *NATSConfig) settle(ctx context.Context, k *Consumer, nc *nats.Conn, msgs []jetstream.Msg) error {
	in := make([]Message, len(msgs))
	seq := make([]uint64, len(msgs))
	for i, m := range msgs {
		in[i] = Message{Body: m.Data(), ID: m.Headers().Get(jetstream.MsgIDHeader)}
		if meta, err := m.Metadata(); err == nil {
			seq[i] = meta.Sequence.Stream
			if len(in[i].ID) != 36 {
				in[i].ID = place("nats %q %d %d", c.Stream, meta.Sequence.Stream, meta.Timestamp.UnixNano())
			}
		}
	}
	err := k.take(ctx, in, func(i int) string { return fmt.Sprintf("message %d of stream %s", seq[i], c.Stream) }, func() {
		for _, m := range msgs {
			m.InProgress()
		}
	})
	if err != nil {
		for _, m := range msgs { // somebody else may have room
			m.Nak()
		}
		return err
	}
	for _, m := range msgs {
		if err := m.Ack(); err != nil {
			return err
		}
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return nc.FlushWithContext(flush)
}
