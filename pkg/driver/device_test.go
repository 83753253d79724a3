// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

func TestVersions(t *testing.T) {
	need := pack(4, 5, 1)
	for _, c := range []struct {
		have Version
		ok   bool
	}{
		{pack(4, 5, 1), true}, {pack(4, 5, 2), true}, {pack(4, 6, 0), true},
		{pack(4, 5, 0), false}, {pack(4, 4, 9), false}, {pack(5, 5, 1), false}, {pack(3, 9, 9), false},
	} {
		if got := need.accepts(c.have); got != c.ok {
			t.Errorf("%s accepts %s: %v", need, c.have, got)
		}
	}
}

func TestCompatible(t *testing.T) {
	good := Info{ABIVersion: schema.ABIAbiVersion, APIVersion: APIVersion, SchemaVersion: SchemaVersion}
	if err := compatible(&good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Info){
		"abi":    func(i *Info) { i.ABIVersion++ },
		"api":    func(i *Info) { i.APIVersion = pack(9, 0, 0) },
		"schema": func(i *Info) { i.SchemaVersion = pack(4, 5, 0) },
	} {
		bad := good
		spoil(&bad)
		if err := compatible(&bad); !errors.Is(err, ErrVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenWithoutModule(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "falco"))
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrUnsupported) {
		t.Errorf("Open: %v", err)
	}
}
