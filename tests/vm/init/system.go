// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/falco-go/falco/tests/vm/wire"
)

// Functions stand in the order in which main calls them.

// mounts are what a service finds on an ordinary Debian; the targets are in the initramfs.
var mounts = []struct {
	source, target, kind string
	flags                uintptr
	data                 string
}{
	{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
	{"sysfs", "/sys", "sysfs", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
	{"devtmpfs", "/dev", "devtmpfs", syscall.MS_NOSUID, "mode=755"},
	{"devpts", "/dev/pts", "devpts", syscall.MS_NOSUID | syscall.MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
	{"tmpfs", "/dev/shm", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777"},
	{"tmpfs", "/tmp", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777"},
	{"tmpfs", "/run", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=755"},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, "nsdelegate"},
	{"securityfs", "/sys/kernel/security", "securityfs", syscall.MS_NOSUID, ""},
	{"tracefs", "/sys/kernel/tracing", "tracefs", syscall.MS_NOSUID, ""},
}

// optional may be missing in a kernel.
var optional = map[string]bool{"securityfs": true, "tracefs": true}

// isMounted has the targets of what was mounted.
var isMounted = map[string]bool{}

// early is all that systemd shall find: it mounts the rest itself.
var early = map[string]bool{"/proc": true, "/sys": true, "/dev": true, "/run": true}

func mountAll(plan *wire.Plan) {
	systemd := plan.Disk != nil && plan.Disk.Systemd
	for _, m := range mounts {
		if systemd && !early[m.target] || plan.CgroupV1 && m.kind == "cgroup2" {
			continue
		}
		err := os.MkdirAll(m.target, 0o755)
		if err == nil || errors.Is(err, os.ErrPermission) {
			err = syscall.Mount(m.source, m.target, m.kind, m.flags, m.data)
		}
		if err != nil && !optional[m.kind] {
			check("mount "+m.target, err)
		}
		isMounted[m.target] = err == nil
	}
	for link, target := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0",
		"/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
	} {
		os.Symlink(target, link)
	}
	switch {
	case systemd:
	case plan.CgroupV1:
		mountCgroupV1("/sys/fs/cgroup")
	default:
		enableControllers("/sys/fs/cgroup")
	}
	syscall.Setsid()
	kmsg("mounted")
}

// enableControllers hands every controller on to the groups below: without that a task shows no path for them.
func enableControllers(group string) {
	text, err := os.ReadFile(filepath.Join(group, "cgroup.controllers"))
	check("read the cgroup controllers", err)
	for _, name := range strings.Fields(string(text)) {
		// Some cannot be handed on (cpu with real-time tasks about): the others shall be.
		os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+name), 0)
	}
}

// mountCgroupV1 has a tree for each controller, and one for systemd's names, which runc wants to see.
func mountCgroupV1(root string) {
	const flags = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	check("mount "+root, syscall.Mount("tmpfs", root, "tmpfs", flags, "mode=755"))
	text, err := os.ReadFile("/proc/cgroups")
	check("read the cgroup controllers", err)
	options := map[string]string{"systemd": "none,name=systemd"}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 4 && fields[3] == "1" {
			options[fields[0]] = fields[0]
		}
	}
	for name, option := range options {
		check("mount "+name, os.Mkdir(filepath.Join(root, name), 0o755))
		check("mount "+name, syscall.Mount("cgroup", filepath.Join(root, name), "cgroup", flags, option))
	}
}

func nameHost(name string) {
	if name != "" {
		check("set the host name", syscall.Sethostname([]byte(name)))
	}
}

// raiseLoopback sets lo up; the kernel then gives it 127.0.0.1 and ::1.
func raiseLoopback() {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	check("open a socket", err)
	defer syscall.Close(fd)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		check("set lo up", errno)
	}
}

func insmodAll(paths []string) {
	for _, path := range paths {
		insmod(path, "")
	}
}

// finitModule is the number of finit_module(2).
var finitModule = map[string]uintptr{"amd64": 313, "arm64": 273}

func insmod(path, params string) {
	if path == "" {
		return
	}
	file, err := os.Open(path)
	check("insmod", err)
	defer file.Close()
	text := append([]byte(params), 0)
	_, _, errno := syscall.Syscall(finitModule[runtime.GOARCH], file.Fd(), uintptr(unsafe.Pointer(&text[0])), 0)
	if errno != 0 {
		check("insmod "+path, errno)
	}
}

// rmmod unloads our module at the end of every run, unless the act has done so: that it can be unloaded is part of what is
// tried.
func rmmod(path string) {
	if path == "" {
		return
	}
	name := append([]byte(strings.TrimSuffix(filepath.Base(path), ".ko")), 0)
	_, _, errno := syscall.Syscall(syscall.SYS_DELETE_MODULE, uintptr(unsafe.Pointer(&name[0])), syscall.O_NONBLOCK, 0)
	switch errno {
	case 0:
		report(wire.Report{Kind: wire.KindUnload})
	case syscall.ENOENT:
		report(wire.Report{Kind: wire.KindUnload, Text: "was not loaded any more"})
	default:
		report(wire.Report{Kind: wire.KindUnload, Code: int(errno), Text: errno.Error()})
	}
}

// readMemory gives /proc/meminfo in bytes, after the kernel has let go of what it only caches.
func readMemory() map[string]int64 {
	syscall.Sync()
	os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
	text, err := os.ReadFile("/proc/meminfo")
	check("read /proc/meminfo", err)
	memory := map[string]int64{}
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			memory[strings.TrimSuffix(fields[0], ":")] = n << 10
		}
	}
	return memory
}

func readDmesg() string {
	const readAll, sizeBuffer = 3, 10
	size, err := syscall.Klogctl(sizeBuffer, nil)
	if err != nil || size <= 0 {
		return ""
	}
	text := make([]byte, size)
	n, err := syscall.Klogctl(readAll, text)
	if err != nil || n < 0 {
		return ""
	}
	return string(text[:n])
}

func powerOff() {
	kmsg("power off")
	closePorts()
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}
