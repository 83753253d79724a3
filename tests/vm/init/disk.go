// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/falco-go/falco/tests/vm/wire"
)

// diskPath is where the disk is before it becomes the root.
const diskPath = "/disk"

// enterDisk makes the disk the root, with what the initramfs adds to it. Where systemd is to boot it does not come back:
// systemd takes this process's place and starts init again, as one of its services (resumed).
func enterDisk(disk *wire.Disk) {
	if disk == nil {
		return
	}
	check("make "+diskPath, os.MkdirAll(diskPath, 0o755))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		err := syscall.Mount(disk.Device, diskPath, "ext4", 0, "noinit_itable")
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.ENOENT) || time.Now().After(deadline) { // the driver makes the device in its own time
			check("mount "+disk.Device, err)
		}
	}
	check("add to the disk", addTree(wire.OverlayPath, diskPath))
	check("add to the disk", addFile("/init", filepath.Join(diskPath, "init"), 0o755))
	for _, m := range mounts {
		if strings.Count(m.target, "/") == 1 && isMounted[m.target] { // those below move with it
			check("move "+m.target, os.MkdirAll(diskPath+m.target, 0o755))
			check("move "+m.target, syscall.Mount(m.target, diskPath+m.target, "", syscall.MS_MOVE, ""))
		}
	}
	check("enter the disk", os.Chdir(diskPath))
	check("enter the disk", syscall.Mount(".", "/", "", syscall.MS_MOVE, ""))
	check("enter the disk", syscall.Chroot("."))
	check("enter the disk", os.Chdir("/"))
	kmsg("entered the disk")
}

// addTree copies files and links below from to the same places below to, over what is there.
func addTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case entry.Type() == fs.ModeSymlink:
			text, err := os.Readlink(path)
			if err != nil {
				return err
			}
			os.Remove(target)
			return os.Symlink(text, target)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return addFile(path, target, info.Mode())
	})
}

func addFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	os.Remove(to)
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	if err := out.Chmod(mode); err != nil { // as it is, with bits that come last
		out.Close()
		return err
	}
	return out.Close()
}

// becomeSystemd leaves the plan for the service that goes on with it.
func becomeSystemd(plan *wire.Plan) {
	text, err := json.Marshal(plan)
	check("keep the plan", err)
	check("keep the plan", os.MkdirAll(filepath.Dir(wire.ServicePlanPath), 0o700))
	check("keep the plan", os.WriteFile(wire.ServicePlanPath, text, 0o600))
	kmsg("systemd")
	closePorts()
	clear(ports)
	check("start systemd", syscall.Exec("/lib/systemd/systemd", []string{"/sbin/init"}, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=linux"}))
}

// resumed is whether this process is the service.
func resumed() bool { return len(os.Args) > 1 && os.Args[1] == wire.ServiceArg }
