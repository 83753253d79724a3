// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Reasons why an alert of ours may differ from the original's.
const (
	// containers.md: container.start_ts is told of the host too, as the time of its
	// boot. The original's is told by a plugin that looked nothing up in that run.
	hostStart = "the host has a container.start_ts"
	// The original puts U+FFFD in the place of control characters; ours writes them
	// as JSON does, so that nothing is lost and an alert is still one line.
	controls = "control characters are escaped, not replaced"
)

// One recording through both programs: the same alerts, in the same order, with
// the same fields and the same text.
func TestConformanceAlerts(t *testing.T) {
	stock := []string{"falco_rules-5.1.0.yaml"}
	all := append(stock, "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
	for _, tc := range []struct {
		capture string
		rules   []string
		alerts  int
		differ  reasons
	}{
		{"sysdig029-a-shell", all, 1, nil},
		{"sysdig029-b-files", all, 50, nil},
		{"sysdig029-d-net", all, 87, nil},
		{"libs0254-a-shell", all, 1, nil},
		{"libs0254-b-files", all, 50, nil},
		{"libs0254-d-net", all, 87, nil},
		{"libs0254-f-build", all, 0, nil},
		{"libs0254-adaptive", all, 358, reasons{hostStart: 2, controls: 8}},
		{"libs0254-large", stock, 124, reasons{hostStart: 2, controls: 2}},
	} {
		t.Run(tc.capture, func(t *testing.T) {
			t.Parallel()
			golden, err := os.ReadFile(shared(t, "data/captures/golden/"+tc.capture+".alerts.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			ours, want := parseAlerts(t, replay(t, tc.capture, tc.rules)), parseAlerts(t, golden)
			if len(want) != tc.alerts {
				t.Fatalf("the original has %d alerts, not %d", len(want), tc.alerts)
			}
			seen := reasons{}
			for i := range max(len(ours), len(want)) {
				switch {
				case i >= len(ours):
					t.Fatalf("alert %d is missing: %v", i+1, want[i])
				case i >= len(want):
					t.Fatalf("alert %d is one too many: %v", i+1, ours[i])
				}
				if err := sameAlert(ours[i], want[i], seen); err != nil {
					t.Fatalf("alert %d: %v\nours     %v\noriginal %v", i+1, err, ours[i], want[i])
				}
			}
			seen.check(t, tc.differ)
		})
	}
}

// Two replays of a file are the same to the byte, whatever the threads do.
func TestReplayTwice(t *testing.T) {
	rules := []string{"falco_rules-5.1.0.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"}
	first := replay(t, "libs0254-adaptive", rules)
	t.Setenv("GOMAXPROCS", "1")
	if again := replay(t, "libs0254-adaptive", rules); !bytes.Equal(first, again) {
		t.Error("the second replay differs from the first")
	}
}

// replay runs the rules over a capture as the goldens were made, and returns the
// lines of the alerts.
func replay(t *testing.T, capture string, rules []string) []byte {
	t.Helper()
	config := filepath.Join(t.TempDir(), "falco.yaml")
	if err := os.WriteFile(config, []byte(`
stdout_output: {enabled: true}
log_syslog: false
json_output: true
time_format_iso_8601: true
priority: debug
buffered_outputs: true
`), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-c", config, "-o", "engine.kind=replay",
		"-o", "engine.replay.capture_file=" + shared(t, "data/captures/"+capture+".scap")}
	for _, r := range rules {
		args = append(args, "-r", shared(t, "data/rules/"+r))
	}
	out := falco(t, args...)
	alerts, _, ok := bytes.Cut(out, []byte("Events detected: "))
	if !ok {
		t.Fatalf("no statistics at the end of\n%s", out)
	}
	return alerts
}

func parseAlerts(t *testing.T, lines []byte) (out []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var a map[string]any
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber() // times have more digits than a float
		if err := d.Decode(&a); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		delete(a, "hostname") // of the machine that replays
		out = append(out, a)
	}
	return out
}

// sameAlert compares two alerts; what differs for a reason is counted in seen.
func sameAlert(ours, want map[string]any, seen reasons) error {
	text, _ := ours["output"].(string)
	fields, _ := ours["output_fields"].(map[string]any)
	golden, _ := want["output_fields"].(map[string]any)
	for name, v := range fields {
		w, ok := golden[name]
		switch s, _ := v.(string); {
		case !ok:
			return fmt.Errorf("field %s is one too many", name)
		case reflect.DeepEqual(v, w):
		case name == "container.start_ts" && w == nil:
			seen[hostStart]++
			fields[name] = nil
			text = strings.ReplaceAll(text, fmt.Sprint(v), "<NA>")
		case s != "" && withoutControls(s) == w:
			seen[controls]++
			fields[name] = w
			text = withoutControls(text)
		default:
			return fmt.Errorf("field %s: %q, original %q", name, v, w)
		}
	}
	ours["output"] = text
	for name, w := range want {
		if !reflect.DeepEqual(ours[name], w) {
			return fmt.Errorf("%s differs", name)
		}
	}
	if len(ours) != len(want) {
		return fmt.Errorf("%d keys, original %d", len(ours), len(want))
	}
	return nil
}

func withoutControls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, s)
}
