// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/falco-go/falco/pkg/forward/settings"
)

type smtpConfig struct {
	HostPort     string        `key:"hostport" enables:"true" doc:"host:port of the mail server"`
	From         string        `key:"from" enables:"true"`
	To           []string      `key:"to" enables:"true"`
	TLS          bool          `key:"tls" default:"true" doc:"demand STARTTLS"`
	TLSMode      string        `key:"tlsmode" oneof:"starttls,implicit,none" doc:"instead of tls: implicit is TLS from the first byte (port 465)"`
	Auth         string        `key:"authmechanism" default:"plain" oneof:"plain,login,oauthbearer,xoauth2,external,anonymous,none" doc:"plain and login without a user mean none"`
	User         string        `key:"user"`
	Password     Secret        `key:"password"`
	Token        Secret        `key:"token" doc:"for oauthbearer and xoauth2"`
	Identity     string        `key:"identity" doc:"for plain and external"`
	Trace        string        `key:"trace" doc:"for anonymous"`
	OutputFormat string        `key:"outputformat" default:"html" oneof:"html,text"`
	Subject      *Template     `key:"subject" doc:"a template; by default [{{.Priority}}] {{.Output}}"`
	Helo         string        `key:"helo" default:"localhost" doc:"the name in EHLO"`
	PerMail      int           `key:"digestevents" default:"1" doc:"so many events in one mail"`
	MailWait     time.Duration `key:"digestinterval" default:"60s" doc:"how long a mail waits to be full, if digestevents is more than 1"`
	peerTLS
}

var smtpKind = Define(Kind{
	Name: "smtp", Title: "SMTP", Section: "smtp", Rate: Rate{10, time.Minute}, Digest: 50, Timeout: 60 * time.Second,
	Limits: Limits{Event: 64 << 10, Field: 4096},
	Adjust: func(cfg any, k *Kind) {
		if c := cfg.(*smtpConfig); c.PerMail > 1 {
			k.Batch = Batch{Events: c.PerMail, Bytes: 1 << 20, Wait: c.MailWait}
		}
	},
}, newSMTP)

type smtpOutput struct {
	cfg  *smtpConfig
	env  *Env
	mode string
	host string
	from *mail.Address
	to   []*mail.Address
	tls  *tls.Config
	dial func(ctx context.Context) (net.Conn, error)
	sub  *Template

	mu     sync.Mutex
	client *smtp.Client
	conn   net.Conn
}

func newSMTP(cfg *smtpConfig, env *Env) (Output, error) {
	o := &smtpOutput{cfg: cfg, env: env, mode: cfg.TLSMode, sub: cfg.Subject}
	var err error
	if o.host, _, err = net.SplitHostPort(cfg.HostPort); err != nil {
		return nil, fmt.Errorf("hostport: %w", err)
	}
	if o.from, err = mail.ParseAddress(cfg.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	for _, to := range cfg.To {
		a, err := mail.ParseAddress(to)
		if err != nil {
			return nil, fmt.Errorf("to: %q: %w", to, err)
		}
		o.to = append(o.to, a)
	}
	if o.mode == "" {
		o.mode = "none"
		if cfg.TLS {
			o.mode = "starttls"
		}
	}
	if strings.ContainsAny(cfg.Helo, "\r\n ") || cfg.Helo == "" {
		return nil, errors.New("helo is no name")
	}
	if o.sub == nil {
		if o.sub, err = settings.NewTemplate("[{{.Priority}}] {{.Output}}"); err != nil {
			return nil, err
		}
	}
	if o.tls, err = env.TLSConfig(cfg.http()); err != nil {
		return nil, err
	}
	o.tls.ServerName = o.host
	protocol := "tcp"
	if o.mode == "implicit" {
		protocol = "tls"
	}
	o.dial, err = env.dialer(protocol, cfg.HostPort, &cfg.peerTLS)
	return o, err
}

// Send hands one mail to the server. The connection stays; whether one that is there is
// still good, its first command tells.
func (o *smtpOutput) Send(ctx context.Context, batch []*Event) error {
	text, err := o.message(batch)
	if err != nil {
		return Permanent(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.client != nil && o.command(ctx, o.client.Reset) != nil {
		o.hangUp()
	}
	if o.client == nil {
		if err := o.connect(ctx); err != nil {
			o.hangUp()
			return smtpError(err, true)
		}
	}
	if err := o.transaction(ctx, text); err != nil {
		if _, ok := errors.AsType[*smtp.SMTPError](err); !ok {
			o.hangUp() // who knows where the conversation stands
		}
		return err
	}
	o.env.Log.Infof("%s - Sent OK", o.env.Title)
	return nil
}

// command runs f, which ctx ends.
func (o *smtpOutput) command(ctx context.Context, f func() error) error {
	conn := o.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := f(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

func (o *smtpOutput) connect(ctx context.Context) error {
	conn, err := o.dial(ctx)
	if err != nil {
		return err
	}
	o.conn = conn
	return o.command(ctx, func() error {
		if o.mode == "starttls" {
			if o.client, err = smtp.NewClientStartTLS(conn, o.tls); err != nil {
				return err
			}
		} else {
			o.client = smtp.NewClient(conn)
		}
		if err := o.client.Hello(o.cfg.Helo); err != nil {
			return err
		}
		if m := o.mechanism(); m != nil {
			return o.client.Auth(m)
		}
		return nil
	})
}

func (o *smtpOutput) mechanism() sasl.Client {
	c := o.cfg
	switch c.Auth {
	case "plain":
		if c.User != "" {
			return sasl.NewPlainClient(c.Identity, c.User, string(c.Password))
		}
	case "login":
		if c.User != "" {
			return sasl.NewLoginClient(c.User, string(c.Password))
		}
	case "oauthbearer":
		_, port, _ := net.SplitHostPort(c.HostPort)
		n, _ := strconv.Atoi(port)
		return sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: c.User, Token: string(c.Token), Host: o.host, Port: n})
	case "xoauth2":
		return &xoauth2{c.User, c.Token}
	case "external":
		return sasl.NewExternalClient(c.Identity)
	case "anonymous":
		return sasl.NewAnonymousClient(c.Trace)
	}
	return nil
}

// xoauth2 is what Google and Microsoft had before OAUTHBEARER, and Microsoft still has.
type xoauth2 struct {
	user  string
	token Secret
}

func (x *xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + string(x.token) + "\x01\x01"), nil
}

// Next answers the error that the server sends as a challenge, which then fails the command.
func (x *xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }

func (o *smtpOutput) transaction(ctx context.Context, text []byte) error {
	var err error
	if e := o.command(ctx, func() error { return o.client.Mail(o.from.Address, nil) }); e != nil {
		return smtpError(e, true)
	}
	taken := 0
	for _, to := range o.to {
		e := o.command(ctx, func() error { return o.client.Rcpt(to.Address, nil) })
		if e == nil {
			taken++
			continue
		}
		if _, ok := errors.AsType[*smtp.SMTPError](e); !ok {
			return e
		}
		if err == nil {
			err = fmt.Errorf("recipient %s: %w", to.Address, e)
		}
	}
	if taken == 0 {
		return smtpError(err, true)
	}
	if err != nil {
		o.env.Log.Warnf("%s: %v", o.env.Title, err) // the others have it: again would be twice for them
	}
	return smtpError(o.command(ctx, func() error {
		w, err := o.client.Data()
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		return w.Close()
	}), false)
}

// smtpError gives an answer of the server its class: 4xx goes away, 5xx does not. Before the mail
// itself it is about the settings: addresses, password.
func smtpError(err error, settings bool) error {
	s, ok := errors.AsType[*smtp.SMTPError](err)
	_, token := errors.AsType[*sasl.OAuthBearerError](err)
	switch {
	case err == nil:
		return nil
	case token:
		return Misconfigured(err)
	case ok && s.Code >= 500 && settings:
		return Misconfigured(err)
	case ok && s.Code == 552:
		return TooBig(err)
	case ok && s.Code >= 500:
		return Permanent(err)
	case strings.Contains(err.Error(), "support STARTTLS"):
		return Misconfigured(err)
	}
	return Retry(err, 0)
}

func (o *smtpOutput) hangUp() {
	if o.conn != nil {
		o.conn.Close()
	}
	o.client, o.conn = nil, nil
}

// Close says goodbye.
func (o *smtpOutput) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.client != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		o.command(ctx, o.client.Quit)
	}
	o.hangUp()
	return nil
}
