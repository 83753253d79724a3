// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"os"
	"path/filepath"
)

// AsideMax is how long the file of SetAside may become.
const AsideMax = 16 << 20

// ErrAsideFull is the error of SetAside when its file has no room.
var ErrAsideFull = errors.New("refused is full")

// SetAside appends a line, which ends with a newline, to the file "refused" of the folder: what
// nobody will ever take, for a person to look at. The file is theirs to take away.
func (s *Spool) SetAside(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := openFile(filepath.Join(s.dir, "refused"), os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size()+int64(len(line)) > AsideMax {
		return ErrAsideFull
	}
	if _, err = f.Write(line); err != nil {
		f.Truncate(info.Size()) // no half a line
	}
	return err
}
