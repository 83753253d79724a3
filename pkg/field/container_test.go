// SPDX-License-Identifier: Apache-2.0

package field

import (
	"errors"
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

const (
	podID     = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sandbox64 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

const podJSON = `{"container":{"id":"aaaaaaaaaaaa","full_id":"` + podID + `","type":7,"name":"web","image":"nginx:1@sha256:d",
	"imageid":"e","imagerepo":"nginx","imagetag":"1","imagedigest":"sha256:d","User":"www","privileged":true,"host_pid":true,
	"Mounts":[{"Source":"/proc","Destination":"/host/proc","Mode":"","RW":false,"Propagation":"private"},
		{"Source":"/var/lib/x","Destination":"/data","Mode":"z","RW":true,"Propagation":"rslave"}],
	"ip":"10.1.1.1","pod_sandbox_id":"` + sandbox64 + `","labels":{"app":"x","annotation.a":"b","io.kubernetes.pod.name":"p",
	"io.kubernetes.pod.namespace":"prod","io.kubernetes.pod.uid":"1-2"}}}`

const sandboxJSON = `{"container":{"id":"bbbbbbbbbbbb","full_id":"` + sandbox64 + `","type":7,"name":"POD","is_pod_sandbox":true,
	"ip":"10.1.1.9","cni_json":"{\"eth0\":{}}","labels":{"team":"blue","io.kubernetes.x":"y"}}}`

func told(json string) *eventtest.Builder { return eventtest.New(schema.ContainerJsonE).Str(json) }

// inPod makes thread 200, whose cgroup is that of the pod's container.
func inPod(w *world) {
	w.apply(200, eventtest.New(schema.CloneX).Tid(200).Set("res", 0).Set("tid", 200).Set("pid", 200).Set("ptid", 30).
		Set("comm", "nginx").Set("exe", "nginx").Set("vtid", 7).Set("vpid", 7).Set("pidns_init_start_ts", 5).
		Set("cgroups", []string{"cpu=/kubepods.slice/kubepods-pod9_9.slice/cri-containerd-" + podID + ".scope"}))
}

func TestContainerFields(t *testing.T) {
	w := newWorld(t)
	inPod(w)
	quiet := func() *eventtest.Builder { return eventtest.New(schema.CloseX).Set("res", 0).Set("fd", 1) }
	check(t, w.apply(200, quiet()), map[string]string{ // C-102: nobody has told yet
		"container.id": "aaaaaaaaaaaa", "container.full_id": "-", "container.name": "-", "container.image": "-", "container.type": "-",
		"container.privileged": "-", "container.mounts": "-", "container.mount[0]": "-", "container.label.app": "-", "container.labels": "-",
		"container.ip": "-", "k8s.ns.name": "-", "k8s.pod.name": "-", "k8s.pod.uid": "9-9", "k8s.pod.id": "9-9", "k8s.pod.sandbox_id": "-",
		"k8s.pod.label.team": "-", "k8s.pod.labels": "-", "k8s.pod.ip": "-",
	})
	told1 := map[string]string{
		"container.id": "aaaaaaaaaaaa", "container.full_id": podID, "container.name": "web", "container.image": "nginx:1@sha256:d",
		"container.image.id": "e", "container.image.repository": "nginx", "container.image.tag": "1", "container.image.digest": "sha256:d",
		"container.type": "containerd", "container.privileged": "true", "container.host_pid": "true", "container.host_network": "false",
		"container.host_ipc": "false", "container.mounts": "/proc:/host/proc::false:private,/var/lib/x:/data:z:true:rslave", // C-104
		"container.mount[0]": "/proc:/host/proc::false:private", "container.mount[2]": "-", "container.mount.dest[/proc*]": "/host/proc",
		"container.mount.dest[/var/*]": "/data", "container.mount.dest[lib/.$]": "/data", "container.mount.source[/dat?]": "/var/lib/x",
		"container.mount.source[/var*]": "-", "container.mount.mode[/var*]": "z", "container.mount.rdwr[/var*]": "true",
		"container.mount.propagation[1]": "rslave", "container.mount[[]": "-",
		"container.label.app": "x", "container.label[app]": "x", "container.label.b": "-", "container.labels": "app:x",
		"container.ip": "10.1.1.1", "container.cni.json": "", "k8s.ns.name": "prod", "k8s.pod.name": "p", "k8s.pod.uid": "1-2",
		"k8s.pod.sandbox_id": "bbbbbbbbbbbb", "k8s.pod.full_sandbox_id": sandbox64,
	}
	onTelling := w.apply(-1, told(podJSON)) // C-103
	check(t, onTelling, told1)
	check(t, onTelling, map[string]string{"evt.type": "container", "proc.name": "-", "user.name": "www", "evt.is_async": "true", "evt.dir": ">"})
	check(t, w.apply(200, quiet()), told1)
	check(t, w.apply(200, quiet()), map[string]string{"k8s.pod.label.team": "-", "k8s.pod.ip": "-"})
	w.apply(-1, told(sandboxJSON))
	check(t, w.apply(200, quiet()), map[string]string{
		"k8s.pod.label.team": "blue", "k8s.pod.labels": "team:blue", "k8s.pod.ip": "10.1.1.9", "k8s.pod.cni.json": `{"eth0":{}}`,
	})
}

// Versions up to 0.40 had no value where those of today have a text without content.
func TestClassicContainers(t *testing.T) {
	for _, c := range []struct {
		classic             bool
		empty, no, on, when string
	}{{false, "", "false", "host", "1566226800030000000"}, {true, "-", "-", "host", "-"}} {
		w := newWorld(t)
		w.st.ClassicContainers = c.classic
		check(t, w.apply(30, eventtest.New(schema.CloseX).Set("res", 0).Set("fd", 1)), map[string]string{ // C-099, C-110
			"container.id": c.on, "container.full_id": c.on, "container.name": c.on, "container.type": c.on, "container.image": c.empty,
			"container.image.repository": c.empty, "container.ip": c.empty, "container.mounts": c.empty, "container.labels": c.empty,
			"container.privileged": c.no, "container.host_pid": c.no, "container.start_ts": c.when, "k8s.ns.name": "-", "k8s.pod.uid": "-",
			"k8s.pod.sandbox_id": c.empty, "k8s.pod.labels": c.empty,
		})
		check(t, w.apply(-1, told(`{"container":{"id":"x","type":1,"name":"n"}}`)), map[string]string{
			"container.name": "n", "container.type": "lxc", "container.image": c.empty, "container.privileged": c.no,
		})
	}
}

// What a runtime executes to see whether a container is well, and what descends from
// that, is told apart from what the container does itself.
func TestProbes(t *testing.T) {
	w := newWorld(t)
	w.apply(-1, told(`{"container":{"id":"aaaaaaaaaaaa","full_id":"`+podID+`","type":0,"name":"web","Healthcheck":{"exe":"/bin/sh","args":["-c","curl x"]},
		"LivenessProbe":{"exe":"/alive","args":[]},"ReadinessProbe":{"exe":"/ready","args":["now"]}}}`))
	start := func(tid, ptid, vpid int64, exe string, args ...string) {
		w.apply(tid, eventtest.New(schema.CloneX).Tid(tid).Set("res", 0).Set("tid", tid).Set("pid", tid).Set("ptid", ptid).
			Set("comm", "x").Set("exe", exe).Set("args", args).Set("vtid", vpid).Set("vpid", vpid).Set("pidns_init_start_ts", 5).
			Set("cgroups", []string{"cpu=/docker/" + podID}))
	}
	start(200, 30, 1, "/bin/sh", "-c", "curl x") // the container's own process
	start(201, 200, 7, "/alive")                 // its child
	start(202, 30, 8, "/bin/sh", "-c", "curl x") // of the runtime
	start(203, 202, 9, "curl", "x")
	start(204, 30, 10, "/alive")
	start(205, 204, 11, "/ready", "now") // is part of the one above it
	start(206, 30, 12, "/ready", "now")
	start(207, 30, 13, "/ready", "now", "and then")
	quiet := func() *eventtest.Builder { return eventtest.New(schema.CloseX).Set("res", 0).Set("fd", 1) }
	for tid, want := range map[int64][3]string{
		30: {"false", "false", "false"}, 200: {"false", "false", "false"}, 201: {"false", "false", "false"}, 202: {"true", "false", "false"},
		203: {"true", "false", "false"}, 204: {"false", "true", "false"}, 205: {"false", "true", "false"}, 206: {"false", "false", "true"},
		207: {"false", "false", "false"},
	} {
		check(t, w.apply(tid, quiet()), map[string]string{"proc.is_container_healthcheck": want[0], "proc.is_container_liveness_probe": want[1],
			"proc.is_container_readiness_probe": want[2], "container.healthcheck": "-"})
	}
	w.st.ClassicContainers = true
	check(t, w.apply(203, quiet()), map[string]string{"container.healthcheck": "/bin/sh -c curl x", "container.liveness_probe": "/alive",
		"container.readiness_probe": "/ready now"})
	w.apply(-1, told(`{"container":{"id":"aaaaaaaaaaaa","full_id":"`+podID+`","type":0,"name":"web"}}`))
	check(t, w.apply(203, quiet()), map[string]string{"container.healthcheck": "NONE", "proc.is_container_healthcheck": "false"})
	check(t, w.apply(30, quiet()), map[string]string{"container.healthcheck": "-"})
}

func TestGlobExp(t *testing.T) {
	for _, c := range []struct {
		glob, text string
		want       bool
	}{
		{"/proc*", "/proc/x", true}, {"/proc*", "/proc", true}, {"/proc*", "a/proc", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"[ab]", "b", true}, {"[!ab]", "b", false}, {"[!ab]", "c", true}, {"[]]", "]", true}, {"[", "[", true}, {"a[", "a[", true},
		{`\*`, "*", true}, {`\*`, "x", false}, {"a.c", "abc", false}, {"[z-a]", "b", false}, {`[\`, `[\`, true}, {"*", "a\nb", true},
	} {
		if got := globExp(c.glob).MatchString(c.text); got != c.want {
			t.Errorf("%q and %q: %v", c.glob, c.text, got)
		}
	}
}

func TestSyslog(t *testing.T) {
	w := newWorld(t)
	w.open(30, 3, "/dev/log", schema.OWronly, 0)
	write := func(data string) *eventtest.Builder {
		return eventtest.New(schema.WriteX).Set("res", len(data)).Set("data", []byte(data)).Set("fd", 3).Set("size", len(data))
	}
	check(t, w.apply(30, write("<38>sshd: in")), map[string]string{
		"syslog.facility": "4", "syslog.facility.str": "auth", "syslog.severity": "6", "syslog.severity.str": "info", "syslog.message": "sshd: in"})
	check(t, w.apply(30, write("<800>x")), map[string]string{"syslog.facility": "100", "syslog.facility.str": "-", "syslog.message": "x"})
	for _, bad := range []string{"", "x", "<x>y", "<5", "<99999>y"} {
		check(t, w.apply(30, write(bad)), map[string]string{"syslog.facility": "-", "syslog.message": "-"})
	}
}

func TestOldMetaEvents(t *testing.T) {
	w := newWorld(t)
	check(t, w.apply(-1, eventtest.New(schema.InfrastructureEventE).Set("source", "docker").
		Set("description", "Event: start; ID: 0123456789abcdef; name: web; Image: nginx@sha256:d")), map[string]string{
		"evt.infra.docker.name": "start", "evt.infra.docker.container.id": "0123456789ab",
		"evt.infra.docker.container.name": "web", "evt.infra.docker.container.image": "nginx"})
	report := func(user, system int) *eventtest.Builder {
		return eventtest.New(schema.ProcinfoE).Set("cpu_usr", user).Set("cpu_sys", system)
	}
	check(t, w.apply(30, report(100, 50)), map[string]string{"thread.cpu": "0.0", "thread.cpu.user": "0.0"})
	check(t, w.apply(30, report(120, 55)), map[string]string{"thread.cpu": "25.0", "thread.cpu.user": "20.0", "thread.cpu.system": "5.0"})
	check(t, w.apply(30, report(900, 55)), map[string]string{"thread.cpu": "100.0", "evt.infra.docker.name": "-"})
	check(t, w.apply(30, report(1, 1)), map[string]string{"thread.cpu": "0.0"}) // another thread of this number
}

// Where nothing is known of a container, it can be told why.
func TestEvtMetadata(t *testing.T) {
	w := newWorld(t)
	quiet := func() *eventtest.Builder { return eventtest.New(schema.CloseX).Set("res", 0).Set("fd", 1) }
	is := func(tid int64, want string) {
		t.Helper()
		check(t, w.apply(tid, quiet()), map[string]string{"evt.metadata": want})
	}
	is(30, "-") // on the host
	inPod(w)
	is(200, "unasked")
	w.st = state.New(state.Options{Ask: func(state.Ask) bool { return true }})
	inPod(w)
	is(200, "pending")
	w.st.FailContainer(podID[:12], errors.New("containerd: permission denied"))
	is(200, "missing: containerd: permission denied")
	w.apply(-1, told(podJSON))
	is(200, "known")
	w.apply(-1, eventtest.New(schema.AsynceventE).Uint(0).Str("container_removed").Raw([]byte(podJSON)))
	is(200, "gone")
}
