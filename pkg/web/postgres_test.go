// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// cluster is a PostgreSQL of the tests' own, started once.
var cluster struct {
	sync.Once
	dir  string
	cmd  *exec.Cmd
	skip string
	err  error
	next atomic.Int64
}

func TestMain(m *testing.M) {
	if path := os.Getenv("FALCO_WEB_APPENDER"); path != "" {
		fmt.Fprintln(os.Stderr, appender(path))
		os.Exit(1)
	}
	code := m.Run()
	if c := &cluster; c.cmd != nil {
		c.cmd.Process.Signal(syscall.SIGINT)
		c.cmd.Wait()
	}
	if cluster.dir != "" {
		os.RemoveAll(cluster.dir)
	}
	os.Exit(code)
}

// postgresDB returns the name of a fresh database. FALCO_TEST_POSTGRES=required
// turns a machine without PostgreSQL from a skip into a failure.
func postgresDB(t testing.TB) string {
	t.Helper()
	c := &cluster
	c.Do(func() { c.skip, c.err = startCluster() })
	if c.err != nil {
		t.Fatal(c.err)
	}
	if c.skip != "" {
		if os.Getenv("FALCO_TEST_POSTGRES") == "required" {
			t.Fatal(c.skip)
		}
		t.Skip(c.skip)
	}
	db, err := sql.Open("pgx", clusterDSN("postgres"))
	must(t, err)
	defer db.Close()
	name := fmt.Sprintf("web%d", c.next.Add(1))
	_, err = db.Exec(`CREATE DATABASE ` + name)
	must(t, err)
	return clusterDSN(name)
}

func clusterDSN(db string) string {
	return "host=" + cluster.dir + " user=falco dbname=" + db
}

func startCluster() (skip string, err error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "PostgreSQL is not installed (apt-get install postgresql)", nil
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return "", err
	}
	cluster.dir = dir
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 { // it refuses to run as root
		u, err := user.Lookup("nobody")
		if err != nil {
			return "", err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			return "", err
		}
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr, cmd.Env = dir, attr, append(os.Environ(), "LC_ALL=C.UTF-8")
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-U", "falco", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	cmd := run("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=100", "-c", "shared_buffers=128MB")
	if err := cmd.Start(); err != nil {
		return "", err
	}
	cluster.cmd = cmd
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", clusterDSN("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	for {
		if err = db.PingContext(ctx); err == nil {
			return "", nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
