// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/consume"
	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/settings"
)

// Acceptance test 10: every key of every output, and of the forwarder, is read from YAML in any
// case, from the environment, and from files that either names; and the environment wins.
func TestConfigMatrix(t *testing.T) {
	type owner struct {
		section string
		fresh   func() any
	}
	owners := []owner{{"", func() any { return &Settings{} }}, {"consume", func() any { return &consume.Config{} }}}
	for _, k := range output.Kinds() {
		owners = append(owners, owner{k.Section, k.Config}, owner{k.Section, func() any { return &common{} }})
	}
	keys := 0
	for _, o := range owners {
		for _, k := range settings.Describe(o.fresh(), o.section) {
			keys++
			sample, want := sampleOf(&k)
			yaml := func(path, value string) string {
				parts := strings.Split(path, ".")
				text := ""
				for i, p := range parts[:len(parts)-1] {
					text += strings.Repeat("  ", i) + strings.ToUpper(p) + ":\n"
				}
				return text + strings.Repeat("  ", len(parts)-1) + strings.ToUpper(parts[len(parts)-1]) + ": " + value + "\n"
			}
			file := filepath.Join(t.TempDir(), "value")
			if err := os.WriteFile(file, []byte(sample+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			other := ""
			if k.OneOf == nil { // something that the environment overrides
				other = yaml(k.Path, fmt.Sprintf("%q", otherOf(&k)))
			}
			for how, src := range map[string]struct{ yaml, env string }{
				"yaml":      {yaml(k.Path, fmt.Sprintf("%q", sample)), ""},
				"yaml file": {yaml(k.Path+"_file", file), ""},
				"env":       {other, k.Env + "=" + sample},
				"env file":  {other, k.Env + "_FILE=" + file},
			} {
				l := settings.New([]string{src.env})
				if err := l.Parse("x.yaml", []byte(src.yaml)); err != nil {
					t.Fatalf("%s: %v\n%s", k.Path, err, src.yaml)
				}
				dst := o.fresh()
				l.Bind(dst, o.section)
				l.Unknown()
				for _, p := range l.Problems {
					t.Errorf("%s from %s: %s", k.Path, how, p)
				}
				got := valueOf(dst, o.section, k.Path)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s from %s: %#v, want %#v", k.Path, how, got, want)
				}
			}
		}
	}
	if keys < 60 {
		t.Errorf("only %d keys", keys)
	}
	t.Logf("%d keys, each in four ways", keys)
}

func valueOf(dst any, section, path string) any {
	for _, k := range settings.Describe(dst, section) {
		if k.Path == path {
			if v, ok := k.Value().(*settings.Template); ok && v != nil {
				return v.Text
			}
			if v, ok := k.Value().(*int); ok && v != nil {
				return *v
			}
			return k.Value()
		}
	}
	return nil
}

// sampleOf returns a text for a key, and the value that it stands for.
func sampleOf(k *settings.Key) (string, any) {
	if k.OneOf != nil {
		last := k.OneOf[len(k.OneOf)-1]
		if _, is := k.Value().(int); is {
			n, _ := strconv.Atoi(last)
			return last, n
		}
		return strings.ToUpper(last), last
	}
	switch k.Value().(type) {
	case string:
		return "a: text, with #", "a: text, with #"
	case settings.Secret:
		return "s3cret: x", settings.Secret("s3cret: x")
	case bool:
		return "true", true
	case int:
		return "77", 77
	case *int:
		return "77", 77
	case int64:
		return "77", int64(77)
	case float64:
		return "1.5", 1.5
	case time.Duration:
		return "77s", 77 * time.Second
	case []string:
		return "a, b", []string{"a", "b"}
	case map[string]string:
		return "K:v:w,k2:x", map[string]string{"K": "v:w", "k2": "x"}
	case *settings.Template:
		return "{{ .Rule }}", "{{ .Rule }}"
	}
	panic(fmt.Sprintf("%s: no sample for a %T", k.Path, k.Value()))
}

func otherOf(k *settings.Key) string {
	switch k.Value().(type) {
	case bool:
		return "false"
	case int, *int, int64, float64, time.Duration:
		return "5"
	case map[string]string:
		return "other:x"
	}
	return "other"
}

func problems(t *testing.T, yaml string, environ ...string) (string, bool) {
	t.Helper()
	cfg, err := Parse(yaml, environ)
	if err != nil {
		return err.Error(), true
	}
	text := ""
	for _, p := range cfg.Problems {
		text += p.String() + "\n"
	}
	return text, cfg.Fatal()
}

func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct {
		yaml, env string
		fatal     bool
		want      string
	}{
		{"webhok: {address: x}", "", true, "config.yaml:1: webhok: is not known; did you mean webhook?"},
		{"webhook:\n  adress: x", "", true, "config.yaml:2: webhook.adress: is not known; did you mean webhook.address?"},
		{"listenport: abc", "", true, `listenport: "abc" is no whole number`},
		{"listenport: 99999", "", true, "99999 is no port"},
		{"listenaddress: localhost", "", true, `"localhost" is no IP address`},
		{"debug: maybe", "", true, "neither true nor false"},
		{"webhook: {address: 'http://x', minimumpriority: warn}", "", true, `"warn" is no priority`},
		{"webhook: {address: 'http://x', method: GET}", "", true, `"GET" is none of POST, PUT`},
		{"webhook: {method: GET}", "", false, `"GET" is none of POST, PUT`}, // it is off: a word of warning
		{"webhook: [1]", "", true, "webhook"},
		{"customfields: [a]", "", true, "customfields: is not of the right kind"},
		{"customfields: {a: [b]}", "", true, "customfields.a: is no text"},
		{"webhook: {address_file: /nosuch/file}", "", true, "/nosuch/file"},
		{"webhook: {address: 'http://x'", "", true, "config.yaml"},
		{"- a", "", true, "is no mapping"},
		{"outputs: {a: b}", "", true, "outputs: is no list"},
		{"outputs: [a]", "", true, "no mapping"},
		{"nosuch: 1\nunknown_keys: warn", "", false, "nosuch: is not known"},
		{"", "WEBHOOK_ADRESS=x", false, "WEBHOOK_ADRESS: is no setting; did you mean WEBHOOK_ADDRESS?"},
		{"", "LISTENPORT=abc", true, "LISTENPORT"},
		{"", "CUSTOMFIELDS=abc", true, "CUSTOMFIELDS"},
		{"templatedfields: {a: '{{'}", "", false, "templatedfields.a"},
		{"input: {user: x}", "", true, "a user needs a password"},
		{"spool: {sync: never}", "", true, `"never" is none of`},
	} {
		text, fatal := problems(t, c.yaml, c.env)
		if fatal != c.fatal && !(c.yaml == "webhook: [1]") || !strings.Contains(text, c.want) {
			t.Errorf("%q %s: fatal %v: %s\nwant %v, %s", c.yaml, c.env, fatal, text, c.fatal, c.want)
		}
	}
}

// Outputs of the original that are not there yet are passed over while nobody means them.
func TestConfigAbsentOutputs(t *testing.T) {
	others["aws.frob"], others["frob"] = []string{"url"}, []string{"host", "token"}
	defer func() { delete(others, "frob"); delete(others, "aws.frob") }()
	if text, fatal := problems(t, "frob: {host: '', token:, mode: x}\naws:\n  frob: {url: ''}\n"); fatal || text != "" {
		t.Error(text)
	}
	if text, fatal := problems(t, "frob: {host: x, token: ''}\n"); fatal || text != "" {
		t.Error(text)
	}
	for _, c := range []struct{ yaml, env string }{{"frob: {host: x, token: y}", ""}, {"frob: {host: x}", "FROB_TOKEN=y"}, {"aws: {frob: {url: x}}", ""}, {"", "AWS_FROB_URL=x"}} {
		if text, fatal := problems(t, c.yaml, c.env); !fatal || !strings.Contains(text, "frob: is an output that this version does not have") {
			t.Errorf("%s %s: %q", c.yaml, c.env, text)
		}
	}
}

// Files that charts make have keys with nothing in them.
func TestConfigEmptyKeys(t *testing.T) {
	text, fatal := problems(t, "webhook:\n  address: ''\n  customheaders: {}\n  minimumpriority: ''\n  maxconcurrentrequests:\ncustomtags: []\ntlsserver:\nlistenport:\noutputs:\n")
	if text != "" || fatal {
		t.Error(text)
	}
}

// Kubernetes tells pods of services in variables that look like ours.
func TestConfigServiceVariables(t *testing.T) {
	cfg, err := Parse("", []string{"LISTENPORT=", "WEBHOOK_SERVICE_HOST=10.0.0.1", "WEBHOOK_PORT=tcp://10.0.0.1:80", "WEBHOOK_PORT_80_TCP=tcp://10.0.0.1:80"})
	if err != nil || len(cfg.Problems) > 0 || cfg.ListenPort != 2801 {
		t.Errorf("%v %v", err, cfg.Problems)
	}
}

func TestPrintHidesSecrets(t *testing.T) {
	text := "webhook: {address: 'http://x/topsecret', customheaders: {A: topsecret}, minimumpriority: error}\ninput: {token: topsecret}\n" +
		"outputs: [{name: two, type: webhook, settings: {address: 'http://topsecret', hmackey: topsecret}, delivery: {timeout: 3s}}]\n"
	cfg := config(t, text)
	var b strings.Builder
	cfg.Print(&b)
	if strings.Contains(b.String(), "topsecret") {
		t.Error("a secret is printed")
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", cfg.Settings, cfg.Settings, cfg.Instances[1].Config), "topsecret") {
		t.Error("fmt prints a secret")
	}
	for _, want := range []string{"webhook:\n  address: \"<secret>\"", "\n  customheaders: \"A:<secret>\"", "  minimumpriority: \"error\"", "# listenport: 2801", "timeout: 3s", "outputs:\n  - name: two"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestReload(t *testing.T) {
	one, two := newReceiver(t), newReceiver(t)
	dir := t.TempDir()
	r := begin(t, dir, "webhook: {address: '"+one.URL+"'}\n")
	first := r.live.Load().outs[0]
	r.post(0, 5)
	r.idle()
	reload := func(yaml string) error {
		return r.Reload(config(t, yaml+quick+"\nstate_dir: "+dir+"\n"))
	}
	// The same, and something that is not the output's own: it goes on.
	if err := reload("webhook: {address: '" + one.URL + "'}\ncustomtags: [new]\n"); err != nil {
		t.Fatal(err)
	}
	if r.live.Load().outs[0] != first {
		t.Error("an output whose settings are the same was made anew")
	}
	if r.live.Load().enrich.tags[0] != "new" {
		t.Error("the new tags do not count")
	}
	// What cannot be is refused, and nothing changes.
	if err := reload("webhook: {address: 'ftp://x'}\n"); err == nil || r.live.Load().outs[0] != first {
		t.Errorf("error %v", err)
	}
	// While one is away its events wait, and go to where the new settings say. A new output
	// begins with what comes after it.
	one.Close()
	r.post(5, 10)
	if err := reload("webhook: {address: '" + two.URL + "'}\noutputs: [{name: second, type: webhook, settings: {address: '" + two.URL + "'}, match: {rules: [none]}}]\n"); err != nil {
		t.Fatal(err)
	}
	r.post(10, 15)
	r.idle()
	two.has(t, 5, 15)
	if b := r.Books(); b["webhook"].Delivered != 15 || b["second"].Delivered != 0 || b["second"].Filtered != b["second"].Accepted+b["second"].Started {
		t.Errorf("%+v", b)
	}
	// One that is gone is forgotten.
	if err := reload("outputs: [{name: second, type: webhook, settings: {address: '" + two.URL + "'}}]\n"); err != nil {
		t.Fatal(err)
	}
	if _, there := r.Books()["webhook"]; there || r.born["webhook"] != (time.Time{}) {
		t.Error("the output that is gone is still there")
	}
	if err := reload("webhook: {address: '" + two.URL + "'}\nlistenport: 1234\n"); err != nil || !strings.Contains(r.log.text(), "listenport has changed") {
		t.Errorf("%v\n%s", err, r.log.text())
	}
}

func TestDigest(t *testing.T) {
	addr := freeAddr(t)
	r := begin(t, t.TempDir(), "webhook: {address: 'http://"+addr+"', delivery: {digest: 20}}\n")
	r.post(0, 1, func(e *event.Event) { e.Rule = "first" })
	until(t, "the first one is tried", func() bool { return r.Books()["webhook"].Sends > 0 })
	r.post(1, 101)
	var last *event.Event
	s := receiverAt(t, addr)
	r.idle()
	b := r.Books()["webhook"]
	if b.Delivered != 101 || b.Digested < 50 || b.Summaries == 0 || s.count() > 60 {
		t.Errorf("%+v, %d requests", b, s.count())
	}
	var events []*event.Event
	for n := range 30 {
		e, _ := event.Parse(line(n, func(e *event.Event) {
			e.Rule = fmt.Sprint("rule ", n%25)
			if n == 7 {
				e.Priority = event.Critical
			}
		}))
		events = append(events, e)
	}
	last = digest(events)
	if last.Priority != event.Critical || !strings.HasPrefix(last.Output, "30 events waited") || !strings.Contains(last.Output, "\n1 × rule 7 on node-1\n2 × ") ||
		!strings.HasSuffix(last.Output, "of 5 other kinds") || last.Check() != nil || last.UUID != digest(events).UUID {
		t.Errorf("%+v", last)
	}
}

// A file that names every output of the original, with its keys as they come there, is taken as it is: also the
// sections of outputs that are not ours, as long as nothing is meant by them.
func TestConfigOfTheOriginal(t *testing.T) {
	cfg, err := Load("testdata/original.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range cfg.Problems {
		t.Error(p)
	}
	if len(cfg.Instances) != 0 {
		t.Errorf("outputs are on: %v", cfg.Instances)
	}
	text, err := os.ReadFile("testdata/original.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for section := range others {
		if !strings.Contains(strings.ToLower(string(text)), section[strings.LastIndex(section, ".")+1:]+":") {
			t.Errorf("the file lacks %s", section)
		}
	}
	cfg, err = Parse(strings.Replace(string(text), `logs: {endpoint: ""}`, `logs: {endpoint: "http://x"}`, 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !cfg.Fatal() || len(cfg.Problems) != 1 || !strings.Contains(cfg.Problems[0].String(), "otlp.logs: is an output that this version does not have") {
		t.Errorf("otlp.logs is meant: %v", cfg.Problems)
	}
}
