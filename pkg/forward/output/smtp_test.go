// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// mailServer is a server of go-smtp that keeps what it gets.
type mailServer struct {
	mu      sync.Mutex
	conns   int
	mechs   []string
	from    []string
	to      []string
	mails   []string
	refuse  map[string]*smtp.SMTPError // by MAIL, DATA, AUTH or a recipient: once
	port    string
	allowed []string // mechanisms
}

func serveMail(t *testing.T, secure, implicit bool, mechs ...string) *mailServer {
	t.Helper()
	b := &mailServer{refuse: map[string]*smtp.SMTPError{}, allowed: mechs}
	s := smtp.NewServer(b)
	s.Domain, s.AllowInsecureAuth = "mx.test", true
	s.MaxLineLength = 1000
	if secure {
		dir := t.TempDir()
		certificates(t, dir)
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"))
		if err != nil {
			t.Fatal(err)
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
		b.allowed = append(b.allowed, "ca="+filepath.Join(dir, "ca.crt"))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, b.port, _ = net.SplitHostPort(l.Addr().String())
	if implicit {
		l = tls.NewListener(l, s.TLSConfig)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return b
}

func (b *mailServer) ca() string {
	ca, _ := strings.CutPrefix(b.allowed[len(b.allowed)-1], "ca=")
	return ca
}

func (b *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns++
	return &mailSession{b}, nil
}

func (b *mailServer) refused(what string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err, ok := b.refuse[what]; ok {
		delete(b.refuse, what)
		return err
	}
	return nil
}

type mailSession struct{ b *mailServer }

func (s *mailSession) AuthMechanisms() []string { return s.b.allowed }

func (s *mailSession) Auth(mech string) (sasl.Server, error) {
	s.b.mu.Lock()
	s.b.mechs = append(s.b.mechs, mech)
	s.b.mu.Unlock()
	check := func(ok bool) error {
		if err := s.b.refused("AUTH"); err != nil {
			return err
		}
		if !ok {
			return errors.New("wrong")
		}
		return nil
	}
	switch mech {
	case "PLAIN":
		return sasl.NewPlainServer(func(id, user, pass string) error { return check(user == "u" && pass == "topsecret") }), nil
	case "OAUTHBEARER":
		return sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
			if check(o.Username == "u" && o.Token == "topsecret") != nil {
				return &sasl.OAuthBearerError{Status: "invalid_token"}
			}
			return nil
		}), nil
	case "EXTERNAL":
		return sasl.NewExternalServer(func(id string) error { return check(id == "me") }), nil
	case "ANONYMOUS":
		return sasl.NewAnonymousServer(func(trace string) error { return check(trace == "t") }), nil
	case "LOGIN", "XOAUTH2":
		return &simpleSASL{mech: mech, check: check}, nil
	}
	return nil, smtp.ErrAuthUnsupported
}

// simpleSASL is the server's side of LOGIN and XOAUTH2.
type simpleSASL struct {
	mech  string
	check func(bool) error
	step  int
	user  string
}

func (s *simpleSASL) Next(answer []byte) ([]byte, bool, error) {
	s.step++
	switch {
	case s.mech == "XOAUTH2":
		return nil, true, s.check(string(answer) == "user=u\x01auth=Bearer topsecret\x01\x01")
	case answer == nil && s.step == 1:
		return []byte("Username:"), false, nil
	case s.user == "":
		s.user = string(answer)
		return []byte("Password:"), false, nil
	}
	return nil, true, s.check(s.user == "u" && string(answer) == "topsecret")
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }
func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if err := s.b.refused("MAIL"); err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.from = append(s.b.from, from)
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.b.refused(to); err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.to = append(s.b.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.b.refused("DATA"); err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.mails = append(s.b.mails, string(text))
	return nil
}

// readMail checks the form of a mail, and returns its parts by their type.
func readMail(t *testing.T, text string) (mail.Header, map[string]string) {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") {
		t.Errorf("there are lines without CRLF")
	}
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %.500q", err, text)
	}
	for _, name := range []string{"Bcc", "Cc", "Reply-To"} {
		if m.Header.Get(name) != "" {
			t.Errorf("there is a header %s", name)
		}
	}
	parts := map[string]string{}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(kind, enc string, r io.Reader) {
		if enc != "quoted-printable" {
			t.Errorf("encoding %q", enc)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(r))
		if err != nil {
			t.Fatal(err)
		}
		parts[kind] = strings.ReplaceAll(string(b), "\r\n", "\n")
	}
	if kind == "text/plain" {
		read(kind, m.Header.Get("Content-Transfer-Encoding"), m.Body)
		return m.Header, parts
	}
	mr := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			return m.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		read(kind, p.Header.Get("Content-Transfer-Encoding"), p)
	}
}

func TestSMTPAsTheOriginal(t *testing.T) {
	// Corrected: the boundary is random, the subject is encoded and bounded, there are more headers.
	want, e := string(outputtest.Recording(t, "smtp-envelope")), outputtest.OriginalEvent(t)
	s := serveMail(t, false, false, "PLAIN")
	o := outputtest.Open(t, "smtp", "smtp: {hostport: '127.0.0.1:"+s.port+"', tls: false, from: a@x.test, to: 'b@y.test, c@z.test', user: u, password: topsecret}")
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.from, []string{"a@x.test"}) || !slices.Equal(s.to, []string{"b@y.test", "c@z.test"}) || !slices.Equal(s.mechs, []string{"PLAIN"}) {
		t.Errorf("envelope: %v %v %v", s.from, s.to, s.mechs)
	}
	for _, line := range []string{"AUTH PLAIN", "MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "RCPT TO:<c@z.test>", "Subject: [Error] " + e.Output, "From: a@x.test", "To: b@y.test, c@z.test",
		"Date: Sun, 17 May 2026 15:31:56 +0000"} {
		if !strings.Contains(want, line) {
			t.Errorf("the recording has no %q", line)
		}
	}
	h, parts := readMail(t, s.mails[0])
	subject, _ := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if subject != "[Error] "+e.Output || h.Get("From") != "a@x.test" || h.Get("To") != "b@y.test, c@z.test" ||
		h.Get("Date") != "Sun, 17 May 2026 15:31:56 +0000" || h.Get("Mime-Version") != "1.0" || h.Get("Message-Id") != "<"+e.UUID+"@x.test>" || h.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("headers: %v, subject %q", h, subject)
	}
	for _, part := range []string{"priority: Error\noutput: " + e.Output + "\nrule: Write below binary dir\nsource: syscall\nhostname: node-1\ntags: T1543, edge, filesystem, mitre_persistence\n", "\nuser.name: root\n", "\nproc.pid: 4242\n"} {
		if !strings.Contains(parts["text/plain"], part) {
			t.Errorf("text lacks %q:\n%s", part, parts["text/plain"])
		}
	}
	if !strings.Contains(parts["text/html"], "background-color: #ffc700") || !strings.Contains(parts["text/html"], "touch /bin/hack, a=&#34;b&#34;") {
		t.Errorf("html: %s", parts["text/html"])
	}
}

func TestSMTPAuthAndTLS(t *testing.T) {
	for _, c := range []struct {
		mech, conf string
		implicit   bool
	}{
		{"PLAIN", "", false}, {"LOGIN", ", authmechanism: login", false}, {"OAUTHBEARER", ", authmechanism: oauthbearer, token: topsecret", false},
		{"XOAUTH2", ", authmechanism: xoauth2, token: topsecret", true}, {"EXTERNAL", ", authmechanism: external, identity: me", false},
		{"ANONYMOUS", ", authmechanism: anonymous, trace: t", true},
	} {
		s := serveMail(t, true, c.implicit, c.mech)
		mode := "tls: true"
		if c.implicit {
			mode = "tlsmode: implicit"
		}
		conf := fmt.Sprintf("hostport: 'localhost:%s', %s, from: a@x.test, to: [b@y.test], user: u, password: topsecret, helo: me.test, outputformat: text%s", s.port, mode, c.conf)
		o := outputtest.Open(t, "smtp", "smtp: {"+conf+", cacertfile: "+s.ca()+"}")
		if err := o.Send(t, outputtest.Events(3)...); err != nil {
			t.Fatalf("%s: %v", c.mech, err)
		}
		if len(s.mails) != 3 || s.conns > 2 || !slices.Equal(s.mechs, []string{c.mech}) {
			t.Errorf("%s: %d mails, %d connections, %v", c.mech, len(s.mails), s.conns, s.mechs)
		}
		if _, parts := readMail(t, s.mails[0]); len(parts) != 1 {
			t.Errorf("parts: %v", parts)
		}
		// A password that has changed is for the settings, and not told.
		s.refuse["AUTH"] = &smtp.SMTPError{Code: 535, Message: "no"}
		o = outputtest.Open(t, "smtp", "smtp: {"+conf+", cacertfile: "+s.ca()+"}")
		err := o.Send(t, outputtest.Event(0))
		outputtest.Class(t, err, output.Configuration)
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("the error tells the secret: %v", err)
		}
		// A certificate that nobody vouches for.
		o = outputtest.Open(t, "smtp", "smtp: {"+conf+"}")
		outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Retryable)
	}
}

func TestSMTPAnswers(t *testing.T) {
	s := serveMail(t, false, false)
	conf := "smtp: {hostport: '127.0.0.1:" + s.port + "', tls: false, from: 'Falco <a@x.test>', to: [b@y.test, 'C <c@y.test>']}"
	o := outputtest.Open(t, "smtp", conf)
	for _, c := range []struct {
		what string
		code int
		want output.Class
	}{{"MAIL", 451, output.Retryable}, {"MAIL", 550, output.Configuration}, {"DATA", 452, output.Retryable}, {"DATA", 554, output.Final}, {"DATA", 552, output.Big}} {
		s.refuse[c.what] = &smtp.SMTPError{Code: c.code, Message: "scripted"}
		outputtest.Class(t, o.Send(t, outputtest.Event(0)), c.want)
	}
	s.refuse["b@y.test"] = &smtp.SMTPError{Code: 550, Message: "unknown"}
	if err := o.Send(t, outputtest.Event(0)); err != nil { // the other one has it
		t.Error(err)
	}
	s.refuse["b@y.test"], s.refuse["c@y.test"] = &smtp.SMTPError{Code: 450, Message: "busy"}, &smtp.SMTPError{Code: 450, Message: "busy"}
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Retryable)
	if len(s.mails) != 1 || s.conns != 1 {
		t.Errorf("%d mails, %d connections", len(s.mails), s.conns)
	}
	secure := outputtest.Open(t, "smtp", strings.Replace(conf, "tls: false", "tls: true", 1))
	outputtest.Class(t, secure.Send(t, outputtest.Event(0)), output.Configuration) // it has no STARTTLS
	gone := outputtest.Open(t, "smtp", "smtp: {hostport: '127.0.0.1:"+freePort(t)+"', from: a@x, to: b@x}")
	outputtest.Class(t, gone.Send(t, outputtest.Event(0)), output.Retryable)
	for _, bad := range []string{"hostport: h", "to: nobody", "from: 'a@b\nc'", "helo: 'a b'"} {
		if _, err := outputtest.TryOpen(t, "smtp", fullConf(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// fullConf is a configuration in which one key is what is said.
func fullConf(key string) string {
	m := map[string]string{"hostport": "h:25", "from": "a@x.test", "to": "b@x.test"}
	k, v, _ := strings.Cut(key, ": ")
	m[k] = strings.Trim(v, "'")
	text := "smtp:\n"
	for k, v := range m {
		text += "  " + k + ": " + strconv.Quote(v) + "\n"
	}
	return text
}

func TestSMTPDigest(t *testing.T) {
	s := serveMail(t, false, false)
	o := outputtest.Open(t, "smtp", "smtp: {hostport: '127.0.0.1:"+s.port+"', tls: false, from: a@x.test, to: b@y.test, digestevents: 10, subject: '{{.Rule}}'}")
	if err := o.Send(t, outputtest.Events(4)...); err != nil {
		t.Fatal(err)
	}
	h, parts := readMail(t, s.mails[0])
	if len(s.mails) != 1 || h.Get("Subject") != "Terminal shell in container (and 3 more)" || strings.Count(parts["text/plain"], "rule: ") != 4 {
		t.Errorf("%v\n%s", h, parts["text/plain"])
	}
}

// No content makes a header, a recipient, a line that is too long or an element of HTML.
func TestSMTPHostile(t *testing.T) {
	s := serveMail(t, false, false)
	o := outputtest.Open(t, "smtp", "smtp: {hostport: '127.0.0.1:"+s.port+"', tls: false, from: a@x.test, to: b@y.test}")
	outputtest.Hostile(t, o)
	if n := len(outputtest.HostileEvents()); len(s.mails) != n {
		t.Errorf("%d mails, want %d", len(s.mails), n)
	}
	for _, to := range s.to {
		if to != "b@y.test" {
			t.Errorf("recipient %q", to)
		}
	}
	for _, m := range s.mails {
		h, parts := readMail(t, m)
		if len(h) > 17 || len(parts) != 2 || strings.Contains(parts["text/html"], "<script") || strings.Contains(parts["text/html"], "<img") || len(h["Subject"]) != 1 {
			t.Errorf("mail: %v\n%.2000s", h, parts["text/html"])
		}
	}
}
