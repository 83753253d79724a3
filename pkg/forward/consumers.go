// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"errors"
	"os"

	"github.com/falco-go/falco/pkg/forward/consume"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/spool"
)

// consumers makes the consumers that the settings ask for; those of old whose settings are the same go on.
func (f *Forwarder) consumers(cfg *Config, run, old *running) error {
	list, err := consume.Open(&cfg.Consume, f.env(cfg, &Instance{ID: "consume", Kind: &output.Kind{Title: "consume"}}, run.enrich), f.sink)
	if err != nil {
		return err
	}
	for _, c := range list {
		if old != nil {
			for _, o := range old.consumers {
				if o.Same(c) {
					c = o
				}
			}
		}
		run.consumers = append(run.consumers, c)
	}
	return nil
}

// sink takes what a consumer has, and returns when it is on the disk, whatever spool.sync says: then
// the consumer tells the other side to forget it.
func (f *Forwarder) sink(source string, msgs []consume.Message) consume.Result {
	in := f.consumed[0]
	for _, c := range f.consumed {
		if c.name == source {
			in = c
		}
	}
	parts := make([]part, len(msgs))
	for i, m := range msgs {
		parts[i] = part{bytes.TrimSpace(m.Body), m.ID}
	}
	r := f.take(in, parts, "")
	if r.Err == nil && f.memory == "" {
		r.Err = f.sp.Sync()
	}
	out := consume.Result{Accepted: r.Accepted, Duplicates: r.Duplicates, Rejected: r.refused, Err: r.Err}
	if len(r.Rejected) > 0 {
		out.First, out.Why = r.Rejected[0].Index, errors.New(r.Rejected[0].Error)
	}
	return out
}

// StopConsumers ends what is consumed: what was taken is acknowledged, the rest stays where it is.
func (f *Forwarder) StopConsumers() {
	f.mu.Lock()
	defer f.mu.Unlock()
	stopConsumers(f.live.Load())
}

func stopConsumers(run *running) {
	for _, c := range run.consumers {
		c.Stop()
	}
}

// looker is the reader of the spool that is there only while we look what was here already.
const looker = "known-events"

// remember notes the UUIDs of the events that are still in the spool: those which a sender, that has had
// no answer before we ended, will send once more.
func (f *Forwarder) remember() (err error) {
	r, err := f.sp.Reader(looker)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.sp.Forget(looker); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}()
	for {
		rec, ok, err := r.TryNext()
		if err != nil || !ok {
			return err
		}
		if key, ok := sealedUUID(&rec); ok {
			f.known.add([][16]byte{key})
		}
		r.Ack(rec.Seq)
	}
}

// sealedUUID reads the UUID of a record: it is what our own writing of an event begins with.
func sealedUUID(rec *spool.Record) (key [16]byte, ok bool) {
	text, ok := bytes.CutPrefix(rec.Payload, []byte{formAll})
	if !ok {
		return key, false // for one output alone: it may come again for the others
	}
	text, ok = bytes.CutPrefix(text, []byte(`{"uuid":"`))
	if !ok || len(text) < 36 {
		return key, false
	}
	return parseUUID(string(text[:36]))
}
