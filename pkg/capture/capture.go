// SPDX-License-Identifier: Apache-2.0

// Package capture turns a recording into the stream that a kernel would have
// sent, and such a stream into a recording. To everything downstream a capture
// is just another spring of the river.
//
// A file is a sequence of blocks: a section header, what was there before the
// first event (machine, interfaces, users, processes, descriptors), then events.
//
//	NewReader ──► Seed(tables) ──► Next, Next, Next … io.EOF
//	              before events     Record: a view until the next Next
//
// A goroutine reads and unpacks some chunks ahead (ahead.go); events are looked at
// where they lie in these, and not copied.
//
// Files of ten years are read. What has changed in that time is known here and
// nowhere else: an event that comes out of Next has the layout of today
// (convert.go), and what enter events told has moved into the exit events.
//
// Nothing in a file is believed: lengths are checked against what is there
// before memory is taken, unknown blocks are skipped by their length, and what
// cannot be understood is counted.
package capture

import (
	"errors"
	"fmt"
)

// Errors that callers branch on. Those that have a place come wrapped in an *Error.
var (
	// ErrTruncated says that the file ends inside a block. Everything before was
	// delivered: a warning, not a failure.
	ErrTruncated = errors.New("the file ends inside a block")
	// ErrNoEvents says that a file ended before its first event.
	ErrNoEvents = errors.New("no events in file")
	// ErrFormat says that a file is no capture, or of a kind that nobody reads.
	ErrFormat = errors.New("not a capture file")
	// ErrWait says that more of a file must come before there is an event. It is
	// returned as it is, by a Reader that reads ahead.
	ErrWait = errors.New("the file goes on later")
)

// Error tells where in a file reading had to end, and why.
type Error struct {
	Offset int64     // bytes before the block, uncompressed
	Block  BlockType // 0 if its type was not read
	Err    error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Block == 0 {
		return fmt.Sprintf("offset %d: %v", e.Offset, e.Err)
	}
	return fmt.Sprintf("offset %d, block %v: %v", e.Offset, e.Block, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Record is one event of a file.
type Record struct {
	Num     uint64 // running number of the events that Next returned, from 1; 0 if StateOnly
	Event   []byte // header, lengths, values, in the current schema; a view until the next Next
	Options []byte // what follows the event in its block and is no padding (ext.go); a view as well
	CPU     int
	Flags   RecordFlags
}

// RecordFlags are the flags of an event block.
type RecordFlags uint32

// StateOnly marks an event that changes tables and is not shown.
const StateOnly RecordFlags = 1
