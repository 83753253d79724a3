// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// NATS publishes each event on a subject of its priority and rule. With JetStream each
// message is acknowledged by the stream that keeps it, and the event's UUID is
// its Nats-Msg-Id; without it, the answer to a PING says that the server has read all.

type natsConfig struct {
	Subject   string `key:"subjecttemplate" default:"falco.<priority>.<rule>" doc:"<priority> and <rule> are replaced"`
	JetStream bool   `key:"jetstream" doc:"wait for a stream's acknowledgement of each message"`
	NATSLogin
	HTTP
}

// NATSLogin says where NATS is, and who we are.
type NATSLogin struct {
	HostPort Secret `key:"hostport" enables:"true" doc:"nats://HOST:PORT, several with commas; tls:// for TLS"`
	User     string `key:"user"`
	Password Secret `key:"password"`
	Token    Secret `key:"token"`
	Creds    string `key:"credsfile" doc:"file of a JWT and its key"`
	NKey     string `key:"nkeyfile" doc:"file of a seed"`
}

var natsKind = Define(Kind{
	Name: "nats", Title: "NATS", Section: "nats",
	Batch: Batch{Events: 256, Bytes: 4 << 20, Wait: 10 * time.Millisecond},
}, newNATS)

type natsOutput struct {
	cfg  *natsConfig
	link *lazy[*natsLink]
}

// natsLink is one connection. It is never repaired: what was lost with it would not be known.
type natsLink struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	closed chan struct{}
}

func newNATS(cfg *natsConfig, env *Env) (Output, error) {
	if err := checkSubject(cfg.Subject); err != nil {
		return nil, err
	}
	opts, err := cfg.NATSLogin.options(&cfg.HTTP, env)
	if err != nil {
		return nil, err
	}
	o := &natsOutput{cfg: cfg}
	o.link = newLazy(func(ctx context.Context) (*natsLink, error) {
		return dialNATS(ctx, string(cfg.HostPort), cfg.JetStream, opts)
	}, (*natsLink).close)
	return o, nil
}

// Options returns the URLs and the options of a connection.
func (l *NATSLogin) Options(w *Wire, env *Env) (urls string, opts []nats.Option, err error) {
	opts, err = l.options(w.http(), env)
	return natsURLs(string(l.HostPort)), opts, err
}

func (l *NATSLogin) options(h *HTTP, env *Env) ([]nats.Option, error) {
	opts, err := natsOptions(h, env, string(l.HostPort))
	if err != nil {
		return nil, err
	}
	switch {
	case l.Creds != "":
		opts = append(opts, nats.UserCredentials(l.Creds))
	case l.NKey != "":
		nkey, err := nats.NkeyOptionFromSeed(l.NKey)
		if err != nil {
			return nil, fmt.Errorf("nkeyfile: %w", err)
		}
		opts = append(opts, nkey)
	case l.Token != "":
		opts = append(opts, nats.Token(string(l.Token)))
	case l.User != "":
		opts = append(opts, nats.UserInfo(l.User, string(l.Password)))
	}
	return opts, nil
}

// natsOptions are those that NATS and STAN have in common.
func natsOptions(h *HTTP, env *Env, hosts string) ([]nats.Option, error) {
	for _, host := range strings.Split(hosts, ",") {
		if u, err := url.Parse(natsURL(host)); err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss" {
			return nil, errors.New("hostport is no URL of nats or tls")
		}
	}
	conf, err := env.TLSConfig(h)
	if err != nil {
		return nil, err
	}
	return []nats.Option{nats.Name(UserAgent), nats.NoReconnect(), func(o *nats.Options) error {
		o.TLSConfig = conf
		o.Secure = o.Secure || h.MutualTLS
		return nil
	}}, nil
}

// natsURL returns a URL as the library wants it.
func natsURL(host string) string {
	host = strings.TrimSpace(host)
	if rest, ok := strings.CutPrefix(host, "natss://"); ok {
		return "tls://" + rest
	}
	if !strings.Contains(host, "://") {
		return "nats://" + host
	}
	return host
}

func natsURLs(hosts string) string {
	list := strings.Split(hosts, ",")
	for i, h := range list {
		list[i] = natsURL(h)
	}
	return strings.Join(list, ",")
}

func dialNATS(ctx context.Context, hosts string, js bool, opts []nats.Option) (*natsLink, error) {
	l := &natsLink{closed: make(chan struct{})}
	wait := connectTimeout
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end))
	}
	opts = append(opts[:len(opts):len(opts)], nats.Timeout(wait), nats.ClosedHandler(func(*nats.Conn) { close(l.closed) }))
	var err error
	if l.nc, err = nats.Connect(natsURLs(hosts), opts...); err != nil {
		return nil, natsError(err)
	}
	if js {
		if l.js, err = jetstream.New(l.nc, jetstream.WithPublishAsyncMaxPending(1<<16)); err != nil {
			l.close()
			return nil, Misconfigured(err)
		}
	}
	return l, nil
}

func (l *natsLink) close() {
	l.nc.Close()
	<-l.closed
}

func (o *natsOutput) Send(ctx context.Context, batch []*Event) error {
	l, err := o.link.get(ctx)
	if err != nil {
		return err
	}
	if o.cfg.JetStream {
		err = o.stream(ctx, l, batch)
	} else {
		err = o.publish(ctx, l, batch)
	}
	if l.nc.IsClosed() || l.nc.LastError() != nil || ctx.Err() != nil {
		o.link.drop(l)
	}
	return err
}

func (o *natsOutput) publish(ctx context.Context, l *natsLink, batch []*Event) error {
	errs := make([]error, len(batch))
	for i, e := range batch {
		if p := e.JSON(); int64(len(p)) > l.nc.MaxPayload() {
			errs[i] = Permanentf("the event has %d bytes, the server takes %d", len(p), l.nc.MaxPayload())
		} else if err := l.nc.Publish(subject(o.cfg.Subject, e), p); err != nil {
			return natsError(err)
		}
	}
	if err := l.nc.FlushWithContext(ctx); err != nil {
		return natsError(err)
	}
	if err := l.nc.LastError(); err != nil { // "permissions violation": it has come before the PONG
		return natsError(err)
	}
	return Results(errs)
}

func (o *natsOutput) stream(ctx context.Context, l *natsLink, batch []*Event) error {
	errs := make([]error, len(batch))
	acks := make([]jetstream.PubAckFuture, len(batch))
	for i, e := range batch {
		p := e.JSON()
		if int64(len(p)) > l.nc.MaxPayload() {
			errs[i] = Permanentf("the event has %d bytes, the server takes %d", len(p), l.nc.MaxPayload())
			continue
		}
		m := &nats.Msg{Subject: subject(o.cfg.Subject, e), Data: p, Header: nats.Header{}}
		if e.UUID != "" {
			m.Header.Set(jetstream.MsgIDHeader, Line(e.UUID))
		}
		if acks[i], errs[i] = l.js.PublishMsgAsync(m); errs[i] != nil {
			errs[i] = natsError(errs[i])
		}
	}
	for i, ack := range acks {
		if ack == nil {
			continue
		}
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			errs[i] = natsError(err)
		case <-l.closed:
			errs[i] = nats.ErrConnectionClosed
		case <-ctx.Done():
			errs[i] = fmt.Errorf("no acknowledgement: %w", ctx.Err())
		}
	}
	return Results(errs)
}

// natsError gives an error its class.
func natsError(err error) error {
	api, isAPI := errors.AsType[*jetstream.APIError](err)
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrPermissionViolation),
		errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrSecureConnRequired),
		errors.Is(err, nats.ErrSecureConnWanted), strings.Contains(text, "authorization violation"), strings.Contains(text, "permissions violation"):
		return Misconfigured(err)
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrBadHeaderMsg),
		isAPI && strings.Contains(text, "message size exceeds"):
		return Permanent(err)
	case isAPI && api.Code >= 400 && api.Code < 500:
		return Misconfigured(err)
	}
	return err
}

// checkSubject checks a template of subjects.
func checkSubject(template string) error {
	s := subject(template, &Event{})
	if s == "" || strings.ContainsAny(s, " \t\r\n*>") || strings.Contains(s, "..") || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
		return fmt.Errorf("subjecttemplate %q makes no subject", template)
	}
	return nil
}

func subject(template string, e *Event) string {
	return strings.NewReplacer("<priority>", slug(e.Priority.Lower()), "<rule>", slug(e.Rule)).Replace(template)
}

func (o *natsOutput) Close() error { return o.link.Close() }
