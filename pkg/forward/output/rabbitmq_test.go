// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const rabbitServer = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// rabbit is Debian's RabbitMQ, with a node of its own.
type rabbit struct {
	t    *testing.T
	dir  string
	port int
	tls  int // for those who show a certificate
	cmd  *exec.Cmd
}

func startRabbit(t *testing.T) *rabbit {
	t.Helper()
	if testing.Short() {
		t.Skip("starts RabbitMQ")
	}
	debian(t, rabbitServer, "rabbitmq-server")
	r := &rabbit{t: t, dir: t.TempDir(), port: port(t, ":"+freePort(t)), tls: port(t, ":"+freePort(t))}
	certificates(t, r.dir)
	r.start()
	t.Cleanup(r.stop)
	return r
}

func (r *rabbit) start() {
	r.t.Helper()
	in := func(name string) string { return filepath.Join(r.dir, name) }
	writeFile(r.t, in("rabbitmq.conf"), fmt.Sprintf(`listeners.tcp.default = 127.0.0.1:%d
listeners.ssl.default = 127.0.0.1:%d
ssl_options.cacertfile = %[3]s/ca.crt
ssl_options.certfile = %[3]s/server.crt
ssl_options.keyfile = %[3]s/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = EXTERNAL
ssl_cert_login_from = common_name
load_definitions = %[3]s/definitions.json
log.console = false
loopback_users = none
`, r.port, r.tls, r.dir))
	writeFile(r.t, in("definitions.json"), `{"vhosts": [{"name": "/"}],
"users": [{"name": "guest", "password": "guest", "tags": "administrator"}, {"name": "client", "password": "nobody knows", "tags": ""}],
"permissions": [{"user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}, {"user": "client", "vhost": "/", "configure": "", "write": ".*", "read": ""}]}`)
	writeFile(r.t, in("plugins"), "[rabbitmq_auth_mechanism_ssl].\n")
	// Debian's wrapper in sbin changes the user; the program below it does not.
	r.cmd = exec.Command(rabbitServer)
	r.cmd.Env = append(os.Environ(), "HOME="+r.dir, "RABBITMQ_MNESIA_BASE="+in("mnesia"), "RABBITMQ_LOG_BASE="+in("log"),
		fmt.Sprintf("RABBITMQ_NODENAME=falco%d@localhost", r.port), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", port(r.t, ":"+freePort(r.t))),
		fmt.Sprintf("ERL_EPMD_PORT=%d", r.port+1), "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_CONFIG_FILE="+in("rabbitmq.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE="+in("plugins"), "RABBITMQ_PID_FILE="+in("pid"))
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := os.Create(in("out"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer out.Close()
	r.cmd.Stdout, r.cmd.Stderr = out, out
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); ; {
		if c, err := amqp.Dial(r.url()); err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(in("out"))
			r.t.Fatalf("RabbitMQ does not start: %s", text)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// stop leaves it no time to write anything. Erlang's port mapper is a daemon of its own.
func (r *rabbit) stop() {
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	r.cmd.Wait()
	for range 50 {
		if exec.Command("epmd", "-port", fmt.Sprint(r.port+1), "-kill").Run() == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (r *rabbit) url() string { return fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", r.port) }

func (r *rabbit) channel() *amqp.Channel {
	r.t.Helper()
	c, err := amqp.Dial(r.url())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	ch, err := c.Channel()
	if err != nil {
		r.t.Fatal(err)
	}
	return ch
}

// take returns all messages of a queue.
func (r *rabbit) take(queue string) []amqp.Delivery {
	r.t.Helper()
	var out []amqp.Delivery
	ch := r.channel()
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			r.t.Fatal(err)
		}
		if !ok {
			return out
		}
		out = append(out, d)
	}
}

func TestRabbitMQ(t *testing.T) {
	r := startRabbit(t)
	open := func(more string) *outputtest.Opened {
		return outputtest.Open(t, "rabbitmq", fmt.Sprintf("rabbitmq: {url: '%s', %s}", r.url(), more))
	}
	t.Run("no queue", func(t *testing.T) {
		outputtest.Class(t, one(open("queue: nosuch").Send(t, outputtest.Event(0))), output.Configuration)
	})
	t.Run("queue", func(t *testing.T) {
		events := outputtest.Events(1000)
		if err := open("queue: falco, declare: true").Send(t, events...); err != nil {
			t.Fatal(err)
		}
		got := r.take("falco")
		if len(got) != len(events) {
			t.Fatalf("%d messages, want %d", len(got), len(events))
		}
		for i, d := range got {
			if d.MessageId != outputtest.UUID(i) || d.DeliveryMode != amqp.Persistent || d.ContentType != "application/json" || d.Headers["rule"] != events[i].Rule {
				t.Fatalf("message %d: %+v", i, d)
			}
			outputtest.SameJSON(t, d.Body, events[i].JSON())
		}
	})
	t.Run("read by others", func(t *testing.T) { // librabbitmq, in Debian's amqp-tools
		debian(t, "/usr/bin/amqp-get", "amqp-tools")
		if err := open("queue: other, declare: true").Send(t, outputtest.Event(0)); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("/usr/bin/amqp-get", "--url", strings.TrimSuffix(r.url(), "/"), "-q", "other").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		outputtest.SameJSON(t, out, outputtest.Event(0).JSON())
	})
	t.Run("exchange", func(t *testing.T) {
		ch := r.channel()
		if err := ch.ExchangeDeclare("alerts", "topic", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := ch.QueueDeclare("warnings", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind("warnings", "*.Warning", "alerts", false, nil); err != nil {
			t.Fatal(err)
		}
		o := open("exchange: alerts, routingkeytemplate: '{{.Source}}.{{.Priority}}'")
		debug := outputtest.Event(1).Clone()
		debug.Priority = 1
		err := o.Output.Send(t.Context(), []*output.Event{outputtest.Event(0), debug.Seal(), outputtest.Event(2)})
		p, ok := err.(*output.Partial)
		if !ok || p.Errs[0] != nil || p.Errs[2] != nil {
			t.Fatalf("%v", err)
		}
		outputtest.Class(t, p.Errs[1], output.Configuration) // given back: nobody is bound
		if n := len(r.take("warnings")); n != 2 {
			t.Errorf("%d messages, want 2", n)
		}
		outputtest.Class(t, one(open("exchange: nosuch, routingkeytemplate: a").Send(t, outputtest.Event(0))), output.Configuration)
	})
	t.Run("wrong password", func(t *testing.T) {
		o := outputtest.Open(t, "rabbitmq", fmt.Sprintf("rabbitmq: {url: 'amqp://guest:secret@127.0.0.1:%d/', queue: falco}", r.port))
		err := o.Send(t, outputtest.Event(0))
		outputtest.Class(t, one(err), output.Configuration)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	})
	// TLS both ways, with a password and without: the name in the certificate is the user's.
	t.Run("amqps", func(t *testing.T) {
		if _, err := r.channel().QueueDeclare("secure", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		secure := func(who, more string) error {
			yaml := fmt.Sprintf("rabbitmq: {url: 'amqps://%slocalhost:%d/', queue: secure%s}", who, r.tls, more)
			return outputtest.Open(t, "rabbitmq", yaml).Send(t, outputtest.Event(0))
		}
		ca, pair := ", cacertfile: "+r.dir+"/ca.crt", ", mutualtls: true, certfile: "+r.dir+"/client.crt, keyfile: "+r.dir+"/client.key"
		if err := secure("guest:guest@", ca+pair); err != nil {
			t.Errorf("password: %v", err)
		}
		if err := secure("", ca+pair+", external: true"); err != nil {
			t.Errorf("certificate: %v", err)
		}
		if got := r.take("secure"); len(got) != 2 {
			t.Errorf("%d messages, want 2", len(got))
		}
		outputtest.Class(t, one(secure("guest:wrong@", ca+pair)), output.Configuration)
		for what, conf := range map[string]string{"nobody vouches for the server": "", "no certificate of ours": ca} {
			if err := secure("guest:guest@", conf); err == nil {
				t.Errorf("%s, and yet it is sent", what)
			}
		}
		if n := len(r.take("secure")); n != 0 {
			t.Errorf("%d messages from those who may not", n)
		}
	})
	t.Run("hostile", func(t *testing.T) {
		outputtest.Hostile(t, open("queue: hostile, declare: true, queuetype: classic"))
		for _, d := range r.take("hostile") {
			if !json.Valid(d.Body) {
				t.Errorf("%s: no JSON", d.MessageId)
			}
		}
	})
	t.Run("full", func(t *testing.T) { // a queue that refuses: the server says nack
		ch := r.channel()
		if _, err := ch.QueueDeclare("full", true, false, false, false, amqp.Table{"x-max-length": int32(2), "x-overflow": "reject-publish"}); err != nil {
			t.Fatal(err)
		}
		o := open("queue: full")
		var nacked int
		for i := range 10 {
			if err := o.Send(t, outputtest.Event(i)); err != nil {
				nacked++
				outputtest.Class(t, err, output.Retryable)
			}
		}
		if got := len(r.take("full")); got+nacked != 10 || nacked == 0 {
			t.Errorf("%d in the queue and %d refused, want 10 in all", got, nacked)
		}
	})
	t.Run("restart", func(t *testing.T) {
		o := open("queue: safe, declare: true")
		if err := o.Send(t, outputtest.Events(100)...); err != nil {
			t.Fatal(err)
		}
		r.stop()
		outputtest.Class(t, one(o.Send(t, outputtest.Event(100))), output.Retryable)
		r.start()
		if err := o.Send(t, outputtest.Event(100)); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, d := range r.take("safe") {
			got[d.MessageId] = true
		}
		sameSet(t, got, uuids(outputtest.Events(101)))
	})
}

func TestRabbitMQRefusesWhatCannotWork(t *testing.T) {
	for _, yaml := range []string{"rabbitmq: {url: 'http://u:secret@h', queue: q}", "rabbitmq: {url: 'amqp://u:secret@h:x/', queue: q}", "rabbitmq: {url: 'amqp://h/', exchange: e, declare: true}"} {
		if _, err := outputtest.TryOpen(t, "rabbitmq", yaml); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error is %v", yaml, err)
		}
	}
}
