// SPDX-License-Identifier: Apache-2.0

package capture

// Kinds of entries in a list of users.
const (
	entryUser  = 0
	entryGroup = 1
)

func (r *Reader) users(c *cursor, told bool) uint64 {
	return c.entries(told, true, func() {
		switch c.u8() {
		case entryUser:
			u := User{UID: c.u32(), GID: c.u32(), Name: c.str(), Home: c.str(), Shell: c.str()}
			if !c.short && c.err == nil {
				r.tables.User(&u)
			}
		case entryGroup:
			g := Group{GID: c.u32(), Name: c.str()}
			if !c.short && c.err == nil {
				r.tables.Group(&g)
			}
		default:
			c.short = true
		}
	})
}
