// SPDX-License-Identifier: Apache-2.0

package event

import "time"

// The ways to print a time, which is in ns since the epoch. All but ISO 8601
// show it in the local zone.

func wall(ns uint64) time.Time { return time.Unix(int64(ns/1e9), int64(ns%1e9)) }

// AppendClockNs appends "15:04:05.000000000".
func AppendClockNs(buf []byte, ns uint64) []byte {
	return wall(ns).AppendFormat(buf, "15:04:05.000000000")
}

// AppendClock appends "15:04:05".
func AppendClock(buf []byte, ns uint64) []byte { return wall(ns).AppendFormat(buf, "15:04:05") }

// AppendDateTime appends "2006-01-02 15:04:05.000000000".
func AppendDateTime(buf []byte, ns uint64) []byte {
	return wall(ns).AppendFormat(buf, "2006-01-02 15:04:05.000000000")
}

// AppendDateTimeS appends "2006-01-02 15:04:05".
func AppendDateTimeS(buf []byte, ns uint64) []byte {
	return wall(ns).AppendFormat(buf, "2006-01-02 15:04:05")
}

// AppendISO8601 appends "2006-01-02T15:04:05.000000000+0000", in UTC.
func AppendISO8601(buf []byte, ns uint64) []byte {
	return wall(ns).UTC().AppendFormat(buf, "2006-01-02T15:04:05.000000000-0700")
}
