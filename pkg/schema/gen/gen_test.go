// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copyTables copies the real tables, changing one of them.
func copyTables(t *testing.T, file, old, new string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"events.tbl", "flags.tbl", "syscalls.tbl", "abi.tbl", "legacy.tbl", "convert.tbl"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == file {
			if !strings.Contains(string(text), old) {
				t.Fatalf("%s does not contain %q", name, old)
			}
			text = []byte(strings.Replace(string(text), old, new, 1))
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A slip in a table is found with its place, before any compiler sees it.
func TestSlipsAreFound(t *testing.T) {
	for _, c := range []struct{ name, file, old, new, want string }{
		{"unknown type", "events.tbl", "dirfd  fd         dec     arg0", "dirfd  fdx        dec     arg0", `no type "fdx"`},
		{"unknown set", "events.tbl", "set=file_flags", "set=file_flagz", `no set "file_flagz"`},
		{"unknown map", "events.tbl", "arg1:chmod_mode", "arg1:chmod_mod", `no map "chmod_mod"`},
		{"auto without source", "events.tbl", "res   errno  dec     ret", "res   errno  dec     -", "is auto, but nothing says where"},
		{"code out of order", "events.tbl", "event 3   open_x", "event 4   open_x", "expected 3"},
		{"odd line", "events.tbl", "event 3   open_x", "evnt 3   open_x", "not a line of this table"},
		{"unknown event", "syscalls.tbl", "openat_x", "openat_y", `no event "openat_e" or "openat_y"`},
		{"unknown family", "syscalls.tbl", "openat_x              path", "openat_x              pats", `no family "pats"`},
		{"no number", "flags.tbl", "O_APPEND        0x8", "O_APPEND        8x8", "is not a number"},
		{"overlap", "abi.tbl", "@64", "@8", "overlaps"},
		{"conversion, unknown event", "convert.tbl", "to:execve_e ", "to:execve_20_e ", `no event "execve_18_e" or "execve_20_e"`},
		{"conversion, too many", "convert.tbl", "old0-16 empty\nexecve_e", "old0-16 empty*16\nexecve_e", "more parameters than execve_x has"},
		{"conversion, no such parameter", "convert.tbl", "old0-7 empty*5\nclone", "old0-8 empty*4\nclone", "no old8"},
		{"conversion, no enter parameter", "convert.tbl", "enter0\nread_e", "enter1\nread_e", "no enter1"},
		{"conversion, odd source", "convert.tbl", "enter0\nread_e", "entry0\nread_e", `no source "entry0"`},
		{"legacy, unknown event", "legacy.tbl", "dup_x             dup_0_x", "dup_x             dup_9_x", `no event "dup_x", "dup_9_x"`},
		{"legacy, event too new", "legacy.tbl", "dup_x             dup_0_x", "dup_x             dup_x", "the reader knows events below 336 only"},
		{"legacy, unknown parameter", "legacy.tbl", "openat_e          1,2,3,4", "openat_e          1,2,3,7", "no parameter 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := generate(copyTables(t, c.file, c.old, c.new), "")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestCheckFindsStaleFiles(t *testing.T) {
	dir := copyTables(t, "", "", "")
	if err := run(dir, dir, true); err == nil {
		t.Error("missing files are fresh")
	}
	if err := run(dir, dir, false); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, dir, true); err != nil {
		t.Error(err)
	}
	f := filepath.Join(dir, "flags_gen.c")
	text, err := os.ReadFile(f)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(f, append(text, '\n'), 0o600)
	if err := run(dir, dir, true); err == nil || !strings.Contains(err.Error(), "stale") {
		t.Errorf("stale file: %v", err)
	}
}
