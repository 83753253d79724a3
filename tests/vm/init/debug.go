// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leaks is kmemleak's file, of a kernel that has it. It is opened before the act: the act may lock the kernel down.
var leaks *os.File

func openLeaks(must bool) {
	const file = "/sys/kernel/debug/kmemleak"
	if !must {
		return
	}
	check("mount debugfs", syscall.Mount("debugfs", "/sys/kernel/debug", "debugfs", 0, ""))
	var err error
	leaks, err = os.OpenFile(file, os.O_RDWR, 0)
	check("open kmemleak", err)
}

// lookBack asks a kernel that looks for bugs what it has found, now that our module is gone. must says that this is one:
// then nothing may be missing, and it must have looked until now, since most of these tools fall silent after their first
// find, or when they run out of memory.
func lookBack(must bool) {
	for _, look := range []struct {
		what string
		at   func() error
	}{{"kmemleak", scanLeaks}, {"lockdep", lockdepIsOn}, {"taints", untainted}} {
		err := look.at()
		if !must && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			trouble("%s: %v", look.what, err)
		} else {
			kmsg("asked " + look.what)
		}
	}
}

// scanLeaks looks for memory that nobody knows any more. kmemleak tells of objects that are older than five seconds.
func scanLeaks() error {
	if leaks == nil {
		return os.ErrNotExist
	}
	for range 2 { // what the first scan finds may be on its way between two places
		time.Sleep(6 * time.Second)
		if _, err := leaks.WriteString("scan"); err != nil {
			return err
		}
	}
	if _, err := leaks.Seek(0, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(leaks)
	if err == nil && len(text) > 0 {
		err = fmt.Errorf("%s", text[:min(len(text), 4000)])
	}
	return err
}

// lockdepIsOn holds that lockdep has not given up.
func lockdepIsOn() error {
	text, err := os.ReadFile("/proc/lockdep_stats")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "debug_locks" {
			if strings.TrimSpace(value) == "1" {
				return nil
			}
			return errors.New("is off")
		}
	}
	return errors.New("does not say whether it is on")
}

// untainted holds that the kernel remembers no complaint, whatever it looked like on the console.
func untainted() error {
	const badPage, died, warned, lockup = 1 << 5, 1 << 7, 1 << 9, 1 << 14
	text, err := os.ReadFile("/proc/sys/kernel/tainted")
	if err != nil {
		return err
	}
	taints, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err == nil && taints&(badPage|died|warned|lockup) != 0 {
		err = fmt.Errorf("%#x", taints)
	}
	return err
}
