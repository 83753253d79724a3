// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/container/containerd"
	"github.com/falco-go/falco/tests/vm"
)

// real is a containerd of this machine, with folders of its own.
type real struct {
	*testing.T
	dir, socket string
	cmd         *exec.Cmd
}

// ports are those of a container, as nerdctl notes them.
const ports = `nerdctl/ports=[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"127.0.0.1"}]`

// newReal starts the containerd of this machine, which is installed if it is missing.
func newReal(t *testing.T) *real {
	if os.Getuid() != 0 {
		t.Skip("containerd runs as root alone")
	}
	vm.Tool(t, "containerd", "containerd")
	vm.Tool(t, "ctr", "containerd")
	r := &real{T: t, dir: t.TempDir()}
	r.socket = filepath.Join(r.dir, "s")
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = %q\n",
		r.dir+"/root", r.dir+"/state", r.socket)
	if err := os.WriteFile(r.dir+"/config.toml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	r.start()
	return r
}

func (r *real) start() {
	r.Helper()
	log, err := os.OpenFile(r.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.Fatal(err)
	}
	defer log.Close()
	r.cmd = exec.Command("containerd", "-c", r.dir+"/config.toml")
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); exec.Command("ctr", "-a", r.socket, "version").Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			text, _ := os.ReadFile(r.dir + "/log")
			r.Fatalf("containerd does not answer:\n%s", text)
		}
	}
}

func (r *real) kill() {
	if r.cmd != nil {
		r.cmd.Process.Kill()
		r.cmd.Wait()
		r.cmd = nil
	}
}

func (r *real) ctr(args ...string) {
	r.Helper()
	if out, err := exec.Command("ctr", append([]string{"-a", r.socket}, args...)...).CombinedOutput(); err != nil {
		r.Fatalf("ctr %q: %v\n%s", args, err, out)
	}
}

// A containerd as distributions ship it: containers of several namespaces are known as
// soon as they are made, and again when it has been killed and started.
func TestRealContainerd(t *testing.T) {
	s := newReal(t)
	root := filepath.Join(s.dir, "rootfs")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	s.ctr("containers", "create", "--rootfs", root, "early", "/bin/true")
	l := newLoop(t, containerd.New([]string{s.socket}))
	defer l.close()
	known := func(id string) func() bool { return func() bool { return l.st.Container(id) != nil } }
	l.until("what was there", known("early"))
	s.ctr("-n", "moby", "containers", "create", "--rootfs", root, id(1), "/bin/true")
	l.until("what is new, in a new namespace", known(id(1)[:12]))
	if i := l.st.Container(id(1)[:12]); i.Type.String() != "docker" || i.FullID != id(1) {
		t.Errorf("docker's: %+v", i)
	}
	s.ctr("containers", "create", "--rootfs", "--privileged", "--net-host", "--env", "A=b", "--label", "nerdctl/name=front",
		"--label", ports,
		"--mount", "type=bind,src=/proc,dst=/host/proc,options=rbind:ro", root, "all", "/bin/true")
	l.until("all of it", known("all"))
	i := l.st.Container("all")
	if !i.Privileged || !i.HostNetwork || i.HostPid || i.Name != "front" || i.Type.String() != "containerd" || i.Labels["nerdctl/name"] != "front" {
		t.Errorf("got %+v", i)
	}
	if record := string(i.JSON()); !strings.Contains(record, `"A=b"`) || !strings.Contains(record, `"HostPort":8080,"ContainerPort":80`) {
		t.Errorf("environment and ports: %s", record)
	}
	mounted := false
	for _, m := range i.Mounts {
		mounted = mounted || m.Source == "/proc" && m.Dest == "/host/proc" && !m.RW
	}
	if !mounted {
		t.Errorf("mounts: %s", i.MountsText())
	}
	if i := l.st.Container("early"); i.Privileged || i.HostNetwork || i.Created == 0 {
		t.Errorf("an ordinary one: %+v", i)
	}
	for n := range 3 {
		s.kill()
		s.start()
		s.ctr("containers", "create", "--rootfs", root, fmt.Sprint("again", n), "/bin/true")
		l.until("what was made after a restart", known(fmt.Sprint("again", n)))
	}
	s.ctr("containers", "delete", "early")
	l.until("its end", func() bool { return l.ended["early"] })
}

// The same containerd is killed amid the making of containers, again and again: all that
// it has made are known when it has come back, and memory does not grow.
func TestRealStorm(t *testing.T) {
	kills := 4
	if long() {
		kills = 20
	}
	const each = 5 // containers between two kills
	s := newReal(t)
	root := filepath.Join(s.dir, "rootfs")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	l := newLoop(t, containerd.New([]string{s.socket}))
	defer l.close()
	before := heap()
	tids := map[string]int64{} // of those that were made
	for k := range kills {
		var wait sync.WaitGroup
		after(&wait, time.Duration(50+20*k)*time.Millisecond, s.kill)
		for n := range each {
			id, tid := id(each*k+n), int64(1000+each*k+n)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := exec.CommandContext(ctx, "ctr", "-a", s.socket, "containers", "create", "--rootfs", root, id, "/bin/true").Run()
			cancel()
			l.turn()
			l.seen(tid, id)
			if err == nil {
				tids[id] = tid
			}
		}
		wait.Wait()
		s.start()
		s.ctr("containers", "create", "--rootfs", root, fmt.Sprint("calm", k), "/bin/true")
	}
	l.until("all that live", func() bool {
		for _, tid := range tids {
			if l.st.Lookup(tid).Container().Info() == nil {
				return false
			}
		}
		for k := range kills {
			if l.st.Container(fmt.Sprint("calm", k)) == nil {
				return false
			}
		}
		return true
	})
	l.until("the last questions", func() bool { return l.r.Stats().Waiting == 0 })
	grown := int64(heap()) - int64(before)
	t.Logf("killed %d times; %d of %d were made amid that, all are known; %d bytes more on the heap, %+v", kills, len(tids), kills*each, grown, l.r.Stats())
	if grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}
