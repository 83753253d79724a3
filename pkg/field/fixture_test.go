// SPDX-License-Identifier: Apache-2.0

package field

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// fixtureEvents acts out the events of rules-conformance.yaml one by one.
func fixtureEvents(t *testing.T, visit func(name string, s *state.Scene)) {
	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	w.num, w.ts = 3, start
	visit("execve", w.exec(40, 30, "Cat", nil))
	visit("openr", w.open(40, 5, "/etc/shadow", schema.ORdonly, 0))
	visit("openw", w.open(40, 6, "/tmp/My File.TXT", 263, 0o755))
	visit("openfail", w.open(40, -2, "/nope", schema.ORdonly, 0))
	visit("write", w.apply(40, eventtest.New(schema.WriteX).Int(12).Raw([]byte("hello GET\x00\x01\xff")).Int(6).Uint(12)))
	w.socket(40, 7, schema.AfInet, 1, 6)
	visit("connect4", w.connect(40, 7, "10.0.0.5:54321", "93.184.216.34:443"))
	w.socket(40, 8, schema.AfInet6, 1, 6)
	visit("connect6", w.connect(40, 8, "[2001:db8::5]:54321", "[2001:db8:1::99]:443"))
	visit("setuid", w.apply(40, eventtest.New(schema.SetuidX).Int(0).Uint(1000)))
	visit("generic", w.apply(40, eventtest.New(schema.GenericX).Uint(uint64(schema.ScTimes)).Uint(100)))
}

// Every fact of the fixtures in rules-conformance.yaml holds, in JSON form.
func TestConformanceFixtures(t *testing.T) {
	b, err := os.ReadFile(shared(t, "spec/rules-conformance.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Fixtures map[string]map[string]any `yaml:"fixtures"`
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	facts := 0
	fixtureEvents(t, func(name string, s *state.Scene) {
		want := doc.Fixtures[name]
		if want == nil {
			t.Errorf("no fixture is called %s", name)
		}
		all := make(map[string]any)
		for k, v := range doc.Fixtures["common"] {
			all[k] = v
		}
		for k, v := range want {
			all[k] = v
		}
		for token, v := range all {
			r, err := Parse(token)
			if err != nil {
				t.Errorf("%s: %v", token, err)
				continue
			}
			facts++
			got := inJSON(r, r.OutputValues(s, nil))
			wj, _ := json.Marshal(v)
			var w any
			json.Unmarshal(wj, &w)
			if !reflect.DeepEqual(got, w) {
				t.Errorf("%s: %s = %v, want %s", name, token, got, wj)
			}
		}
		// "Facts not listed in a fixture are missing": those that any fixture has.
		for _, other := range doc.Fixtures {
			for token := range other {
				if _, ok := all[token]; ok {
					continue
				}
				r, err := Parse(token)
				if err != nil {
					t.Fatal(err)
				}
				if vs := r.OutputValues(s, nil); len(vs) > 0 {
					t.Errorf("%s: %s = %v, want nothing", name, token, inJSON(r, vs))
				}
			}
		}
	})
	if facts < 300 {
		t.Errorf("only %d facts were checked", facts)
	}
}
