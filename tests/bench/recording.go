// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/state"
)

// recording is a capture of the given material, in memory.
type recording struct{ text []byte }

// openRecording returns os.ErrNotExist if the material is not at hand.
func openRecording(name string) (*recording, error) {
	text, err := os.ReadFile(filepath.Join(shared(), "data", "captures", name+".scap"))
	return &recording{text}, err
}

// round plays the recording from its start, with tables of its own.
func (r *recording) round(look func(*state.State, *state.Scene)) error {
	reader, err := capture.NewReader(bytes.NewReader(r.text))
	if err != nil {
		return err
	}
	defer reader.Close()
	s := state.New(state.Options{})
	if err := reader.Seed(s.Tables()); err != nil {
		return err
	}
	var ev event.Event
	for {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := ev.Decode(rec.Event); err != nil {
			return err
		}
		ev.Num, ev.CPU, ev.Flags = rec.Num, rec.CPU, event.PrefixFlags(rec.Prefix())
		scene := s.Apply(&ev)
		if scene != nil && rec.Flags&capture.StateOnly == 0 {
			look(s, scene)
		}
		s.Settle()
	}
}
