// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// longOnes are a thread and a descriptor with texts beyond what others take.
func longOnes() (Proc, FD) {
	args := []string{"-c", strings.Repeat("a", 20_000), "", strings.Repeat("b", 10_000), ""}
	path := "/" + strings.Repeat("d", 4000)
	return Proc{Tid: 7, Pid: 7, Vtid: 7, Vpid: 7, Comm: "sh", Exe: path, ExePath: path + "/sh", Args: args,
			Env: []string{"A=" + strings.Repeat("e", 5000)}, Cgroups: []string{"cpu=/" + strings.Repeat("g", 4200)}, Cwd: path, Root: "/"},
		FD{Tid: 7, Num: 3, Type: FDFileV2, Name: path, OpenFlags: 1}
}

func writeLong(t *testing.T, legacy bool) ([]byte, WriterStats) {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, legacy)
	long, fd := longOnes()
	w.Proc(&Proc{Tid: 1, Pid: 1, Comm: "init"})
	w.Proc(&long)
	w.Proc(&Proc{Tid: 9, Pid: 9, Comm: "last"})
	w.FD(&FD{Tid: 1, Num: 3, Type: FDFifo, Name: "before"})
	w.FD(&fd)
	w.FD(&FD{Tid: 7, Num: 4, Type: FDFifo, Name: "behind"})
	if err := w.Event(1, 0, 0, closeX(1), nil); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	return b.Bytes(), w.Stats()
}

// What others do not take comes back whole all the same; their copy is cut.
func TestLongTexts(t *testing.T) {
	long, fd := longOnes()
	data, stats := writeLong(t, false)
	s := mustRead(t, data)
	if stats.Cut != 0 || s.Stats.BadEntries+s.Stats.Skipped != 0 || len(s.Procs) != 3 || len(s.FDs) != 3 {
		t.Fatalf("%+v, %d threads, %d descriptors", stats, len(s.Procs), len(s.FDs))
	}
	ids := cmpopts.IgnoreFields(Proc{}, "Sid", "Vpgid", "Pgid", "LoginUID")
	if diff := cmp.Diff(long, s.Procs[1], ids); diff != "" {
		t.Error(diff)
	}
	if s.Procs[2].Comm != "last" || s.Procs[2].Args != nil || s.Procs[2].Exe != "" {
		t.Errorf("the next thread got %.50q", s.Procs[2].Args)
	}
	if s.FDs[0].Name != "before" || s.FDs[1].Name != fd.Name || s.FDs[2].Name != "behind" {
		t.Errorf("%.20q %.20q %.20q", s.FDs[0].Name, s.FDs[1].Name, s.FDs[2].Name)
	}
	others := bytes.NewBuffer(nil)
	for _, b := range blocks(data) {
		if BlockType(le.Uint32(b)) != BlockLongTexts {
			others.Write(b)
		}
	}
	s = mustRead(t, others.Bytes())
	if n := len(strings.Join(s.Procs[1].Args, "\x00")); n > 4096 || len(s.Procs[1].Cwd) > 1023 || len(s.FDs[1].Name) > 1023 {
		t.Errorf("others are told %d bytes of arguments", n)
	}

	data, stats = writeLong(t, true)
	s = mustRead(t, data)
	if stats.Cut != 7 || len(s.Procs) != 3 || !strings.HasPrefix(long.Args[1], s.Procs[1].Args[1]) || len(s.Procs[1].Args[1]) > 4096 {
		t.Errorf("for readers of 2022: %+v", stats)
	}
}

// Texts go to the record right behind them, if they are about it, and to no other.
func TestLongTextsGoAstray(t *testing.T) {
	text := func(tid, fd int64, which uint8, text string) []byte { return entry(true, tid, fd, which, []byte(text)) }
	var procs bytes.Buffer
	w := NewWriter(&procs, false)
	w.Proc(&Proc{Tid: 5, Exe: "sh"})
	w.Proc(&Proc{Tid: 5, Exe: "sh"})
	w.Flush()
	for name, c := range map[string]struct {
		in  []byte
		exe string
		bad uint64
	}{
		"for it":           {text(5, -1, longExe, "long"), "long", 0},
		"for another":      {text(6, -1, longExe, "long"), "sh", 0},
		"for a descriptor": {text(5, 0, longExe, "long"), "sh", 0},
		"of no kind":       {text(5, -1, 99, "long"), "sh", 0},
		"too short":        {[]byte{8, 0, 0, 0, 1, 1, 1, 1}, "sh", 1},
		"too long":         {text(5, -1, longExe, strings.Repeat("x", maxLong+1)), "sh", 1},
		"too many":         {bytes.Repeat(text(5, -1, longExe, "long"), maxLongs+3), "long", 3},
	} {
		s := mustRead(t, section(), block(BlockLongTexts, c.in), blocks(procs.Bytes())[1], evBlock(0, closeX(1)))
		if len(s.Procs) != 2 || s.Procs[0].Exe != c.exe || s.Procs[1].Exe != "sh" || s.Stats.BadEntries != c.bad {
			t.Errorf("%s: %d threads, %+v", name, len(s.Procs), s.Stats.BadEntries)
		}
	}
}

// A sysdig of 2022 reads past the block and takes what is in its place.
func TestOthersSkipLongTexts(t *testing.T) {
	path := sysdig(t)
	data, _ := writeLong(t, false)
	file := filepath.Join(t.TempDir(), "long.scap")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "-r", file, "-p", "*%evt.num %evt.type %proc.name").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "1 close sh") {
		var exit *exec.ExitError
		t.Errorf("%v %v: %.300s", err, errors.As(err, &exit), out)
	}
}
