// SPDX-License-Identifier: Apache-2.0

package outputtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
)

// given returns a file of the given material; without it the test is skipped.
func given(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = "../../../../shared" // of the packages below pkg/forward
	}
	text, err := os.ReadFile(filepath.Join(dir, "data/forwarder", name))
	if err != nil {
		t.Skip("SKIP 1 cases: FALCO_SHARED not found")
	}
	return text
}

// OriginalEvent returns the event that the original's requests are about, as its
// settings have completed it: custom field cluster, custom tag edge.
func OriginalEvent(t testing.TB) *event.Event {
	t.Helper()
	e, err := event.Parse(given(t, "event-in.json"))
	if err != nil {
		t.Fatal(err)
	}
	e.UUID = "521bd066-a897-4b6c-9482-db22ca346c12"
	e.Fields.Set("cluster", "lab")
	e.Tags = append(e.Tags, "edge")
	slices.Sort(e.Tags)
	return e.Seal()
}

// Recording returns what the original's output name has sent, where that is no request of HTTP: "statsd".
func Recording(t testing.TB, name string) []byte {
	t.Helper()
	return given(t, name+".txt")
}

// Original returns the request of the original's output name for OriginalEvent: "slack". The target is in
// Path, with its query.
func Original(t testing.TB, name string) Request {
	t.Helper()
	text := given(t, name+".txt")
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(text)))
	line, err := r.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	method, path, _ := strings.Cut(line, " ")
	h, err := r.ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.R)
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(path, "?")
	return Request{Method: method, Path: path, Query: query, Header: map[string][]string(h), Body: bytes.TrimSpace(body)}
}

// SameJSON compares two bodies as JSON. drop names what is different on purpose, as paths: "endsAt",
// "embeds.0.color"; it is left out on both sides.
func SameJSON(t testing.TB, got, want []byte, drop ...string) {
	t.Helper()
	a, b := parse(t, got), parse(t, want)
	for _, path := range drop {
		remove(a, strings.Split(path, "."))
		remove(b, strings.Split(path, "."))
	}
	x, _ := json.MarshalIndent(a, "", " ")
	y, _ := json.MarshalIndent(b, "", " ")
	if !bytes.Equal(x, y) {
		t.Errorf("got\n%s\nwant\n%s", x, y)
	}
}

func parse(t testing.TB, text []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func remove(v any, path []string) {
	switch v := v.(type) {
	case map[string]any:
		if len(path) == 1 {
			delete(v, path[0])
			return
		}
		remove(v[path[0]], path[1:])
	case []any:
		for i, x := range v {
			if len(path) > 1 && (path[0] == "*" || path[0] == strconv.Itoa(i)) {
				remove(x, path[1:])
			}
		}
	}
}
