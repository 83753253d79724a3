// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// A mutant is the module with one mistake: in a file of driver/, the first text is the second one at its nth occurrence.
type mutant struct {
	file, was, is string
	nth           int
	run           string // "64", "32" or "hooks": which acts are to find it
}

// mutants were picked at random, but for the first two; those that no check found have one now.
var mutants = []mutant{
	{"flags_gen.c", "{ 0x400, 0x400, 0x8 },", "{ 0x400, 0x400, 0x40 },", 1, "64"},
	{"flags_gen.c", "{ 0x200, 0x200, 0x2 },", "{ 0x200, 0x200, 0x1 },", 1, "64"},
	{"flags_gen.c", "{ 0x2, 0x2, 0x2 },\t/* IORING_ENTER_SQ_WAKEUP */", "{ 0x2, 0x22, 0x2 },", 1, "64"},
	{"fill_process.c", "f->flags |= FALCO_REC_TRUNCATED;", "f->flags |= 0;", 3, "64"},
	{"fill_process.c", "falco_map(FALCO_MAP_RLIMIT_RESOURCE, (u32)c->args[0])", "falco_map(FALCO_MAP_RLIMIT_RESOURCE, (u32)c->args[1])", 2, "64"},
	{"fill_process.c", "falco_write_user_str(f, c->args[0], FALCO_PATH_MAX);", "falco_write_user_str(f, c->args[1], FALCO_PATH_MAX);", 1, "64"},
	{"fill_process.c", "falco_write_u32(f, creds.gid);", "falco_write_u32(f, creds.uid);", 2, "64"},
	{"fill_process.c", "code >> 8 & 0xff", "code >> 9 & 0xff", 1, "64"},
	{"fill_process.c", "falco_write_u32(f, memory.size);", "falco_write_u32(f, memory.rss);", 1, "64"},
	{"fill_process.c", "case PTRACE_PEEKTEXT:", "case 0x7ad0:", 1, "64"},
	{"fill_process.c", "case PTRACE_PEEKUSR:", "case 0x7ac5:", 1, "64"},
	{"fill_process.c", "case PR_GET_NAME:", "case 0x7ad6:", 1, "64"},
	{"fill_mount.c", "if (addr && cmd == Q_GETFMT &&", "if (addr || cmd == Q_GETFMT &&", 1, "64"},
	{"fill_mount.c", "if (c->ret >= 0 && (cmd == FSCONFIG_SET_STRING", "if (c->ret > 0 && (cmd == FSCONFIG_SET_STRING", 1, "64"},
	{"fill_mount.c", "falco_write_user_str(f, c->args[1], FALCO_PATH_MAX);", "falco_write_user_str(f, c->args[2], FALCO_PATH_MAX);", 1, "64"},
	{"fill_io.c", "falco_write_user_bytes(f, c->args[1], c->ret, f->snaplen);", "falco_write_user_bytes(f, c->args[2], c->ret, f->snaplen);", 1, "64"},
	{"fill_io.c", "(u32)c->args[3] | c->args[4] << 32", "(u32)c->args[4] | c->args[4] << 32", 1, "32"},
	{"fill_io.c", "falco_write_fd(f, c->args[0]);", "falco_write_fd(f, c->args[1]);", 4, "64"},
	{"fill_kernel.c", "falco_write_user_bytes(f, c->args[0], c->args[1], f->snaplen);", "falco_write_user_bytes(f, c->args[1], c->args[1], f->snaplen);", 1, "64"},
	{"fill_socket.c", "case SO_PRIORITY:", "case 0x7ae7:", 1, "64"},
	{"fill_socket.c", "case SO_TIMESTAMPING_OLD:", "case 0x7aa7:", 1, "64"},
	{"fill_socket.c", "if (c->ret >= 0 && backlog.max)", "if (c->ret > 0 && backlog.max)", 1, "64"},
	{"fill_wait.c", "falco_write_s64(f, (s32)c->args[2]);", "falco_write_s64(f, (s32)c->args[3]);", 1, "64"},
	{"fill_signal.c", "return sig >= SIGRTMIN && from_process(info)", "return sig >= SIGRTMIN || from_process(info)", 1, "hooks"},
	{"fill_signal.c", "return true;", "return false;", 1, "hooks"},
}

// apply makes the mistake, or says that there is nothing to make it of.
func (m mutant) apply(text string) (string, error) {
	at := 0
	for range m.nth {
		i := strings.Index(text[at:], m.was)
		if i < 0 {
			return "", fmt.Errorf("%s: not %d times: %s", m.file, m.nth, m.was)
		}
		at += i + len(m.was)
	}
	return text[:at-len(m.was)] + m.is + text[at:], nil
}

// buildMutants gives the modules in dir, by index; the first one has no mistake.
func buildMutants(t *testing.T, kernel *vm.Kernel, dir string) []string {
	t.Helper()
	source := filepath.Join(dir, "driver")
	if err := os.CopyFS(source, os.DirFS("../../driver")); err != nil {
		t.Fatal(err)
	}
	build := func(name string) string {
		cmd := exec.Command("make", "-C", source, "-j2", "KDIR="+kernel.Build(), "CC=gcc-12", "module")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, tail(string(out)))
		}
		to := filepath.Join(dir, name)
		data, err := os.ReadFile(filepath.Join(source, "falco.ko"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return to
	}
	modules := []string{build("right.ko")}
	for i, m := range mutants {
		path := filepath.Join(source, m.file)
		right, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		wrong, err := m.apply(string(right))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(wrong), 0o644); err != nil {
			t.Fatal(err)
		}
		modules = append(modules, build(fmt.Sprintf("wrong%d.ko", i)))
		if err := os.WriteFile(path, right, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return modules
}

// TestMutants holds that the suite finds mistakes: each module has one, and some check fails for it.
func TestMutants(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" || !long {
		t.Skip("only with FALCO_LONG=1 and a guest, or make test-long")
	}
	programs := build(t)
	kernel, err := vm.GetKernel(vm.DefaultKernel, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	modules := buildMutants(t, kernel, t.TempDir())
	commands := map[string]string{
		"64":    "/files/watch /files/acts all",
		"32":    "/files/watch /files/acts32 all",
		"hooks": "/files/watch -only " + hooks + " /files/acts hooks",
	}
	script := "insmod /files/overlay.ko || exit 1\n"
	for i, module := range modules {
		run := "64"
		if i > 0 {
			run = mutants[i-1].run
		}
		script += "insmod /files/" + filepath.Base(module) + " && " + commands[run] + " && rmmod falco || exit 1\n"
	}
	result := vm.Try(t, vm.Config{
		NoDaemon: true, NoModule: true, Timeout: 15 * time.Minute,
		Files: append(modules, programs.watch, programs.acts, programs.acts32,
			filepath.Join(kernel.Modules(), "kernel/fs/overlayfs/overlay.ko")),
		Script: script,
	})
	transcripts := parseTranscripts(result.Act)
	if len(transcripts) != len(modules) {
		t.Fatalf("%d runs of %d; exit code %d\n%s", len(transcripts), len(modules), result.ExitCode, tail(result.Act))
	}
	for i, tr := range transcripts {
		failed := 0
		verdicts, rest := tr.judge("64")
		if i > 0 && mutants[i-1].run == "32" {
			verdicts, rest = tr.judge("32")
		}
		for _, v := range verdicts {
			if v.err != nil {
				failed++
			}
		}
		switch {
		case i == 0 && failed+len(rest) > 0:
			t.Errorf("the right module: %d checks fail; %v", failed, rest)
		case i > 0 && failed+len(rest) == 0:
			t.Errorf("survived: %s: %s -> %s", mutants[i-1].file, mutants[i-1].was, mutants[i-1].is)
		case i > 0:
			t.Logf("%d checks fail for %s: %s -> %s", failed, mutants[i-1].file, mutants[i-1].was, mutants[i-1].is)
		}
	}
}
