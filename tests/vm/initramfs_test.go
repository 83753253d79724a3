// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/tests/vm/wire"
)

// entry is a file of an archive, read back.
type entry struct {
	Mode         uint32
	Data         string
	Major, Minor uint32
}

// readArchive is the other end of archive: the format as the kernel's documentation has it.
func readArchive(data []byte) (map[string]entry, []string, error) {
	entries := map[string]entry{}
	var order []string
	pos := 0
	take := func(n int) ([]byte, error) {
		if n < 0 || pos+n > len(data) {
			return nil, fmt.Errorf("%d bytes wanted at %d of %d", n, pos, len(data))
		}
		pos += n
		return data[pos-n : pos], nil
	}
	for {
		head, err := take(110)
		if err != nil {
			return nil, nil, err
		}
		if string(head[:6]) != "070701" {
			return nil, nil, fmt.Errorf("magic %q at %d", head[:6], pos-110)
		}
		var field [13]uint32
		for i := range field {
			n, err := strconv.ParseUint(string(head[6+8*i:14+8*i]), 16, 32)
			if err != nil {
				return nil, nil, err
			}
			field[i] = uint32(n)
		}
		name, err := take(int(field[11]))
		if err != nil {
			return nil, nil, err
		}
		if name[len(name)-1] != 0 {
			return nil, nil, errors.New("a name without its end")
		}
		pos += -pos & 3
		body, err := take(int(field[6]))
		if err != nil {
			return nil, nil, err
		}
		pos += -pos & 3
		text := string(name[:len(name)-1])
		if text == trailer {
			return entries, order, nil
		}
		if field[2] != 0 || field[3] != 0 {
			return nil, nil, fmt.Errorf("%s belongs to %d:%d", text, field[2], field[3])
		}
		entries[text] = entry{field[1], string(body), field[9], field[10]}
		order = append(order, text)
	}
}

func TestArchive(t *testing.T) {
	host := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a/b/run": 0o755, "a/secret": 0o600} {
		path := filepath.Join(host, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(host, "a/b/run"), 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("b/run", filepath.Join(host, "a/link")); err != nil {
		t.Fatal(err)
	}

	var out bytes.Buffer
	a := newArchive(&out)
	a.dir("/", 0o755)
	a.dir("/tmp", 0o1777)
	a.charDevice("/dev/console", 0o600, 5, 1)
	for i := range 5 {
		a.file(fmt.Sprintf("/etc/f%d", i), 0o644, bytes.Repeat([]byte{'x'}, i))
	}
	a.link("/bin/cat", "/bin/busybox")
	if err := a.copy("/files/a", filepath.Join(host, "a")); err != nil {
		t.Fatal(err)
	}
	if err := a.follow("/files/run", filepath.Join(host, "a/link")); err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}

	got, order, err := readArchive(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]entry{
		".": {Mode: 0o040755}, "tmp": {Mode: 0o041777}, "dev": {Mode: 0o040755}, "etc": {Mode: 0o040755}, "bin": {Mode: 0o040755},
		"files": {Mode: 0o040755}, "files/a": {Mode: 0o040750}, "files/a/b": {Mode: 0o040750},
		"dev/console": {Mode: 0o020600, Major: 5, Minor: 1},
		"etc/f0":      {Mode: 0o100644}, "etc/f1": {Mode: 0o100644, Data: "x"}, "etc/f2": {Mode: 0o100644, Data: "xx"},
		"etc/f3": {Mode: 0o100644, Data: "xxx"}, "etc/f4": {Mode: 0o100644, Data: "xxxx"},
		"bin/cat":        {Mode: 0o120777, Data: "/bin/busybox"},
		"files/a/b/run":  {Mode: 0o104755, Data: "a/b/run"},
		"files/a/secret": {Mode: 0o100600, Data: "a/secret"},
		"files/a/link":   {Mode: 0o120777, Data: "b/run"},
		"files/run":      {Mode: 0o104755, Data: "a/b/run"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The kernel makes no parents.
	seen := map[string]bool{".": true}
	for _, name := range order {
		if parent := filepath.Dir(name); !seen[parent] {
			t.Errorf("%s comes before %s", name, parent)
		}
		seen[name] = true
	}
}

func TestArchiveRefuses(t *testing.T) {
	a := newArchive(&bytes.Buffer{})
	a.stream("/big", 0o644, 1<<32, strings.NewReader(""))
	if err := a.close(); err == nil {
		t.Error("4 GB went into an archive whose sizes have 32 bits")
	}
	a = newArchive(&bytes.Buffer{})
	a.stream("/short", 0o644, 10, strings.NewReader("short"))
	if err := a.close(); err == nil {
		t.Error("a file that ends early went in")
	}
	if err := newArchive(&bytes.Buffer{}).copy("/null", "/dev/null"); err == nil {
		t.Error("a device of the host was copied")
	}
}

// fakeKernel is a kernel folder with a busybox that knows two commands, and no modules.
func fakeKernel(t *testing.T) *Kernel {
	t.Helper()
	kernel := &Kernel{ABI: "6.1.0-1-fake", dir: t.TempDir()}
	if err := os.MkdirAll(kernel.Modules(), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		guestBusybox: "#!/bin/sh\necho bin/cat; echo usr/sbin/chroot; echo bin/sh; echo bin/busybox; echo linuxrc\n",
		guestShell:   "the dynamic one",
	} {
		path := kernel.guest(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return kernel
}

// What a Config becomes in the guest.
func TestGuestRoot(t *testing.T) {
	host := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(host, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	guest := &Guest{
		kernel: fakeKernel(t), init: write("init", "init"), falco: write("falco", "falco"), module: write("falco.ko", "module"),
		config: Config{
			Rules:     []string{write("z/rules.yaml", "z"), write("a/rules.yaml", "a"), write("b.yaml", "b")},
			Act:       write("play.sh", "play"),
			Files:     []string{write("one", "1")},
			FalcoArgs: []string{"-o", "x=y"}, Env: []string{"A=b"},
		},
	}
	root, err := guest.root()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := root.write(&out); err != nil {
		t.Fatal(err)
	}
	files, _, err := readArchive(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"init": "init", "usr/bin/falco": "falco", "lib/modules/6.1.0-1-fake/extra/falco.ko": "module",
		"rules/rules.yaml": "z", "rules/2/rules.yaml": "a", "rules/b.yaml": "b", "root/play.sh": "play", "files/one": "1",
		"bin/cat": "/bin/busybox", "usr/bin/cat": "/bin/busybox", "sbin/chroot": "/bin/busybox", "bin/sh": "the dynamic one",
		"usr/bin/sh": "/bin/busybox",
	} {
		if files[name].Data != data {
			t.Errorf("%s is %q, want %q", name, files[name].Data, data)
		}
	}
	if _, ok := files["usr/bin/busybox"]; ok {
		t.Error("busybox has a twin")
	}
	if files["etc/shadow"].Mode != 0o100640 || files["root"].Mode != 0o040700 {
		t.Errorf("modes: shadow %o, root %o", files["etc/shadow"].Mode, files["root"].Mode)
	}
	var plan wire.Plan
	if err := json.Unmarshal([]byte(files[strings.TrimPrefix(wire.PlanPath, "/")].Data), &plan); err != nil {
		t.Fatal(err)
	}
	want := []string{"/usr/bin/falco", "-r", "/rules/rules.yaml", "-r", "/rules/2/rules.yaml", "-r", "/rules/b.yaml",
		"-o", "json_output=true", "-o", "x=y"}
	if diff := cmp.Diff(want, plan.Daemon); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/bin/sh", "/root/play.sh"}, plan.Act); diff != "" {
		t.Error(diff)
	}
	if plan.Module != "/lib/modules/6.1.0-1-fake/extra/falco.ko" {
		t.Errorf("module %q", plan.Module)
	}
}
