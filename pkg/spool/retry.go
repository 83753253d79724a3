// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Backoff says how long to wait before the next attempt at something that fails:
// anything up to a limit that doubles from Min to Max, so that many who have
// failed together do not come back together.
type Backoff struct {
	Min, Max time.Duration
	n        int
}

// Next returns the next pause. asked is what the other side has asked for, 0 if
// nothing; the pause is that, or up to a tenth more.
func (b *Backoff) Next(asked time.Duration) time.Duration {
	limit := b.Max
	if b.n < 30 && b.Min<<b.n < b.Max && b.Min<<b.n > 0 {
		limit = b.Min << b.n
		b.n++
	}
	if asked > 0 {
		return asked + rand.N(asked/10+1)
	}
	return rand.N(limit + 1)
}

// Attempts is how many pauses there were since the last Reset, as long as they grew.
func (b *Backoff) Attempts() int { return b.n }

// Reset is for when it has worked.
func (b *Backoff) Reset() { b.n = 0 }

// RetryAfter reads the header of that name: seconds, or a date. It returns 0 if
// there is none, if it is in the past, or cannot be read; more than a day is a day.
func RetryAfter(text string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, most)
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(0, min(t.Sub(now), most))
	}
	return 0
}
