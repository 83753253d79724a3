// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"

	"github.com/falco-go/falco/pkg/schema"
)

// Parameters of the generic event.
const (
	genericID     = 0
	genericNative = 1
)

// byNative finds system calls by their numbers on x86_64.
var byNative = func() map[uint16]schema.SyscallCode {
	m := make(map[uint16]schema.SyscallCode, schema.NumSyscalls)
	for i := range schema.Syscalls {
		if s := &schema.Syscalls[i]; s.Name != "" && s.X8664 >= 0 {
			m[uint16(s.X8664)] = s.Code
		}
	}
	return m
}()

// nameGeneric gives a call the code that it did not have yet when it was
// recorded: then only its native number was told. Captures do not say for which
// architecture that is; ten years of them are nearly all of x86_64.
func (c *converter) nameGeneric() {
	if c.ev.typ != schema.GenericX || c.ev.n <= genericNative {
		return
	}
	id, native := c.ev.val[genericID], c.ev.val[genericNative]
	if len(id) != 2 || len(native) != 2 || binary.LittleEndian.Uint16(id) != uint16(schema.ScUnknown) {
		return
	}
	if code, ok := byNative[binary.LittleEndian.Uint16(native)]; ok {
		at := len(c.pad)
		c.pad = binary.LittleEndian.AppendUint16(c.pad, uint16(code))
		c.ev.val[genericID] = c.pad[at:]
	}
}
