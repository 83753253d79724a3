// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// builder builds images from our Dockerfiles, with no daemon and no registry of images: base systems come from Debian's mirror.
type builder struct {
	t   *testing.T
	dir string // images and containers
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("SKIP 1 cases: %v", vm.ErrNotRoot)
	}
	vm.Tool(t, "buildah", "buildah")
	// What is mounted below goes with the test.
	b := &builder{t, t.TempDir()}
	t.Cleanup(func() { b.try("umount", "--all") })
	return b
}

func (b *builder) try(args ...string) (string, error) {
	all := append([]string{"--root", filepath.Join(b.dir, "root"), "--runroot", filepath.Join(b.dir, "run"), "--storage-driver", "vfs"}, args...)
	cmd := exec.Command("buildah", all...)
	cmd.Env = append(os.Environ(), "BUILDAH_ISOLATION=chroot", "TMPDIR="+b.dir, "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (b *builder) run(args ...string) string {
	b.t.Helper()
	out, err := b.try(args...)
	if err != nil {
		b.t.Fatalf("buildah %q: %v\n%s", args, err, out)
	}
	return out
}

// build makes an image of a Dockerfile, with the repository's packages as they would be in dist/.
func (b *builder) build(dockerfile, tag string, args ...string) {
	b.t.Helper()
	context := filepath.Join(b.dir, "context")
	dist := filepath.Join(context, "dist")
	if err := os.MkdirAll(dist, 0o755); err != nil {
		b.t.Fatal(err)
	}
	for _, name := range []string{file(b.t, older, "deb"), file(b.t, older, "tar.gz"), "/etc/ssl/certs/ca-certificates.crt"} {
		run(b.t, "cp", "-L", name, dist)
	}
	for _, name := range []string{"iso8601.yaml", "driver-loader.sh"} {
		run(b.t, "install", "-D", "-m", "0644", filepath.Join(root, "packaging/container", name), filepath.Join(context, "packaging/container", name))
	}
	words := []string{"bud", "--no-cache", "--network", "host", "--pull-never", "-t", tag, "--build-arg", "VERSION=" + older}
	for _, a := range args {
		words = append(words, "--build-arg", a)
	}
	words = append(words, "-f", filepath.Join(root, "packaging/container", dockerfile), context)
	began := time.Now()
	b.run(words...)
	b.t.Logf("%s from %s in %.0f s", tag, dockerfile, time.Since(began).Seconds())
}

// mount gives the files of a new container of an image.
func (b *builder) mount(tag string) string {
	b.t.Helper()
	return b.run("mount", b.run("from", "--pull-never", tag))
}

// in runs a program in such files, with /proc where there is a place for it.
func in(t *testing.T, files string, words ...string) (string, int) {
	t.Helper()
	script := `[ ! -d "$1/proc" ] || mount -t proc proc "$1/proc"; root=$1; shift; exec chroot "$root" "$@"`
	cmd := exec.Command("unshare", append([]string{"--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script, "sh", files}, words...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOST_ROOT=/host", "HOME=/root"}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// The image from scratch: nothing but the program and what it reads, and it runs.
func TestImage(t *testing.T) {
	b := newBuilder(t)
	b.build("Dockerfile", "falco:"+older)
	files := b.mount("falco:" + older)
	if out := run(t, "find", files, "-maxdepth", "2", "-mindepth", "2", "-printf", `%P\n`); !sameLines(out, "etc/falco", "etc/ssl", "usr/bin", "usr/share") {
		t.Errorf("in the image are\n%s", out)
	}
	if out, code := in(t, files, "/usr/bin/falco", "--version"); code != 0 || !strings.Contains(out, "\nFalco version: "+older+"\n") {
		t.Errorf("--version: %d\n%s", code, out)
	}
	if out, code := in(t, files, "/usr/bin/falco", "--dry-run"); code != 0 {
		t.Errorf("--dry-run: %d\n%s", code, out)
	}
	// Without the device it says so and ends.
	if out, code := in(t, files, "/usr/bin/falco"); code != 1 || !strings.Contains(out, "/dev/falco") {
		t.Errorf("without a device: %d\n%s", code, out)
	}
	if out := b.run("inspect", "--type", "image", "--format", "{{.OCIv1.Config.Cmd}} {{.OCIv1.Config.Entrypoint}}", "falco:"+older); out != "[/usr/bin/falco] []" {
		t.Errorf("command and entrypoint: %s", out)
	}
	answers(t, files, "/usr/bin/falco", "-o", "engine.kind=nodriver")

	b.build("Dockerfile.falcosidekick", "falcosidekick:"+older)
	files = b.mount("falcosidekick:" + older)
	if out, code := in(t, files, "/usr/bin/falcosidekick", "--version"); code != 0 || !strings.HasPrefix(out, "falcosidekick "+older+" ") {
		t.Errorf("falcosidekick --version: %d\n%s", code, out)
	}
	if out := b.run("inspect", "--type", "image", "--format", "{{.OCIv1.Config.User}}", "falcosidekick:"+older); out != "1234:1234" {
		t.Errorf("it runs as %s", out)
	}
}

func sameLines(text string, want ...string) bool {
	have := strings.Fields(text)
	if len(have) != len(want) {
		return false
	}
	for _, w := range want {
		if !strings.Contains("\n"+text, "\n"+w+"\n") {
			return false
		}
	}
	return true
}

// answers waits until a program in an image says over HTTP that it is well, and ends it.
func answers(t *testing.T, files string, words ...string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	words = append(words, "-o", "webserver.enabled=true", "-o", fmt.Sprintf("webserver.listen_port=%d", port))
	// As with docker's -v /proc:/host/proc. It is one process from here to the program in the image.
	script := `mkdir -p "$1/host/proc"; mount -t proc proc "$1/host/proc"; root=$1; shift; exec chroot "$root" "$@"`
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-ec", script, "sh", files}, words...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOST_ROOT=/host"}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick, give := time.NewTicker(100*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for well := false; !well; {
		select {
		case err := <-ended:
			t.Fatalf("%q ended: %v\n%s", words, err, out.String())
		case <-give:
			cmd.Process.Kill()
			<-ended
			t.Fatalf("%q: nobody answers\n%s", words, out.String())
		case <-tick.C:
			if r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port)); err == nil {
				text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<10))
				r.Body.Close()
				well = r.StatusCode == 200 && strings.Contains(string(text), "ok")
			}
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err != nil {
		t.Errorf("%q ends with %v\n%s", words, err, out.String())
	}
}

// The images on Debian: with the package installed, and with what builds modules.
func TestDebianImages(t *testing.T) {
	long(t)
	b := newBuilder(t)
	base, err := vm.GetRoot(vm.Debian{Suite: "bookworm"}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := b.run("from", "scratch")
	b.run("add", "--quiet", c, base.Dir(), "/")
	b.run("commit", "--quiet", "--rm", c, "debian:12-slim")
	b.build("Dockerfile.debian", "falco:"+older+"-debian", "BASE=debian:12-slim")
	b.build("Dockerfile.driver-loader", "falco-driver-loader:"+older, "BASE=falco:"+older+"-debian")
	files := b.mount("falco-driver-loader:" + older)
	for _, c := range []struct{ words, want string }{
		{"dpkg-query -W -f ${db:Status-Status}_${Version} falco", "installed_" + older},
		{"falco --dry-run", ""},
		{"sh -c for p in gcc make curl jq ld modprobe; do command -v $p || echo no $p; done", "/usr/bin/jq"},
		{"sh /driver-loader.sh --help", "Usage: driver-loader"},
		{"sh /driver-loader.sh --print-env", `DRIVER_VERSION="` + older + `"`},
		{"readlink /lib/modules", "/host/lib/modules"},
	} {
		words := strings.Fields(c.words)
		if words[0] == "sh" && words[1] == "-c" {
			words = []string{"sh", "-c", strings.Join(words[2:], " ")}
		}
		if out, code := in(t, files, words...); code != 0 || !strings.Contains(out, c.want) || strings.Contains(out, "no ") && words[0] == "sh" && words[1] == "-c" {
			t.Errorf("%s: %d\n%s", c.words, code, out)
		}
	}
}
