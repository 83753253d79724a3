// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"time"
)

// A sink that stays broken is told of often at first, and then now and then.
const (
	refrainFirst = 5
	refrainEvery = time.Minute
)

// refrain keeps an error that repeats itself from filling the log.
type refrain struct {
	last   string
	n      int // failures in a row with this error
	hushed int // of these, not told since the last one that was
	told   time.Time
}

// of returns what is to be said about err, "" if nothing.
func (r *refrain) of(err error, now time.Time) string {
	switch {
	case err == nil:
		*r = refrain{}
		return ""
	case err.Error() != r.last:
		*r = refrain{last: err.Error()}
	}
	if r.n++; r.n > refrainFirst && now.Sub(r.told) < refrainEvery {
		r.hushed++
		return ""
	}
	text := r.last
	if r.hushed > 0 {
		text = fmt.Sprintf("%s (and %d times more)", text, r.hushed)
	}
	r.hushed, r.told = 0, now
	return text
}
