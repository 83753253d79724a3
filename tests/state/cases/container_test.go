// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"net/netip"
	"strings"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/containerd"
	"github.com/falco-go/falco/pkg/container/docker"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// Containers. Which one a process is in, its control groups say.
var containers = []scenario{
	{"C-090", func(w *world) {
		for pid := int64(200); pid < 203; pid++ {
			w.member(pid, "/docker/"+hex64)
			w.want("container.id", short)
		}
		for _, kind := range []state.AskKind{state.AskUsers, state.AskRuntime} {
			n := 0
			for _, a := range w.asked {
				if a.Kind == kind {
					n++
				}
			}
			w.same("asked for users, then of the runtime", n, 1)
		}
	}},
	{"C-091", func(w *world) {
		w.in("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-"+hex64+".scope", short)
	}},
	{"C-092", func(w *world) {
		w.in("/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:"+hex64, short)
	}},
	{"C-093", func(w *world) {
		w.in("/kubepods.slice/kubepods-pod1.slice/crio-"+hex64+".scope", short)
		w.in("/kubepods.slice/kubepods-pod1.slice/crio-"+hex64+".scope/container", short)
	}},
	{"C-094", func(w *world) {
		w.in("/machine.slice/libpod-conmon-"+hex64+".scope", "host")
		w.in("/kubepods.slice/crio-conmon-"+hex64+".scope", "host")
	}},
	{"C-095", func(w *world) {
		w.in("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-"+hex64+".scope/container", short)
	}},
	{"C-096", func(w *world) { w.in("/lxc.payload.web/init.scope", "web") }},
	{"C-097", func(w *world) { w.in(`/machine.slice/machine-lxc\x2d229\x2dc1.scope/libvirt`, `229\x2dc1`) }},
	{"C-098", func(w *world) { w.in("/default/redis", "redis") }},
	{"C-099", func(w *world) {
		for _, path := range []string{"/user.slice/user-0.slice/session-1.scope", "/init.scope", "/"} {
			w.in(path, "host")
			w.want("container.name", "host", "container.image.repository", "")
		}
	}},
	{"C-100", func(w *world) { w.in("/system.slice/systemd-nspawn@deb.service/payload", "host") }},
	{"C-101", func(w *world) {
		w.do(made(schema.ForkX, 200, 0, 200, 100, 0, "cgroups", []string{"cpuset=/", "memory=/docker/" + hex64}))
		w.want("container.id", short)
	}},
	{"C-102", func(w *world) {
		w.member(200, "/docker/"+hex64)
		w.want("container.id", short, "container.image", null)
		w.fails("container.image.repository = x", "container.image.repository != x")
		w.holds("not container.image.repository in (x)")
	}},
	{"C-103", func(w *world) {
		w.member(200, "/docker/"+hex64)
		w.tell(`"type":0,"name":"web","image":"nginx:1","imagerepo":"nginx","imagetag":"1",
			"labels":{"io.kubernetes.pod.name":"p","io.kubernetes.pod.namespace":"prod"}`)
		w.want("evt.type", "container", "container.name", "web", "proc.name", null)
		w.do(execve(200, "/bin/sh", "sh", nil))
		w.want("k8s.ns.name", "prod", "k8s.pod.name", "p", "container.image.tag", "1")
	}},
	{"C-104", func(w *world) {
		w.member(200, "/docker/"+hex64)
		w.tell(`"type":7,"privileged":true,"Mounts":[{"Source":"/proc","Destination":"/host/proc","Mode":"","RW":false,"Propagation":"private"}]`)
		w.at(200)
		const mount = "/proc:/host/proc::false:private"
		w.want("container.privileged", "true", "container.mounts", mount, "container.mount.dest[/proc*]", "/host/proc", "container.mount[0]", mount)
	}},
	{"C-105", func(w *world) {
		w.member(200, "/docker/"+hex64)
		w.put((&containerd.Record{Namespace: "k8s.io", ID: hex64, Labels: map[string]string{"io.kubernetes.pod.namespace": "kube-system", "io.cri-containerd.kind": "container"},
			Sandbox: containerd.ParseSandbox([]byte(`{"Metadata":{"ID":"s","Config":{"metadata":{"namespace":"default","name":"p","uid":"u"}}}}`))}).Info())
		w.at(200)
		w.want("k8s.ns.name", "default", "k8s.pod.name", "p", "k8s.pod.uid", "u")
	}},
	{"C-106", func(w *world) {
		w.member(200, "/docker/"+hex64)
		w.put((&containerd.Record{Namespace: "moby", ID: hex64, Spec: []byte(`{"linux":{"namespaces":[{"type":"pid"},{"type":"ipc"}]}}`)}).Info())
		w.at(200)
		w.want("container.id", short, "container.type", "docker", "container.host_network", "true", "container.host_pid", "false", "container.image", "")
	}},
	{"C-107", func(w *world) {
		w.fork(100, 700)
		w.want("container.id", "host")
		w.do(execve(700, "/bin/sh", "sh", []string{"-c", "curl"}, "cgroups", []string{"cpu=/docker/" + hex64}))
		w.want("container.id", short, "proc.is_container_healthcheck", "false")
		w.tell(`"type":0,"name":"web","Healthcheck":{"exe":"/bin/sh","args":["-c","curl"]}`)
		w.at(700)
		w.want("proc.is_container_healthcheck", "true", "proc.is_container_liveness_probe", "false")
	}},
	{"C-108", func(w *world) {
		w.do(made(schema.ForkX, 200, 0, 200, 100, schema.CloneChildInPidns, "vtid", 1, "vpid", 1, "cgroups", []string{"cpu=/docker/" + hex64}))
		w.tell(`"type":0,"name":"web"`)
		w.do(call(schema.ProcexitE, 200))
		w.pass(50 * sec)
		w.member(201, "/docker/"+hex64)
		w.want("container.name", "web")
		w.pass(20 * sec)
		w.at(100)
		w.at(201)
		w.want("container.id", short, "container.name", null)
	}},
	{"C-109", func(w *world) {
		w.member(200, "/docker/"+hex64)
		w.do(call(schema.SetuidX, 200, "res", 0, "uid", 1000))
		w.want("user.uid", "1000", "user.name", "<NA>") // alice lives on the host
		w.st.SetUsers(short, []byte("bob:x:1000:1000::/home/bob:/bin/sh\n"), []byte("staff:x:1000:\n"))
		w.at(200)
		w.want("user.name", "bob", "user.homedir", "/home/bob")
		w.at(100)
		w.want("user.loginname", "alice")
	}},
	{"C-110", func(w *world) {
		w.at(100)
		w.want("container.duration", "1000001000000")
		w.same("starts with the machine", w.field("container.start_ts") != null, true)
		w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1, "pidns_init_start_ts", 42*sec))
		w.pass(sec)
		w.at(501)
		w.same("duration", w.num64("container.duration"), w.ts-(boot+42*sec))
	}},
	{"C-111", func(w *world) {
		w.member(200, "/docker/"+hex64)
		w.tell(`"type":0,"labels":{"x":"` + strings.Repeat("y", 150) + `","z":"1"}`)
		w.at(200)
		w.want("container.label.x", null, "container.label.z", "1")
	}},
	{"C-112", func(w *world) {
		w.member(200, "/docker/"+hex64)
		i, err := docker.Parse(container.TypeDocker, []byte(`{"Id":"`+hex64+`","Name":"/cache","Config":{"Image":"redis"}}`), []byte(`{}`))
		if err != nil {
			w.Fatal(err)
		}
		w.put(i)
		w.at(200)
		w.want("container.image", "redis", "container.image.repository", "redis", "container.image.tag", "latest", "container.name", "cache")
	}},
	{"C-113", func(w *world) {
		w.member(200, "/docker/"+hex64)
		w.tell(`"type":7,"ip":""`)
		w.at(200)
		w.want("container.ip", "")
		w.same("local", w.st.IsLocal(w.last.Thread, netip.MustParseAddr("172.17.0.2")), false)
	}},
	{"C-155", func(w *world) {
		w.member(200, "/docker/"+hex64)
		w.do(eventtest.New(schema.ContainerJsonE).Str(`{"container":{"id":"other","type":0,"ip":"172.17.0.9"}}`))
		w.at(200)
		w.same("another container's address", w.st.IsLocal(w.last.Thread, netip.MustParseAddr("172.17.0.9")), true)
		w.same("nobody's address", w.st.IsLocal(w.last.Thread, netip.MustParseAddr("172.17.0.8")), false)
	}},
}

// tell says what is known of the container called short.
func (w *world) tell(members string) {
	w.do(eventtest.New(schema.ContainerJsonE).Str(`{"container":{"id":"` + short + `",` + members + `}}`))
}

// member makes bash start a process in a control group.
func (w *world) member(pid int64, path string) {
	w.do(made(schema.ForkX, pid, 0, pid, 100, 0, "cgroups", []string{"cpu=" + path}))
}

// in says which container a control group stands for.
func (w *world) in(path, id string) {
	w.Helper()
	w.pass(3 * sec)
	w.member(200, path)
	w.want("container.id", id)
}

// put says what a runtime has told, in the way in which the loop says it.
func (w *world) put(i *container.Info) {
	w.Helper()
	w.do(eventtest.New(schema.AsynceventE).Uint(0).Str("container").Raw(i.JSON()))
	w.want("evt.type", "container", "container.id", i.ID)
}

func (w *world) num64(token string) uint64 {
	w.Helper()
	vs := w.ref(token).OutputValues(w.last, nil)
	if len(vs) != 1 {
		w.Fatalf("%s has %d values", token, len(vs))
	}
	return vs[0].Num
}
