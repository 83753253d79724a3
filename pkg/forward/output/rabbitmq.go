// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// RabbitMQ confirms each message when it is safe, and gives back those for which no
// queue is bound.

type rabbitConfig struct {
	URL        Secret    `key:"url" enables:"true" doc:"amqp://USER:PASSWORD@HOST:5672/VHOST, amqps:// for TLS"`
	Queue      string    `key:"queue" doc:"routing key of the default exchange"`
	Exchange   string    `key:"exchange" doc:"publish here instead"`
	RoutingKey *Template `key:"routingkeytemplate" doc:"of the exchange: {{.Source}}.{{.Priority}}"`
	Declare    bool      `key:"declare" doc:"create the queue, durable, if it is not there"`
	QueueType  string    `key:"queuetype" oneof:",classic,quorum,stream" doc:"of the queue that is created"`
	External   bool      `key:"external" doc:"log in with the client certificate"`
	Wire
}

var rabbitmq = Define(Kind{
	Name: "rabbitmq", Title: "RabbitMQ", Section: "rabbitmq",
	Batch: Batch{Events: rabbitWindow, Bytes: 8 << 20, Wait: 10 * time.Millisecond},
	Enabled: func(cfg any) bool {
		c := cfg.(*rabbitConfig)
		return c.URL != "" && (c.Queue != "" || c.Exchange != "")
	},
}, newRabbit)

const (
	rabbitWindow = 256      // messages that are not confirmed
	rabbitMax    = 16 << 20 // of a message: the least that a server of today takes
)

type rabbitOutput struct {
	cfg  *rabbitConfig
	turn sync.Mutex // returns are told apart by batch: one at a time
	link *lazy[*rabbitLink]
}

type rabbitLink struct {
	conn    *amqp.Connection
	ch      *amqp.Channel
	returns chan amqp.Return
	closed  chan *amqp.Error
}

func newRabbit(cfg *rabbitConfig, env *Env) (Output, error) {
	uri, err := amqp.ParseURI(string(cfg.URL))
	if err != nil {
		return nil, errors.New("url is no URL of amqp or amqps") // the library's error quotes the password
	}
	if cfg.Declare && cfg.Queue == "" {
		return nil, errors.New("declare needs queue")
	}
	conf := amqp.Config{Heartbeat: 10 * time.Second, Locale: "en_US", Vhost: uri.Vhost, Properties: amqp.NewConnectionProperties()}
	conf.Properties.SetClientConnectionName(UserAgent)
	if uri.Scheme == "amqps" {
		if conf.TLSClientConfig, err = env.TLSConfig(cfg.Wire.http()); err != nil {
			return nil, err
		}
		conf.TLSClientConfig.ServerName = uri.Host
	}
	if cfg.External {
		conf.SASL = []amqp.Authentication{&amqp.ExternalAuth{}}
	}
	o := &rabbitOutput{cfg: cfg}
	o.link = newLazy(func(ctx context.Context) (*rabbitLink, error) { return o.dial(ctx, conf) }, func(l *rabbitLink) { l.conn.CloseDeadline(time.Now().Add(time.Second)) })
	return o, nil
}

func (o *rabbitOutput) dial(ctx context.Context, conf amqp.Config) (*rabbitLink, error) {
	conf.Dial = func(network, addr string) (net.Conn, error) {
		d := net.Dialer{Timeout: connectTimeout}
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return c, c.SetDeadline(time.Now().Add(connectTimeout)) // of the handshake: the library clears it
	}
	conn, err := amqp.DialConfig(string(o.cfg.URL), conf)
	if err != nil {
		return nil, rabbitError(err)
	}
	l := &rabbitLink{conn: conn, returns: make(chan amqp.Return, 2*rabbitWindow), closed: make(chan *amqp.Error, 1)}
	fail := func(err error) (*rabbitLink, error) {
		conn.CloseDeadline(time.Now().Add(time.Second))
		return nil, rabbitError(err)
	}
	if l.ch, err = conn.Channel(); err != nil {
		return fail(err)
	}
	l.ch.NotifyReturn(l.returns)
	l.ch.NotifyClose(l.closed)
	if err := l.ch.Confirm(false); err != nil {
		return fail(err)
	}
	if o.cfg.Declare {
		args := amqp.Table{}
		if o.cfg.QueueType != "" {
			args["x-queue-type"] = o.cfg.QueueType
		}
		if _, err := l.ch.QueueDeclare(o.cfg.Queue, true, false, false, false, args); err != nil {
			return fail(err)
		}
	}
	return l, nil
}

func (o *rabbitOutput) Send(ctx context.Context, batch []*Event) error {
	o.turn.Lock()
	defer o.turn.Unlock()
	errs := make([]error, len(batch))
	for i := range errs {
		errs[i] = errNoAck
	}
	for from := 0; from < len(batch); from += rabbitWindow {
		n := min(rabbitWindow, len(batch)-from)
		l, err := o.link.get(ctx)
		if err == nil {
			if err = o.window(ctx, l, batch[from:from+n], errs[from:from+n]); err != nil {
				o.link.drop(l)
			}
		}
		if err != nil {
			for i := range errs {
				if errs[i] == errNoAck {
					errs[i] = err
				}
			}
			break
		}
	}
	return Results(errs)
}

// window publishes a window of messages, and waits for the confirmation of each. The error is
// that of the connection: what it leaves without a result keeps errNoAck.
func (o *rabbitOutput) window(ctx context.Context, l *rabbitLink, batch []*Event, errs []error) error {
	acks := make([]*amqp.DeferredConfirmation, len(batch))
	for i, e := range batch {
		key, err := o.key(e)
		if err == nil && len(e.JSON()) > rabbitMax {
			err = fmt.Errorf("the event has %d bytes, RabbitMQ takes %d", len(e.JSON()), rabbitMax)
		}
		if err != nil {
			errs[i] = Permanent(err)
			continue
		}
		acks[i], err = l.ch.PublishWithDeferredConfirmWithContext(ctx, o.cfg.Exchange, key, true, false, amqp.Publishing{
			ContentType: "application/json", DeliveryMode: amqp.Persistent, MessageId: shortString(e.UUID), Timestamp: e.Time, AppId: "falcosidekick",
			Type: "falco", Headers: amqp.Table{"rule": brief(e.Rule), "priority": e.Priority.String(), "source": brief(e.Source)}, Body: e.JSON()})
		if err != nil {
			return o.broken(ctx, l, err)
		}
	}
	for i, ack := range acks {
		if ack == nil {
			continue
		}
		select {
		case <-ack.Done():
			if errs[i] = nil; !ack.Acked() {
				errs[i] = errors.New("the server has not taken the message")
				if l.ch.IsClosed() {
					errs[i] = errNoAck
					return o.broken(ctx, l, amqp.ErrClosed)
				}
			}
		case <-ctx.Done():
			return fmt.Errorf("no confirmation: %w", ctx.Err())
		}
	}
	for { // what comes back has come before its confirmation
		select {
		case r := <-l.returns:
			for i, e := range batch {
				if acks[i] != nil && r.MessageId == shortString(e.UUID) {
					errs[i] = Misconfiguredf("no queue for the message: %d %s", r.ReplyCode, Line(r.ReplyText))
				}
			}
			continue
		default:
		}
		return nil
	}
}

// broken returns why a channel has ended: the server's words come a moment after its end is felt.
func (o *rabbitOutput) broken(ctx context.Context, l *rabbitLink, err error) error {
	select {
	case why := <-l.closed:
		if why != nil {
			return rabbitError(why)
		}
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return rabbitError(err)
}

func (o *rabbitOutput) key(e *Event) (string, error) {
	if o.cfg.RoutingKey == nil {
		return o.cfg.Queue, nil
	}
	key, err := o.cfg.RoutingKey.Execute(e.View())
	if err != nil {
		return "", fmt.Errorf("routingkeytemplate: %w", err)
	}
	return shortString(key), nil
}

// shortString returns text as a short string of AMQP: at most 255 bytes.
func shortString(text string) string { return text[:min(len(text), 255)] }

// rabbitError gives an error its class.
func rabbitError(err error) error {
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok {
		return err
	}
	class := Retryable
	switch e.Code {
	case amqp.AccessRefused, amqp.NotFound, amqp.PreconditionFailed, amqp.InvalidPath, amqp.NotAllowed, amqp.NotImplemented, amqp.ResourceLocked:
		class = Configuration
	case amqp.ContentTooLarge:
		class = Final
	}
	return &Error{Class: class, Err: fmt.Errorf("%d %s", e.Code, Line(e.Reason))}
}

func (o *rabbitOutput) Close() error { return o.link.Close() }
