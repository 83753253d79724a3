// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// postfix is Debian's, with folders of its own: it delivers into one mailbox.
type postfix struct {
	dir       string
	port      string // STARTTLS
	smtps     string // TLS from the first byte
	uid, gid  int
	ownerName string
}

func (p *postfix) in(name string) string { return filepath.Join(p.dir, name) }

func (p *postfix) box() []string {
	names, _ := filepath.Glob(p.in("mail/box/new/*"))
	return names
}

// startPostfix starts one; more are lines for its main.cf, and prepare is called before it starts.
func startPostfix(t *testing.T, more string, prepare func(p *postfix)) *postfix {
	t.Helper()
	debian(t, "/usr/sbin/postfix", "postfix")
	owner, err := user.Lookup("postfix")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("SKIP 1 cases: a Postfix of one's own needs root")
	}
	p := &postfix{port: freePort(t), smtps: freePort(t), ownerName: owner.Username}
	if p.dir, err = os.MkdirTemp("", "falco-postfix-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(p.dir) })
	p.uid, _ = strconv.Atoi(owner.Uid)
	p.gid, _ = strconv.Atoi(owner.Gid)
	for _, name := range []string{"etc", "queue", "data", "mail"} {
		os.Mkdir(p.in(name), 0o755)
	}
	os.Chmod(p.dir, 0o755)
	os.Chown(p.in("data"), p.uid, p.gid)
	os.Chown(p.in("mail"), p.uid, p.gid)
	certificates(t, p.in("etc"))
	writeFile(t, p.in("etc/main.cf"), fmt.Sprintf(`compatibility_level = 3.6
config_directory = %[1]s/etc
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
myhostname = mx.test
mynetworks = 127.0.0.0/8
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
virtual_mailbox_domains = y.test
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:%[2]s
virtual_gid_maps = static:%[3]s
virtual_minimum_uid = 1
smtpd_tls_cert_file = %[1]s/etc/server.crt
smtpd_tls_key_file = %[1]s/etc/server.key
smtpd_tls_security_level = encrypt
%[4]s
`, p.dir, owner.Uid, owner.Gid, more))
	writeFile(t, p.in("etc/master.cf"), p.port+" inet n - n - - smtpd\n"+p.smtps+` inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
virtual unix - n n - - virtual
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
`)
	for _, name := range []string{"etc/main.cf", "etc/master.cf"} {
		os.Chmod(p.in(name), 0o644)
	}
	if prepare != nil {
		prepare(p)
	}
	out := daemon(t, "/usr/sbin/postfix", "-c", p.in("etc"), "start-fg")
	t.Cleanup(func() { stopServer(p.in("queue/pid/master.pid")) })
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(p.in("log"))
			t.Logf("postfix: %s\n%s", out, log)
		}
	})
	listening(t, p.port)
	return p
}

// A real Postfix takes the mail over STARTTLS and puts it into a mailbox.
func TestSMTPPostfix(t *testing.T) {
	p := startPostfix(t, "smtpd_recipient_restrictions = permit_mynetworks, reject", nil)
	o := outputtest.Open(t, "smtp", "smtp: {hostport: 'localhost:"+p.port+"', from: falco@x.test, to: box@y.test, cacertfile: "+p.in("etc/ca.crt")+"}")
	e := outputtest.Event(0).Clone()
	e.Output, e.Rule = "é\r\nBcc: evil@y.test\r\n.\r\nQUIT", "Übung"
	events := append([]*event.Event{e.Seal()}, outputtest.Events(3)[1:]...)
	if err := o.Send(t, events...); err != nil {
		t.Fatal(err)
	}
	until(t, "the mails in the box", func() bool { return len(p.box()) == len(events) })
	var ids []string
	for _, name := range p.box() {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, parts := readMail(t, strings.ReplaceAll(string(text), "\n", "\r\n"))
		ids = append(ids, h.Get("Message-Id"))
		if h.Get("Message-Id") != "<"+e.UUID+"@x.test>" {
			continue
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
		if want := "[Warning] é Bcc: evil@y.test . QUIT"; err != nil || subject != want || !strings.Contains(parts["text/plain"], "\n    Bcc: evil@y.test\n    .\n    QUIT\n") {
			t.Errorf("subject %q, want %q: %v\n%s", subject, want, err, parts["text/plain"])
		}
		if !strings.Contains(h.Get("Received"), "me.test") && !strings.Contains(h.Get("Received"), "localhost") {
			t.Errorf("received: %s", h.Get("Received"))
		}
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != len(events) {
		t.Errorf("mails of %v", ids)
	}
}

// A Postfix that takes mails only from those who log in; Dovecot knows them, by password or by asking whose token it is. (Whom it
// knows by EXTERNAL or ANONYMOUS, Postfix does not let in; TestSMTPAuthAndTLS has those.)
func TestSMTPPostfixLogsIn(t *testing.T) {
	debian(t, "/usr/sbin/dovecot", "dovecot-core")
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		active := r.FormValue("token") == "topsecret"
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"active": active, "username": map[bool]string{true: "u"}[active]})
	}))
	t.Cleanup(tokens.Close)
	p := startPostfix(t, `smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_authenticated_header = yes
smtpd_error_sleep_time = 0
smtpd_tls_auth_only = yes`, func(p *postfix) {
		os.MkdirAll(p.in("queue/private"), 0o700)
		os.Chown(p.in("queue/private"), p.uid, 0)
		writeFile(t, p.in("etc/users"), "u:{PLAIN}topsecret\n")
		writeFile(t, p.in("etc/oauth2"), "introspection_mode = post\nintrospection_url = "+tokens.URL+"\nusername_attribute = username\nactive_attribute = active\nactive_value = true\n")
		os.Chmod(p.in("etc/users"), 0o644) // Dovecot reads it as a user of its own
		os.Chmod(p.in("etc/oauth2"), 0o644)
		writeFile(t, p.in("etc/dovecot.conf"), fmt.Sprintf(`base_dir = %[1]s/dovecot
state_dir = %[1]s/dovecot
instance_name = falco
log_path = %[1]s/dovecot.log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login oauthbearer xoauth2
auth_failure_delay = 0
passdb {
  driver = passwd-file
  mechanisms = plain login
  args = %[1]s/etc/users
}
passdb {
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = %[1]s/etc/oauth2
}
service auth {
  unix_listener %[1]s/queue/private/auth {
    user = %[2]s
    mode = 0600
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`, p.dir, p.ownerName))
		said := daemon(t, "/usr/sbin/dovecot", "-F", "-c", p.in("etc/dovecot.conf"))
		t.Cleanup(func() {
			stopServer(p.in("dovecot/master.pid"))
			if t.Failed() {
				log, _ := os.ReadFile(p.in("dovecot.log"))
				t.Logf("dovecot: %s\n%s", said, log)
			}
		})
		until(t, "Dovecot", func() bool { _, err := os.Stat(p.in("queue/private/auth")); return err == nil })
	})
	sent := 0
	for _, c := range []struct{ mech, conf, wrong string }{
		{"PLAIN", "user: u, password: topsecret", "user: u, password: wrong"},
		{"LOGIN", "authmechanism: login, user: u, password: topsecret", "authmechanism: login, user: u, password: wrong"},
		{"OAUTHBEARER", "authmechanism: oauthbearer, user: u, token: topsecret", "authmechanism: oauthbearer, user: u, token: wrong"},
		{"XOAUTH2", "authmechanism: xoauth2, user: u, token: topsecret", "authmechanism: xoauth2, user: u, token: wrong"},
	} {
		for _, where := range []string{"hostport: 'localhost:" + p.port + "'", "tlsmode: implicit, hostport: 'localhost:" + p.smtps + "'"} {
			where += ", from: falco@x.test, to: box@y.test, cacertfile: " + p.in("etc/ca.crt") + ", "
			if err := outputtest.Open(t, "smtp", "smtp: {"+where+c.conf+"}").Send(t, outputtest.Event(sent)); err != nil {
				t.Errorf("%s: %v", c.mech, err)
			}
			sent++
			err := outputtest.Open(t, "smtp", "smtp: {"+where+c.wrong+"}").Send(t, outputtest.Event(1000))
			if err == nil {
				t.Errorf("%s: %s is taken", c.mech, c.wrong)
				continue
			}
			outputtest.Class(t, err, output.Configuration)
		}
		log := p.log(t)
		if n := strings.Count(log, "sasl_method="+c.mech+","); n != 2 {
			t.Errorf("Postfix has seen %d mails by %s, want 2", n, c.mech)
		}
	}
	until(t, "the mails in the box", func() bool { return len(p.box()) == sent })
	for _, name := range p.box() {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "(Authenticated sender: u)") {
			t.Errorf("who has sent this?\n%.600s", text)
		}
	}
}

func (p *postfix) log(t *testing.T) string {
	text, err := os.ReadFile(p.in("log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stopServer ends a server that a test has started, which takes its children along.
func stopServer(pidFile string) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	p.Signal(syscall.SIGTERM)
	for range 250 {
		if p.Signal(syscall.Signal(0)) != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.Kill()
}
