// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"fmt"
	"os"
	"syscall"
)

// FolderWatch tells that files in a folder may be others than before. It says
// neither which nor how often: one wake may stand for many changes.
type FolderWatch struct {
	// C has a value when something has changed. It is closed when the watch has
	// ended: the folder itself is gone, or Close was called.
	C <-chan struct{}

	f *os.File
}

// WatchFolder begins to watch the folder called name.
func WatchFolder(name string) (*FolderWatch, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // non-blocking: Close ends a Read
	const what = syscall.IN_CLOSE_WRITE | syscall.IN_MOVED_TO | syscall.IN_MOVED_FROM | syscall.IN_CREATE | syscall.IN_DELETE |
		syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF | syscall.IN_ONLYDIR
	if _, err := syscall.InotifyAddWatch(fd, name, what); err != nil {
		f.Close()
		return nil, fmt.Errorf("watch %s: %w", name, err)
	}
	c := make(chan struct{}, 1)
	go func() {
		defer close(c)
		buf := make([]byte, 16<<10)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			gone := folderGone(buf[:n])
			select {
			case c <- struct{}{}:
			default:
			}
			if gone {
				f.Close()
				return
			}
		}
	}()
	return &FolderWatch{C: c, f: f}, nil
}

// Close ends the watch. The zero value is one that never tells anything.
func (w *FolderWatch) Close() {
	if w.f != nil {
		w.f.Close()
	}
}

// folderGone reports whether one of the events in b says that nothing will be
// told any more. Each is: wd s32, mask u32, cookie u32, length u32, name.
func folderGone(b []byte) bool {
	for len(b) >= syscall.SizeofInotifyEvent {
		mask := uint32(b[4]) | uint32(b[5])<<8 | uint32(b[6])<<16 | uint32(b[7])<<24
		size := int(b[12]) | int(b[13])<<8 | int(b[14])<<16 | int(b[15])<<24
		if mask&(syscall.IN_DELETE_SELF|syscall.IN_MOVE_SELF|syscall.IN_IGNORED|syscall.IN_UNMOUNT) != 0 {
			return true
		}
		if size < 0 || size > len(b)-syscall.SizeofInotifyEvent {
			return true
		}
		b = b[syscall.SizeofInotifyEvent+size:]
	}
	return false
}
