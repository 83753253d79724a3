// SPDX-License-Identifier: Apache-2.0

package field

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// shared returns a file of the given material, and skips the test without it.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("FALCO_SHARED not found: %v", err)
	}
	return path
}

type specRow struct {
	prio, typ, args, derivation, notes string
}

var specName = regexp.MustCompile("^`([^`]+)`$")

// specFields reads the tables of fields.md §7.
func specFields(t *testing.T) map[string]specRow {
	f, err := os.Open(shared(t, "spec/fields.md"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := make(map[string]specRow)
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := strings.ReplaceAll(sc.Text(), `\|`, "\x00")
		cells := strings.Split(line, "|")
		if len(cells) < 7 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], "\x00", "|"))
		}
		if m := specName.FindStringSubmatch(cells[2]); m != nil && strings.HasPrefix(cells[1], "P") {
			row := specRow{cells[1], cells[3], cells[4], cells[5], ""}
			if len(cells) > 7 {
				row.notes = cells[7]
			}
			rows[m[1]] = row
		}
	}
	return rows
}

// typesOf lists what may implement a type of the table.
var typesOf = map[string][]Type{
	"string": {String}, "char": {String}, "bool": {Bool}, "ip": {IP}, "ipnet": {IPNet}, "port": {Port}, "port u16": {Port},
	"bytebuf": {Bytes}, "double": {Double}, "i16": {Int16}, "i32": {Int32}, "i32 hex": {Int32}, "i64": {Int64},
	"u32": {Uint32}, "u32 0/1": {Uint32}, "u64": {Uint64}, "u64 kB": {Uint64}, "u64 B": {Uint64}, "u64 ns epoch": {Uint64},
	"native type of the parameter": {Other},
}

func TestCatalogueIsThatOfTheSpec(t *testing.T) {
	rows := specFields(t)
	if len(rows) != 359 {
		t.Fatalf("read %d rows of fields.md, want 359", len(rows))
	}
	for name, row := range rows {
		d, ok := Lookup(name)
		if !ok {
			t.Errorf("%s (%s) is missing", name, row.prio)
			continue
		}
		want := typesOf[row.typ]
		switch {
		case strings.Contains(row.typ, "reltime"):
			want = []Type{RelTime}
		case strings.Contains(row.typ, "abstime"):
			want = []Type{AbsTime}
		}
		if len(want) == 0 {
			t.Errorf("%s: nothing known about type %q", name, row.typ)
		} else if d.Type != want[0] {
			t.Errorf("%s is %s, the table says %s", name, d.Type.SchemaName(), row.typ)
		}
		required := strings.Contains(row.args, "required")
		if required != (d.Args&ArgRequired != 0) && !strings.HasPrefix(name, "container.mount.") && name != "k8s.pod.label" {
			t.Errorf("%s: required argument = %v, the table says %q", name, d.Args&ArgRequired != 0, row.args)
		}
		if takes := strings.ContainsAny(row.args, "[") || strings.Contains(row.args, "`."); takes && d.Args == ArgNone {
			t.Errorf("%s takes no argument, the table says %q", name, row.args)
		}
		if strings.Contains(row.args, "filter only") != d.Has(FilterOnly) {
			t.Errorf("%s: filter only = %v, the table says %q", name, d.Has(FilterOnly), row.args)
		}
		if deprecated := strings.Contains(row.notes, "DEPRECATED"); deprecated && !d.Has(Deprecated) {
			t.Errorf("%s is not marked as deprecated", name)
		}
	}
	for _, d := range Catalogue {
		if _, ok := rows[d.Name]; !ok && !d.Has(Realpath) && d.Name != "evt.metadata" { // those are our own
			t.Errorf("%s is not in fields.md", d.Name)
		}
	}
}

func TestCatalogueIsSound(t *testing.T) {
	seen := make(map[string]bool)
	for _, d := range Catalogue {
		if seen[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		seen[d.Name] = true
		if d.Get == nil || d.Type == 0 || d.Type >= numTypes {
			t.Errorf("%s has no getter or no type", d.Name)
		}
		if len(d.Desc) < 10 || !strings.HasSuffix(d.Desc, ".") {
			t.Errorf("%s: %q is no description", d.Name, d.Desc)
		}
	}
	n := 0
	for i := range Classes {
		n += len(Classes[i].Fields)
	}
	if n != len(Catalogue) {
		t.Errorf("the classes have %d fields, the catalogue %d", n, len(Catalogue))
	}
}

// The names behind evt.arg are those of the spec.
func TestParameterNames(t *testing.T) {
	b, err := os.ReadFile(shared(t, "spec/fields.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "Accepted set for")
	_, rest, _ = strings.Cut(rest, "\n\n")
	list, _, _ := strings.Cut(rest, "\n\n")
	want := make(map[string]bool)
	for _, w := range strings.Fields(list) {
		want[strings.Trim(w, "`")] = true
	}
	if len(want) != 223 {
		t.Fatalf("read %d names, want 223", len(want))
	}
	for name := range want {
		if !paramNames[name] {
			t.Errorf("evt.arg.%s is not accepted", name)
		}
	}
	for name := range paramNames {
		if !want[name] {
			t.Errorf("evt.arg.%s is accepted", name)
		}
	}
}

func TestKnownType(t *testing.T) {
	for _, name := range []string{"open", "execve", "procexit", "switch", "container", "getpid", "useradded"} {
		if !KnownType(name) {
			t.Errorf("%s is not known", name)
		}
	}
	for _, name := range []string{"", "NA", "opem", "open_x"} {
		if KnownType(name) {
			t.Errorf("%q is known", name)
		}
	}
	if schema.Events[schema.OpenX].Name != "open" {
		t.Fatal("the schema has changed")
	}
}
