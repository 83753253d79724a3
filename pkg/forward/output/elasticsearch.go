// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

type elasticsearchConfig struct {
	HostPort      string            `key:"hostport" enables:"true" doc:"URL of Elasticsearch or OpenSearch"`
	Index         string            `key:"index" default:"falco"`
	Type          string            `key:"type" default:"_doc" doc:"for servers older than 7"`
	Suffix        string            `key:"suffix" default:"daily" oneof:"daily,monthly,annually,none" doc:"of the index: the date of the event"`
	Pipeline      string            `key:"pipeline" doc:"ingest pipeline"`
	APIKey        Secret            `key:"apikey"`
	Username      string            `key:"username"`
	Password      Secret            `key:"password"`
	Flatten       bool              `key:"flattenfields" doc:"names of fields with _ instead of dots"`
	Template      bool              `key:"createindextemplate" doc:"make an index template if there is none; flattens fields"`
	Shards        int               `key:"numberofshards" default:"3" doc:"of the template"`
	Replicas      int               `key:"numberofreplicas" default:"3" doc:"of the template"`
	DataStream    bool              `key:"datastream" doc:"index is the name of a data stream: it has no suffix"`
	Compress      bool              `key:"enablecompression"`
	CustomHeaders map[string]string `key:"customheaders"`
	Batching      struct {
		Enabled bool          `key:"enabled" default:"true"`
		Size    int           `key:"batchsize" default:"5242880" doc:"bytes"`
		Flush   time.Duration `key:"flushinterval" default:"1s"`
	} `key:"batching"`
	HTTP
}

var elasticsearch = Define(Kind{
	Name: "elasticsearch", Title: "Elasticsearch", Section: "elasticsearch", Workers: 4, Timeout: 30 * time.Second,
	Adjust: func(cfg any, k *Kind) {
		if c := cfg.(*elasticsearchConfig); c.Batching.Enabled {
			k.Batch = Batch{Events: 1000, Bytes: max(c.Batching.Size, 1), Wait: c.Batching.Flush}
		}
	},
}, newElasticsearch)

type elasticsearchOutput struct {
	cfg    *elasticsearchConfig
	client *Client
	base   string
	header map[string]string

	mu        sync.Mutex
	templated bool
}

func newElasticsearch(cfg *elasticsearchConfig, env *Env) (Output, error) {
	if err := CheckURL("hostport", cfg.HostPort); err != nil {
		return nil, err
	}
	if cfg.Index == "" || strings.ToLower(cfg.Index) != cfg.Index || strings.ContainsAny(cfg.Index, `\/*?"<>| ,#:`) || strings.ContainsRune("-_+.", rune(cfg.Index[0])) {
		return nil, fmt.Errorf("index %q is no name of an index", cfg.Index)
	}
	c, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	h := Headers(cfg.CustomHeaders)
	switch {
	case cfg.APIKey != "":
		h["Authorization"] = "APIKey " + string(cfg.APIKey)
	case cfg.Username != "":
		h["Authorization"] = basic(cfg.Username, cfg.Password)
	}
	return &elasticsearchOutput{cfg: cfg, client: c, base: strings.TrimRight(cfg.HostPort, "/"), header: h}, nil
}

// doc is an event on its way into an index.
type doc struct {
	i     int // in the batch
	e     *Event
	moved func(name string) bool // which fields are moved into a text; nil: none
	tries int
}

// Send stores events under their uuid: the second time they are there already, which is
// success. An event that the mapping of the index refuses is sent again without the field that is in
// the way, and then without all fields; they stand in output_fields_text instead.
func (o *elasticsearchOutput) Send(ctx context.Context, batch []*Event) error {
	if o.cfg.Template {
		if err := o.template(ctx); err != nil {
			return err
		}
	}
	errs := make([]error, len(batch))
	docs := make([]*doc, len(batch))
	for i, e := range batch {
		docs[i] = &doc{i: i, e: e}
	}
	for len(docs) > 0 {
		results, err := o.bulk(ctx, docs)
		if err != nil {
			if len(docs) == len(batch) {
				return err
			}
			for _, d := range docs {
				errs[d.i] = err
			}
			break
		}
		var again []*doc
		for i, r := range results {
			d := docs[i]
			why := r.err()
			if class, _ := ClassOf(why); why != nil && class == Final && r.Status == 400 && d.tries < 2 {
				d.amend(r.Error)
				again = append(again, d)
				continue
			}
			errs[d.i] = why
		}
		docs = again
	}
	return Results(errs)
}

// bulkResult is what became of one document.
type bulkResult struct {
	Status int        `json:"status"`
	Error  *bulkError `json:"error"`
}

type bulkError struct {
	Type   string     `json:"type"`
	Reason string     `json:"reason"`
	Cause  *bulkError `json:"caused_by"`
}

func (e *bulkError) text() string {
	var parts []string
	for n := 0; e != nil && n < 8; e, n = e.Cause, n+1 {
		parts = append(parts, e.Type+": "+e.Reason)
	}
	return Line(event.Shorten(clean(strings.Join(parts, "; ")), 300))
}

func (r *bulkResult) err() error {
	if r.Status == 409 || r.Status >= 200 && r.Status < 300 {
		return nil
	}
	err := &Error{Class: Final, Status: r.Status, Err: fmt.Errorf("the document was refused (%d): %s", r.Status, r.Error.text())}
	switch {
	case r.Status == 429 || r.Status >= 500 || r.Status == 408:
		err.Class = Retryable
	case r.Status == 401, r.Status == 403, r.Status == 404, strings.Contains(r.Error.text(), "pipeline with id"):
		err.Class = Configuration
	case r.Status == 413:
		err.Class = Final
	}
	return err
}

// bulk posts documents, and returns a result for each.
func (o *elasticsearchOutput) bulk(ctx context.Context, docs []*doc) ([]bulkResult, error) {
	var body []byte
	for _, d := range docs {
		body = append(body, `{"create":{"_index":`...)
		body = event.AppendString(body, o.index(d.e))
		if o.cfg.Type != "" && o.cfg.Type != "_doc" {
			body = event.AppendString(append(body, `,"_type":`...), o.cfg.Type)
		}
		body = event.AppendString(append(body, `,"_id":`...), d.e.UUID)
		body = append(o.document(append(body, "}}\n"...), d), '\n')
	}
	to := o.base + "/_bulk"
	if o.cfg.Pipeline != "" {
		to += "?pipeline=" + url.QueryEscape(o.cfg.Pipeline)
	}
	a, err := o.client.Do(ctx, &Request{URL: to, Header: Headers(o.header, "Content-Type", "application/x-ndjson"), Body: body, Gzip: o.cfg.Compress, OK: []int{200}})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Items []map[string]bulkResult `json:"items"`
	}
	if err := json.Unmarshal(a.Body, &answer); err != nil || len(answer.Items) != len(docs) {
		return nil, errors.New("the answer to a bulk request cannot be understood")
	}
	results := make([]bulkResult, len(docs))
	for i, item := range answer.Items {
		for _, r := range item {
			results[i] = r
		}
		if results[i].Status == 0 {
			return nil, errors.New("the answer to a bulk request has no status for a document")
		}
	}
	return results, nil
}

var suffixes = map[string]string{"daily": "-2006.01.02", "monthly": "-2006.01", "annually": "-2006"}

// index is where an event belongs, by its own date: what waits over midnight is not stored under
// the wrong day.
func (o *elasticsearchOutput) index(e *Event) string {
	if o.cfg.DataStream {
		return o.cfg.Index
	}
	return o.cfg.Index + e.Time.UTC().Format(suffixes[o.cfg.Suffix])
}

// document appends the event with @timestamp.
func (o *elasticsearchOutput) document(b []byte, d *doc) []byte {
	e, text := d.e, ""
	if o.cfg.Flatten || o.cfg.Template || d.moved != nil {
		e = e.Clone()
		var moved Fields
		fields := e.Fields
		e.Fields = nil
		for _, f := range fields {
			if o.cfg.Flatten || o.cfg.Template {
				f.Key = strings.ReplaceAll(f.Key, ".", "_")
			}
			if d.moved != nil && d.moved(f.Key) {
				moved.Set(f.Key, f.Value)
			} else {
				e.Fields.Set(f.Key, f.Value)
			}
		}
		if len(moved) > 0 {
			m, _ := JSON(moved.Map())
			text = event.Shorten(string(m), 30000) // Lucene takes no term beyond 32766 bytes
		}
	}
	p := e.JSON()
	b = append(append(b, p[:len(p)-1]...), `,"@timestamp":"`...)
	b = append(e.Time.AppendFormat(b, time.RFC3339Nano), '"')
	if text != "" {
		b = event.AppendString(append(b, `,"output_fields_text":`...), text)
	}
	return append(b, '}')
}

var fieldInReason = regexp.MustCompile(`\[output_fields\.([^\]]+)\]`)

// amend moves what a refusal names, or everything.
func (d *doc) amend(why *bulkError) {
	d.tries++
	m := fieldInReason.FindStringSubmatch(why.text())
	if d.tries > 1 || m == nil {
		d.tries = 2
		d.moved = func(string) bool { return true }
		return
	}
	name := m[1]
	d.moved = func(s string) bool {
		return s == name || strings.HasPrefix(s, name+".") || strings.HasPrefix(name, s+".")
	}
}

// template makes the index template, once, if nobody has.
func (o *elasticsearchOutput) template(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.templated {
		return nil
	}
	to := o.base + "/_index_template/" + url.PathEscape(o.cfg.Index)
	a, err := o.client.Do(ctx, &Request{Method: "GET", URL: to, Header: o.header, OK: []int{200, 404}, Quiet: true})
	if err != nil {
		return fmt.Errorf("index template: %w", err)
	}
	if a.Status == 404 {
		body, err := JSON(o.templateBody())
		if err != nil {
			return err
		}
		if _, err := o.client.Do(ctx, &Request{Method: "PUT", URL: to, Header: o.header, Body: body, OK: []int{200, 201}, Quiet: true}); err != nil {
			if class, _ := ClassOf(err); class != Retryable {
				err = Misconfigured(fmt.Errorf("index template: %w", err))
			}
			return err
		}
	}
	o.templated = true
	return nil
}

func (o *elasticsearchOutput) templateBody() map[string]any {
	text := func(above int) map[string]any {
		return map[string]any{"type": "text", "fields": map[string]any{"keyword": map[string]any{"type": "keyword", "ignore_above": above}}}
	}
	date := map[string]any{"type": "date"}
	pattern := o.cfg.Index
	if o.cfg.Suffix != "none" && !o.cfg.DataStream {
		pattern += "-*"
	}
	t := map[string]any{
		"index_patterns": []string{pattern},
		"template": map[string]any{
			"settings": map[string]any{"number_of_shards": o.cfg.Shards, "number_of_replicas": o.cfg.Replicas},
			"mappings": map[string]any{
				"dynamic_templates": []any{map[string]any{"strings": map[string]any{"match_mapping_type": "string", "mapping": text(256)}}},
				"properties": map[string]any{"@timestamp": date, "time": date, "uuid": text(256), "rule": text(256), "priority": text(256), "source": text(256),
					"hostname": text(256), "tags": text(256), "output": text(2048)},
			},
		},
	}
	if o.cfg.DataStream {
		t["data_stream"] = map[string]any{}
	}
	return t
}

func (o *elasticsearchOutput) Close() error { return o.client.Close() }
