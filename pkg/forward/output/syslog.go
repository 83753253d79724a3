// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

type syslogConfig struct {
	Host       string `key:"host" enables:"true" doc:"name or address; tls://host is the same as protocol tls"`
	Port       int    `key:"port" doc:"514 if not set, 6514 for tls"`
	Protocol   string `key:"protocol" default:"tcp" oneof:"tcp,udp,tls"`
	Format     string `key:"format" default:"json" oneof:"json,cef" doc:"of the message"`
	Standard   string `key:"standard" default:"rfc5424" oneof:"rfc5424,rfc3164,original" doc:"what stands around the message; original: as Falcosidekick has it"`
	Framing    string `key:"framing" oneof:"lf,octet" doc:"how messages are told apart: lf (tcp) or octet counting (tls) if not set"`
	Facility   string `key:"facility" default:"authpriv" oneof:"kern,user,mail,daemon,auth,syslog,lpr,news,uucp,cron,authpriv,ftp,local0,local1,local2,local3,local4,local5,local6,local7"`
	AppName    string `key:"appname" default:"Falco"`
	Enterprise string `key:"enterpriseid" default:"32473" doc:"the private enterprise number in the name of the structured data"`
	UDPSize    int    `key:"udpsize" default:"2048" doc:"longer messages are cut before they go into a datagram"`
	peerTLS
}

// peerTLS are the settings for TLS of outputs that do not speak HTTP.
type peerTLS struct {
	MutualTLS  bool   `key:"mutualtls" doc:"show a client certificate, and trust the CA beside it alone"`
	CheckCert  bool   `key:"checkcert" default:"true" doc:"check the certificate of the server"`
	CACertFile string `key:"cacertfile" doc:"trust this CA too"`
	CertFile   string `key:"certfile" doc:"the client certificate, if not the common one"`
	KeyFile    string `key:"keyfile" doc:"its key"`
}

func (p *peerTLS) http() *HTTP {
	return &HTTP{MutualTLS: p.MutualTLS, CheckCert: p.CheckCert, CACertFile: p.CACertFile, CertFile: p.CertFile, KeyFile: p.KeyFile}
}

var syslog = Define(Kind{
	Name: "syslog", Title: "Syslog", Section: "syslog", Batch: Batch{Events: 100, Bytes: 256 << 10},
}, newSyslog)

// Syslog over a stream has no confirmation: what was written may still be under way when
// the peer goes away. What was sent shortly before is kept, and sent again on the next
// connection; its uuid tells who counts that it is the same.
const (
	syslogKept   = 128
	syslogRecent = 5 * time.Second
)

type syslogOutput struct {
	cfg      *syslogConfig
	env      *Env
	addr     string
	facility int
	pid      string
	dial     func(ctx context.Context) (net.Conn, error)

	mu   sync.Mutex
	link *syslogLink
	kept []sentFrame
}

// syslogLink is a connection; done is closed when the peer has ended it.
type syslogLink struct {
	net.Conn
	done  chan struct{}
	ended time.Time // valid when done is closed
}

type sentFrame struct {
	frame []byte
	at    time.Time
}

var facilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

func newSyslog(cfg *syslogConfig, env *Env) (Output, error) {
	if host, ok := strings.CutPrefix(cfg.Host, "tls://"); ok {
		cfg.Host, cfg.Protocol = host, "tls"
	}
	if host, port, err := net.SplitHostPort(cfg.Host); err == nil && cfg.Port == 0 {
		n, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("host: %q is no port", port)
		}
		cfg.Host, cfg.Port = host, n
	}
	switch {
	case cfg.Port == 0 && cfg.Protocol == "tls":
		cfg.Port = 6514
	case cfg.Port == 0:
		cfg.Port = 514
	}
	if cfg.Port < 1 || cfg.Port > 65535 {
		return nil, fmt.Errorf("port %d is none", cfg.Port)
	}
	if cfg.Framing == "" {
		cfg.Framing = "lf"
		if cfg.Protocol == "tls" {
			cfg.Framing = "octet"
		}
	}
	if cfg.UDPSize < 480 || cfg.UDPSize > 65000 {
		return nil, errors.New("udpsize is not between 480 and 65000")
	}
	o := &syslogOutput{cfg: cfg, env: env, addr: net.JoinHostPort(strings.Trim(cfg.Host, "[]"), strconv.Itoa(cfg.Port)),
		facility: slices.Index(facilities, cfg.Facility), pid: strconv.Itoa(os.Getpid())}
	var err error
	o.dial, err = env.dialer(cfg.Protocol, o.addr, &cfg.peerTLS)
	return o, err
}

func (o *syslogOutput) Send(ctx context.Context, batch []*Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.connect(ctx); err != nil {
		return err
	}
	if o.cfg.Protocol == "udp" {
		for i, e := range batch {
			if _, err := o.link.Write(o.datagram(e)); err != nil {
				o.drop()
				return remaining(len(batch), i, err)
			}
		}
		return nil
	}
	frames := make([][]byte, len(batch))
	for i, e := range batch {
		frames[i] = o.frame(o.line(e))
	}
	if err := o.write(ctx, frames); err != nil {
		o.drop()
		return err
	}
	now := o.env.Now()
	for _, f := range frames {
		o.kept = append(o.kept, sentFrame{f, now})
	}
	if over := len(o.kept) - syslogKept; over > 0 {
		o.kept = append([]sentFrame(nil), o.kept[over:]...)
	}
	return nil
}

func (o *syslogOutput) write(ctx context.Context, frames [][]byte) error {
	at, ok := ctx.Deadline()
	if !ok {
		at = time.Time{}
	}
	o.link.SetWriteDeadline(at)
	w := bufio.NewWriterSize(o.link, 64<<10)
	for _, f := range frames {
		w.Write(f)
	}
	return w.Flush()
}

// connect makes sure that there is a connection which the peer has not ended, and sends
// again what the last one may have lost.
func (o *syslogOutput) connect(ctx context.Context) error {
	if o.link != nil {
		select {
		case <-o.link.done:
			o.drop()
		default:
			return nil
		}
	}
	c, err := o.dial(ctx)
	if err != nil {
		return err
	}
	o.link = &syslogLink{Conn: c, done: make(chan struct{})}
	if o.cfg.Protocol == "udp" {
		return nil // a refusal comes with the next write
	}
	go o.link.watch(o.env)
	var again [][]byte
	for _, k := range o.kept {
		again = append(again, k.frame)
	}
	if err := o.write(ctx, again); err != nil {
		o.drop()
		return err
	}
	return nil
}

// watch reads what no peer sends, until the end.
func (l *syslogLink) watch(env *Env) {
	var b [256]byte
	for {
		if _, err := l.Read(b[:]); err != nil {
			l.ended = env.Now()
			close(l.done)
			return
		}
	}
}

// drop closes the connection, and forgets what has had its time to arrive.
func (o *syslogOutput) drop() {
	if o.link == nil {
		return
	}
	o.link.Close()
	ended := o.env.Now()
	if o.cfg.Protocol != "udp" {
		<-o.link.done
		ended = o.link.ended
	}
	o.link = nil
	o.kept = slices.DeleteFunc(o.kept, func(k sentFrame) bool { return ended.Sub(k.at) > syslogRecent })
}

// Close lets the peer read to the end.
func (o *syslogOutput) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.link == nil {
		return nil
	}
	if c, ok := o.link.Conn.(interface{ CloseWrite() error }); ok && o.cfg.Protocol != "udp" && c.CloseWrite() == nil {
		select {
		case <-o.link.done:
		case <-time.After(time.Second):
		}
	}
	o.drop()
	return nil
}

// frame puts the end to a message, or its length before it.
func (o *syslogOutput) frame(line []byte) []byte {
	if o.cfg.Framing == "octet" {
		return append(append(strconv.AppendInt(nil, int64(len(line)), 10), ' '), line...)
	}
	return append(line, '\n')
}

// datagram is a message that fits.
func (o *syslogOutput) datagram(e *Event) []byte {
	line := o.line(e)
	for limit := o.cfg.UDPSize; len(line) > o.cfg.UDPSize && limit > 64; limit = limit * 3 / 4 {
		line = o.line(shortNames(e).Cut(Limits{Event: limit, Field: 256}))
	}
	return []byte(event.Shorten(string(line), o.cfg.UDPSize))
}

// shortNames cuts what Cut does not: names, tags, rule, hostname.
func shortNames(e *Event) *Event {
	c := e.Clone()
	c.Truncated = true
	c.Rule, c.Hostname, c.Source = event.Shorten(c.Rule, 128), event.Shorten(c.Hostname, 128), event.Shorten(c.Source, 64)
	c.Fields = slices.DeleteFunc(c.Fields, func(f event.Field) bool { return len(f.Key) > 64 })
	c.Tags = slices.DeleteFunc(c.Tags[:min(len(c.Tags), 8)], func(t string) bool { return len(t) > 48 })
	return c
}
