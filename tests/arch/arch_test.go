// SPDX-License-Identifier: Apache-2.0

// Package arch holds the architecture as a test: nobody has to remember it.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/falco-go/falco/"

// river lists the packages in the order in which data passes. A package may
// import what stands above it, never below: an event cannot flow back.
var river = []string{
	"pkg/schema",
	"pkg/driver",
	"pkg/ring",
	"pkg/capture",
	"pkg/merge",
	"pkg/event",
	"pkg/procfs",
	"pkg/container",
	"pkg/state",
	"pkg/field",
	"pkg/filter",
	"pkg/format",
	"pkg/alert",
	"pkg/rules",
	"pkg/spool",
	"pkg/output",
	"pkg/config",
	"pkg/metrics",
	"pkg/loader",
	"pkg/forward",
	"pkg/web",
	"daemon",
	"tests",
}

// doors names who may import a library. What is not listed here may be
// imported by nobody: add the library, and the reason, in this table.
var doors = map[string][]string{
	// One package talks to the module, one reads /proc within a budget of calls;
	// the rest sees bytes and errors. Tests'
	// programs that act inside a guest do as they like.
	"golang.org/x/sys": {"pkg/driver", "pkg/procfs", "tests"},
	// YAML ends where our own types begin.
	"gopkg.in/yaml.v3":           {"pkg/rules", "pkg/config", "pkg/forward", "tests"},
	"github.com/sirupsen/logrus": {"daemon"},
	"github.com/urfave/cli":      {"daemon"},
	// Runtimes are asked by one package, over the stubs that containerd's own client uses.
	"github.com/containerd/containerd": {"pkg/container", "tests"},
	"google.golang.org/grpc":           {"pkg/container", "tests"},
	"google.golang.org/protobuf":       {"pkg/container", "tests"},
	"k8s.io/cri-api":                   {"pkg/container", "tests"},
	// Recordings are compressed, and what is posted.
	"github.com/klauspost/compress": {"pkg/capture", "pkg/forward", "tests"},
	// The page's stores, and who may log in to it.
	"modernc.org/sqlite":              {"pkg/web"},
	"github.com/coreos/go-oidc":       {"pkg/web"},
	"golang.org/x/crypto":             {"pkg/web"}, // argon2
	"github.com/google/go-cmp":        {"tests"},
	"github.com/rogpeppe/go-internal": {"tests", "daemon"},
	// Somebody else reads the schema that we publish.
	"github.com/santhosh-tekuri/jsonschema": {"tests", "pkg/forward/output/outputtest"},
	"github.com/prometheus/client_golang":   {"pkg/forward", "tests"},
	// One package speaks with the receivers: each by the library that its vendor, or
	// whoever keeps it best, has for it.
	"github.com/twmb/franz-go":            {"pkg/forward/output", "pkg/forward/consume", "tests"},
	"github.com/nats-io/nats.go":          {"pkg/forward/output", "pkg/forward/consume", "tests"},
	"github.com/nats-io/stan.go":          {"pkg/forward/output", "tests"},
	"github.com/rabbitmq/amqp091-go":      {"pkg/forward/output", "tests"},
	"github.com/emersion/go-smtp":         {"pkg/forward/output", "tests"},
	"github.com/emersion/go-sasl":         {"pkg/forward/output", "tests"},
	"github.com/aws/aws-sdk-go-v2":        {"pkg/forward/output", "tests"},
	"github.com/aws/smithy-go":            {"pkg/forward/output", "tests"},
	"github.com/Azure/azure-sdk-for-go":   {"pkg/forward/output", "tests"},
	"cloud.google.com/go":                 {"pkg/forward/output", "tests"},
	"google.golang.org/api":               {"pkg/forward/output", "tests"},
	"golang.org/x/oauth2":                 {"pkg/forward/output", "pkg/web", "tests"},
	"github.com/DataDog/datadog-go":       {"pkg/forward/output", "tests"},
	"github.com/redis/go-redis":           {"pkg/forward/output", "tests"},
	"github.com/jackc/pgx":                {"pkg/forward/output", "pkg/web", "tests"},
	"github.com/eclipse/paho.mqtt.golang": {"pkg/forward/output", "tests"},
	"github.com/parquet-go/parquet-go":    {"pkg/forward/output", "tests"},
	"go.opentelemetry.io":                 {"pkg/forward/output", "tests"},
	// Its tests have the receivers' servers, where they are to be had in Go.
	"github.com/nats-io/nats-server":        {"tests"},
	"github.com/johannesboyne/gofakes3":     {"tests"},
	"github.com/fsouza/fake-gcs-server":     {"tests"},
	"github.com/leodido/go-syslog":          {"tests"},
	"github.com/influxdata/line-protocol":   {"tests"},
	"github.com/prometheus/statsd_exporter": {"tests"},
	"github.com/versity/versitygw":          {"tests"},
}

// pkg is what "go list -json" says of a package, as far as we ask.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	CgoFiles     []string
	GoFiles      []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports,CgoFiles,GoFiles", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var list []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

const root = "../.."

// station returns where in the river the package at path (relative to the
// module) lies, -1 if nowhere. Folders below a station belong to it.
func station(path string) int {
	return slices.IndexFunc(river, func(s string) bool { return path == s || strings.HasPrefix(path, s+"/") })
}

func TestImportsPointUpstream(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		own := station(name)
		if own < 0 {
			t.Errorf("%s: not in the river; where does it stand?", name)
			continue
		}
		for _, imp := range p.Imports {
			other, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			if s := station(other); s > own {
				t.Errorf("%s imports %s, which lies downstream", name, other)
			}
		}
	}
}

func TestLibrariesHaveDoors(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		check := func(imports []string, test bool) {
			for _, imp := range imports {
				host, _, _ := strings.Cut(imp, "/")
				if !strings.Contains(host, ".") || strings.HasPrefix(imp, module) {
					continue
				}
				lib := ""
				for l := range doors {
					if imp == l || strings.HasPrefix(imp, l+"/") {
						lib = l
					}
				}
				if lib == "" {
					t.Errorf("%s imports %s, for which there is no door", name, imp)
					continue
				}
				if test && slices.Contains(doors[lib], "tests") {
					continue
				}
				if !slices.ContainsFunc(doors[lib], func(d string) bool { return name == d || strings.HasPrefix(name, d+"/") }) {
					t.Errorf("%s imports %s: the door is %s", name, imp, strings.Join(doors[lib], ", "))
				}
			}
		}
		check(p.Imports, false)
		check(append(p.TestImports, p.XTestImports...), true)
	}
}

func TestNoCgo(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s uses cgo: %s", p.ImportPath, p.CgoFiles)
		}
	}
}

// Unsafe code stays where shared memory, ioctls or views of records need it.
func TestUnsafeIsContained(t *testing.T) {
	allowed := []string{"pkg/schema", "pkg/driver", "pkg/ring", "pkg/ring/ringtest", "pkg/event"}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if slices.Contains(p.Imports, "unsafe") && !slices.Contains(allowed, name) && !strings.HasPrefix(name, "tests/") {
			t.Errorf("%s imports unsafe", name)
		}
	}
}

func TestTablesAreFresh(t *testing.T) {
	cmd := exec.Command("go", "run", "./gen", "-check", "-driver", "../../driver")
	cmd.Dir = filepath.Join(root, "pkg/schema")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Maps in prose stay true: every path of this repository that a README names
// in backquotes exists.
func TestMapsNameWhatExists(t *testing.T) {
	inTicks := regexp.MustCompile("`([^`\\s]+)`")
	known := regexp.MustCompile(`^(pkg|driver|daemon|rules|dkms|packaging|tests)/`)
	own := regexp.MustCompile(`^[\w*{},-]+(/[\w*{},-]+)?\.[ch]$`) // of the folder that the README is about
	placeholder := regexp.MustCompile(`FAMILY|NAME|ID\b`)
	walk(t, func(path string) {
		if filepath.Base(path) != "README.md" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inTicks.FindAllStringSubmatch(string(text), -1) {
			name := strings.TrimRight(m[1], ".,:;")
			if placeholder.MatchString(name) || !known.MatchString(name) && !(own.MatchString(name) && path == "driver/README.md") {
				continue
			}
			if !existsSomewhere(name, filepath.Dir(path)) {
				t.Errorf("%s names %s, which is not there", path, name)
			}
		}
	})
}

// existsSomewhere looks for name, which may hold * and {a,b}, from the root and
// from dir.
func existsSomewhere(name, dir string) bool {
	for _, n := range braces(name) {
		n, _, _ = strings.Cut(n, ":")
		found := false
		for _, base := range []string{root, filepath.Join(root, dir)} {
			m, err := filepath.Glob(filepath.Join(base, n))
			found = found || err == nil && len(m) > 0
		}
		if !found {
			return false
		}
	}
	return true
}

// braces expands the first {a,b} of s, then the next.
func braces(s string) []string {
	pre, rest, ok := strings.Cut(s, "{")
	if !ok {
		return []string{s}
	}
	alts, post, ok := strings.Cut(rest, "}")
	if !ok {
		return []string{s}
	}
	var out []string
	for _, a := range strings.Split(alts, ",") {
		out = append(out, braces(pre+a+post)...)
	}
	return out
}

func TestFilesSayTheirLicence(t *testing.T) {
	walk(t, func(path string) {
		want := ""
		switch filepath.Ext(path) {
		case ".go":
			want = "Apache-2.0"
		case ".c", ".h":
			want = "Apache-2.0"
			if strings.HasPrefix(path, "driver/") {
				want = "GPL-2.0-only OR MIT"
			}
		default:
			return
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitN(string(text), "\n", 4)
		head := lines[0]
		if strings.HasPrefix(head, "// Code generated") && len(lines) > 2 {
			head = lines[2]
		}
		if !strings.Contains(head, "SPDX-License-Identifier: "+want) {
			t.Errorf("%s: first line is %q, want %s", path, head, want)
		}
	})
}

// What the repository says is about the product alone.
func TestNoTraceOfItsMaking(t *testing.T) {
	traces := regexp.MustCompile(`[^.]/(tmp|home|root|work)/[a-z]+/main\b|\bTODO\b|\bFIXME\b|\bXXX\b`)
	walk(t, func(path string) {
		switch filepath.Ext(path) {
		case ".go", ".c", ".h", ".md", ".tbl", ".yaml", ".sh", ".txtar", "":
		default:
			return
		}
		if path == "tests/arch/arch_test.go" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := traces.FindString(line); m != "" {
				t.Errorf("%s:%d: %q", path, i+1, m)
			}
		}
	})
}

// walk calls f with every file that git would commit, relative to the root.
func walk(t *testing.T, f func(path string)) {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for _, path := range strings.Fields(string(out)) {
		if info, err := os.Stat(filepath.Join(root, path)); errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
			continue // deleted, not yet committed; or a link to what is listed by itself
		}
		f(path)
	}
}
