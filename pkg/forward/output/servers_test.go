// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// servers builds them, once. The go command's cache makes the second time short.
var servers = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "falco", "forward-servers")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = "../../../tests/forward/servers"
	if out, err := cmd.CombinedOutput(); err != nil {
		return string(out), err
	}
	return path, nil
})

// serverOf starts a server of tests/forward/servers, which are a module of their own, and returns its address.
func serverOf(t *testing.T, name string) string {
	t.Helper()
	path, err := servers()
	if err != nil {
		t.Fatalf("tests/forward/servers: %v\n%s", err, path)
	}
	addr := "127.0.0.1:" + freePort(t)
	daemon(t, path, name, addr)
	until(t, name, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return addr
}
