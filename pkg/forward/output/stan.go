// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
)

// STAN is what NATS kept messages with before JetStream.

type stanConfig struct {
	HostPort Secret `key:"hostport" enables:"true" doc:"nats://HOST:PORT, several with commas"`
	Cluster  string `key:"clusterid" enables:"true"`
	Client   string `key:"clientid" enables:"true" doc:"each forwarder needs one of its own"`
	Subject  string `key:"subjecttemplate" default:"falco.<priority>.<rule>" doc:"<priority> and <rule> are replaced"`
	HTTP
}

var stanKind = Define(Kind{
	Name: "stan", Title: "STAN", Section: "stan", Gone: "has had no support since June 2023: use NATS with JetStream",
	Batch: Batch{Events: 256, Bytes: 4 << 20, Wait: 10 * time.Millisecond},
}, newSTAN)

type stanOutput struct {
	cfg  *stanConfig
	link *lazy[*stanLink]
}

type stanLink struct {
	*natsLink
	sc   stan.Conn
	lost chan struct{}
}

func newSTAN(cfg *stanConfig, env *Env) (Output, error) {
	if err := checkSubject(cfg.Subject); err != nil {
		return nil, err
	}
	opts, err := natsOptions(&cfg.HTTP, env, string(cfg.HostPort))
	if err != nil {
		return nil, err
	}
	o := &stanOutput{cfg: cfg}
	o.link = newLazy(func(ctx context.Context) (*stanLink, error) {
		n, err := dialNATS(ctx, string(cfg.HostPort), false, opts)
		if err != nil {
			return nil, err
		}
		l := &stanLink{natsLink: n, lost: make(chan struct{})}
		wait := connectTimeout
		if end, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(end))
		}
		l.sc, err = stan.Connect(cfg.Cluster, cfg.Client, stan.NatsConn(n.nc), stan.ConnectWait(wait), stan.PubAckWait(30*time.Second),
			stan.SetConnectionLostHandler(func(stan.Conn, error) { close(l.lost) }))
		if err != nil {
			n.close()
			if errors.Is(err, stan.ErrBadConnection) || errors.Is(err, stan.ErrConnectReqTimeout) {
				return nil, fmt.Errorf("cluster %q does not answer: %w", cfg.Cluster, err)
			}
			return nil, Misconfigured(err) // "stan: clientID already registered"
		}
		return l, nil
	}, func(l *stanLink) {
		if !l.nc.IsClosed() {
			l.sc.Close() // gives the client's name free
		}
		l.natsLink.close()
	})
	return o, nil
}

func (o *stanOutput) Send(ctx context.Context, batch []*Event) error {
	l, err := o.link.get(ctx)
	if err != nil {
		return err
	}
	errs, failed := make([]error, len(batch)), false
	type result struct {
		i   int
		err error
	}
	results, waiting := make(chan result, len(batch)), 0
	for i, e := range batch {
		p := e.JSON()
		if int64(len(p)) > l.nc.MaxPayload()-1024 { // room for STAN's own header
			errs[i] = Permanentf("the event has %d bytes, the server takes %d", len(p), l.nc.MaxPayload())
			continue
		}
		_, err := l.sc.PublishAsync(subject(o.cfg.Subject, e), p, func(_ string, err error) { results <- result{i, err} })
		if err != nil {
			errs[i] = stanError(err)
			failed = true
			continue
		}
		waiting++
		errs[i] = errNoAck
	}
	for broken := false; waiting > 0 && !broken; {
		select {
		case r := <-results:
			waiting--
			errs[r.i] = r.err
			if r.err != nil {
				errs[r.i] = stanError(r.err)
				failed = true
			}
		case <-l.closed:
			broken = true
		case <-l.lost:
			broken = true
		case <-ctx.Done():
			broken = true
		}
	}
	if waiting > 0 || failed || l.nc.IsClosed() {
		o.link.drop(l)
	}
	return Results(errs)
}

var errNoAck = errors.New("no acknowledgement")

func stanError(err error) error {
	if errors.Is(err, nats.ErrMaxPayload) {
		return Permanent(err)
	}
	return err
}

func (o *stanOutput) Close() error { return o.link.Close() }
