// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// set reads text into the key. "" is the zero value.
func (k *Key) set(text string) error {
	v := k.v
	if len(k.OneOf) > 0 && text != "" {
		i := slices.IndexFunc(k.OneOf, func(s string) bool { return strings.EqualFold(s, text) })
		if i < 0 {
			return fmt.Errorf("%q is none of %s", text, strings.Join(k.OneOf, ", "))
		}
		text = k.OneOf[i]
	}
	trimmed := strings.TrimSpace(text)
	switch {
	case v.Type() == templateType:
		if text == "" {
			v.SetZero()
			return nil
		}
		t, err := NewTemplate(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(t))
	case v.Type() == durationType:
		d, err := duration(trimmed, k.unit)
		if err != nil {
			return err
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if trimmed == "" {
			v.SetBool(false)
			return nil
		}
		b, err := boolean(trimmed)
		if err != nil {
			return err
		}
		v.SetBool(b)
	case v.Kind() == reflect.Int, v.Kind() == reflect.Int64:
		n, err := integer(trimmed)
		if err != nil {
			return err
		}
		v.SetInt(n)
	case v.Kind() == reflect.Float64:
		n := 0.0
		if trimmed != "" {
			var err error
			if n, err = strconv.ParseFloat(trimmed, 64); err != nil {
				return fmt.Errorf("%q is no number", trimmed)
			}
		}
		v.SetFloat(n)
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Int:
		if trimmed == "" {
			v.SetZero()
			return nil
		}
		n, err := integer(trimmed)
		if err != nil {
			return err
		}
		i := int(n)
		v.Set(reflect.ValueOf(&i))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.ValueOf(List(text)))
	case v.Kind() == reflect.Map:
		m, err := Map(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(m))
	default:
		return fmt.Errorf("a %s cannot be set", v.Type())
	}
	return nil
}

func integer(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number", text)
	}
	return n, nil
}

func boolean(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "t", "1", "yes", "on":
		return true, nil
	case "false", "f", "0", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

func duration(text string, unit time.Duration) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(n * float64(unit)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration, as 500ms, 5s or 2m are", text)
	}
	return d, nil
}

// cut splits text at commas that no backslash stands before.
func cut(text string) (out []string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] == ',':
			b.WriteByte(',')
			i++
		case c == ',':
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(out, b.String())
}

// List reads "a, b": empty parts are left out.
func List(text string) []string {
	var out []string
	for _, s := range cut(text) {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// Map reads "k:v,k:v", split at the first colon of each, or a JSON object. A comma
// in a value is written "\,".
func Map(text string) (map[string]string, error) {
	m := map[string]string{}
	if t := strings.TrimSpace(text); strings.HasPrefix(t, "{") {
		var raw map[string]any
		dec := json.NewDecoder(strings.NewReader(t))
		dec.UseNumber()
		if err := dec.Decode(&raw); err == nil {
			for k, v := range raw {
				switch v := v.(type) {
				case string:
					m[k] = v
				case json.Number, bool:
					m[k] = fmt.Sprint(v)
				default:
					return nil, fmt.Errorf("the value of %q is no text", k)
				}
			}
			return m, nil
		}
	}
	for _, pair := range cut(text) {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		k, v, ok := strings.Cut(pair, ":")
		k = strings.TrimSpace(k)
		if !ok || k == "" {
			return nil, errors.New("a part is not of the form name:value")
		}
		m[k] = strings.TrimSpace(v)
	}
	return m, nil
}

func mapText(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+":"+strings.ReplaceAll(m[k], ",", `\,`))
	}
	return strings.Join(parts, ",")
}
