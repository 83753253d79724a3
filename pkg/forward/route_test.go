// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
)

// routed makes a route of the keys of an element of outputs.
func routed(t *testing.T, keys string) *Route {
	t.Helper()
	cfg := config(t, "outputs: [{name: x, type: webhook, settings: {address: 'http://x'}, "+keys+"}]")
	return cfg.Instances[0].Route
}

func TestMatch(t *testing.T) {
	e, err := event.Parse(line(0, func(e *event.Event) {
		e.Fields.Set("container.image.repository", "docker.io/library/nginx")
		e.Fields.Set("container.image.tag", "debug-1")
		e.Fields.Set("fd.sip", "10.1.2.3")
		e.Fields.Set("proc.is_exe_writable", false)
	}))
	if err != nil {
		t.Fatal(err)
	}
	for keys, want := range map[string]bool{
		"enabled: true":                                                                true,
		"match: {rules: ['Terminal shell*']}":                                          true,
		"match: {rules: ['Write*', 'Terminal*']}":                                      true,
		"match: {rules: [Terminal]}":                                                   false,
		"match: {priority: '>=notice'}":                                                true,
		"match: {priority: warning}":                                                   true,
		"match: {priority: error}":                                                     false,
		"match: {priority: '<error'}":                                                  true,
		"match: {priority: '=warning', sources: [syscall]}":                            true,
		"match: {sources: [k8saudit]}":                                                 false,
		"match: {namespaces: ['prod*']}":                                               true,
		"match: {namespaces: ['dev*']}":                                                false,
		"match: {tags_any: [shell, nosuch]}":                                           true,
		"match: {tags_all: [shell, nosuch]}":                                           false,
		"match: {tags_all: [shell, container]}":                                        true,
		"match: {images: ['*nginx']}":                                                  true,
		"match: {images: ['*nginx:debug*']}":                                           true,
		"match: {hostnames: [node-2]}":                                                 false,
		"match: {pods: ['web-?']}":                                                     true,
		"not_match: {images: ['*:debug*']}":                                            false,
		"not_match: {images: ['*:release*']}":                                          true,
		"match: {rules: ['*']}, not_match: {priority: debug}":                          false,
		`condition: 'proc.name = bash'`:                                                true,
		`condition: 'proc.name in (sh, zsh)'`:                                          false,
		`condition: 'alert.priority = warning and alert.rule contains shell'`:          true,
		`condition: 'alert.priority = Warning and not alert.tags intersects (nosuch)'`: true,
		`condition: 'alert.tags intersects (shell, nosuch)'`:                           true,
		`condition: 'proc.pid > 4000 and proc.pid <= 4242'`:                            true,
		`condition: 'proc.pid > 5000'`:                                                 false,
		`condition: 'fd.snet in (10.0.0.0/8)'`:                                         false, // the field is not there
		`condition: 'fd.sip = 10.1.2.3'`:                                               true,
		`condition: 'k8s.ns.name startswith pro and alert.hostname glob "node-*"'`:     true,
		`condition: 'my.own.field exists'`:                                             false,
		`condition: 'alert.output contains "shell was" and alert.source != k8s_audit'`: true,
		`condition: 'proc.name = bash', match: {namespaces: [dev]}`:                    false,
		`condition: 'container.image.repository endswith /nginx', dedup: 1m`:           true,
		`condition: 'proc.is_exe_writable = false'`:                                    true,
	} {
		if got := routed(t, keys).wants(e); got != want {
			t.Errorf("%s: %v, want %v", keys, got, want)
		}
	}
}

func TestRoutesThatCannotBe(t *testing.T) {
	for keys, want := range map[string]string{
		"match: {rules: ['[']}":          "is no pattern",
		"match: {priority: '>=loud'}":    "priority",
		"condition: 'proc.name ='":       "condition",
		"condition: 'spawned_process'":   "spawned_process",
		"condition: 'alert.nosuch = 1'":  "is no field",
		"match: {rulez: [x]}":            "did you mean match.rules?",
		"throttle: {key: '{{', per: 1m}": "throttle.key",
		"minimumpriority: warn":          `"warn" is no priority`,
		"delivery: {rate: often}":        `"often" is no rate`,
		"delivery: {tiemout: 3s}":        "did you mean delivery.timeout?",
		"settings: {addres: 'http://x'}": "did you mean address?",
		"settings: {}":                   "lacks what webhook cannot do without",
		"type: webhok":                   "did you mean webhook?",
		"name: 'A B'":                    "is no name",
	} {
		text := "outputs: [{name: x, type: webhook, settings: {address: 'http://x'}, " + keys + "}]"
		for _, k := range []string{"settings", "type", "name"} { // said twice is what YAML refuses
			if strings.HasPrefix(keys, k+":") {
				text = "outputs: [{name: x, type: webhook, settings: {address: 'http://x'}}]"
				switch k {
				case "settings":
					text = strings.Replace(text, "settings: {address: 'http://x'}", keys, 1)
				case "type":
					text = strings.Replace(text, "type: webhook", keys, 1)
				case "name":
					text = strings.Replace(text, "name: x", keys, 1)
				}
			}
		}
		cfg, err := Parse(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, p := range cfg.Problems {
			said += p.String() + "\n"
		}
		if !cfg.Fatal() || !strings.Contains(said, want) {
			t.Errorf("%s: %q, want %q", keys, said, want)
		}
	}
}

func TestMinimumPriority(t *testing.T) {
	for _, c := range []struct {
		min, prio, rule string
		want            bool
	}{
		{"", "debug", "r", true}, {"warning", "warning", "r", true}, {"warning", "notice", "r", false}, {"Error", "critical", "r", true},
		{"info", "debug", "r", false}, {"emergency", "debug", event.Test, true},
	} {
		cfg := config(t, "webhook: {address: 'http://x', minimumpriority: '"+c.min+"'}")
		e, _ := event.Parse(line(0, func(e *event.Event) { e.Priority, _ = event.ParsePriority(c.prio); e.Rule = c.rule }))
		if got := cfg.Instances[0].chosen(e); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestThrottle(t *testing.T) {
	r := routed(t, "throttle: {key: '{{.Rule}}|{{.Hostname}}', max: 2, per: 10m, summary: true}").throttle
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	passed := 0
	for n := range 10 {
		e, _ := event.Parse(line(n))
		ok, sum := r.pass(e, now)
		if ok {
			passed++
		}
		if sum != nil {
			t.Error("a summary before the time")
		}
	}
	other, _ := event.Parse(line(20, func(e *event.Event) { e.Hostname = "node-2" }))
	if ok, _ := r.pass(other, now); !ok || passed != 2 {
		t.Errorf("%d passed, another host: %v", passed, ok)
	}
	e, _ := event.Parse(line(11))
	ok, sum := r.pass(e, now.Add(10*time.Minute))
	if !ok || sum == nil || !strings.HasPrefix(sum.Output, "8 more in 10m0s: ") || sum.UUID == uuid(9) {
		t.Errorf("%v %+v", ok, sum)
	}
	for n := range 5 {
		e, _ := event.Parse(line(n))
		r.pass(e, now.Add(11*time.Minute))
	}
	if sums := r.due(now.Add(15 * time.Minute)); len(sums) != 0 {
		t.Errorf("summaries before the time: %v", sums)
	}
	if sums := r.due(now.Add(20 * time.Minute)); len(sums) != 1 || !strings.HasPrefix(sums[0].Output, "4 more") {
		t.Errorf("%v", sums)
	}
}

// Names that nobody repeats do not fill the memory.
func TestSuppressionIsBounded(t *testing.T) {
	s := newSeen(100)
	now := time.Now()
	for n := range 10000 {
		s.add([16]byte{byte(n), byte(n >> 8)}, now)
	}
	if len(s.now)+len(s.old) > 100 {
		t.Errorf("%d keys are kept", len(s.now)+len(s.old))
	}
	if _, ok := s.at([16]byte{byte(9999 & 255), byte(9999 >> 8)}); !ok {
		t.Error("the last one is forgotten")
	}
}

// End to end: what is suppressed is counted, and nothing else is missing.
func TestSuppression(t *testing.T) {
	s := newReceiver(t)
	r := begin(t, t.TempDir(), `
outputs:
  - {name: once, type: webhook, settings: {address: '`+s.URL+`'}, dedup: 1h}
  - {name: few, type: webhook, settings: {address: '`+s.URL+`'}, throttle: {max: 3, per: 1h}}
  - {name: grave, type: webhook, settings: {address: '`+s.URL+`'}, minimumpriority: error}
`)
	r.post(0, 20)
	r.idle()
	b := r.Books()
	if b["once"].Delivered != 1 || b["once"].Dropped[dropDuplicate] != 19 {
		t.Errorf("once: %+v", b["once"])
	}
	if b["few"].Delivered != 3 || b["few"].Dropped[dropThrottled] != 17 {
		t.Errorf("few: %+v", b["few"])
	}
	if b["grave"].Delivered != 0 || b["grave"].Filtered != 20 {
		t.Errorf("grave: %+v", b["grave"])
	}
}
