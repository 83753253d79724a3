// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

type lokiConfig struct {
	HostPort      string            `key:"hostport" enables:"true" doc:"URL of Loki"`
	Endpoint      string            `key:"endpoint" default:"/loki/api/v1/push"`
	User          string            `key:"user"`
	APIKey        Secret            `key:"apikey" doc:"the password of user"`
	Tenant        string            `key:"tenant" doc:"X-Scope-OrgID"`
	Format        string            `key:"format" default:"text" oneof:"text,json" doc:"of the line: the output, or the whole event"`
	ExtraLabels   []string          `key:"extralabels" doc:"fields to make labels of"`
	MaxLabels     int               `key:"maxlabels" default:"15" doc:"Loki takes no more of a stream; those behind are left out"`
	Metadata      bool              `key:"structuredmetadata" doc:"send the other fields as structured metadata"`
	Compress      bool              `key:"enablecompression" default:"true"`
	CustomHeaders map[string]string `key:"customheaders"`
	HTTP
}

var loki = Define(Kind{
	Name: "loki", Title: "Loki", Section: "loki", Workers: 2, Batch: Batch{Events: 1000, Bytes: 1 << 20, Wait: time.Second},
}, newLoki)

// Limits of Loki as it comes.
const (
	lokiLine     = 250 << 10
	lokiValue    = 2048
	lokiName     = 1024
	lokiPairs    = 120       // of structured metadata; Loki has 128, and adds some of its own
	lokiMetadata = 60 << 10  // bytes of it; Loki has 64 KiB
	lokiBehind   = time.Hour // how far behind the newest of its stream a line may be
)

type lokiOutput struct {
	cfg    *lokiConfig
	env    *Env
	client *Client
	url    string
	header map[string]string
}

func newLoki(cfg *lokiConfig, env *Env) (Output, error) {
	if err := CheckURL("hostport", cfg.HostPort); err != nil {
		return nil, err
	}
	c, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	h := Headers(cfg.CustomHeaders, "X-Scope-OrgID", cfg.Tenant)
	if cfg.User != "" {
		h["Authorization"] = basic(cfg.User, cfg.APIKey)
	}
	return &lokiOutput{cfg, env, c, strings.TrimRight(cfg.HostPort, "/") + "/" + strings.TrimLeft(cfg.Endpoint, "/"), h}, nil
}

type lokiStream struct {
	Stream map[string]string `json:"stream"`
	Values [][]any           `json:"values"`
	times  []int64
}

// Send pushes a batch. Loki refuses lines that are too old, which is what an outage makes of
// them: they go out again with the time of now.
func (o *lokiOutput) Send(ctx context.Context, batch []*Event) error {
	err := o.push(ctx, batch, 0)
	if !errors.Is(err, errLokiAge) {
		return err
	}
	if len(batch) == 1 {
		return o.push(ctx, batch, -1)
	}
	return o.push(ctx, batch, lokiBehind)
}

var errLokiAge = errors.New("refused for its age")

// classifyLoki finds the reason of a refusal, which stands behind the labels of a stream: they can be long.
func classifyLoki(a *Answer) error {
	if a.Status != http.StatusBadRequest {
		return nil
	}
	text := string(a.Body)
	for _, reason := range []string{"too far behind", "out of order", "timestamp too old", "timestamp too new"} {
		if i := strings.Index(text, reason); i >= 0 {
			return &Error{Class: Final, Status: a.Status, Err: fmt.Errorf("%w: %s", errLokiAge, Line(event.Shorten(text[i:], 160)))}
		}
	}
	return nil
}

// push sends a batch; events older than behind get the time of now: 0 means none do, less means
// that all do.
func (o *lokiOutput) push(ctx context.Context, batch []*Event, behind time.Duration) error {
	streams := map[string]*lokiStream{}
	var order []*lokiStream
	now := o.env.Now()
	for i, e := range batch {
		labels, rest := o.labels(e)
		key := labelKey(labels)
		s := streams[key]
		if s == nil {
			s = &lokiStream{Stream: labels}
			streams[key], order = s, append(order, s)
		}
		at := e.Time
		if behind != 0 && now.Sub(at) > behind || at.Year() > 2261 || at.Year() < 1970 {
			at = now.Add(time.Duration(i))
		}
		line := e.Output
		if o.cfg.Format == "json" {
			line = string(e.JSON())
		}
		ns := at.UnixNano()
		value := []any{strconv.FormatInt(ns, 10), event.Shorten(strings.ToValidUTF8(line, "\ufffd"), lokiLine)}
		if len(rest) > 0 {
			value = append(value, rest)
		}
		s.Values, s.times = append(s.Values, value), append(s.times, ns)
	}
	for _, s := range order {
		sort.Stable(s)
	}
	body, err := JSON(map[string]any{"streams": order})
	if err != nil {
		return Permanent(err)
	}
	_, err = o.client.Do(ctx, &Request{URL: o.url, Header: o.header, Body: body, Gzip: o.cfg.Compress, Classify: classifyLoki})
	return err
}

// A stream sorts by time.
func (s *lokiStream) Len() int           { return len(s.times) }
func (s *lokiStream) Less(i, j int) bool { return s.times[i] < s.times[j] }
func (s *lokiStream) Swap(i, j int) {
	s.times[i], s.times[j] = s.times[j], s.times[i]
	s.Values[i], s.Values[j] = s.Values[j], s.Values[i]
}

// labels are what makes the stream of an event, and, if it is asked for, the fields that do not.
func (o *lokiOutput) labels(e *Event) (labels, rest map[string]string) {
	labels = map[string]string{}
	add := func(name, value string) {
		name, value = labelName(name), event.Shorten(lokiText(strings.ReplaceAll(value, `"`, "")), lokiValue)
		if _, taken := labels[name]; name != "" && value != "" && (taken || len(labels) < o.cfg.MaxLabels) {
			labels[name] = value
		}
	}
	add("rule", e.Rule)
	add("source", e.Source)
	add("priority", e.Priority.String())
	add("hostname", e.Hostname)
	add("tags", strings.Join(e.Tags, ","))
	used := []string{"k8s.ns.name", "k8s.pod.name"}
	used = append(append(used, o.env.Labels...), o.cfg.ExtraLabels...)
	for _, name := range used {
		if v, ok := e.Fields.Get(name); ok {
			if text, ok := (event.Field{Value: v}).Text(); ok {
				add(name, text)
			}
		}
	}
	if !o.cfg.Metadata {
		return labels, nil
	}
	rest = map[string]string{"uuid": e.UUID}
	room := lokiMetadata - len("uuid") - len(e.UUID)
	for _, f := range e.Fields {
		text, ok := f.Text()
		if name := labelName(f.Key); ok && text != "" && name != "" && !slices.Contains(used, f.Key) && len(rest) < lokiPairs {
			text = event.Shorten(lokiText(text), lokiValue)
			if room -= len(name) + len(text); room < 0 {
				break
			}
			rest[name] = text
		}
	}
	return labels, rest
}

// lokiText is s without what Loki's reader of labels refuses: bytes that are no text, and the
// character that stands for them elsewhere.
func lokiText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\ufffd", "?")
}

// labelName makes a name of a label: dots become _, brackets go, what else may not be there
// becomes _ too. Of what has neither letter nor digit none is made: Loki answers it with 500.
func labelName(s string) string {
	s = strings.NewReplacer("[", "", "]", "").Replace(s[:min(len(s), lokiName/2)])
	b := make([]byte, 0, len(s)+1)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			b = append(b, c)
		case c >= '0' && c <= '9':
			if len(b) == 0 {
				b = append(b, '_')
			}
			b = append(b, c)
		default:
			b = append(b, '_')
		}
	}
	if len(bytes.Trim(b, "_")) == 0 {
		return ""
	}
	return string(b)
}

func labelKey(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b.WriteString(strconv.Quote(k) + strconv.Quote(m[k]))
	}
	return b.String()
}

func (o *lokiOutput) Close() error { return o.client.Close() }
