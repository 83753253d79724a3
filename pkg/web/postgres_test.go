// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/falco-go/falco/tests/web/postgres"
)

// cluster is a PostgreSQL of the tests' own, started once.
var cluster struct {
	sync.Once
	*postgres.Cluster
	err error
}

func TestMain(m *testing.M) {
	if path := os.Getenv("FALCO_WEB_APPENDER"); path != "" {
		fmt.Fprintln(os.Stderr, appender(path))
		os.Exit(1)
	}
	code := m.Run()
	if cluster.Cluster != nil {
		cluster.Close()
	}
	os.Exit(code)
}

// postgresDB returns the name of a fresh database. FALCO_TEST_POSTGRES=required
// turns a machine without PostgreSQL from a skip into a failure.
func postgresDB(t testing.TB) string {
	t.Helper()
	if !postgres.Installed() {
		const missing = "PostgreSQL is not installed (apt-get install postgresql)"
		if os.Getenv("FALCO_TEST_POSTGRES") == "required" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	c := &cluster
	c.Do(func() { c.Cluster, c.err = postgres.Start() })
	must(t, c.err)
	dsn, err := c.Database()
	must(t, err)
	return dsn
}
