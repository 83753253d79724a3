// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// Every event that makes, uses or ends a descriptor, as the schema has it, is in
// the table: what is added there cannot be forgotten here.
func TestTableIsComplete(t *testing.T) {
	// What the flag says of these concerns nothing that is in the tables.
	nothing := map[schema.EventType]bool{
		schema.ShutdownX: true, schema.GetsockoptX: true, // a socket stays what it is
		schema.MountX: true, schema.UmountX: true, schema.Umount2X: true, // no mounts are kept
	}
	for i := range table {
		typ := schema.EventType(i)
		info := typ.Info()
		if info == nil || info.Class != schema.ClassSyscall || typ.IsEnter() || info.Flags&schema.OldVersion != 0 {
			continue
		}
		r := &table[typ]
		if info.Flags&(schema.CreatesFD|schema.DestroysFD|schema.ModifiesState) != 0 && r.fn == nil && !nothing[typ] {
			t.Errorf("%s changes something and has no handler", info.ID)
		}
		if info.Flags&(schema.UsesFD|schema.DestroysFD) != 0 && r.fd == 0 {
			t.Errorf("%s is about a descriptor, and no parameter holds it", info.ID)
		}
		if r.fd == 0 {
			continue
		}
		if int(r.fd) >= len(info.Params) {
			t.Errorf("%s has no parameter %d", info.ID, r.fd)
		} else if p := info.Params[r.fd]; p.Type != schema.TypeFD {
			t.Errorf("%s: parameter %d is %s, no descriptor", info.ID, r.fd, p.Name)
		}
	}
}
