// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// notInOriginal are the fields of OriginalEvent that are numbers: the original leaves out of chats what
// is no string, which is its defect.
var notInOriginal = []string{"evt.time", "proc.pid"}

// decode reads a body of JSON.
func decode(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("%v: %.300s", err, body)
	}
	return m
}

// at walks into what decode has returned: at(m, "attachments", 0, "fields").
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok || m[p] == nil {
				t.Fatalf("there is no %q in %v", p, v)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				t.Fatalf("there is no element %d in %v", p, v)
			}
			v = l[p]
		}
	}
	return v
}

// withoutNumbers takes what the original lacks out of a list of fields, whose names stand under
// key, and fails if it is not there.
func withoutNumbers(t *testing.T, list any, key string) []any {
	t.Helper()
	var out []any
	found := 0
	for _, f := range list.([]any) {
		if slices.Contains(notInOriginal, at(t, f, key).(string)) {
			found++
			continue
		}
		out = append(out, f)
	}
	if found != len(notInOriginal) {
		t.Errorf("%d of the fields %v are there", found, notInOriginal)
	}
	return out
}

// reencode is v as JSON.
func reencode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// names lists what stands under key in a list of objects.
func names(t *testing.T, list any, key string) []string {
	t.Helper()
	var out []string
	for _, f := range list.([]any) {
		out = append(out, at(t, f, key).(string))
	}
	return out
}

// classes sends one event for each answer, and checks the class of the error.
func classes(t *testing.T, o *outputtest.Opened, s *outputtest.Server, want map[int]output.Class) {
	t.Helper()
	for _, status := range []int{0, 400, 401, 403, 404, 408, 410, 413, 422, 425, 429, 500, 502, 503, 504, 301} {
		w, ok := want[status]
		if !ok {
			switch status {
			case 0, 408, 425, 429, 500, 502, 503, 504:
				w = output.Retryable
			case 301, 401, 403, 404, 410:
				w = output.Configuration
			case 413:
				w = output.Big
			default:
				w = output.Final
			}
		}
		s.Script(outputtest.Answer{Status: status})
		err := o.Send(t, outputtest.Event(0))
		if err == nil {
			t.Fatalf("status %d: no error", status)
		}
		if got, _ := output.ClassOf(err); got != w {
			t.Errorf("status %d: %v: class %d, want %d", status, err, got, w)
		}
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	s.Script(outputtest.Answer{Status: 429, Header: map[string]string{"Retry-After": "7"}})
	if _, after := output.ClassOf(o.Send(t, outputtest.Event(0))); after != 7*time.Second {
		t.Errorf("Retry-After of %v, want 7s", after)
	}
}

// crowded is an event with n fields of its own.
func crowded(n int) *event.Event {
	e := outputtest.Event(0).Clone()
	for i := range n {
		e.Fields.Set("a.field."+strings.Repeat("n", i%7)+outputtest.UUID(i)[24:], strings.Repeat("v", 100))
	}
	return e.Seal()
}
