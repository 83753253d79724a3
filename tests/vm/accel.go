// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// probeLimit is the time in which a guest with KVM must have come and gone: it takes a second where KVM works.
const probeLimit = 10 * time.Second

// accelerator is "kvm" where it works and "tcg" elsewhere. /dev/kvm may be there and a guest hang all the same (nested
// virtualisation): the answer comes from one short boot, and is remembered for this host kernel and this QEMU.
func accelerator(kernel *Kernel, init string, progress *Progress) (string, error) {
	if kernel.Arch != hostArch {
		return "tcg", nil
	}
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return "tcg", nil
	}
	device.Close()
	dir, err := cacheDir("accel")
	if err != nil {
		return "", err
	}
	note := filepath.Join(dir, accelKey())
	if text, err := os.ReadFile(note); err == nil {
		if answer := strings.TrimSpace(string(text)); answer == "kvm" || answer == "tcg" {
			return answer, nil
		}
	}
	step := progress.Step("probe", "whether KVM boots a guest here")
	answer := "tcg"
	if probeKVM(kernel, init) {
		answer = "kvm"
	}
	step.Done(answer)
	temp := fmt.Sprintf("%s.%d", note, os.Getpid())
	if err := os.WriteFile(temp, []byte(answer+"\n"), 0o644); err != nil {
		return "", err
	}
	return answer, os.Rename(temp, note)
}

// accelKey names what the answer depends on.
func accelKey() string {
	var name syscall.Utsname
	syscall.Uname(&name)
	var release []byte
	for _, c := range name.Release {
		if c == 0 {
			break
		}
		release = append(release, byte(c))
	}
	qemu, _ := exec.Command("qemu-system-x86_64", "--version").Output()
	qemu, _, _ = bytes.Cut(qemu, []byte("\n"))
	return fmt.Sprintf("%s-%x", release, sha256.Sum256(qemu))[:len(release)+13]
}

// probeKVM is whether a guest that only switches itself off does so.
func probeKVM(kernel *Kernel, init string) bool {
	guest := &Guest{config: Config{CPUs: 2, MemoryMB: 512, Timeout: probeLimit, NoDaemon: true, NoModule: true},
		kernel: kernel, init: init, accel: "kvm"}
	ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
	defer cancel()
	result, err := guest.Run(ctx)
	return err == nil && result.Complete && len(result.Splats) == 0
}
