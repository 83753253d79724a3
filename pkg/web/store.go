// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"errors"
	"time"
)

// Errors of a Store.
var (
	ErrNotFound = errors.New("not found")
	ErrFull     = errors.New("the disk of the store is full")
	ErrExists   = errors.New("there is one already")
)

// Store keeps events. What Append has returned for survives the end of the
// process, however it ends. All methods may be called by several goroutines at a
// time. A method that takes a Query and a context with a deadline answers with
// what it has found so far when time is up, and says so (Partial).
type Store interface {
	// Append keeps events; one whose UUID is there already is not kept twice.
	Append(ctx context.Context, events []*Event) ([]Appended, error)
	Get(ctx context.Context, uuid string) (*Event, error)
	Search(ctx context.Context, q *Query, p Page) (*Found, error)
	// After returns events by their id, oldest first, from the first one above id.
	After(ctx context.Context, id int64, limit int) ([]*Event, error)
	Count(ctx context.Context, q *Query) (*Counts, error)
	Facets(ctx context.Context, q *Query, dims []string, top int) (*Counts, error)
	Histogram(ctx context.Context, q *Query, buckets []int64, split string) (*Histogram, error)
	// Each calls f for all events, newest first, until f fails.
	Each(ctx context.Context, q *Query, f func(*Event) error) error
	Annotate(ctx context.Context, uuids []string, a Annotation) (int, error)
	Delete(ctx context.Context, q *Query) (int, error)
	// Prune deletes what the policy does not want, at most about limit events.
	Prune(ctx context.Context, p *Retention, now time.Time, limit int) (int, error)
	Stats(ctx context.Context) (*StoreStats, error)
	// Last returns the greatest id there is, or 0.
	Last(ctx context.Context) (int64, error)

	// Seen lists the values of a dimension with the first and the last time of each.
	Seen(ctx context.Context, dim string) ([]Seen, error)
	Deliver(ctx context.Context, list []Delivery) error
	Deliveries(ctx context.Context, uuid string) ([]Delivery, error)

	// Records are small things that people make: users, sessions, views.
	PutRecord(ctx context.Context, kind, key string, value []byte, expires int64) error
	AddRecord(ctx context.Context, kind, key string, value []byte, expires int64) error
	Record(ctx context.Context, kind, key string) ([]byte, error)
	Records(ctx context.Context, kind string) (map[string][]byte, error)
	DeleteRecord(ctx context.Context, kind, key string) error

	// Watch calls f, in order of their ids and each once, with the events above an id
	// that this or another replica has appended, until the context ends.
	Watch(ctx context.Context, after int64, f func([]*Event)) error
	Close() error
}

// Appended is what became of an event.
type Appended struct {
	ID        int64
	Duplicate bool
}

// Page is which part of what was found is wanted.
type Page struct {
	Limit  int
	Offset int    // of v1, which counts pages
	Before Cursor // only what comes after this one in the order
	Oldest bool   // oldest first
}

// Cursor is a place in the order of events. The zero value is the beginning.
type Cursor struct{ Time, ID int64 }

// Found is a page of events.
type Found struct {
	Events  []*Event
	Next    Cursor // zero if there are no more
	Partial bool   // time was up
}

// Counts are how many events there are, in all and by the values of dimensions.
type Counts struct {
	Total   int64
	ByDim   map[string][]Count // most frequent first
	Partial bool
	Since   int64 // if Partial: what was counted begins here
}

// Count is how often a value was seen.
type Count struct {
	Value string `json:"value"`
	N     int64  `json:"count"`
}

// Histogram counts events by time. Buckets has one bound more than a series.
type Histogram struct {
	Buckets []int64
	Series  map[string][]int64
	Partial bool
	Since   int64
}

// Annotation is what people say of an event.
type Annotation struct {
	State State
	Note  *string
	Actor string
}

// Seen is a value of a dimension.
type Seen struct {
	Value       string
	First, Last int64
	N           int64
}

// Delivery is what became of an event at an output.
type Delivery struct {
	UUID     string `json:"uuid,omitempty"`
	Output   string `json:"output"`
	State    string `json:"state"`
	Attempts int    `json:"attempts"`
	Error    string `json:"error,omitempty"`
	Time     int64  `json:"time"`
}

// Retention is what is kept: whatever limit is reached first. 0 is no limit.
type Retention struct {
	Age        time.Duration
	Events     int64
	Bytes      int64
	ByPriority map[Priority]time.Duration // these instead of Age
	RollUps    time.Duration              // of the counts, which outlive the events
}

// DefaultRetention is used where nothing is said.
var DefaultRetention = Retention{Age: 30 * day, Events: 1_000_000, Bytes: 2 << 30, RollUps: 365 * day}

const day = 24 * time.Hour

// StoreStats is what the store holds.
type StoreStats struct {
	Kind    string `json:"kind"`
	Events  int64  `json:"events"`
	Bytes   int64  `json:"bytes"`
	Oldest  int64  `json:"oldest"` // microseconds; 0 if empty
	Newest  int64  `json:"newest"`
	Schema  int    `json:"schema"`
	Dropped int64  `json:"pruned"` // events, ever
}
