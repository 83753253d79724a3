// SPDX-License-Identifier: Apache-2.0

// Package web looks at the page as people and machines do: in a browser
// (browser/scenarios.mjs), and with a million events.
package web

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/web/postgres"
)

// missing installs Debian's packages for programs that are not there. Where it
// cannot, the test is skipped, or fails if FALCO_TEST_BROWSER is "required".
func missing(t *testing.T, programs map[string]string) {
	t.Helper()
	var packages []string
	for program, pkg := range programs {
		if _, err := exec.LookPath(program); err != nil {
			packages = append(packages, pkg)
		}
	}
	if len(packages) == 0 {
		return
	}
	say := t.Skipf
	if os.Getenv("FALCO_TEST_BROWSER") == "required" {
		say = t.Fatalf
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		say("missing: %s", strings.Join(packages, " "))
	}
	t.Logf("apt-get install %s", strings.Join(packages, " "))
	for _, args := range [][]string{{"-q", "update"}, append([]string{"install", "-y", "-q", "--no-install-recommends"}, packages...)} {
		cmd := exec.Command("apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			say("apt-get %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// build makes a program of a package of this folder.
func build(t *testing.T, pkg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return path
}

// modules installs what the lock file names, once for each lock file, and returns a
// folder with them and the scenarios.
func modules(t *testing.T) string {
	t.Helper()
	lock, err := os.ReadFile("browser/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "falco", "web-tests-"+hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package.json", "package-lock.json", "scenarios.mjs"} {
		text, err := os.ReadFile(filepath.Join("browser", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "playwright")); err == nil {
		return dir
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}

// What people do with the page. FALCO_SHOTS names a folder for pictures of all
// screens; with FALCO_LONG=1 the list has 200,000 events.
func TestInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	missing(t, map[string]string{"chromium": "chromium", "node": "nodejs", "npm": "npm"})
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "--test", "--test-reporter=spec", "scenarios.mjs")
	cmd.Dir = modules(t)
	cmd.Env = append(os.Environ(), "SERVE="+build(t, "./serve"), "CHROMIUM="+chromium, "WORK="+t.TempDir(), "SHOTS="+os.Getenv("FALCO_SHOTS"))
	if os.Getenv("FALCO_LONG") == "1" {
		cmd.Env = append(cmd.Env, "BIG=200000")
	}
	if postgres.Installed() {
		cluster, err := postgres.Start()
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		dsn, err := cluster.Database()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "PG="+dsn)
	} else if os.Getenv("FALCO_TEST_POSTGRES") == "required" {
		t.Fatal("PostgreSQL is not installed (apt-get install postgresql)")
	}
	out, err := cmd.CombinedOutput()
	for _, line := range regexp.MustCompile(`(?m)^(✔|✖|# ).*$`).FindAllString(string(out), -1) {
		t.Log(line)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "✔ "); n < 16 {
		t.Errorf("only %d scenarios ran", n)
	}
}
