// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// lokiProgram returns Loki, which is built from the Go module proxy and kept. That takes five minutes of two
// processors: the short tests use it where it is.
func lokiProgram(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "falco", "loki-3.7.8", "loki")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("FALCO_LONG") == "" {
		t.Skip("SKIP 1 cases: Loki is not built here; FALCO_LONG=1 builds it, once")
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/grafana/loki/v3/cmd/loki")
	cmd.Dir = "../../../tests/forward/loki"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tests/forward/loki: %v\n%s", err, out)
	}
	return path
}

// startLoki returns its URL. It wants to know whose lines it gets.
func startLoki(t *testing.T) string {
	t.Helper()
	program, dir, port := lokiProgram(t), t.TempDir(), freePort(t)
	writeFile(t, filepath.Join(dir, "loki.yaml"), fmt.Sprintf(`auth_enabled: true
server: {http_listen_address: 127.0.0.1, http_listen_port: %s, grpc_listen_address: 127.0.0.1, grpc_listen_port: %s, log_level: warn}
common:
  instance_addr: 127.0.0.1
  path_prefix: %[3]s
  storage: {filesystem: {chunks_directory: %[3]s/chunks, rules_directory: %[3]s/rules}}
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
ingester: {lifecycler: {min_ready_duration: 0s}}
schema_config:
  configs: [{from: 2020-10-24, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]
analytics: {reporting_enabled: false}
`, port, freePort(t), dir))
	daemon(t, program, "-config.file="+filepath.Join(dir, "loki.yaml"))
	at := "http://127.0.0.1:" + port
	until(t, "Loki", func() bool {
		res, err := http.Get(at + "/ready")
		if err == nil {
			res.Body.Close()
		}
		return err == nil && res.StatusCode == 200
	})
	return at
}

// lokiFound is a line that Loki has.
type lokiFound struct {
	at       time.Time
	line     string
	labels   map[string]string
	metadata map[string]string
}

func lokiQuery(t *testing.T, at, tenant, query string) (out []lokiFound) {
	t.Helper()
	q := url.Values{"query": {query}, "limit": {"5000"}, "start": {strconv.FormatInt(time.Now().Add(-10*24*time.Hour).UnixNano(), 10)}, "direction": {"forward"}}
	r, err := http.NewRequest("GET", at+"/loki/api/v1/query_range?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Scope-OrgID", tenant)
	r.Header.Set("X-Loki-Response-Encoding-Flags", "categorize-labels")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s %v: %s", res.Status, err, text)
	}
	var v struct {
		Data struct {
			Result []struct {
				Stream map[string]string
				Values [][]json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, s := range v.Data.Result {
		for _, value := range s.Values {
			var ns, line string
			var more struct{ StructuredMetadata map[string]string }
			if err := json.Unmarshal(value[0], &ns); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(value[1], &line); err != nil {
				t.Fatal(err)
			}
			if len(value) > 2 {
				if err := json.Unmarshal(value[2], &more); err != nil {
					t.Fatal(err)
				}
			}
			n, err := strconv.ParseInt(ns, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, lokiFound{time.Unix(0, n), line, s.Stream, more.StructuredMetadata})
		}
	}
	return out
}

// The real one: lines arrive once however often they are sent, those that it refuses for their age arrive with the time
// of now, each tenant has its own, and no content is refused.
func TestLokiReal(t *testing.T) {
	at := startLoki(t)
	open := func(more string) *outputtest.Opened {
		o, err := outputtest.TryOpenEnv(t, "loki", "loki: {hostport: '"+at+"', "+more+"}", func(e *output.Env) { e.Now = time.Now })
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	event := func(n int, age time.Duration) *output.Event {
		e := outputtest.Event(n).Clone()
		e.Time = time.Now().Add(-age).Add(time.Duration(n) * time.Millisecond)
		return e.Seal()
	}
	t.Run("once", func(t *testing.T) {
		o := open("tenant: once, format: json, structuredmetadata: true, extralabels: 'user.name'")
		var events []*output.Event
		for i := range 300 {
			events = append(events, event(i, time.Minute))
		}
		for range 2 {
			if err := o.Send(t, events...); err != nil {
				t.Fatal(err)
			}
		}
		got := lokiQuery(t, at, "once", `{rule="Terminal shell in container", k8s_ns_name="prod", user_name="root"}`)
		if len(got) != len(events) {
			t.Fatalf("%d lines, want %d", len(got), len(events))
		}
		for i, f := range got {
			outputtest.SameJSON(t, []byte(f.line), events[i].JSON())
			if !f.at.Equal(events[i].Time) || f.metadata["uuid"] != events[i].UUID || f.metadata["proc_pid"] != "4242" {
				t.Fatalf("line %d: %+v", i, f)
			}
		}
		if n := len(lokiQuery(t, at, "other", `{rule=~".+"}`)); n != 0 {
			t.Errorf("another tenant has %d lines", n)
		}
	})
	t.Run("no tenant", func(t *testing.T) {
		outputtest.Class(t, open("format: text").Send(t, event(0, 0)), output.Configuration)
	})
	t.Run("too old", func(t *testing.T) {
		o := open("tenant: old")
		if err := o.Send(t, event(0, 0)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		batch := []*output.Event{event(1, 30*24*time.Hour), event(2, 3*time.Hour), event(3, time.Second)} // older than a week; behind its stream; neither
		if err := o.Send(t, batch...); err != nil {
			t.Fatal(err)
		}
		if err := o.Send(t, event(4, 9*365*24*time.Hour)); err != nil { // alone
			t.Fatal(err)
		}
		got := lokiQuery(t, at, "old", `{rule=~".+"}`)
		young := 0
		for _, f := range got {
			if f.at.After(began) {
				young++
			}
		}
		// A push is not taken as a whole: what Loki has not refused comes a second time, unless it has the same time.
		if len(got) != 5 || young != 3 {
			t.Errorf("%d lines, %d of them with the time of now; want 5 and 3", len(got), young)
		}
	})
	t.Run("hostile", func(t *testing.T) {
		for i, more := range []string{"format: text", "format: json, structuredmetadata: true, extralabels: [proc.cmdline]"} {
			o := open(fmt.Sprintf("tenant: hostile%d, %s", i, more))
			outputtest.Hostile(t, o)
			if got := lokiQuery(t, at, fmt.Sprint("hostile", i), `{priority=~".+"}`); len(got) == 0 || strings.Contains(got[0].line, "\x00") {
				t.Errorf("%d lines", len(got))
			}
		}
	})
}
