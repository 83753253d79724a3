// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package procfs

import "errors"

// FolderWatch tells that files in a folder may be others than before.
type FolderWatch struct {
	C <-chan struct{}
}

// WatchFolder needs inotify.
func WatchFolder(string) (*FolderWatch, error) {
	return nil, errors.New("folders are only watched on Linux")
}

// Close ends the watch.
func (*FolderWatch) Close() {}
