// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	adminToken  = "admin-token-0123456789"
	viewToken   = "viewer-token-0123456789"
	ingestToken = "ingest-token-0123456789"
)

// guarded is a configuration with somebody in each role.
func guarded() Config {
	return Config{Database: "memory", Retention: Retention{Age: 100 * 365 * day},
		Users:  []User{{Name: "ann", Password: "correct horse", Role: RoleAdmin}, {Name: "leo", Password: "correct horse", Role: RoleAnalyst}},
		Tokens: []Token{{"a", adminToken, RoleAdmin}, {"v", viewToken, RoleViewer}, {"i", ingestToken, RoleIngest}}}
}

// site is a server that is asked over HTTP.
type site struct {
	t   testing.TB
	s   *Server
	url string
}

func serve(t testing.TB, cfg Config) *site {
	t.Helper()
	s, err := New(t.Context(), cfg)
	must(t, err)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		h.CloseClientConnections()
		s.Close()
		h.Close()
	})
	return &site{t, s, h.URL}
}

func (x *site) do(method, path, body string, headers ...string) (*http.Response, string) {
	x.t.Helper()
	req, err := http.NewRequest(method, x.url+path, strings.NewReader(body))
	must(x.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	must(x.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(x.t, err)
	return res, string(text)
}

func (x *site) get(path string, into any) {
	x.t.Helper()
	res, text := x.do("GET", path, "", "Authorization", "Bearer "+adminToken)
	if res.StatusCode != 200 {
		x.t.Fatalf("GET %s: %s %s", path, res.Status, text)
	}
	must(x.t, json.Unmarshal([]byte(text), into))
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// shared is the material beside the repository.
func shared(t testing.TB, name string) []byte {
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("SKIP 1 case: %s not found", name)
	}
	return text
}

// What the original's forwarder posts is taken, and comes back as it was.
func TestWireOfTheOriginal(t *testing.T) {
	_, body, ok := bytes.Cut(shared(t, "data/forwarder/webui.txt"), []byte("\n\n"))
	if !ok {
		t.Fatal("the sample has no body")
	}
	x := serve(t, guarded())
	for _, path := range []string{"/", "/api/v1/", "/api/v1/events/add"} {
		res, text := x.do("POST", path, string(body), bearer(ingestToken)...)
		if res.StatusCode != 200 || text != "\"{}\"\n" {
			t.Errorf("POST %s: %s %s", path, res.Status, text)
		}
	}
	var got struct {
		Results    []map[string]any
		Statistics struct{ All, Returned int }
	}
	x.get("/api/v1/events/search?filter=hack", &got)
	if got.Statistics.All != 1 || got.Statistics.Returned != 1 || len(got.Results) != 1 {
		t.Fatalf("%+v", got)
	}
	var want struct{ Event map[string]any }
	must(t, json.Unmarshal(body, &want))
	want.Event["output"] = strings.TrimPrefix(want.Event["output"].(string), "16:31:56.746609046: Error ")
	if !reflect.DeepEqual(got.Results[0], want.Event) {
		t.Errorf("came back as %v\nwant %v", got.Results[0], want.Event)
	}
	_, text := x.do("GET", "/api/v1/events/search", "", bearer(viewToken)...)
	if !strings.Contains(text, `"evt.time":1507591916746609046`) {
		t.Error("a number has lost digits")
	}
	var outputs []string
	x.get("/api/v1/outputs", &outputs)
	if !slices.Contains(outputs, "Slack") {
		t.Errorf("outputs: %v", outputs)
	}
}

func TestShapesOfV1(t *testing.T) {
	x := serve(t, guarded())
	fill(t, x.s.store, 300, 10*time.Hour)
	for path, want := range map[string]string{
		"/api/v1/healthz":                               `{"status":"ok"}`,
		"/api/v1/events/count":                          `{"statistics":{"all":300}}`,
		"/api/v1/events/count?rule=null&since=nonsense": `{"statistics":{"all":300}}`,
		"/api/v1/events/count?since=1min":               `{"statistics":{"all":0}}`,
		"/api/v1/events/count/hostname?hostname=node-9": `{"statistics":{"distincts":0,"all":0}}`,
		"/api/v1/events/search?hostname=node-9":         `{"results":[],"statistics":{"returned":0,"all":0}}`,
	} {
		if _, text := x.do("GET", path, "", bearer(viewToken)...); strings.TrimSpace(text) != want {
			t.Errorf("%s: %s, want %s", path, text, want)
		}
	}
	var n struct {
		Results    map[string]int
		Statistics struct{ Distincts, All int }
	}
	for _, group := range []string{"priority", "rule", "source", "hostname", "tags"} {
		x.get("/api/v1/events/count/"+group, &n)
		sum := 0
		for _, v := range n.Results {
			sum += v
		}
		if n.Statistics.Distincts != len(n.Results) || n.Statistics.All != 300 || group != "tags" && sum != 300 {
			t.Errorf("%s: %+v", group, n)
		}
		clear(n.Results)
	}
	x.get("/api/v1/events/count/hostname?hostname=node-1,node-2", &n)
	if len(n.Results) != 2 || n.Results["node-1"]+n.Results["node-2"] != n.Statistics.All {
		t.Errorf("filtered: %+v", n)
	}
	for path, want := range map[string]int{"/api/v1/events/count/pod": 400, "/api/v1/events/search?nonsense=1": 400, "/api/v1/events/search?limit=x": 400,
		"/api/v1/events/search?page=2&limit=200": 200} {
		if res, text := x.do("GET", path, "", bearer(viewToken)...); res.StatusCode != want {
			t.Errorf("%s: %s %s", path, res.Status, text)
		}
	}
	res, text := x.do("POST", "/api/v1/auth", "")
	if res.StatusCode != 401 || strings.TrimSpace(text) != `"unauthorized"` {
		t.Errorf("auth: %s %s", res.Status, text)
	}
	req, _ := http.NewRequest("POST", x.url+"/api/v1/authenticate", nil)
	req.SetBasicAuth("ann", "correct horse")
	if res, err := http.DefaultClient.Do(req); err != nil || res.StatusCode != 200 {
		t.Errorf("authenticate: %v %v", res, err)
	}
}

// Every route says who may use it, and means it.
func TestWhoMay(t *testing.T) {
	x := serve(t, guarded())
	roles := map[string]Role{"": RoleNone, ingestToken: RoleIngest, viewToken: RoleViewer, adminToken: RoleAdmin, "wrong-token-0123456789": RoleNone}
	n := 0
	for _, rt := range append(x.s.routesV1(), x.s.routesV2()...) {
		path := strings.NewReplacer("{uuid}", "u", "{id}", "o", "{name}", "nobody", "{group}", "rule").Replace(rt.path)
		for token, role := range roles {
			headers := []string{"X-Forwarded-For", "192.0.2.1"} // loopback may post: look like somebody else
			if token != "" {
				headers = append(headers, bearer(token)...)
			}
			if rt.path == "/api/v2/stream" {
				headers = append(headers, "Last-Event-ID", "nonsense") // it has no end, but for those who may have it and ask wrongly
			}
			res, text := x.do(rt.method, path, "", headers...)
			refused := res.StatusCode == 401 || res.StatusCode == 403
			want := role < rt.role
			if rt.ingest {
				want = role != RoleIngest && role != RoleAdmin
			} else if role == RoleIngest && rt.role != RoleNone {
				want = true
			}
			if strings.HasPrefix(path, "/api/v1/auth") {
				want = role < RoleViewer
			}
			if strings.HasSuffix(path, "/login") && rt.method == "POST" || strings.HasSuffix(path, "/setup") {
				continue // judge what they are given, not who asks
			}
			if refused != want {
				t.Errorf("%s %s as %s: %s %s", rt.method, rt.path, role, res.Status, text)
			}
			n++
		}
	}
	if n < 200 {
		t.Errorf("only %d cases", n)
	}
}

// login returns the cookie and the token against forgery.
func (x *site) login(user, password string) (cookie, csrf string, status int) {
	x.t.Helper()
	res, text := x.do("POST", "/api/v2/login", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password))
	var me meV2
	json.Unmarshal([]byte(text), &me)
	for _, c := range res.Cookies() {
		if c.Name == sessionCookie {
			if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
				x.t.Errorf("cookie %v", c)
			}
			cookie = c.Name + "=" + c.Value
		}
	}
	return cookie, me.CSRF, res.StatusCode
}

func TestSessions(t *testing.T) {
	x := serve(t, guarded())
	cookie, csrf, status := x.login("leo", "correct horse")
	if status != 200 || cookie == "" || csrf == "" {
		t.Fatalf("log in: %d %q %q", status, cookie, csrf)
	}
	patch := `{"uuids":["u"],"state":"closed"}`
	for _, c := range []struct {
		method, path, body string
		want               int
		headers            []string
	}{
		{"GET", "/api/v2/events", "", 200, []string{"Cookie", cookie}},
		{"PATCH", "/api/v2/events", patch, 403, []string{"Cookie", cookie}},
		{"PATCH", "/api/v2/events", patch, 403, []string{"Cookie", cookie, "X-CSRF-Token", "x"}},
		{"PATCH", "/api/v2/events", patch, 200, []string{"Cookie", cookie, "X-CSRF-Token", csrf}},
		{"PATCH", "/api/v2/events", patch, 403, []string{"Cookie", cookie, "X-CSRF-Token", csrf, "Origin", "https://evil.example"}},
		{"PATCH", "/api/v2/events", patch, 403, []string{"Cookie", cookie, "X-CSRF-Token", csrf, "Sec-Fetch-Site", "cross-site"}},
		{"DELETE", "/api/v2/events", "", 403, []string{"Cookie", cookie, "X-CSRF-Token", csrf}},
		{"POST", "/api/v2/logout", "", 200, []string{"Cookie", cookie, "X-CSRF-Token", csrf}},
		{"GET", "/api/v2/events", "", 401, []string{"Cookie", cookie}},
	} {
		if res, text := x.do(c.method, c.path, c.body, c.headers...); res.StatusCode != c.want {
			t.Errorf("%s %s %v: %s %s, want %d", c.method, c.path, c.headers, res.Status, text, c.want)
		}
	}
	for i := range loginsMinute {
		if _, _, status := x.login("leo", "wrong"); status != 401 {
			t.Errorf("wrong password %d: %d", i, status)
		}
	}
	if _, _, status := x.login("leo", "correct horse"); status != 429 {
		t.Errorf("after %d wrong passwords: %d", loginsMinute, status)
	}
}

// Without users everybody here may read, nobody may change anything, and no other
// name leads here. The link makes the first user, once.
func TestLoopbackUntilThereIsAUser(t *testing.T) {
	x := serve(t, Config{Database: "memory"})
	if !x.s.Loopback() || x.s.SetupPath() == "" {
		t.Fatal("it does not know that nobody can log in")
	}
	code := x.s.SetupPath()[strings.LastIndex(x.s.SetupPath(), "/")+1:]
	event := `{"rule":"r","priority":"Error","time":"2026-05-17T15:31:56Z","output":"o","output_fields":{"a":"b"}}`
	good := fmt.Sprintf(`{"code":%q,"user":"ann","password":"long enough"}`, code)
	for _, c := range []struct {
		method, path, body string
		want               int
		headers            []string
	}{
		{"GET", "/api/v2/events", "", 200, nil},
		{"GET", "/", "", 200, nil},
		{"GET", "/api/v2/events", "", 403, []string{"Host", "evil.example:2802"}},
		{"GET", "/", "", 403, []string{"Host", "evil.example"}},
		{"GET", "/api/v2/me", "", 403, []string{"Host", "127.0.0.1.evil.example"}},
		{"PATCH", "/api/v2/events", `{"uuids":["u"],"state":"closed"}`, 401, nil},
		{"DELETE", "/api/v2/events", "", 401, nil},
		{"GET", "/api/v2/users", "", 401, nil},
		{"POST", "/api/v2/events", event, 200, nil},
		{"POST", "/api/v2/events", event, 403, []string{"Sec-Fetch-Site", "cross-site"}},
		{"POST", "/api/v2/events", event, 403, []string{"Origin", "http://evil.example"}},
		{"POST", "/api/v2/events", event, 401, []string{"X-Forwarded-For", "192.0.2.1"}},
		{"POST", "/api/v2/setup", `{"code":"x","user":"ann","password":"long enough"}`, 403, nil},
		{"POST", "/api/v2/setup", fmt.Sprintf(`{"code":%q,"user":"ann","password":"short"}`, code), 400, nil},
		{"POST", "/api/v2/setup", good, 200, nil},
		{"POST", "/api/v2/setup", strings.Replace(good, "ann", "eve", 1), 403, nil},
		{"GET", "/api/v2/events", "", 401, nil},
		{"GET", "/", "", 200, []string{"Host", "falco.example"}},
	} {
		if res, text := x.do(c.method, c.path, c.body, c.headers...); res.StatusCode != c.want {
			t.Errorf("%s %s %v: %s %s, want %d", c.method, c.path, c.headers, res.Status, text, c.want)
		}
	}
	if _, _, status := x.login("ann", "long enough"); status != 200 {
		t.Errorf("the first user: %d", status)
	}
}

// The document describes what there is: every answer has the shape that it says.
func TestOpenAPI(t *testing.T) {
	x := serve(t, guarded())
	all := fill(t, x.s.store, 200, 10*time.Hour)
	var doc map[string]any
	x.get("/api/openapi.json", &doc)
	compiler := jsonschema.NewCompiler()
	must(t, compiler.AddResource("https://falco.example/api", doc))
	n := 0
	for _, rt := range append(x.s.routesV1(), x.s.routesV2()...) {
		if doc["paths"].(map[string]any)[rt.path].(map[string]any)[strings.ToLower(rt.method)] == nil {
			t.Errorf("%s %s is not described", rt.method, rt.path)
		}
		if rt.method != "GET" || rt.media != "" {
			continue
		}
		where := "https://falco.example/api#/paths/" + strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D").Replace(rt.path) + "/get/responses/200/content/application~1json/schema"
		path := strings.NewReplacer("{uuid}", all[0].UUID, "{group}", "rule").Replace(rt.path)
		if strings.Contains(path, "{id}") {
			continue
		}
		schema, err := compiler.Compile(where)
		if err != nil {
			t.Errorf("%s: %v", rt.path, err)
			continue
		}
		var v any
		x.get(path, &v)
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", rt.path, err)
		}
		n++
	}
	if n < 25 {
		t.Errorf("only %d answers were compared", n)
	}
}

// The API's numbers are those of the events that it lists.
func TestFiltersAgree(t *testing.T) {
	x := serve(t, guarded())
	all := fill(t, x.s.store, 500, 10*time.Hour)
	from := base.Format(time.RFC3339)
	for _, f := range []string{"", "priority=Error&priority=Critical", "not.rule=Drop+and+execute", "q=shell", "q=-priority%3Ddebug+%22was+read%22",
		"min_priority=error&host=node-1", "field.proc.name=bash", "q=proc.name%3A(bash+OR+sh)+host%3Anode-*", "not.field.proc.name=bash&tag=T1059", "ns=prod"} {
		v, err := url.ParseQuery(f)
		must(t, err)
		q, err := queryOf(v, time.Now())
		must(t, err)
		want := 0
		for _, e := range all {
			if q.Match(e) {
				want++
			}
		}
		var list eventsV2
		x.get("/api/v2/events?limit=1000&total=true&"+f, &list)
		var fac facetsV2
		x.get("/api/v2/facets?"+f, &fac)
		var h histogramV2
		x.get("/api/v2/histogram?split=priority&from="+from+"&to=2026-05-18T00:00:00Z&"+f, &h)
		sum := int64(0)
		for _, s := range h.Series {
			for _, n := range s {
				sum += n
			}
		}
		if len(list.Events) != want || *list.Total != int64(want) || fac.Total != int64(want) || sum != int64(want) || want == 0 {
			t.Errorf("%q: list %d, total %d, facets %d, histogram %d, want %d", f, len(list.Events), *list.Total, fac.Total, sum, want)
		}
	}
	var top topV2
	x.get("/api/v2/top?by=proc.name&n=3&from="+from+"&to=2026-05-18T00:00:00Z", &top)
	want := map[string]int64{}
	for _, e := range all {
		want[e.Field("proc.name")]++
	}
	if len(top.Items) != 3 || top.Items[0].N < top.Items[1].N || top.Items[0].N != want[top.Items[0].Value] {
		t.Errorf("by a field: %+v", top)
	}
	for _, f := range []string{"nonsense=1", "since=5", "from=x", "q=rule%3A(", "q=rule%3A", "cursor=x", "limit=0", "min_priority=x", "field.a%22b=1", "order=x",
		"from=2026-01-01T00:00:00Z&since=1h", "not.q=x"} {
		if res, text := x.do("GET", "/api/v2/events?"+f, "", bearer(viewToken)...); res.StatusCode != 400 {
			t.Errorf("%q: %s %s", f, res.Status, text)
		}
	}
}

// Events that would like to be more than text come back as they were, in answers that no
// browser takes for a page.
func TestHostileTexts(t *testing.T) {
	x := serve(t, guarded())
	texts := []string{`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><svg/onload=alert(1)>`, `javascript:alert(1)`, `</script><script>alert(1)//`,
		`<iframe srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;">`, `'; DROP TABLE event; --`, `{{7+7}}${7+7}<%= 7+7 %>`, "\u2028\u2029\u202e\ufeff", `<!--<![CDATA[`,
		`<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)>`, `%3Cscript%3E`, `__proto__`, "\r\nSet-Cookie: a=b\r\n\r\n<html>", "data: x\n\nevent: falco\ndata: {}\n\n"}
	for _, text := range texts {
		body, err := json.Marshal(map[string]any{"rule": text, "priority": "Critical", "time": "2026-05-17T15:31:56Z", "source": text, "hostname": text, "tags": []string{text},
			"output": text, "output_fields": map[string]any{text: text, "proc.name": text, "k8s.ns.name": text}})
		must(t, err)
		if res, answer := x.do("POST", "/api/v2/events", string(body), bearer(ingestToken)...); res.StatusCode != 200 {
			t.Errorf("%q: %s %s", text, res.Status, answer)
			continue
		}
		var got eventsV2
		x.get("/api/v2/events?rule="+url.QueryEscape(text)+"&total=true", &got)
		if len(got.Events) != 1 || got.Events[0].Rule != text || got.Events[0].Hostname != text || got.Events[0].Fields["proc.name"] != text {
			t.Errorf("%q came back as %+v", text, got.Events)
		}
	}
	for _, path := range []string{"/api/v2/events", "/api/v1/events/search", "/api/v2/facets", "/api/v2/top?by=rule", "/api/v2/rules", "/api/v2/export?format=csv", "/api/v2/export?format=json", "/api/v1/events/count/rule"} {
		res, text := x.do("GET", path, "", bearer(viewToken)...)
		kind := res.Header.Get("Content-Type")
		if res.StatusCode != 200 || strings.Contains(kind, "html") || kind == "" || res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %s, %v", path, res.Status, res.Header)
		}
		if strings.Contains(kind, "json") && strings.Contains(text, "<script") {
			t.Errorf("%s has a tag that is not escaped", path)
		}
	}
	n := 0
	x.sse("/api/v2/stream?after=0", "", func(kind, id, data string) bool {
		var e eventV2
		if kind == "falco" {
			if err := json.Unmarshal([]byte(data), &e); err != nil || n >= len(texts) || e.Output != texts[n] {
				t.Errorf("the stream's event %d: %v %q", n, err, data)
			}
			n++
		}
		return n < len(texts)
	})
}

// What takes longer than an answer may take says that it is partial, and since when it
// has counted.
func TestPartialAnswers(t *testing.T) {
	x := serve(t, guarded())
	fill(t, x.s.store, 4000, 10*time.Hour)
	const query = "q=a&not.field.nothing=x&since=20y" // no index knows
	for _, path := range []string{"/api/v2/events?total=true&limit=1000&", "/api/v2/facets?", "/api/v2/histogram?", "/api/v2/top?by=rule&"} {
		x.s.queryTime = time.Minute
		var got struct {
			Partial bool
			Since   *string
		}
		begun := time.Now()
		x.get(path+query, &got)
		took := time.Since(begun)
		if got.Partial || got.Since != nil && *got.Since != "" {
			t.Errorf("%s: partial after %v", path, took)
		}
		seen := false
		for div := time.Duration(2); div <= 512 && !seen; div *= 2 {
			x.s.queryTime = took / div
			res, text := x.do("GET", path+query, "", bearer(viewToken)...)
			seen = res.StatusCode == 200 && strings.Contains(text, `"partial":true`) && (strings.Contains(text, `"since":"20`) || strings.Contains(path, "top"))
		}
		if !seen {
			t.Errorf("%s: never partial, though it takes %v", path, took)
		}
	}
}

func TestExport(t *testing.T) {
	x := serve(t, guarded())
	fill(t, x.s.store, 2500, 10*time.Hour)
	evil := `{"rule":"=cmd|' /C calc'!A0","priority":"Error","time":"2026-05-17T15:31:56Z","output":"+1,\"x\"\n","output_fields":{"a":"b"}}`
	if errs, err := x.s.Ingest(t.Context(), [][]byte{[]byte(evil)}); err != nil || errs[0] != nil {
		t.Fatal(err, errs)
	}
	_, text := x.do("GET", "/api/v2/export?format=csv", "", bearer(viewToken)...)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	must(t, err)
	if len(rows) != 2502 || !slices.ContainsFunc(rows, func(r []string) bool { return strings.HasPrefix(r[2], "'=cmd") && strings.HasPrefix(r[9], "'+1") }) {
		t.Errorf("csv: %d rows", len(rows))
	}
	_, text = x.do("GET", "/api/v2/export?host=node-1", "", bearer(viewToken)...)
	n := strings.Count(text, "\n")
	var list eventsV2
	x.get("/api/v2/events?limit=1&total=true&host=node-1", &list)
	if int64(n) != *list.Total {
		t.Errorf("ndjson: %d lines, want %d", n, *list.Total)
	}
	res, text := x.do("GET", "/api/v2/export?format=json", "", append(bearer(viewToken), "Accept-Encoding", "gzip")...)
	z, err := gzip.NewReader(strings.NewReader(text))
	must(t, err)
	var events []eventV2
	must(t, json.NewDecoder(z).Decode(&events))
	if len(events) != 2501 || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("json: %d events", len(events))
	}
}

func TestDeleteAsksTwice(t *testing.T) {
	x := serve(t, guarded())
	fill(t, x.s.store, 300, 10*time.Hour)
	res, text := x.do("DELETE", "/api/v2/events?host=node-1", "", bearer(adminToken)...)
	var e apiError
	must(t, json.Unmarshal([]byte(text), &e))
	if res.StatusCode != 409 || e.Confirm == "" || e.Count == nil || *e.Count == 0 {
		t.Fatalf("%s %s", res.Status, text)
	}
	if res, text := x.do("DELETE", "/api/v2/events?host=node-2&confirm="+e.Confirm, "", bearer(adminToken)...); res.StatusCode != 409 {
		t.Errorf("another query: %s %s", res.Status, text)
	}
	res, text = x.do("DELETE", "/api/v2/events?host=node-1&confirm="+e.Confirm, "", bearer(adminToken)...)
	if res.StatusCode != 200 || strings.TrimSpace(text) != fmt.Sprintf(`{"count":%d}`, *e.Count) {
		t.Errorf("%s %s", res.Status, text)
	}
}

// sse reads a stream until f has had enough.
func (x *site) sse(path, last string, f func(kind string, id, data string) bool) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", x.url+path, nil)
	must(x.t, err)
	req.Header.Set("Authorization", "Bearer "+viewToken)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(req)
	must(x.t, err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	kind, id := "", ""
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "event":
			kind = value
		case "id":
			id = value
		case "data":
			if !f(kind, id, value) {
				return
			}
		}
	}
	x.t.Errorf("%s ended: %v", path, lines.Err())
}

// Live events come in order, each once; who comes back gets what was missed, and
// who has missed too much is told so.
func TestStream(t *testing.T) {
	x := serve(t, guarded())
	r := rand.New(rand.NewPCG(7, 8))
	var all []*Event
	for i := range 40 {
		all = append(all, made(r, i, time.Hour))
	}
	_, err := x.s.store.Append(t.Context(), all[:10])
	must(t, err)
	var got []string
	x.sse("/api/v2/stream", "5", func(kind, id, data string) bool {
		switch kind {
		case "falco":
			got = append(got, id)
		case "hello":
			go x.s.store.Append(context.Background(), all[10:])
		}
		return len(got) < 35
	})
	var want []string
	for i := 6; i <= 40; i++ {
		want = append(want, fmt.Sprint(i))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	var many []*Event
	for i := range replayed + 100 {
		many = append(many, made(r, 1000+i, time.Hour))
	}
	_, err = x.s.store.Append(t.Context(), many)
	must(t, err)
	n, gap := 0, ""
	x.sse("/api/v2/stream?after=1", "", func(kind, id, data string) bool {
		if kind == "falco" {
			n++
		}
		if kind == "gap" {
			gap = data
		}
		return gap == ""
	})
	if n != replayed || gap != fmt.Sprintf(`{"from":%d,"to":%d}`, 2+replayed, 40+replayed+100) {
		t.Errorf("replayed %d, then %s", n, gap)
	}
	skipped := 0
	more := many[:0]
	for i := range 200 {
		more = append(more, made(r, 5000+i, time.Hour))
	}
	n = 0
	x.sse("/api/v2/stream?host=node-*", "", func(kind, id, data string) bool {
		switch kind {
		case "hello":
			go x.s.store.Append(context.Background(), more)
		case "falco":
			n++
		case "skipped":
			var v struct{ N int }
			json.Unmarshal([]byte(data), &v)
			skipped += v.N
		}
		return n+skipped < len(more)
	})
	if n < perSecond || n > 2*perSecond {
		t.Errorf("%d were sent and %d skipped, of %d at once", n, skipped, len(more))
	}
}

// A client that does not read loses its place, and nobody waits for it.
func TestSlowClient(t *testing.T) {
	h := newHub(0)
	slow, _ := h.join(&Query{})
	quick, _ := h.join(&Query{})
	for i := range queued + 10 {
		h.publish([]*Event{{ID: int64(i + 1)}})
		if e := <-quick.events; e.ID != int64(i+1) {
			t.Fatalf("got %d", e.ID)
		}
	}
	select {
	case <-slow.slow:
	default:
		t.Error("the slow client is still there")
	}
	if h.count() != 1 {
		t.Errorf("%d clients", h.count())
	}
}

// The page is the same behind a proxy that strips the path, and behind one that does not.
func TestBasePath(t *testing.T) {
	cfg := guarded()
	cfg.BasePath = "/falco"
	x := serve(t, cfg)
	for _, path := range []string{"/falco/", "/"} {
		res, text := x.do("GET", path, "")
		if res.StatusCode != 200 || !strings.Contains(text, `<base href="/falco/">`) {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	for _, path := range []string{"/falco/api/v2/me", "/api/v2/me", "/falco/healthz"} {
		if res, _ := x.do("GET", path, ""); res.StatusCode != 200 {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	y := serve(t, guarded())
	if _, text := y.do("GET", "/", "", "X-Forwarded-Prefix", "/some/where"); !strings.Contains(text, `<base href="/some/where/">`) {
		t.Error("X-Forwarded-Prefix is not used")
	}
	if _, text := y.do("GET", "/", "", "X-Forwarded-Prefix", `/"><script>`); !strings.Contains(text, `<base href="/">`) {
		t.Error("a hostile X-Forwarded-Prefix is used")
	}
	res, _ := y.do("GET", "/", "")
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
}

func TestIngestAnswers(t *testing.T) {
	x := serve(t, guarded())
	one := `{"uuid":"521bd066-a897-4b6c-9482-db22ca346c12","rule":"规则","priority":"info","time":"2026-05-17T15:31:56Z","output":"文","output_fields":{"a":1}}`
	for _, c := range []struct{ body, want string }{
		{one, `{"accepted":1,"duplicates":0,"refused":0,"items":[{"uuid":"521bd066-a897-4b6c-9482-db22ca346c12","status":"accepted"}]}`},
		{"[" + one + "," + one + "]", `"accepted":0,"duplicates":2`},
		{one + "\n" + `{"rule":""}` + "\n", `"duplicates":1,"refused":1`},
		{`{"rule":"r"}`, `is no priority`},
		{`[{]`, `decode`},
		{strings.Repeat("[", 100000), `decode`},
	} {
		if _, text := x.do("POST", "/api/v2/events", c.body, bearer(ingestToken)...); !strings.Contains(text, c.want) {
			t.Errorf("%.60s: %s, want %s", c.body, text, c.want)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.CopyN(z, zeros{}, maxBody+1000)
	z.Close()
	if res, _ := x.do("POST", "/api/v2/events", packed.String(), append(bearer(ingestToken), "Content-Encoding", "gzip")...); res.StatusCode != 413 {
		t.Errorf("a bomb: %s", res.Status)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// A thousand clients that look on cost some megabytes, and go without a trace.
func TestThousandClients(t *testing.T) {
	h := newHub(0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var list []*client
	for range 1000 {
		c, _ := h.join(&Query{Conds: []Cond{{Field: "host", Values: []string{"node-1"}}}})
		list = append(list, c)
	}
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 200 {
		e := made(r, i, time.Hour)
		e.ID = int64(i + 1)
		h.publish([]*Event{e})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("1,000 clients take %d KiB", grown>>10)
	}
	if c, _ := h.join(&Query{}); c == nil {
		t.Error("there is no room for one more")
	}
	for _, c := range list {
		h.leave(c)
	}
	if h.count() != 1 {
		t.Errorf("%d clients are left", h.count())
	}
}
