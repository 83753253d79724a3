// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// elastic plays Elasticsearch: bulk requests with a mapping that refuses what the real one refuses,
// and index templates. It is strict about everything that it knows.
type elastic struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	docs     map[string]map[string]json.RawMessage // index, id
	longs    []string                              // fields of output_fields that are numbers in the mapping
	script   []int                                 // for the next documents: a status instead of storing
	whole    []outputtest.Answer                   // for the next bulk requests
	bulks    []*http.Request
	template json.RawMessage
}

func serveElastic(t *testing.T) *elastic {
	s := &elastic{t: t, docs: map[string]map[string]json.RawMessage{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *elastic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			s.t.Errorf("no gzip: %v", err)
			return
		}
		body = z
	}
	text, _ := io.ReadAll(body)
	switch {
	case r.URL.Path == "/_bulk" && r.Method == "POST":
		s.bulks = append(s.bulks, r)
		if len(s.whole) > 0 {
			a := s.whole[0]
			s.whole = s.whole[1:]
			for k, v := range a.Header {
				w.Header().Set(k, v)
			}
			w.WriteHeader(a.Status)
			io.WriteString(w, a.Body)
			return
		}
		if r.Header.Get("Content-Type") != "application/x-ndjson" || len(text) == 0 || text[len(text)-1] != '\n' {
			s.t.Errorf("no bulk request: %s %.100q", r.Header.Get("Content-Type"), text)
		}
		s.bulk(w, text)
	case r.URL.Path == "/_index_template/falco" && r.Method == "GET":
		if s.template == nil {
			w.WriteHeader(404)
		}
		w.Write(s.template)
	case r.URL.Path == "/_index_template/falco" && r.Method == "PUT":
		s.template = text
		io.WriteString(w, `{"acknowledged":true}`)
	default:
		s.t.Errorf("%s %s", r.Method, r.URL)
		w.WriteHeader(400)
	}
}

func (s *elastic) bulk(w http.ResponseWriter, text []byte) {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines)%2 != 0 {
		s.t.Errorf("%d lines", len(lines))
	}
	var items []string
	failed := false
	for i := 0; i+1 < len(lines); i += 2 {
		var action map[string]map[string]string
		if err := json.Unmarshal([]byte(lines[i]), &action); err != nil || action["create"] == nil {
			s.t.Errorf("action %.200q: %v", lines[i], err)
			continue
		}
		index, id := action["create"]["_index"], action["create"]["_id"]
		status, why := s.store(index, id, lines[i+1])
		failed = failed || status > 299
		items = append(items, fmt.Sprintf(`{"create":{"_index":%q,"_id":%q,"status":%d%s}}`, index, id, status, why))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"took":1,"errors":%v,"items":[%s]}`, failed, strings.Join(items, ","))
}

func (s *elastic) store(index, id, text string) (int, string) {
	refuse := func(status int, kind, format string, args ...any) (int, string) {
		reason, _ := json.Marshal(fmt.Sprintf(format, args...))
		return status, fmt.Sprintf(`,"error":{"type":%q,"reason":%s}`, kind, reason)
	}
	if len(s.script) > 0 {
		status := s.script[0]
		s.script = s.script[1:]
		if status != 0 {
			return refuse(status, "scripted_exception", "scripted")
		}
	}
	var d struct {
		Time   string         `json:"@timestamp"`
		Fields map[string]any `json:"output_fields"`
		Text   string         `json:"output_fields_text"`
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&d); err != nil {
		return refuse(400, "mapper_parsing_exception", "failed to parse")
	}
	if _, err := time.Parse(time.RFC3339Nano, d.Time); err != nil {
		s.t.Errorf("@timestamp: %v", err)
	}
	if len(d.Text) > 32766 {
		return refuse(400, "illegal_argument_exception", "Document contains at least one immense term")
	}
	for k, v := range d.Fields {
		for _, part := range strings.Split(k, ".") {
			if strings.TrimSpace(part) == "" {
				return refuse(400, "document_parsing_exception", "field name cannot contain only whitespace: [%s]", k)
			}
		}
		if n, ok := v.(json.Number); ok {
			if f, err := n.Float64(); err != nil || f > 1e300 {
				return refuse(400, "document_parsing_exception", "failed to parse field [output_fields.%s] of type [float]", k)
			}
		}
		if _, ok := v.(json.Number); !ok && slices.Contains(s.longs, k) {
			return refuse(400, "document_parsing_exception", "[1:234] failed to parse field [output_fields.%s] of type [long] in document with id '%s'", k, id)
		}
	}
	if len(d.Fields) > 300 {
		return refuse(400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded while adding new fields [%d]", len(d.Fields))
	}
	if s.docs[index] == nil {
		s.docs[index] = map[string]json.RawMessage{}
	}
	if s.docs[index][id] != nil {
		return refuse(409, "version_conflict_engine_exception", "[%s]: version conflict, document already exists", id)
	}
	s.docs[index][id] = json.RawMessage(text)
	return 201, ""
}

func TestElasticsearchAsTheOriginal(t *testing.T) {
	// Corrected: a bulk request where the original posts one document, with an id; the index has the date of
	// the event, not of the day on which it was sent.
	want, e := outputtest.Original(t, "elasticsearch"), outputtest.OriginalEvent(t)
	s := serveElastic(t)
	o := outputtest.Open(t, "elasticsearch", "elasticsearch: {hostport: "+s.URL+"/, username: u, password: p, pipeline: p}")
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	doc := s.docs["falco-2026.05.17"][e.UUID]
	outputtest.SameJSON(t, doc, want.Body)
	r := s.bulks[0]
	if r.URL.RawQuery != want.Query || r.Header.Get("Authorization") != want.Header.Get("Authorization") {
		t.Errorf("%s %v", r.URL, r.Header)
	}
}

func TestElasticsearchSuffixes(t *testing.T) {
	s := serveElastic(t)
	for conf, want := range map[string]string{"suffix: monthly": "falco-2026.05", "suffix: annually, index: other": "other-2026", "suffix: none": "falco", "datastream: true, index: logs-falco": "logs-falco"} {
		o := outputtest.Open(t, "elasticsearch", "elasticsearch: {hostport: "+s.URL+", apikey: topsecret, enablecompression: true, customheaders: {X-A: b}, "+conf+"}")
		if err := o.Send(t, outputtest.Event(0)); err != nil {
			t.Fatal(err)
		}
		r := s.bulks[len(s.bulks)-1]
		if s.docs[want][outputtest.UUID(0)] == nil || r.Header.Get("Authorization") != "APIKey topsecret" || r.Header.Get("X-A") != "b" || r.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %v", conf, r.Header)
		}
	}
	for _, bad := range []string{"hostport: localhost", "hostport: 'http://h', index: Falco", "hostport: 'http://h', index: 'a b'"} {
		if _, err := outputtest.TryOpen(t, "elasticsearch", "elasticsearch: {"+bad+"}"); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// Each document has its own result, and a second delivery finds what is there.
func TestElasticsearchItems(t *testing.T) {
	s := serveElastic(t)
	o := outputtest.Open(t, "elasticsearch", "elasticsearch: {hostport: "+s.URL+"}")
	s.script = []int{0, 429, 503, 404, 403, 0}
	batch := outputtest.Events(6)
	err := o.Output.Send(t.Context(), batch)
	p, ok := err.(*output.Partial)
	if !ok {
		t.Fatal(err)
	}
	for i, want := range []output.Class{255, output.Retryable, output.Retryable, output.Configuration, output.Configuration, 255} {
		if want == 255 {
			if p.Errs[i] != nil {
				t.Errorf("event %d: %v", i, p.Errs[i])
			}
			continue
		}
		outputtest.Class(t, p.Errs[i], want)
	}
	if err := o.Output.Send(t.Context(), batch); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if n := len(s.docs["falco-2026.05.17"]); n != 6 {
		t.Errorf("%d documents", n)
	}
}

// What the mapping refuses is stored without the field, and at last without all fields.
func TestElasticsearchMapping(t *testing.T) {
	s := serveElastic(t)
	s.longs = []string{"proc.name"}
	o := outputtest.Open(t, "elasticsearch", "elasticsearch: {hostport: "+s.URL+"}")
	many := outputtest.Event(2).Clone()
	for i := range 400 {
		many.Fields.Set(fmt.Sprint("f", i), "v")
	}
	two := outputtest.Event(1).Clone()
	two.Fields.Set("..", "x") // and proc.name
	good := outputtest.Event(3).Clone()
	good.Fields.Set("proc.name", json.Number("5"))
	if err := o.Output.Send(t.Context(), []*event.Event{outputtest.Event(0), two, many, good}); err != nil {
		t.Fatal(err)
	}
	index := s.docs["falco-2026.05.17"]
	for i, want := range []struct {
		fields int
		text   string
	}{{11, `{"proc.name":"bash"}`}, {0, "*"}, {0, "*"}, {12, ""}} {
		var d struct {
			Fields map[string]any `json:"output_fields"`
			Text   string         `json:"output_fields_text"`
		}
		if err := json.Unmarshal(index[outputtest.UUID(i)], &d); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if len(d.Fields) != want.fields || want.text == "*" && !strings.Contains(d.Text, `"user.name":"root"`) || want.text != "*" && d.Text != want.text {
			t.Errorf("event %d: %d fields, text %q", i, len(d.Fields), d.Text)
		}
	}
	s.script = []int{400, 400, 400}
	err := o.Send(t, outputtest.Event(9))
	outputtest.Class(t, err, output.Final)
}

func TestElasticsearchTemplate(t *testing.T) {
	s := serveElastic(t)
	o := outputtest.Open(t, "elasticsearch", "elasticsearch: {hostport: "+s.URL+", createindextemplate: true, numberofshards: 1}")
	if err := o.Send(t, outputtest.Events(2)...); err != nil {
		t.Fatal(err)
	}
	tmpl := decode(t, s.template)
	if at(t, tmpl, "index_patterns", 0) != "falco-*" || at(t, tmpl, "template", "settings", "number_of_shards") != 1.0 || at(t, tmpl, "template", "settings", "number_of_replicas") != 3.0 ||
		at(t, tmpl, "template", "mappings", "properties", "@timestamp", "type") != "date" {
		t.Errorf("template is %s", s.template)
	}
	if d := decode(t, s.docs["falco-2026.05.17"][outputtest.UUID(1)]); at(t, d, "output_fields", "user_name") != "root" {
		t.Errorf("fields are not flattened: %v", d)
	}
}

func TestElasticsearchAnswers(t *testing.T) {
	s := serveElastic(t)
	o := outputtest.Open(t, "elasticsearch", "elasticsearch: {hostport: "+s.URL+"}")
	for status, want := range map[int]output.Class{400: output.Final, 401: output.Configuration, 403: output.Configuration, 413: output.Big, 429: output.Retryable, 503: output.Retryable} {
		s.whole = []outputtest.Answer{{Status: status}}
		outputtest.Class(t, o.Send(t, outputtest.Event(0)), want)
	}
	for _, body := range []string{"", "{}", `{"items":[{"create":{}}]}`, "<html>"} {
		s.whole = []outputtest.Answer{{Status: 200, Body: body}}
		outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Retryable)
	}
	s.whole = []outputtest.Answer{{Status: 429, Header: map[string]string{"Retry-After": "3"}}}
	if _, after := output.ClassOf(o.Send(t, outputtest.Event(0))); after != 3*time.Second {
		t.Errorf("after %v", after)
	}
}

func TestElasticsearchHostile(t *testing.T) {
	s := serveElastic(t)
	outputtest.Hostile(t, outputtest.Open(t, "elasticsearch", "elasticsearch: {hostport: "+s.URL+", suffix: none}"))
	if n, want := len(s.docs["falco"]), len(outputtest.HostileEvents()); n != want {
		t.Errorf("%d documents, want %d", n, want)
	}
}
