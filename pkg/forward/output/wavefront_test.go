// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

var (
	waveLine = regexp.MustCompile(`^"falco\.alert" 1 \d{1,12} source="falco-exporter"((?: "[A-Za-z0-9._-]+"="(?:[^"\\\n]|\\")+")+)$`)
	wavePair = regexp.MustCompile(`"([A-Za-z0-9._-]+)"="((?:[^"\\\n]|\\")+)"`)
)

// wavePoints reads a body as the data format says, and checks the limits.
func wavePoints(body []byte) (out []map[string]string, err error) {
	for _, l := range strings.Split(strings.TrimSuffix(string(body), "\n"), "\n") {
		m := waveLine.FindStringSubmatch(l)
		if m == nil {
			return nil, fmt.Errorf("no point: %.500q", l)
		}
		tags := map[string]string{}
		for _, p := range wavePair.FindAllStringSubmatch(m[1], -1) {
			if _, twice := tags[p[1]]; twice || len([]rune(p[1]))+len([]rune(strings.ReplaceAll(p[2], `\"`, `"`))) > 254 {
				return nil, fmt.Errorf("tag %q", p[0])
			}
			tags[p[1]] = p[2]
		}
		if len(tags) > 20 {
			return nil, fmt.Errorf("%d tags", len(tags))
		}
		out = append(out, tags)
	}
	return out, nil
}

func waveCheck(r *outputtest.Request) error {
	if r.Query != "f=wavefront" {
		return fmt.Errorf("query %q", r.Query)
	}
	_, err := wavePoints(r.Body)
	return err
}

func TestWavefront(t *testing.T) {
	s := outputtest.ServeTLS(t, outputtest.Want{Path: "/report", Status: 202, Check: waveCheck, Header: map[string]string{
		"Authorization": "Bearer topsecret", "Content-Type": "application/octet-stream", "Content-Encoding": "gzip"}})
	o := outputtest.Open(t, "wavefront", "wavefront: {endpointtype: direct, checkcert: false, endpointhost: '"+strings.TrimPrefix(s.URL, "https://")+"', endpointtoken: topsecret}")
	if o.Kind.Batch.Events != 10000 || o.Kind.Gone == "" {
		t.Errorf("kind is %+v", o.Kind)
	}
	e := outputtest.Event(0).Clone()
	e.Fields.Set("fd.name", "")
	e.Fields.Set("proc.cmdline", `a "b" \`)
	if err := o.Send(t, e, outputtest.Event(1)); err != nil {
		t.Fatal(err)
	}
	body := s.One().Body
	p, _ := wavePoints(body)
	if len(p) != 2 || p[0]["severity"] != "Warning" || p[0]["rule"] != e.Rule || p[0]["source"] != "syscall" || p[0]["hostname"] != "node-1" || p[0]["user.name"] != "root" || p[0]["proc.cmdline"] != `a \"b\" /` ||
		p[0]["tags"] != "container, mitre_execution, shell" || !strings.HasPrefix(string(body), fmt.Sprintf(`"falco.alert" 1 %d source="falco-exporter" `, e.Time.Unix())) {
		t.Errorf("points are %v: %s", p, body)
	}
	classes(t, o, s, nil)
}

func TestWavefrontProxyAndHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/report", Check: waveCheck, Header: map[string]string{"Authorization": "-"}})
	host, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	o := outputtest.Open(t, "wavefront", "wavefront: {endpointtype: proxy, endpointhost: "+host+", endpointmetricport: "+port+", batchsize: 5}")
	outputtest.Hostile(t, o)
	for _, e := range append(outputtest.HostileEvents(), crowded(500)) {
		if err := o.Output.Send(t.Context(), []*event.Event{e}); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"endpointtype: direct, endpointhost: h", "endpointtype: proxy, endpointhost: 'http://h'"} {
		if _, err := outputtest.TryOpen(t, "wavefront", "wavefront: {"+bad+"}"); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
