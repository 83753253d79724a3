// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/settings"
)

// Names of other packages that every output uses.
type (
	Event    = event.Event
	Fields   = event.Fields
	Pair     = event.Pair
	Priority = event.Priority
	Limits   = event.Limits
	Secret   = settings.Secret
	Template = settings.Template
)

// ChatLimits are the limits of what people read.
var ChatLimits = event.ChatLimits

// Output sends events to a receiver.
type Output interface {
	// Send delivers all of batch, or says what became of it. See the rules in the package's
	// comment.
	Send(ctx context.Context, batch []*Event) error
	// Close ends connections. No Send runs then, and none will come.
	Close() error
}

// A Meter is an Output that is told what the forwarder counts, and gets no events:
// its Send is never called. Count must not block. Names and their tags:
//
//	total                        events that came, good or bad
//	inputs.requests.accepted
//	inputs.requests.rejected     error: nobody, invalidjson
//	falco.accepted               priority
//	outputs                      output: metric name, status: ok, error
type Meter interface {
	Output
	Count(name string, n int, tags ...Tag)
}

// Tag is a word about what was counted: {"status", "ok"}.
type Tag struct{ Key, Value string }

// Batch says how much Send takes at once.
type Batch struct {
	Events int           // 0 means 1
	Bytes  int           // of the events' JSON; 0 is any
	Wait   time.Duration // how long to wait for more when there are few
}

// Rate is how many sends the receiver takes: a bucket of N that fills in Per. The zero
// value is any.
type Rate struct {
	N   float64
	Per time.Duration
}

// Kind describes an output.
type Kind struct {
	Name    string // in metrics: "slack"
	Title   string // in the log: "Slack"
	Section string // of the settings: "slack", "aws.s3"

	Limits  Limits // events beyond it are cut before Send sees them; the zero value is any
	Batch   Batch
	Rate    Rate
	Workers int           // how many Sends at once; 0 means 1. More than one gives up order
	Timeout time.Duration // of one Send; 0 means 10s
	Digest  int           // if more than that wait, they are sent as summaries; 0 means never

	NoMinimum bool     // has no minimumpriority (WebUI)
	Strict    bool     // the test event needs the minimum priority too
	Sources   []string // takes events of these sources alone
	Gone      string   // why one should look for another, if the vendor is gone: "was archived in 2021"

	// Config returns a new settings struct, New an Output for one that is filled.
	// Define sets both.
	Config func() any
	New    func(cfg any, env *Env) (Output, error)

	// Enabled says whether the settings switch the output on; nil means that all keys with
	// the tag enables are set.
	Enabled func(cfg any) bool
	// Adjust changes a copy of the kind by the settings: a batch size, a rate. May be nil.
	Adjust func(cfg any, k *Kind)
}

// Define completes k with the type of its settings and its constructor.
func Define[C any](k Kind, make func(cfg *C, env *Env) (Output, error)) *Kind {
	k.Config = func() any { return new(C) }
	k.New = func(cfg any, env *Env) (Output, error) { return make(cfg.(*C), env) }
	return &k
}

// Find returns the kind of that name, or that section.
func Find(name string) *Kind {
	for _, k := range Kinds() {
		if k.Name == name || k.Section == name {
			return k
		}
	}
	return nil
}
