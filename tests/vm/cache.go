// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// cacheRoot is $FALCO_CACHE, else where the user's caches are.
func cacheRoot() string {
	if dir := os.Getenv("FALCO_CACHE"); dir != "" {
		if abs, err := filepath.Abs(dir); err == nil {
			return abs
		}
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "falco")
}

// cacheDir makes a folder below the root.
func cacheDir(parts ...string) (string, error) {
	dir := filepath.Join(append([]string{cacheRoot()}, parts...)...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache (FALCO_CACHE names another): %w", err)
	}
	return dir, nil
}

// lockCache keeps two processes from filling the same part of the cache. The lock dies with the process.
func lockCache(part string) (unlock func(), err error) {
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, "."+part+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return func() { file.Close() }, nil
}

// removeOld removes files that nobody can be using any more: those of runs that were killed.
func removeOld(dir string, age time.Duration) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > age {
			os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}

// replaceLink points link at target in one step.
func replaceLink(link, target string) error {
	temp := link + ".new"
	os.Remove(temp)
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	return os.Rename(temp, link)
}
