// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"fmt"
)

// section begins a new section: nothing that an earlier one told is true any more.
func (r *Reader) section(size int) error {
	// The magic comes before the tail: where it is swapped, the length is too.
	b, err := r.src.need(blockHead + sectionBody)
	if err != nil {
		return r.broken(BlockSection, err)
	}
	if err := checkSection(b[blockHead:]); err != nil {
		return &Error{r.src.off, BlockSection, err}
	}
	if size < blockHead+sectionBody+blockTail || size > MaxEventBlock {
		return &Error{r.src.off, BlockSection, fmt.Errorf("length %d is impossible", size)}
	}
	if _, err := r.whole(BlockSection, size); err != nil {
		return err
	}
	r.src.use(size)
	r.stats.Sections++
	r.conv.pending.clear()
	r.machine, r.long = Machine{}, nil
	r.early = true
	if r.tables != nil {
		r.end()
		r.tables.Begin()
		r.begun = true
	}
	return nil
}

func checkSection(b []byte) error {
	switch magic := binary.LittleEndian.Uint32(b); magic {
	case sectionMagic:
	case sectionSwapped:
		return fmt.Errorf("%w: it was written on a big-endian machine", ErrFormat)
	default:
		return fmt.Errorf("%w: magic number %#x", ErrFormat, magic)
	}
	if major := binary.LittleEndian.Uint16(b[4:]); major != sectionMajor {
		return fmt.Errorf("%w: version %d of the format, only %d is known: is it newer than this program?",
			ErrFormat, major, sectionMajor)
	}
	return nil
}
