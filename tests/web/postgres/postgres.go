// SPDX-License-Identifier: Apache-2.0

// Package postgres starts a PostgreSQL of the tests' own: Debian's programs, a folder
// that goes when it ends, no port.
package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// Cluster is a running PostgreSQL.
type Cluster struct {
	dir  string
	bin  string
	attr *syscall.SysProcAttr
	cmd  *exec.Cmd
	next atomic.Int64
}

// Installed reports whether there are programs to start.
func Installed() bool { return programs() != "" }

func programs() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// Start makes a cluster and waits until it answers.
func Start() (*Cluster, error) {
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, bin: programs(), attr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	if err := c.start(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start() error {
	if os.Geteuid() == 0 { // it refuses to run as root
		u, err := user.Lookup("nobody")
		if err != nil {
			return err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		c.attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.dir, uid, gid); err != nil {
			return err
		}
	}
	data := filepath.Join(c.dir, "data")
	if out, err := c.command("initdb", "-D", data, "-U", "falco", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	cmd := c.command("postgres", "-D", data, "-k", c.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=100", "-c", "shared_buffers=128MB")
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd = cmd
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = c.sql("SELECT 1"); err == nil {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL does not answer: %w", err)
}

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr, cmd.Env = c.dir, c.attr, append(os.Environ(), "LC_ALL=C.UTF-8")
	return cmd
}

func (c *Cluster) sql(text string) error {
	if out, err := c.command("psql", "-h", c.dir, "-U", "falco", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", text).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", text, err, out)
	}
	return nil
}

// Database makes a fresh database and returns how to reach it.
func (c *Cluster) Database() (dsn string, err error) {
	name := fmt.Sprintf("web%d", c.next.Add(1))
	if err := c.sql("CREATE DATABASE " + name); err != nil {
		return "", err
	}
	return "host=" + c.dir + " user=falco dbname=" + name, nil
}

// Close ends it and forgets everything.
func (c *Cluster) Close() {
	if c.cmd != nil {
		c.cmd.Process.Signal(syscall.SIGINT)
		c.cmd.Wait()
	}
	os.RemoveAll(c.dir)
}
