// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
)

// ID names an alert for good, so that a receiver can tell that it has it already.
// It is a UUID of version 8: 60 bits that are drawn at random when the program
// starts, and the alert's number since then. An alert that waits on disk keeps the
// one it has, whatever becomes of the program meanwhile; one that is raised after
// a restart has other random bits. The zero ID is none.
type ID [16]byte

// String returns the usual form: 01234567-89ab-8def-8000-000000000001.
func (id ID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// IDs hands out the IDs of one run.
type IDs struct{ run, n uint64 }

// NewIDs begins with random bits of its own.
func NewIDs() *IDs {
	var b [8]byte
	rand.Read(b[:])
	return &IDs{run: binary.BigEndian.Uint64(b[:])}
}

// Next returns the next ID. It is for one goroutine.
func (s *IDs) Next() (id ID) {
	s.n++
	binary.BigEndian.PutUint64(id[:], s.run)
	binary.BigEndian.PutUint64(id[8:], s.n)
	id[6] = id[6]&0x0f | 0x80 // version
	id[8] = id[8]&0x3f | 0x80 // variant
	return id
}
