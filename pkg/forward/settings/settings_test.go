// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

type Account struct {
	ID  string `key:"accesskeyid"`
	Key Secret `key:"secretaccesskey"`
}

type Common struct {
	Check bool `key:"checkcert" default:"true"`
	Max   *int `key:"maxconcurrentrequests"`
}

type sample struct {
	URL     Secret            `key:"url" enables:"true"`
	Mode    string            `key:"mode" default:"all" oneof:"all,text"`
	Wait    time.Duration     `key:"wait" default:"2s"`
	Flush   time.Duration     `key:"flush" default:"100" unit:"ms"`
	Tags    []string          `key:"tags"`
	Headers map[string]string `key:"headers"`
	Text    *Template         `key:"text"`
	Batch   struct {
		On   bool  `key:"enabled" default:"true"`
		Size int64 `key:"size" default:"1_000"`
	} `key:"batching"`
	Account `key:"/cloud"`
	Common
}

func load(t *testing.T, yaml string, environ ...string) (*sample, []Problem) {
	t.Helper()
	l := New(environ)
	if err := l.Parse("f.yaml", []byte(yaml)); err != nil {
		t.Fatal(err)
	}
	s := &sample{}
	l.Bind(s, "frob")
	l.Unknown()
	return s, l.Problems
}

func TestBind(t *testing.T) {
	s, problems := load(t, `
FROB:
  Url: http://x
  wait: 1500ms
  flush: 5
  tags: [a, "b, c"]
  headers: {X-Case: "a:b", n: 5}
  text: "{{ .Rule }}"
  batching: {size: 5}
Cloud: {accessKeyId: id}
`, "FROB_MODE=TEXT", "CLOUD_SECRETACCESSKEY=s", "FROB_BATCHING_ENABLED=off", "FROB_MAXCONCURRENTREQUESTS=0")
	if len(problems) > 0 {
		t.Error(problems)
	}
	if s.URL != "http://x" || s.Mode != "text" || s.Wait != 1500*time.Millisecond || s.Flush != 5*time.Millisecond || !reflect.DeepEqual(s.Tags, []string{"a", "b, c"}) ||
		!reflect.DeepEqual(s.Headers, map[string]string{"X-Case": "a:b", "n": "5"}) || s.Text.Text != "{{ .Rule }}" || s.Batch.On || s.Batch.Size != 5 ||
		s.ID != "id" || s.Key != "s" || !s.Check || s.Max == nil || *s.Max != 0 {
		t.Errorf("%+v", s)
	}
	if !Enabled(s) {
		t.Error("it is not enabled")
	}
	if s, _ := load(t, ""); Enabled(s) || s.Mode != "all" || s.Wait != 2*time.Second || s.Flush != 100*time.Millisecond || s.Batch.Size != 1000 || s.Max != nil {
		t.Errorf("defaults: %+v", s)
	}
}

// Files: the variable's before the key, the key before its file, and no newline at the end.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, two := file("one", "1\r\n"), file("two", "2\n\n")
	for _, c := range []struct{ yaml, env, want string }{
		{"frob: {url_file: " + two + "}", "", "2"},
		{"frob: {url: x, url_file: " + two + "}", "", "x"},
		{"frob: {url: '', url_file: " + two + "}", "", "2"},
		{"frob: {url: x}", "FROB_URL_FILE=" + one, "1"},
		{"frob: {url_file: " + two + "}", "FROB_URL=e", "e"},
	} {
		s, problems := load(t, c.yaml, c.env)
		if string(s.URL) != c.want || len(problems) > 0 {
			t.Errorf("%s %s: %q, want %q; %v", c.yaml, c.env, string(s.URL), c.want, problems)
		}
	}
}

func TestMaps(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"":                      {},
		"a:b":                   {"a": "b"},
		"a:b:c, d : e ":         {"a": "b:c", "d": "e"},
		`a:b\,c,d:e`:            {"a": "b,c", "d": "e"},
		`{"a": "b,c", "n": 15}`: {"a": "b,c", "n": "15"},
		"a:":                    {"a": ""},
	} {
		if got, err := Map(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"a", ":b", "a:b,c", `{"a": [1]}`} {
		if got, err := Map(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestSecretsAreSecret(t *testing.T) {
	s, _ := load(t, "frob: {url: hunter2}")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(format, s), "hunter2") || strings.Contains(fmt.Sprintf(format, s.URL), "hunter2") {
			t.Errorf("%s prints it", format)
		}
	}
	for _, k := range Describe(s, "frob") {
		if text, _ := k.Text(); strings.Contains(text, "hunter2") {
			t.Errorf("Text of %s is %q", k.Path, text)
		}
	}
	if Signature(s) == Signature(&sample{}) {
		t.Error("another secret makes no other signature")
	}
}

func TestTemplateIsBounded(t *testing.T) {
	tmpl, err := NewTemplate(`{{ range .L }}{{ range $.L }}{{ range $.L }}xxxxxxxxxxxxxxxxxxxx{{ end }}{{ end }}{{ end }}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Execute(map[string]any{"L": make([]int, 200)}); err == nil {
		t.Error("a template makes a text without end")
	}
}

// FuzzParse looks for texts that stop us, and for aliases that fill the memory.
func FuzzParse(f *testing.F) {
	f.Add("frob: {url: x, tags: [a], batching: {size: 5}}", "FROB_HEADERS=a:b")
	f.Add("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nfrob: *c", "")
	f.Add("frob: &f {batching: *f}", "FROB_TEXT={{")
	f.Fuzz(func(t *testing.T, yaml, env string) {
		l := New([]string{env})
		if l.Parse("f.yaml", []byte(yaml)) != nil {
			return
		}
		s := &sample{}
		l.Bind(s, "frob")
		l.BindNode(&sample{}, "frob", l.Section("frob"), "x")
		l.Unknown()
		for _, k := range Describe(s, "frob") {
			k.Text()
		}
	})
}
