// SPDX-License-Identifier: Apache-2.0

package event

import "github.com/falco-go/falco/pkg/schema"

// appendFlags names the bits of v in the order of the set; each name takes its
// bits away, so that a name for several bits hides those of the single ones
// behind it. A name for 0 stands for no bit at all.
func appendFlags(buf []byte, set *schema.FlagSet, v uint32) []byte {
	if set == nil {
		return buf
	}
	start, none := len(buf), v == 0
	for i := range set.Values {
		f := &set.Values[i]
		if f.Value == 0 && !none || f.Value != 0 && (v == 0 || v&f.Value != f.Value) {
			continue
		}
		if len(buf) > start {
			buf = append(buf, '|')
		}
		buf = append(buf, f.Name...)
		v &^= f.Value
	}
	return buf
}

// appendEnum names the value v; several names for one value are joined.
func appendEnum(buf []byte, set *schema.FlagSet, v uint32) []byte {
	if set == nil {
		return buf
	}
	start := len(buf)
	for i := range set.Values {
		if set.Values[i].Value != v {
			continue
		}
		if len(buf) > start {
			buf = append(buf, '|')
		}
		buf = append(buf, set.Values[i].Name...)
	}
	return buf
}

// appendSigSet names the signals of a set: bit n is signal n+1.
func appendSigSet(buf []byte, set uint32) []byte {
	start := len(buf)
	for i := uint64(0); i < 32; i++ {
		if set>>i&1 == 0 || SignalName(i+1) == "" {
			continue
		}
		if len(buf) > start {
			buf = append(buf, ' ')
		}
		buf = append(buf, SignalName(i+1)...)
	}
	return buf
}
