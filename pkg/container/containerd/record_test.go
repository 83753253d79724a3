// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falco-go/falco/pkg/container"
)

const (
	hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	pod64 = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
	short = "0123456789ab"
)

// confined is a specification as runtimes make it for an ordinary container.
const confined = `{"annotations":{%s},"process":{"user":{"uid":33},"env":["A=1"],"apparmorProfile":"cri-containerd.apparmor.d"},
	"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
		{"destination":"/data","type":"bind","source":"/srv","options":["rbind","rslave","ro"]},
		{"destination":"/run","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755"]}],
	"linux":{"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"network","path":"/var/run/netns/x"},{"type":"mount"}],
		"maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/sys"],"rootfsPropagation":"private",
		"resources":{"memory":{"limit":64},"cpu":{"shares":512,"quota":7,"period":50000,"cpus":"0-2,7"}}}}`

func noted(notes string) []byte { return []byte(strings.Replace(confined, "%s", notes, 1)) }

const criMeta = `{"Version":"v1","Metadata":{"ID":"` + hex64 + `","SandboxID":"` + pod64 + `","ImageRef":"sha256:c0ffee","Config":{
	"metadata":{"name":"web","attempt":2},"image":{"image":"sha256:c0ffee","user_specified_image":"reg:5000/a/web:1.2"},
	"envs":[{"key":"K","value":"v"}],"mounts":[{"container_path":"/host/proc","host_path":"/proc","readonly":true}],
	"linux":{"security_context":{"privileged":true,"namespace_options":{"pid":1}}}}}}`

const podMeta = `{"Version":"v1","Metadata":{"ID":"` + pod64 + `","IP":"10.88.0.4","Config":{"metadata":{"name":"web-0","uid":"u-1","namespace":"default"},
	"port_mappings":[{"container_port":80,"host_port":8080},{"protocol":1,"container_port":53,"host_port":53},{"container_port":81}],
	"labels":{"app":"web"},"linux":{"security_context":{"namespace_options":{"network":0,"pid":2}}}},
	"CNIResult":{"Interfaces":{"lo":{"IPConfigs":null},"veth12":{},"eth0":{"IPConfigs":[{"IP":"10.88.0.4"}],"Mac":"aa","Sandbox":"/x"}}}}}`

func TestRecords(t *testing.T) {
	forged := map[string]string{"io.kubernetes.pod.namespace": "kube-system", "io.kubernetes.container.name": "web", "team": "a", "long": strings.Repeat("x", 101)}
	limits := func(i container.Info) container.Info {
		i.MemoryLimit, i.CPUShares, i.CPUQuota, i.CPUPeriod, i.CPUSet, i.Size = 64, 512, 7, 50000, 4, -1
		return i
	}
	for name, c := range map[string]struct {
		record Record
		want   container.Info
	}{
		"C-104, C-105: kubelet's": {
			Record{Namespace: "k8s.io", ID: hex64, Image: "sha256:c0ffee", Labels: forged, Spec: noted(`"io.kubernetes.cri.container-type":"container"`),
				Extensions: map[string][]byte{extContainer: []byte(criMeta)}, Sandbox: metadataOf[Sandbox]([]byte(podMeta)), Target: "sha256:index", Config: "sha256:c0ffee"},
			limits(container.Info{ID: short, FullID: hex64, Type: container.TypeContainerd, Name: "web", Image: "reg:5000/a/web:1.2", ImageID: "c0ffee",
				ImageRepo: "reg:5000/a/web", ImageTag: "1.2", ImageDigest: "sha256:index", User: "33", Privileged: true, HostPid: true,
				Mounts: []container.Mount{{Source: "/proc", Dest: "/host/proc", Propagation: "private"}}, IP: "10.88.0.4",
				CNIJSON: `{"eth0":{"IPConfigs":[{"IP":"10.88.0.4"}]}}`, PodSandboxID: pod64, PodSandboxLabels: container.Labels{"app": "web"},
				Labels: container.Labels{"io.kubernetes.pod.namespace": "default", "io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.uid": "u-1",
					"io.kubernetes.sandbox.id": pod64, "io.kubernetes.container.name": "web", "team": "a"},
				Ports: []container.Port{{HostPort: 8080, ContainerPort: 80}}, Env: []string{"K=v"}}),
		},
		"kubelet's, by annotations alone": {
			Record{Namespace: "k8s.io", ID: hex64, Image: "sha256:c0ffee", Tagged: "docker.io/library/redis:7", Labels: forged, Spec: noted(`
				"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.container-name":"db","io.kubernetes.cri.sandbox-id":"` + pod64 + `",
				"io.kubernetes.cri.sandbox-name":"db-0","io.kubernetes.cri.sandbox-namespace":"prod","io.kubernetes.cri.sandbox-uid":"u-2"`)},
			limits(container.Info{ID: short, FullID: hex64, Type: container.TypeContainerd, Name: "db", Image: "docker.io/library/redis:7",
				ImageRepo: "docker.io/library/redis", ImageTag: "7", User: "33", PodSandboxID: pod64,
				Mounts: []container.Mount{{Source: "/srv", Dest: "/data", Propagation: "rslave"}},
				Labels: container.Labels{"io.kubernetes.pod.namespace": "prod", "io.kubernetes.pod.name": "db-0", "io.kubernetes.pod.uid": "u-2",
					"io.kubernetes.sandbox.id": pod64, "io.kubernetes.container.name": "web", "team": "a"}, Env: []string{"A=1"}}),
		},
		"a pod's own": {
			Record{Namespace: "k8s.io", ID: pod64, Image: "registry.k8s.io/pause:3.9", Labels: map[string]string{labelKind: kindSandbox}, Spec: noted(``),
				Sandbox: metadataOf[Sandbox]([]byte(podMeta))},
			limits(container.Info{ID: pod64[:12], FullID: pod64, Type: container.TypeContainerd, Name: sandboxName, Image: "registry.k8s.io/pause:3.9",
				ImageRepo: "registry.k8s.io/pause", ImageTag: "3.9", User: "33", HostPid: true, IsPodSandbox: true, PodSandboxID: pod64,
				Mounts: []container.Mount{{Source: "/srv", Dest: "/data", Propagation: "rslave"}}, IP: "10.88.0.4",
				CNIJSON: `{"eth0":{"IPConfigs":[{"IP":"10.88.0.4"}]}}`, PodSandboxLabels: container.Labels{"app": "web"},
				Labels: container.Labels{"io.kubernetes.pod.namespace": "default", "io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.uid": "u-1",
					"io.kubernetes.sandbox.id": pod64, labelKind: kindSandbox}, Ports: []container.Port{{HostPort: 8080, ContainerPort: 80}}, Env: []string{"A=1"}}),
		},
		"C-106: docker's": {
			Record{Namespace: "moby", ID: hex64, Labels: map[string]string{"com.docker/engine.bundle.path": "/x"}, Spec: noted(``)},
			limits(container.Info{ID: short, FullID: hex64, Type: container.TypeDocker, Name: short, Partial: true,
				Mounts: []container.Mount{{Source: "/srv", Dest: "/data", Propagation: "rslave"}},
				Labels: container.Labels{"com.docker/engine.bundle.path": "/x"}, Env: []string{"A=1"}}),
		},
		"nerdctl's": {
			Record{Namespace: "default", ID: hex64, Image: "docker.io/library/nginx:1.25@sha256:pinned", Target: "sha256:index", Config: "sha256:conf",
				Labels: map[string]string{nerdctlName: "front", nerdctlCheck: `{"Test":["CMD","/ok"]}`, nerdctlPorts: `[{"HostPort":80,"ContainerPort":8080,"Protocol":"tcp","HostIP":"0.0.0.0"},{"HostPort":1,"ContainerPort":99999,"Protocol":"tcp"}]`},
				Spec:   []byte(`{"process":{},"linux":{"namespaces":[{"type":"mount"}]},"mounts":[{"type":"sysfs","source":"sysfs","destination":"/sys"}]}`)},
			container.Info{ID: short, FullID: hex64, Type: container.TypeContainerd, Name: "front", Image: "docker.io/library/nginx:1.25@sha256:pinned",
				ImageID: "conf", ImageRepo: "docker.io/library/nginx", ImageTag: "1.25", ImageDigest: "sha256:pinned", User: "0", Privileged: true,
				HostPid: true, HostNetwork: true, HostIPC: true, Mounts: []container.Mount{{Source: "sysfs", Dest: "/sys", RW: true}},
				Labels: container.Labels{nerdctlName: "front", nerdctlCheck: `{"Test":["CMD","/ok"]}`}, Healthcheck: &container.Probe{Exe: "/ok", Args: []string{}}, Ports: []container.Port{{HostIP: "0.0.0.0", HostPort: 80, ContainerPort: 8080}},
				CPUShares: 1024, CPUPeriod: 100000, Size: -1},
		},
		"ctr's, without a specification": {
			Record{Namespace: "default", ID: "a-rather-long-name", Image: "docker.io/library/busybox"},
			container.Info{ID: "a-rather-lon", FullID: "a-rather-long-name", Type: container.TypeContainerd, Name: "a-rather-lon", Image: "docker.io/library/busybox",
				ImageRepo: "docker.io/library/busybox", Labels: container.Labels{}, CPUShares: 1024, CPUPeriod: 100000, Size: -1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.record.Info()
			if diff := cmp.Diff(&c.want, got, cmpopts.IgnoreUnexported(container.Info{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Each of the things that keep a container in its place makes it unprivileged.
func TestPrivileged(t *testing.T) {
	for text, want := range map[string]bool{
		`{"process":{},"linux":{}}`: true,
		`{"process":{"apparmorProfile":"unconfined"},"linux":{"seccomp":null}}`:   true,
		`{"process":{"apparmorProfile":"docker-default"},"linux":{}}`:             false,
		`{"process":{"selinuxLabel":"x"},"linux":{}}`:                             false,
		`{"process":{},"linux":{"seccomp":{}}}`:                                   false,
		`{"process":{},"linux":{"maskedPaths":["/x"]}}`:                           false,
		`{"process":{},"linux":{"readonlyPaths":["/x"]}}`:                         false,
		`{"process":{},"linux":{},"mounts":[{"type":"cgroup","options":["ro"]}]}`: false,
		`{"process":{}}`: false, `{"linux":{}}`: false, `{}`: false,
	} {
		var s spec
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		if got := s.privileged(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestCPUCount(t *testing.T) {
	for list, want := range map[string]int32{"": 0, "0": 1, "0-3,7": 5, "3-1": 0, "x": 0, "0-70000": 0} {
		if got := cpuCount(list); got != want {
			t.Errorf("%q: %d, want %d", list, got, want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(noted(``), []byte(criMeta), []byte(podMeta), "reg:5000/a@sha256:x")
	f.Add([]byte(`{"linux":{"namespaces":null}}`), []byte(`{"Metadata":{"Config":{}}}`), []byte(`{"Metadata":{"CNIResult":{"Interfaces":{"a":null}}}}`), "")
	f.Fuzz(func(t *testing.T, spec, own, pod []byte, image string) {
		r := Record{Namespace: "k8s.io", ID: hex64, Image: image, Spec: spec, Extensions: map[string][]byte{extContainer: own}, Sandbox: metadataOf[Sandbox](pod)}
		i := r.Info()
		if i.ID != short {
			t.Errorf("id %q", i.ID)
		}
		if _, err := container.Parse(i.JSON()); err != nil && len(i.JSON()) <= container.MaxJSON {
			t.Errorf("written and read again: %v", err)
		}
	})
}
