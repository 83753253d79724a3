// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/schema"
)

func modulePath() string {
	var uts unix.Utsname
	unix.Uname(&uts)
	return filepath.Join("/lib/modules", unix.ByteSliceToString(uts.Release[:]), "extra/falco.ko")
}

func insmod(params string) error {
	f, err := os.Open(modulePath())
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), params, 0); err != nil {
		return fmt.Errorf("insmod falco %s: %w", params, err)
	}
	return nil
}

// rmmod does not wait for users: they are the error.
func rmmod() error {
	if err := unix.DeleteModule("falco", unix.O_NONBLOCK); err != nil {
		return fmt.Errorf("rmmod falco: %w", err)
	}
	return nil
}

// unload takes the module away again and again under load: never while somebody has it open, at once otherwise.
func unload(s *stage) error {
	stop, err := s.startLoad("mixed", 1)
	if err != nil {
		return err
	}
	defer stop()
	var sum books
	rounds := s.count(10, 200)
	var longest time.Duration
	for i := range rounds {
		r, err := newReader(options{ringBytes: 256 << 10}, nil)
		if err != nil {
			return err
		}
		if err := r.followFor(time.Duration(s.rng.IntN(40)) * time.Millisecond); err != nil {
			return err
		}
		if err := rmmod(); !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("round %d: rmmod while open: %v", i, err)
		}
		if i%2 == 0 {
			b, err := r.finish()
			if err != nil {
				return fmt.Errorf("round %d: %w", i, err)
			}
			sum.add(b)
		} else { // started until the last moment: hooks are running when the module goes
			r.close()
		}
		began := time.Now()
		if err := rmmod(); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		longest = max(longest, time.Since(began))
		if _, err := os.Stat(driver.Path); err == nil {
			return fmt.Errorf("round %d: %s is still there", i, driver.Path)
		}
		if err := insmod(""); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
	}
	s.say("rounds=%d longest=%v", rounds, longest.Round(time.Millisecond))
	s.tell(sum)
	return nil
}

// params loads the module with what it must refuse, and with what it must take.
func params(s *stage) error {
	if err := rmmod(); err != nil {
		return err
	}
	bad := []string{"ring_bytes=0", "ring_bytes=1", "ring_bytes=1000000", "ring_bytes=32768", "ring_bytes=4096", "ring_bytes=1073741824",
		"ring_bytes=65537", "ring_bytes=-65536", "ring_bytes=4294967296", "ring_bytes=x", "ring_bytes="}
	for _, p := range bad {
		if err := insmod(p); !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ERANGE) {
			return fmt.Errorf("insmod %s: %v", p, err)
		}
	}
	for _, want := range []int{schema.ABIRingMinBytes, 128 << 10, 16 << 20} {
		if err := insmod("ring_bytes=" + strconv.Itoa(want)); err != nil {
			return err
		}
		dev, err := driver.Open(driver.Path)
		if err != nil {
			return err
		}
		err = dev.Configure(driver.Config{})
		info, err2 := dev.Info()
		dev.Close()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if info.RingBytes != want || info.Watermark != want/4 {
			return fmt.Errorf("ring_bytes=%d: rings of %d with a watermark of %d", want, info.RingBytes, info.Watermark)
		}
		text, err := os.ReadFile("/sys/module/falco/parameters/ring_bytes")
		if err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(want) {
			return fmt.Errorf("the parameter reads %q, %v", text, err)
		}
		if err := os.WriteFile("/sys/module/falco/parameters/ring_bytes", []byte("65536"), 0); err == nil {
			return errors.New("the parameter can be written")
		}
		if err := rmmod(); err != nil {
			return err
		}
	}
	s.say("refused=%d", len(bad))
	return insmod("")
}

// refusals has those try who may not.
func refusals(s *stage) error {
	st, err := os.Stat(driver.Path)
	if err != nil {
		return err
	}
	if st.Mode().Perm() != 0o600 {
		return fmt.Errorf("%s has mode %v", driver.Path, st.Mode())
	}
	try := func(what string, want string, attr *syscall.SysProcAttr) error {
		cmd := exec.Command("/proc/self/exe", "open")
		cmd.SysProcAttr = attr
		out, _ := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); got != want {
			return fmt.Errorf("%s: open says %q, not %q", what, got, want)
		}
		return nil
	}
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	if err := try("nobody", "permission denied", &syscall.SysProcAttr{Credential: nobody}); err != nil {
		return err
	}
	if err := os.Chmod(driver.Path, 0o666); err != nil {
		return err
	}
	defer os.Chmod(driver.Path, 0o600)
	return errors.Join(
		try("root", "open", nil),
		try("nobody with the file's permission", "operation not permitted", &syscall.SysProcAttr{Credential: nobody}),
		try("nobody with CAP_PERFMON", "open", &syscall.SysProcAttr{Credential: nobody, AmbientCaps: []uintptr{unix.CAP_PERFMON}}),
		try("nobody with CAP_SYS_ADMIN", "open", &syscall.SysProcAttr{Credential: nobody, AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN}}),
		try("nobody with another capability", "operation not permitted", &syscall.SysProcAttr{Credential: nobody, AmbientCaps: []uintptr{unix.CAP_SYS_PTRACE}}),
		try("root of a user namespace", "operation not permitted", &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}),
	)
}

// openOnce says how an open went.
func openOnce([]string) error {
	fd, err := unix.Open(driver.Path, unix.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return nil
	}
	unix.Close(fd)
	fmt.Println("open")
	return nil
}

func init() { roles["open"] = openOnce }

// lockdown closes the kernel: whoever has the device open goes on, nobody else gets in.
func lockdown(s *stage) error {
	const file = "/sys/kernel/security/lockdown"
	if _, err := os.Stat(file); err != nil {
		s.say("skipped: this kernel has no lockdown")
		return nil
	}
	lock := func(level string) error {
		if err := os.WriteFile(file, []byte(level), 0); err != nil {
			return fmt.Errorf("lockdown: %w", err)
		}
		return nil
	}
	if err := lock("integrity"); err != nil {
		return err
	}
	r, err := newReader(options{}, nil)
	if err != nil {
		return fmt.Errorf("locked down for integrity: %w", err)
	}
	if err := lock("confidentiality"); err != nil {
		return err
	}
	if _, err := driver.Open(driver.Path); !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("locked down for confidentiality: open says %v", err)
	}
	if err := r.followFor(50 * time.Millisecond); err != nil {
		return err
	}
	b, err := r.finish()
	if err != nil {
		return err
	}
	if b.produced == 0 {
		return errors.New("who was there before gets nothing any more")
	}
	s.tell(b)
	return nil
}

func inode(st os.FileInfo) string {
	return strconv.FormatUint(st.Sys().(*syscall.Stat_t).Ino, 10)
}
