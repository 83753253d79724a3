// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
)

// ask makes a request and returns status, headers and body.
func (r *rig) ask(method, path, body string, header ...string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.srv.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(text)
}

func TestEndpoints(t *testing.T) {
	s := newReceiver(t)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\n")
	for _, c := range []struct {
		method, path, body string
		want               int
		text               string // that the answer holds; "=" for exactly the rest
	}{
		{"POST", "/", string(line(0)), 200, "="},
		{"GET", "/", "", 405, ""},
		{"PUT", "/", string(line(1)), 405, ""},
		{"POST", "/", "", 400, "the body is empty"},
		{"POST", "/", "{", 400, "unexpected end"},
		{"POST", "/", "not json", 400, "invalid character"},
		{"POST", "/", `{"rule": "r"}`, 400, "priority is missing"},
		{"POST", "/", `{"rule": "r", "priority": "loud", "output_fields": {"a": 1}, "time": "2026-05-17T15:31:56Z"}`, 400, "unknown priority"},
		{"POST", "/nosuch", string(line(2)), 404, ""}, // the original takes it for an event
		{"GET", "/nosuch", "", 404, ""},
		{"GET", "/ping", "", 200, "=pong\n"},
		{"POST", "/ping", "", 200, "=pong\n"},
		{"GET", "/healthz", "", 200, `={"status": "ok"}`},
		{"GET", "/readyz", "", 200, `={"status": "ok"}`},
		{"POST", "/test", "", 200, "="},
		{"GET", "/test?output=webhook", "", 200, "="},
		{"GET", "/test?output=nosuch", "", 404, "nosuch"},
		{"GET", "/metrics", "", 200, "falcosecurity_falcosidekick_inputs_total"},
		{"GET", "/debug/vars", "", 403, ""},
		{"GET", "/api/v1/outputs", "", 403, ""},
		{"POST", "/api/v1/outputs/webhook/pause", "", 403, ""},
	} {
		code, h, text := r.ask(c.method, c.path, c.body)
		exact, is := strings.CutPrefix(c.text, "=")
		if code != c.want || is && text != exact || !is && !strings.Contains(text, c.text) {
			t.Errorf("%s %s %.40s: %d %q, want %d %q", c.method, c.path, c.body, code, text, c.want, c.text)
		}
		if code == 405 && h.Get("Allow") != "POST" {
			t.Errorf("%s %s: Allow is %q", c.method, c.path, h.Get("Allow"))
		}
	}
	r.idle()
	if n := s.count(); n != 3 {
		t.Errorf("%d events came, want 3", n)
	}
}

// Arrays, lines, gzip, and pretty-printed JSON: all are one to us.
func TestForms(t *testing.T) {
	s := newReceiver(t)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\n")
	var pretty, zipped bytes.Buffer
	json.Indent(&pretty, line(0), "", "  ")
	array := "[" + string(line(1)) + ",\n" + string(line(2)) + "]"
	z := gzip.NewWriter(&zipped)
	z.Write(append(append(line(3), '\r', '\n', '\n'), line(4)...))
	z.Close()
	for _, c := range []struct{ body, enc string }{{pretty.String(), ""}, {array, ""}, {zipped.String(), "gzip"}, {"[]", ""}} {
		if code, _, text := r.ask("POST", "/", c.body, "Content-Encoding", c.enc); code != 200 || text != "" {
			t.Errorf("%.40q: %d %s", c.body, code, text)
		}
	}
	// One that is bad among good ones is told, and costs none of them.
	code, _, text := r.ask("POST", "/", string(line(5))+"\n{\"rule\": 5}\n"+string(line(6))+"\n")
	var res struct {
		Accepted int
		Rejected []Rejection
	}
	if err := json.Unmarshal([]byte(text), &res); code != 200 || err != nil || res.Accepted != 2 || len(res.Rejected) != 1 || res.Rejected[0].Index != 1 {
		t.Errorf("%d %s", code, text)
	}
	if code, _, _ := r.ask("POST", "/", "{}\n{}\n"); code != 400 {
		t.Errorf("none of the lines is an event, and the answer is %d", code)
	}
	if code, _, _ := r.ask("POST", "/", "x", "Content-Encoding", "br"); code != 400 {
		t.Errorf("an encoding that nobody knows: %d", code)
	}
	r.idle()
	s.has(t, 0, 7)
}

func TestBodyLimit(t *testing.T) {
	s := newReceiver(t)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\ninput: {max_body_bytes: 10000}\n")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(bytes.Repeat([]byte(" "), 20000))
	z.Close()
	for _, c := range []struct{ body, enc string }{{strings.Repeat(" ", 10001), ""}, {zipped.String(), "gzip"}} {
		if code, _, _ := r.ask("POST", "/", c.body, "Content-Encoding", c.enc); code != 413 {
			t.Errorf("%q: %d", c.enc, code)
		}
	}
	if code, _, text := r.ask("POST", "/", string(line(0))); code != 200 {
		t.Errorf("%d %s", code, text)
	}
}

func TestSendersAuthorization(t *testing.T) {
	s := newReceiver(t)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\ninput: {token: secret, user: u, password: p}\nadmin: {token: adm}\n")
	for _, c := range []struct {
		auth string
		want int
	}{{"", 401}, {"Bearer wrong", 403}, {"Bearer secret", 200}, {"Basic dTpw", 200}, {"Basic dTp4", 403}, {"secret", 403}} {
		if code, _, _ := r.ask("POST", "/", string(line(0)), "Authorization", c.auth); code != c.want {
			t.Errorf("%q: %d, want %d", c.auth, code, c.want)
		}
	}
	if code, _, _ := r.ask("GET", "/api/v1/outputs", "", "Authorization", "Bearer secret"); code != 403 {
		t.Errorf("a sender's token opens the admin's door: %d", code)
	}
	if code, _, _ := r.ask("GET", "/api/v1/outputs", "", "Authorization", "Bearer adm"); code != 200 {
		t.Errorf("admin: %d", code)
	}
}

func TestAdmin(t *testing.T) {
	s := newReceiver(t)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\nadmin: {token: adm}\n")
	ask := func(method, path string, v any) {
		t.Helper()
		code, _, text := r.ask(method, path, "", "Authorization", "Bearer adm")
		if code != 200 {
			t.Fatalf("%s %s: %d %s", method, path, code, text)
		}
		if v != nil {
			if err := json.Unmarshal([]byte(text), v); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	}
	ask("POST", "/api/v1/outputs/webhook/pause", nil)
	r.post(0, 10)
	var outs []outputJSON
	ask("GET", "/api/v1/outputs", &outs)
	if len(outs) != 1 || outs[0].Queued != 10 || outs[0].State != statePaused || outs[0].Type != "webhook" || s.count() != 0 {
		t.Errorf("%+v, %d came", outs, s.count())
	}
	ask("POST", "/api/v1/outputs/webhook/resume", nil)
	r.idle()
	s.has(t, 0, 10)

	s.talk(func(*http.Request, []*event.Event) (int, map[string]string) { return 400, nil })
	r.post(10, 12)
	r.idle()
	var letters map[string][]Letter
	ask("GET", "/api/v1/dlq", &letters)
	if len(letters["webhook"]) != 2 {
		t.Errorf("%+v", letters)
	}
	s.talk(nil)
	var n struct{ Count int }
	ask("POST", "/api/v1/outputs/webhook/replay-dlq", &n)
	if n.Count != 2 {
		t.Errorf("%d replayed", n.Count)
	}
	r.idle()
	s.has(t, 0, 12)
	s.talk(func(*http.Request, []*event.Event) (int, map[string]string) { return 400, nil })
	r.post(12, 13)
	r.idle()
	ask("DELETE", "/api/v1/outputs/webhook/dlq", &n)
	if b := r.Books()["webhook"]; n.Count != 1 || b.DeadNow != 0 || b.Dead != 3 {
		t.Errorf("%d thrown away, %+v", n.Count, b)
	}
	ask("POST", "/api/v1/outputs/webhook/test", nil)

	var vars map[string]any
	ask("GET", "/debug/vars", &vars)
	for _, name := range []string{"goroutines", "cpu", "inputs.requests", "inputs.fifo", "inputs.grpc", "falco.priority", "outputs.webhook", "memstats", "cmdline"} {
		if vars[name] == nil {
			t.Errorf("/debug/vars has no %s", name)
		}
	}
	if got := vars["outputs.webhook"].(map[string]any)["ok"]; got != 12.0 {
		t.Errorf("outputs.webhook.ok is %v", got)
	}
	if code, _, _ := r.ask("POST", "/api/v1/outputs/webhook/nosuch", "", "Authorization", "Bearer adm"); code != 404 {
		t.Errorf("a verb that is none: %d", code)
	}
}

// The socket is for root and ourselves; who comes by it needs no token, neither as sender nor as
// admin.
func TestSocket(t *testing.T) {
	s := newReceiver(t)
	path := filepath.Join(t.TempDir(), "run", "sidekick.sock")
	r := prepare(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\ninput: {token: secret}\nlistenport: 0\nlistensocket: "+path+"\n")
	r.Start()
	list, err := r.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("%d listeners, want the socket alone", len(list))
	}
	go list[0].HTTP.Serve(list[0].Net)
	defer list[0].HTTP.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	res, err := client.Post("http://x/", "application/json", bytes.NewReader(line(0)))
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", res, err)
	}
	if res, err := client.Get("http://x/api/v1/outputs"); err != nil || res.StatusCode != 200 {
		t.Errorf("%v %v", res, err)
	}
	r.idle()
	s.has(t, 0, 1)
	if _, err := ListenUnix(path, silent{}); err == nil {
		t.Error("a socket that somebody listens at was taken away from him")
	}

	if allowed(12345) || !allowed(0) {
		t.Error("others than root and ourselves are let in, or root is not")
	}
	closed, err := ListenUnix(path+"2", silent{})
	if err != nil {
		t.Fatal(err)
	}
	closed.(*unixListener).allowed = func(uid uint32) bool { return uid != uint32(os.Getuid()) }
	server := Server(r.Handler())
	go server.Serve(closed)
	defer server.Close()
	client = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path+"2") }}}
	if res, err := client.Post("http://x/", "application/json", bytes.NewReader(line(1))); err == nil {
		t.Errorf("a peer that may not was answered: %v", res.Status)
	}
}

func TestDuplicates(t *testing.T) {
	s := newReceiver(t)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\n")
	for range 3 {
		r.post(0, 5)
	}
	r.idle()
	if s.count() != 5 || r.requests.duplicates.Load() != 10 {
		t.Errorf("%d came, %d were duplicates", s.count(), r.requests.duplicates.Load())
	}
	// Without a UUID each is one of its own, unless it is derived from what the event says.
	plain := line(0, func(e *event.Event) { e.UUID = "" })
	for range 2 {
		r.send(plain)
	}
	r.idle()
	if s.count() != 7 {
		t.Errorf("%d came, want 7", s.count())
	}
	d := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\ninput: {content_uuid: true}\n")
	for range 2 {
		d.send(plain)
	}
	d.idle()
	if s.count() != 8 {
		t.Errorf("%d came, want 8", s.count())
	}
	// The name that the daemon gives a request is that of its event.
	for range 2 {
		if code, _, text := r.ask("POST", "/", string(plain), "Idempotency-Key", uuid(77)); code != 200 {
			t.Errorf("%d %s", code, text)
		}
	}
	r.idle()
	if !slices.Contains(s.uuids(), uuid(77)) || s.count() != 9 {
		t.Errorf("the key of the request is not the event's: %d came", s.count())
	}
}
