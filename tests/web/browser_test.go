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

// scripts returns a folder with the scripts for the browser and with the modules of the
// lock file, which are installed once for each lock file.
func scripts(t *testing.T) string {
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
	modules := filepath.Join(cache, "falco", "web-tests-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(filepath.Join(modules, "node_modules", "playwright")); err != nil {
		if err := os.MkdirAll(modules, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"package.json", "package-lock.json"} {
			text, err := os.ReadFile(filepath.Join("browser", name))
			if err == nil {
				err = os.WriteFile(filepath.Join(modules, name), text, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		cmd.Dir, cmd.Env = modules, append(os.Environ(), "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS("browser")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// browse runs scripts in the browser, and returns how many of their tests have passed.
func browse(t *testing.T, env []string, files ...string) int {
	t.Helper()
	missing(t, map[string]string{"chromium": "chromium", "node": "nodejs", "npm": "npm"})
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", append([]string{"--test", "--test-reporter=spec", "--test-concurrency=1"}, files...)...)
	cmd.Dir = scripts(t)
	cmd.Env = append(append(os.Environ(), "SERVE="+build(t, "./serve"), "CHROMIUM="+chromium, "WORK="+t.TempDir()), env...)
	out, err := cmd.CombinedOutput()
	for _, line := range regexp.MustCompile(`(?m)^(✔|✖|# ).*$`).FindAllString(string(out), -1) {
		t.Log(line)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Count(string(out), "✔ ")
}

// What people do with the page. With FALCO_LONG=1 the list has 200,000 events.
func TestInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	var env []string
	want := 18
	if os.Getenv("FALCO_LONG") == "1" {
		env = append(env, "BIG=200000")
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
		env = append(env, "PG="+dsn)
	} else if os.Getenv("FALCO_TEST_POSTGRES") == "required" {
		t.Fatal("PostgreSQL is not installed (apt-get install postgresql)")
	} else {
		want-- // two replicas
	}
	if n := browse(t, env, "scenarios.mjs", "further.mjs"); n < want {
		t.Errorf("only %d scenarios ran", n)
	}
}
