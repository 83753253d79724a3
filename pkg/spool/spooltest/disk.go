// SPDX-License-Identifier: Apache-2.0

// Package spooltest gives tests a disk that is soon full, a real one.
package spooltest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// smallDisk names the file system, in the process that has one.
const smallDisk = "FALCO_TEST_SMALL_DISK"

// OnSmallDisk runs f with a file system of that size (as tmpfs(5) has it), in a
// process that begins the test once more and whose mounts end with it. It returns
// what that has printed; where f runs it returns nil. The test must do nothing
// before. Root, who may mount, has it fail where that goes wrong; others skip it.
func OnSmallDisk(t *testing.T, size string, f func(t *testing.T, disk string)) []byte {
	t.Helper()
	if disk := os.Getenv(smallDisk); disk != "" {
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") // what follows is for us alone
		if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+size); err != nil {
			t.Skip(err)
		}
		f(t, disk)
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit), bytes.Contains(out, []byte("--- SKIP")):
		if os.Getuid() == 0 {
			t.Fatalf("root could not mount a file system: %v\n%s", err, out)
		}
		t.Skipf("SKIP 1 cases: nobody but root may mount a file system here (%v)\n%s", err, out)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	}
	return out
}
