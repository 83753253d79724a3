// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/spool"
)

// Books returns the counts of each output, by its name.
func (f *Forwarder) Books() map[string]Books {
	out := map[string]Books{}
	for _, d := range f.live.Load().outs {
		out[d.inst.ID] = d.books()
	}
	return out
}

// find returns the output of that name.
func (f *Forwarder) find(id string) *delivery {
	for _, d := range f.live.Load().outs {
		if d.inst.ID == id || d.inst.Destination() == id {
			return d
		}
	}
	return nil
}

// Pause holds an output back, or lets it go on.
func (f *Forwarder) Pause(id string, on bool) error {
	d := f.find(id)
	if d == nil {
		return fmt.Errorf("there is no output %q", id)
	}
	d.gate.pause(on)
	if on {
		d.ledger.state(statePaused)
	} else {
		d.ledger.state(stateOK)
	}
	return nil
}

// Replay gives the dead letters of an output to it once more.
func (f *Forwarder) Replay(id string) (int, error) {
	d := f.find(id)
	if d == nil {
		return 0, fmt.Errorf("there is no output %q", id)
	}
	return d.dead.replay(func(letters []Letter) error {
		var entries []spool.Entry
		for _, l := range letters {
			e, err := event.Parse(l.Event)
			if err != nil {
				return err
			}
			entries = append(entries, seal(e.Seal(), d.inst.ID))
		}
		if _, err := f.sp.Append(entries...); err != nil {
			return err
		}
		return f.sp.Sync()
	})
}

// Purge throws the dead letters of an output away.
func (f *Forwarder) Purge(id string) (int, error) {
	d := f.find(id)
	if d == nil {
		return 0, fmt.Errorf("there is no output %q", id)
	}
	return d.dead.purge()
}

// Status is an output with its books.
type Status struct {
	ID, Kind string
	Books
}

// Status returns the books of all outputs, in the order of the settings.
func (f *Forwarder) Status() (out []Status) {
	for _, d := range f.live.Load().outs {
		out = append(out, Status{d.inst.ID, d.kind.Name, d.books()})
	}
	return out
}

// Test sends the test event to one output alone.
func (f *Forwarder) Test(id string) error {
	d := f.find(id)
	if d == nil {
		return fmt.Errorf("there is no output %q", id)
	}
	r, _ := f.Take(f.testBody(), d.inst.ID)
	return r.Err
}

// DeadLetters returns the first dead letters of an output.
func (f *Forwarder) DeadLetters(id string, limit int) ([]Letter, error) {
	d := f.find(id)
	if d == nil {
		return nil, fmt.Errorf("there is no output %q", id)
	}
	return d.dead.list(limit)
}
