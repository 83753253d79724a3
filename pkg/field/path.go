// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/state"
)

// unknownDir stands for a directory that nobody knows.
const unknownDir = "<UNKNOWN>"

// appendFrom appends rel as seen from a directory, which comes in the two
// pieces that State.DirBase gives.
func appendFrom(buf []byte, base, slash, rel string) []byte {
	if slash == "" || rel == "" || rel[0] == '/' {
		return state.AppendPath(buf, base, rel)
	}
	// The pieces are put together behind buf, the result behind them, and then it
	// is moved down over them.
	n := len(buf)
	buf = append(append(buf, base...), slash...)
	whole := buf[n:]
	out := state.AppendPath(buf, event.View(whole), rel)
	return out[:n+copy(out[n:], out[len(buf):])]
}
