// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// A mutant is the module with one mistake: in a file of driver/, the first text is the second one at its nth occurrence.
type mutant struct {
	file, was, is string
	nth           int
	run           string // "64", "32", "hooks" or "snaplen": which acts are to find it
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
	{"fill_io.c", "(u32)c->args[low] | c->args[low + 1] << 32", "(u32)c->args[low + 1] | c->args[low + 1] << 32", 1, "32"},
	{"fill_io.c", "falco_write_fd(f, c->args[0]);", "falco_write_fd(f, c->args[1]);", 4, "64"},
	{"fill_kernel.c", "falco_write_user_bytes(f, c->args[0], c->args[1], f->snaplen);", "falco_write_user_bytes(f, c->args[1], c->args[1], f->snaplen);", 1, "64"},
	{"fill_socket.c", "case SO_PRIORITY:", "case 0x7ae7:", 1, "64"},
	{"fill_socket.c", "case SO_TIMESTAMPING_OLD:", "case 0x7aa7:", 1, "64"},
	{"fill_socket.c", "if (c->ret >= 0 && backlog.max)", "if (c->ret > 0 && backlog.max)", 1, "64"},
	{"fill_wait.c", "falco_write_s64(f, (s32)c->args[2]);", "falco_write_s64(f, (s32)c->args[3]);", 1, "64"},
	{"fill_signal.c", "return sig >= SIGRTMIN && from_process(info)", "return sig >= SIGRTMIN || from_process(info)", 1, "hooks"},
	{"fill_signal.c", "return true;", "return false;", 1, "hooks"},

	// The short ways of frequent calls.
	{"flat.c", "e->id = falco_syscalls[nr].sc;", "e->id = nr;", 1, "64"},
	{"flat.c", "*flags |= FALCO_REC_FAULT;", "*flags |= 0;", 1, "64"},
	{"flat.c", "return ret > 0 ? ret : falco_arg(regs, 2);", "return ret > 0 ? ret : 0;", 1, "64"},
	{"flat.c", "(e)->lengths[1] = n; ", "(e)->lengths[1] = n + 1;", 1, "64"},
	{"flat.c", "(tail)->pos = falco_arg(regs, 3);", "(tail)->pos = falco_arg(regs, 2);", 1, "64"},
	{"flat.c", "(s32)falco_arg(regs, 0), FALCO_INBOUND);", "(s32)falco_arg(regs, 0), FALCO_SENT);", 1, "64"},
	{"flat.c", "if (falco_arg(regs, 4))", "if (0)", 1, "64"},
	{"flat.c", "if (falco_arg(regs, 4))", "if (0)", 2, "64"},
	{"flat.c", "return whole ? n : -1;", "return n;", 1, "64"},
	{"record.c", "if (who && !told_elsewhere(&c))", "if (who)", 1, "64"},
	{"record.c", "while (unlikely(++c->message < c->nmessages))", "while (unlikely(++c->message + 1 < c->nmessages))", 1, "64"},

	// Callers of 32 bits.
	{"args.c", "(u16)c->args[i] == U16_MAX ? U32_MAX : (u16)c->args[i]", "(u16)c->args[i]", 1, "32"},
	{"args.c", "return 0x7;", "return 0x3;", 1, "32"},
	{"args.c", "return (u32)ret;", "return (s32)ret;", 1, "32"},
	{"args.c", "c->args[i] = words[i];", "c->args[i] = (s32)words[i];", 1, "32"},
	{"iov.c", "hdr->controllen = h32.controllen;", "hdr->controllen = 0;", 1, "32"},
	{"fill_cred.c", "c->compat ? (s32)arg : arg", "arg", 1, "32"},

	// What the kernel's objects are asked.
	{"iov.c", "f->flags |= FALCO_REC_TRUNCATED;", "f->flags |= 0;", 2, "snaplen"},
	{"iov.c", "return U32_MAX;", "return 0;", 1, "64"},
	{"sock.c", "*dst = direction == FALCO_INBOUND ? local : peer;", "*dst = direction == FALCO_INBOUND ? peer : local;", 1, "64"},
	{"sock.c", "backlog->max = READ_ONCE(sk->sk_max_ack_backlog);", "backlog->max = READ_ONCE(sk->sk_ack_backlog);", 1, "64"},
	{"sock.c", "path = put_own_name(tuple->path, sk);", "path = put_peer_name(tuple->path, sk, peer);", 1, "64"},
	{"sock.c", "if (len && !path[0]) {", "if (len > 1000) {", 1, "64"},
	{"sock.c", "known->sk == sk", "known->sk", 1, "64"},
	{"task.c", "cred->egid);", "cred->gid);", 1, "64"},
	{"task.c", "pages_to_kb(get_mm_rss(mm))", "pages_to_kb(get_mm_counter(mm, MM_ANONPAGES))", 1, "64"},
	{"task.c", "return task_pgrp_nr_ns(task, &init_pid_ns);", "return task_pgrp_nr_ns(task, task_active_pid_ns(task));", 1, "64"},
	{"task.c", "if (reaper->signal->is_child_subreaper) {", "if (!reaper) {", 1, "64"},
	{"task.c", "MKDEV(major, minor + index)", "MKDEV(major, minor)", 1, "64"},
	{"task.c", "if (known->ids[i] != id) {", "if (!id) {", 1, "64"},
	{"file.c", "return FALCO_LAYER_UPPER;", "return FALCO_LAYER_LOWER;", 1, "64"},
	{"fill_path.c", "(flags & O_TMPFILE) != O_TMPFILE)", "true)", 1, "64"},
	{"fill_path.c", "layer = FALCO_FD_UPPER_LAYER_CREAT;", "layer = FALCO_FD_LOWER_LAYER_CREAT;", 1, "64"},
	{"fill_path.c", "if (!n && uptr && file)", "if (0)", 1, "64"},
	{"fill_cred.c", "falco_write_u64(f, creds.permitted);", "falco_write_u64(f, creds.effective);", 1, "64"},
	{"fill_ipc.c", "cmd == SETVAL ? c->args[3] : 0", "c->args[3]", 1, "64"},
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

// Mistakes are made of what is there: whoever changes that finds them another place.
func TestMutantsApply(t *testing.T) {
	all := slices.Clone(mutants)
	for _, c := range complaints {
		all = append(all, c.mutant)
	}
	for _, m := range all {
		text, err := os.ReadFile(filepath.Join("../../driver", m.file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.apply(string(text)); err != nil {
			t.Error(err)
		}
	}
}

// buildMutants gives the modules in dir, by index; the first one has no mistake.
func buildMutants(t *testing.T, kernel *vm.Kernel, dir string, mutants []mutant) []string {
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

// border stands before the output of each module, and behind the last.
const border = "=====mutant====="

// TestMutants holds that the suite finds mistakes: each module has one, and some check fails for it. FALCO_MUTANTS names the
// files whose mistakes are tried, if not all are.
func TestMutants(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" || !long {
		t.Skip("only with FALCO_LONG=1 and a guest, or make test-long")
	}
	programs := build(t)
	kernel, err := vm.GetKernel(vm.DefaultKernel, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	chosen := mutants
	if files := strings.Fields(os.Getenv("FALCO_MUTANTS")); len(files) > 0 {
		chosen = slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !slices.Contains(files, m.file) })
	}
	if len(chosen) == 0 {
		t.Fatal("FALCO_MUTANTS names no file of which there are mistakes")
	}
	runMutants(t, kernel, programs, chosen, buildMutants(t, kernel, t.TempDir(), chosen))
}

// runMutants loads one module after the other, and judges what the acts are told by each.
func runMutants(t *testing.T, kernel *vm.Kernel, programs programs, mutants []mutant, modules []string) {
	t.Helper()
	commands := map[string]string{
		"64":      "/files/watch /files/acts all",
		"32":      "/files/watch /files/acts32 all",
		"hooks":   "/files/watch -only " + hooks + " /files/acts hooks",
		"snaplen": "/files/watch -snaplen 65000 /files/acts snaplen 65000",
	}
	script := "insmod /files/overlay.ko || exit 1\n"
	for i, module := range modules {
		run := "64"
		if i > 0 {
			run = mutants[i-1].run
		}
		script += "echo " + border + "; insmod /files/" + filepath.Base(module) + " || exit 1; " + commands[run] + "; rmmod falco || exit 1\n"
	}
	result := vm.Try(t, vm.Config{
		NoDaemon: true, NoModule: true, Timeout: 20 * time.Minute, MemoryMB: 1024,
		Files: append(modules, programs.watch, programs.acts, programs.acts32,
			filepath.Join(kernel.Modules(), "kernel/fs/overlayfs/overlay.ko")),
		Script: script + "echo " + border + "\n",
	})
	runs := strings.Split(result.Act, border+"\n")
	if len(runs) != len(modules)+2 {
		t.Fatalf("%d runs of %d; exit code %d\n%s", len(runs)-2, len(modules), result.ExitCode, tail(result.Act))
	}
	for i, text := range runs[1 : len(runs)-1] {
		transcripts := parseTranscripts(text)
		if len(transcripts) != 1 { // watch itself has not understood an event
			if i == 0 {
				t.Fatalf("the right module: %s", tail(text))
			}
			t.Logf("watch stops for %s: %s -> %s", mutants[i-1].file, mutants[i-1].was, mutants[i-1].is)
			continue
		}
		tr := transcripts[0]
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
