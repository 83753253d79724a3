// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strings"
	"time"
)

// ObjectStore are the settings that all stores of objects have in common.
type ObjectStore struct {
	Prefix    string        `key:"prefix" default:"falco" doc:"begin of the objects' names"`
	Layout    string        `key:"layout" default:"per_event" oneof:"per_event,batch" doc:"PREFIX/DATE/TIME-UUID.json for each event, or PREFIX/dt=DATE/hh=HOUR/HOST-UUID.ndjson.gz for many"`
	BatchSize int           `key:"batchsize" default:"10000" doc:"events in an object, with layout batch"`
	BatchWait time.Duration `key:"flushinterval" default:"60s" doc:"how long to wait for so many"`
}

const (
	objectBytes = 5 << 20
	maxKeyPart  = 200
)

// batch is how many events Send takes.
func (c *ObjectStore) batch() Batch {
	if c.Layout != "batch" {
		return Batch{}
	}
	return Batch{Events: max(c.BatchSize, 1), Bytes: objectBytes, Wait: c.BatchWait}
}

// object is what is to be stored. Its name has the UUID of the first event in it, and
// times are those of that event: a second attempt makes the same object.
type object struct {
	key, contentType string
	body             []byte
	events           []int // of the batch
}

func (c *ObjectStore) objects(batch []*Event) []object {
	prefix := strings.Trim(c.Prefix, "/")
	if prefix != "" {
		prefix += "/"
	}
	if c.Layout == "batch" {
		e := batch[0]
		t := e.Time.UTC()
		o := object{contentType: "application/gzip", body: Gzip(append(joinJSON(nil, batch, '\n'), '\n')),
			key: prefix + "dt=" + t.Format("2006-01-02") + "/hh=" + t.Format("15") + "/" + keyPart(e.Hostname) + "-" + keyPart(e.UUID) + ".ndjson.gz"}
		for i := range batch {
			o.events = append(o.events, i)
		}
		return []object{o}
	}
	var out []object
	for i, e := range batch {
		t := e.Time.UTC()
		out = append(out, object{contentType: "application/json", body: e.JSON(), events: []int{i},
			key: prefix + t.Format("2006-01-02") + "/" + t.Format("2006-01-02T15-04-05.000000000Z") + "-" + keyPart(e.UUID) + ".json"})
	}
	return out
}

// keyPart returns text as part of an object's name, without what URLs, shells and
// file systems have a meaning for.
func keyPart(text string) string {
	b := []byte(text[:min(len(text), maxKeyPart)])
	for i, c := range b {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0) {
			b[i] = '_'
		}
	}
	if len(b) == 0 {
		return "unknown"
	}
	return string(b)
}
