// SPDX-License-Identifier: Apache-2.0

package capture

import "fmt"

// BlockType says what a block holds.
//
// A block is its type, its length L, a body, padding and L again; L is the length
// of all that, a multiple of four. Numbers from 0x80000000 on are those that were
// used until 2014, for the layouts of today's numbers (current).
type BlockType uint32

// Values of BlockType.
const (
	BlockSection      BlockType = 0x0A0D0D0A
	BlockMachine      BlockType = 0x201
	BlockProcs1       BlockType = 0x202
	BlockFDs1         BlockType = 0x203
	BlockEvent1       BlockType = 0x204
	BlockInterfaces1  BlockType = 0x205
	BlockUsers1       BlockType = 0x206
	BlockProcs2       BlockType = 0x207
	BlockEventFlags1  BlockType = 0x208
	BlockProcs3       BlockType = 0x209
	BlockProcs4       BlockType = 0x210
	BlockProcs5       BlockType = 0x211
	BlockProcs6       BlockType = 0x212
	BlockProcs7       BlockType = 0x213
	BlockProcs8       BlockType = 0x214
	BlockProcs9       BlockType = 0x215
	BlockEvent        BlockType = 0x216
	BlockEventFlags   BlockType = 0x217
	BlockFDs          BlockType = 0x218
	BlockInterfaces   BlockType = 0x219
	BlockUsers        BlockType = 0x220
	BlockEventLarge   BlockType = 0x221
	BlockEventLargeFl BlockType = 0x222
	BlockLongTexts    BlockType = 0xFA1C0001 // ours, in the range that pcapng leaves to everybody
)

// Limits of blocks, in bytes.
const (
	MaxEventBlock = 1 << 16 // an event whose lengths have 16 bits
	MaxLargeBlock = 1 << 26 // one whose lengths have 32
	MaxBlock      = 1 << 30 // a list
)

// Bytes around the body of a block.
const (
	blockHead = 8
	blockTail = 4
)

// Of a section header.
const (
	sectionMagic   = 0x1A2B3C4D
	sectionSwapped = 0x4D3C2B1A
	sectionMajor   = 1
	sectionMinor   = 2
	sectionBody    = 16
)

// machineBody is the length of a machine block's body.
const machineBody = 180

// current returns today's number for what t holds.
func (t BlockType) current() BlockType {
	if t < 0x80000000 {
		return t
	}
	switch t {
	case 0x8002ABCD:
		return BlockMachine
	case 0x8011ABCD:
		return BlockInterfaces1
	case 0x8012ABCD:
		return BlockUsers1
	case 0x8000ABCD:
		return BlockProcs1
	case 0x8013ABCD:
		return BlockProcs2
	case 0x8014ABCD:
		return BlockProcs3
	case 0x8001ABCD:
		return BlockFDs1
	case 0x8010ABCD:
		return BlockEvent1
	}
	return t
}

var blockNames = map[BlockType]string{
	BlockSection: "section header", BlockMachine: "machine",
	BlockProcs1: "processes v1", BlockProcs2: "processes v2", BlockProcs3: "processes v3", BlockProcs4: "processes v4",
	BlockProcs5: "processes v5", BlockProcs6: "processes v6", BlockProcs7: "processes v7", BlockProcs8: "processes v8",
	BlockProcs9: "processes v9", BlockFDs1: "descriptors v1", BlockFDs: "descriptors",
	BlockInterfaces1: "interfaces v1", BlockInterfaces: "interfaces", BlockUsers1: "users v1", BlockUsers: "users",
	BlockEvent1: "event v1", BlockEvent: "event", BlockEventFlags1: "flagged event v1", BlockEventFlags: "flagged event",
	BlockLongTexts: "long texts", BlockEventLarge: "large event", BlockEventLargeFl: "large flagged event",
}

// String names t and gives its number.
func (t BlockType) String() string {
	if n, ok := blockNames[t.current()]; ok {
		return fmt.Sprintf("%#x (%s)", uint32(t), n)
	}
	return fmt.Sprintf("%#x", uint32(t))
}

// isEvent reports whether t holds an event.
func (t BlockType) isEvent() bool {
	switch t {
	case BlockEvent, BlockEventFlags, BlockEventLarge, BlockEventLargeFl, BlockEvent1, BlockEventFlags1:
		return true
	}
	return false
}

// flagged reports whether flags stand between CPU and event.
func (t BlockType) flagged() bool {
	return t == BlockEventFlags || t == BlockEventLargeFl || t == BlockEventFlags1
}
