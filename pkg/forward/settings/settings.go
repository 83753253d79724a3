// SPDX-License-Identifier: Apache-2.0

// Package settings fills structs from a YAML file and the environment.
//
// A field of such a struct says with tags what it is:
//
//	type config struct {
//		WebhookURL settings.Secret `key:"webhookurl" enables:"true" doc:"where to post"`
//		Format     string          `key:"outputformat" default:"all" oneof:"all,text,fields" doc:"…"`
//		Batching   struct {
//			Enabled bool `key:"enabled" default:"true"`
//		} `key:"batching"`
//		Cloud                       // embedded: its keys are ours
//		Account  `key:"/aws"`       // a section of its own, which others have too
//	}
//
// For section "slack" the first is read from SLACK_WEBHOOKURL, then from the file
// that SLACK_WEBHOOKURL_FILE names, then from slack.webhookurl in YAML, then from the file that
// slack.webhookurl_file names, and else is the default. _FILE and _file are for all
// keys that hold one text. Keys have no case, but those of maps do.
//
// Kinds: string, Secret, bool, int, int64, float64, *int (nil if not set), time.Duration ("5s", or a
// number of what the tag unit says, seconds if it says nothing), []string (a list, or "a,b"),
// map[string]string (a mapping, or "k:v,k:v", or a JSON object), *Template.
package settings

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// Secret is a text that is never printed.
type Secret string

// String hides the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "<secret>"
}

// GoString hides it from %#v.
func (s Secret) GoString() string { return s.String() }

// Template is a text/template, checked when it is read.
type Template struct {
	Text string
	t    *template.Template
}

// NewTemplate reads text.
func NewTemplate(text string) (*Template, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return nil, err
	}
	return &Template{Text: text, t: t}, nil
}

// maxText is how long what a template makes may become.
const maxText = 1 << 20

type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxText {
		return 0, fmt.Errorf("the text is longer than %d bytes", maxText)
	}
	return b.Buffer.Write(p)
}

// Execute returns what the template makes of view.
func (t *Template) Execute(view any) (string, error) {
	var b bounded
	if err := t.t.Execute(&b, view); err != nil {
		return "", err
	}
	return b.String(), nil
}

// Key is one setting, as a struct describes it.
type Key struct {
	Path    string // "slack.webhookurl"
	Env     string // "SLACK_WEBHOOKURL"
	Default string
	Doc     string
	OneOf   []string
	Enables bool
	Shared  bool // of another section than the struct's own
	Secret  bool

	name string // below the struct: "webhookurl"
	unit time.Duration
	v    reflect.Value
}

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	templateType = reflect.TypeFor[*Template]()
)

// Describe lists the keys of dst, which points to a struct.
func Describe(dst any, section string) []Key {
	return describe(reflect.ValueOf(dst).Elem(), section, "", false)
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "." + b
}

func describe(v reflect.Value, section, below string, shared bool) (out []Key) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, tagged := f.Tag.Lookup("key")
		if !tagged && !f.Anonymous || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			if abs, ok := strings.CutPrefix(name, "/"); ok {
				out = append(out, describe(v.Field(i), abs, below, true)...)
			} else {
				out = append(out, describe(v.Field(i), join(section, name), join(below, name), shared)...)
			}
			continue
		}
		path := join(section, name)
		k := Key{
			Path: path, Env: EnvName(path), Default: f.Tag.Get("default"), Doc: f.Tag.Get("doc"), Enables: f.Tag.Get("enables") != "",
			Shared: shared, Secret: f.Type == secretType, name: join(below, name), unit: time.Second, v: v.Field(i),
		}
		if one := f.Tag.Get("oneof"); one != "" {
			k.OneOf = strings.Split(one, ",")
		}
		if f.Tag.Get("unit") == "ms" {
			k.unit = time.Millisecond
		}
		out = append(out, k)
	}
	return out
}

// EnvName is the name of the variable for a key.
func EnvName(path string) string {
	return strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// Enabled reports whether all keys of dst that enable it are set, and whether it has any.
func Enabled(dst any) bool {
	has := false
	for _, k := range Describe(dst, "") {
		if k.Enables {
			if k.v.IsZero() || k.v.Kind() == reflect.Slice && k.v.Len() == 0 {
				return false
			}
			has = true
		}
	}
	return has
}

// Text returns the value of a key, as YAML has it, secrets hidden; set is false if it is the
// default.
func (k *Key) Text() (text string, set bool) {
	v := k.v
	switch {
	case k.Secret:
		text = v.Interface().(Secret).String()
		return text, text != ""
	case v.Type() == templateType:
		if v.IsNil() {
			return "", false
		}
		return v.Interface().(*Template).Text, true
	case v.Type() == durationType:
		text = time.Duration(v.Int()).String()
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return "", false
		}
		return fmt.Sprint(v.Elem().Interface()), true
	case v.Kind() == reflect.Slice:
		text = strings.Join(v.Interface().([]string), ",")
	case v.Kind() == reflect.Map:
		m := v.Interface().(map[string]string)
		if strings.HasSuffix(k.Path, "headers") { // where tokens are
			hidden := map[string]string{}
			for name, value := range m {
				hidden[name] = Secret(value).String()
			}
			m = hidden
		}
		return mapText(m), len(m) > 0
	default:
		text = fmt.Sprint(v.Interface())
	}
	was := reflect.New(v.Type()).Elem()
	d := *k
	d.v = was
	if d.set(d.Default) != nil {
		return text, true
	}
	return text, !reflect.DeepEqual(was.Interface(), v.Interface())
}

// Signature is a text that is another one when a value of dst is: secrets are in it, so it is
// not to be shown.
func Signature(dst any) string {
	var b strings.Builder
	for _, k := range Describe(dst, "") {
		v := k.v.Interface()
		switch v := v.(type) {
		case Secret:
			fmt.Fprintf(&b, "%s=%q ", k.Path, string(v))
		case *Template:
			if v != nil {
				fmt.Fprintf(&b, "%s=%q ", k.Path, v.Text)
			}
		case *int:
			if v != nil {
				fmt.Fprintf(&b, "%s=%d ", k.Path, *v)
			}
		default:
			fmt.Fprintf(&b, "%s=%#v ", k.Path, v)
		}
	}
	return b.String()
}

// YAML returns text, the value of a key, as YAML has it.
func (k *Key) YAML(text string) string {
	switch k.v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64, reflect.Pointer:
		if k.v.Type() != templateType && text != "" {
			return text
		}
	}
	return strconv.Quote(text)
}

// Value returns the value of a key.
func (k *Key) Value() any { return k.v.Interface() }
