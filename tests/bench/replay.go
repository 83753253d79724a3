// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// trial is what one run of a program has cost.
type trial struct {
	wall, cpu time.Duration
	anon      int // kB of anonymous memory, the most that was seen
	peak      int // kB of all memory, the high-water mark
}

// better takes of each figure the lesser one: others use this machine too, and what costs least was disturbed least.
func (t trial) better(u trial) trial {
	t.wall, t.cpu = min(t.wall, u.wall), min(t.cpu, u.cpu)
	t.anon, t.peak = max(t.anon, u.anon), max(t.peak, u.peak)
	return t
}

// try runs a program whose output nobody reads. With watch its anonymous memory is looked at every few milliseconds,
// which costs it a little.
func try(watch bool, command ...string) (trial, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return trial{}, err
	}
	defer null.Close()
	var stderr bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = null, &stderr
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return trial{}, err
	}
	var t trial
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if watch {
		t.anon, t.peak, err = memory(cmd.Process.Pid, done)
	} else {
		err = <-done
	}
	t.wall = time.Since(begin)
	if err != nil {
		return trial{}, fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, &stderr)
	}
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	t.cpu = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return t, nil
}

// memory looks at a process until it is done and returns the most kB that it had of anonymous memory and of all.
func memory(pid int, done <-chan error) (anon, peak int, err error) {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-done:
			return anon, peak, err
		case <-look.C:
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // gone at the end
			kB := func(key string) (n int) {
				_, rest, _ := strings.Cut(string(text), key+":")
				fmt.Sscan(rest, &n)
				return n
			}
			anon, peak = max(anon, kB("RssAnon")), max(peak, kB("VmHWM"))
		}
	}
}

// unpacked returns a capture of the given material, unpacked in a folder of the user's cache, where the next run finds it.
func unpacked(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	packed := filepath.Join(shared(), "data", "captures", name+".scap")
	st, err := os.Stat(packed)
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "falco", "captures", fmt.Sprintf("%s-%d.raw", name, st.Size()))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	out, err := os.CreateTemp(filepath.Dir(path), name)
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd := exec.Command("gzip", "-dc", packed)
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("gzip -dc %s: %w", packed, err)
	}
	return path, os.Rename(out.Name(), path)
}
