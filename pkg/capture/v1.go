// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"

	"github.com/falco-go/falco/pkg/schema"
)

// fromV1 gives an event of before 2018 its number of parameters, which then was
// left to be guessed: the highest whose lengths add up.
func (r *Reader) fromV1(old []byte) []byte {
	const head = schema.HeaderSize - 4
	if len(old) < head {
		return nil
	}
	size, typ := int(binary.LittleEndian.Uint32(old[16:])), schema.EventType(binary.LittleEndian.Uint16(old[20:]))
	if typ == schema.NotificationE || typ == schema.InfrastructureEventE {
		size -= 3 // which its writers counted in
	}
	if size < head || size > len(old) {
		return nil
	}
	n := 0
	if info := typ.Info(); info != nil {
		n = len(info.Params)
	}
	values := old[head:size]
	for ; n > 0; n-- {
		if 2*n > len(values) {
			continue
		}
		sum := 2 * n
		for i := range n {
			sum += int(binary.LittleEndian.Uint16(values[2*i:]))
		}
		if sum == len(values) {
			break
		}
	}
	if n == 0 && len(values) > 0 {
		return nil
	}
	r.v1 = append(r.v1[:0], old[:head]...)
	binary.LittleEndian.PutUint32(r.v1[16:], uint32(size+4))
	r.v1 = binary.LittleEndian.AppendUint32(r.v1, uint32(n))
	r.v1 = append(r.v1, values...)
	return append(r.v1, old[size:]...)
}
