// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/falco-go/falco/tests/vm"
)

// criPod and criMade are what tests/containers/guest reads and writes.
type criPod struct {
	Sandbox    *runtime.PodSandboxConfig
	Containers []*runtime.ContainerConfig
	Exec       []string
}

type criMade struct {
	Runtime, Sandbox, IP string
	Containers           map[string]string
}

// criSetUp has containerd serve CRI, with our pause image and Debian's network plugins.
const criSetUp = `set -e
modprobe overlay
modprobe bridge
mkdir -p /opt/cni /etc/cni/net.d /etc/containerd
ln -sfn /usr/lib/cni /opt/cni/bin
cat > /etc/cni/net.d/10-test.conflist <<'END'
{"cniVersion": "0.4.0", "name": "test", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
cp /files/config.toml /etc/containerd/config.toml
systemctl restart containerd
`

// criConfigs are containerd's, by version of the file: up to 1.7, and from 2.0 on.
var criConfigs = map[string]string{
	"2": `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "PAUSE"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = SYSTEMD
`,
	"3": `version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "PAUSE"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    SystemdCgroup = SYSTEMD
`,
}

// criPods are two: one with a network of its own, and one of the host's that may do
// everything, as agents are.
func criPods(shop *image, systemd bool) []criPod {
	parent := func(uid string) string {
		if systemd {
			return "kubepods-besteffort-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice"
		}
		return "/kubepods/besteffort/pod" + uid
	}
	labels := func(name, uid string) map[string]string {
		return map[string]string{"io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": podSpace, "io.kubernetes.pod.uid": uid}
	}
	with := func(all map[string]string, more ...string) map[string]string {
		all = maps.Clone(all)
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	// As kubelet does: a container has processes of its own, and shares the rest.
	ownPids := &runtime.NamespaceOption{Pid: runtime.NamespaceMode_CONTAINER}
	onHost := &runtime.NamespaceOption{Pid: runtime.NamespaceMode_CONTAINER, Network: runtime.NamespaceMode_NODE}
	own := &runtime.LinuxContainerConfig{SecurityContext: &runtime.LinuxContainerSecurityContext{NamespaceOptions: ownPids}}
	const agentUID = "99999999-8888-7777-6666-555555555555"
	agent := labels("agent-x", agentUID)
	front := labels(podName, podUID)
	return []criPod{
		{
			Sandbox: &runtime.PodSandboxConfig{
				Metadata: &runtime.PodSandboxMetadata{Name: podName, Namespace: podSpace, Uid: podUID, Attempt: 0},
				Hostname: "front", LogDirectory: "/var/log/pods/front", Labels: with(front, "app", "shop", "tier", "front"),
				PortMappings: []*runtime.PortMapping{{Protocol: runtime.Protocol_TCP, ContainerPort: 80, HostPort: 8080}},
				Linux:        &runtime.LinuxPodSandboxConfig{CgroupParent: parent(podUID), SecurityContext: &runtime.LinuxSandboxSecurityContext{NamespaceOptions: ownPids}},
			},
			Containers: []*runtime.ContainerConfig{
				{
					Metadata: &runtime.ContainerMetadata{Name: "visited"}, Image: &runtime.ImageSpec{Image: shop.ref, UserSpecifiedImage: shop.ref},
					Command: []string{"/bin/sh", "/wait.sh"}, LogPath: "visited.log", Linux: own,
					Labels: with(front, "io.kubernetes.container.name", "visited"),
				},
				{
					Metadata: &runtime.ContainerMetadata{Name: "web"}, Image: &runtime.ImageSpec{Image: shop.ref, UserSpecifiedImage: shop.ref},
					Envs: []*runtime.KeyValue{{Key: "A", Value: "b"}}, LogPath: "web.log", Linux: own,
					Mounts: []*runtime.Mount{{HostPath: "/root", ContainerPath: "/host", Readonly: true}},
					Labels: with(front, "io.kubernetes.container.name", "web"),
				},
			},
			Exec: []string{"/bin/sh", "/act.sh"},
		},
		{
			Sandbox: &runtime.PodSandboxConfig{
				Metadata:     &runtime.PodSandboxMetadata{Name: "agent-x", Namespace: podSpace, Uid: agentUID},
				LogDirectory: "/var/log/pods/agent", Labels: with(agent, "app", "agent"),
				Linux: &runtime.LinuxPodSandboxConfig{CgroupParent: parent(agentUID), SecurityContext: &runtime.LinuxSandboxSecurityContext{
					Privileged: true, NamespaceOptions: onHost,
				}},
			},
			Containers: []*runtime.ContainerConfig{{
				Metadata: &runtime.ContainerMetadata{Name: "agent"}, Image: &runtime.ImageSpec{Image: shop.ref, UserSpecifiedImage: shop.ref}, LogPath: "agent.log",
				Labels: with(agent, "io.kubernetes.container.name", "agent"),
				Linux:  &runtime.LinuxContainerConfig{SecurityContext: &runtime.LinuxContainerSecurityContext{Privileged: true, NamespaceOptions: onHost}},
			}},
		},
	}
}

// Pods of the CRI of Debian's containerd, made over its own API with Debian's network
// plugins: what rules read of them is right from the first event of each container on.
func TestGuestCRI(t *testing.T) {
	if !long() {
		t.Skip("long: FALCO_LONG=1")
	}
	for _, c := range []criCase{
		{suite: "bookworm", config: "2"},
		{suite: "bookworm", config: "2", systemd: true},
		{suite: "sid", config: "3", systemd: true},
		{suite: "bookworm", config: "2", systemd: true, only: true},
		{suite: "bullseye", config: "2", systemd: true, only: true}, // which speaks v1alpha2 alone
	} {
		t.Run(c.String(), func(t *testing.T) {
			vm.RequireDebian(t)
			c.run(t)
		})
	}
}

// criCase is a guest with containerd.
type criCase struct {
	suite, config string
	systemd       bool // makes the cgroups
	only          bool // the daemon speaks CRI with it, and nothing else
}

func (c criCase) String() string {
	name := c.suite
	if c.systemd {
		name += "_systemd"
	}
	if c.only {
		name += "_cri"
	}
	return name
}

// criOnly has the daemon ask over CRI. That does not tell of what is to come: events
// wait until they are answered, for which a guest under emulation takes its time.
var criOnly = append([]string{"-o", "containers.engines.containerd.enabled=false"}, patient...)

func (c criCase) run(t *testing.T) {
	suite, version, systemd := c.suite, c.config, c.systemd
	dir := t.TempDir()
	shop, _, pause := images(t, dir)
	kubelet, err := vm.BuildGo("./tests/containers/guest", "kubelet", nil)
	if err != nil {
		t.Fatal(err)
	}
	pods := criPods(shop, systemd)
	yes := map[bool]string{true: "true", false: "false"}[systemd]
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	files := []string{
		write("config.toml", []byte(strings.NewReplacer("PAUSE", pause.ref, "SYSTEMD", yes).Replace(criConfigs[version]))),
		write("plan.json", asJSON(pods)), kubelet,
	}
	var args []string
	if c.only {
		args = criOnly
	}
	rules := rulesOf(t)
	w := watch(t, vm.Config{
		FalcoArgs: args, Capture: true,
		Debian:     &vm.Debian{Suite: suite, Systemd: true, Packages: containerPackages},
		KernelArgs: []string{"apparmor=0"}, // else bullseye's containerd asks for a parser of profiles
		Rules:      rules, Files: append(files, guestFiles(t, dir)...),
		Setup:  criSetUp + setUp,
		Script: "/files/kubelet /run/containerd/containerd.sock < /files/plan.json || { journalctl -u containerd --no-pager | tail -50; exit 1; }\n",
	})
	var made []criMade
	for line := range strings.Lines(w.Act) {
		var m criMade
		if json.Unmarshal([]byte(line), &m) == nil && m.Sandbox != "" {
			made = append(made, m)
		}
	}
	if len(made) != len(pods) {
		t.Fatalf("%d pods were made:\n%s\n%s", len(made), w.Act, w.lastWords())
	}
	t.Logf("by %s", made[0].Runtime)
	c.look(t, w, pods, made, shop)
	t.Run("replay", func(t *testing.T) { c.look(t, w.replay(t, rules), pods, made, shop) })
	w.heldNoLonger(t)
	if t.Failed() {
		t.Logf("act:\n%s\nset up:\n%s\nlog:\n%s", w.Act, w.Setup, w.lastWords())
	}
}

// look holds what is to be seen of the pods that were made.
func (c criCase) look(t *testing.T, w *watched, pods []criPod, made []criMade, shop *image) {
	for n, m := range made {
		meta := pods[n].Sandbox.Metadata
		pod := map[string]string{
			"container.type": "containerd", "evt.metadata": "known", "k8s.pod.name": meta.Name, "k8s.ns.name": meta.Namespace, "k8s.pod.uid": meta.Uid,
			"k8s.pod.sandbox_id": short(m.Sandbox), "k8s.pod.full_sandbox_id": m.Sandbox, "k8s.pod.label.app": pods[n].Sandbox.Labels["app"],
		}
		sandbox := maps.Clone(pod)
		sandbox["container.name"] = "POD"
		w.check(t, m.Sandbox, sandbox)
		for _, k := range pods[n].Containers {
			id := m.Containers[k.Metadata.Name]
			want := maps.Clone(pod)
			maps.Copy(want, map[string]string{
				"container.name": k.Metadata.Name, "container.full_id": id, "container.image": shop.ref, "container.image.id": shop.ID,
				"container.image.repository": "registry.example/team/shop", "container.image.tag": "1.2", "container.image.digest": shop.Digest,
				"container.privileged": "false", "container.host_network": "false", "container.ip": m.IP, "k8s.pod.ip": m.IP, "container.host_pid": "false",
			})
			if c.only { // what it says of the image
				want["container.image.digest"] = "sha256:" + shop.ID
			}
			rules := []string{ruleShell, ruleShadow, ruleConnect}
			switch k.Metadata.Name {
			case "web":
				rules = append(rules, ruleSite)
				maps.Copy(want, map[string]string{"container.mounts": "/root:/host::false:private", "container.mount.dest[/root]": "/host", "container.mount.source[/host]": "/root"})
			case "agent":
				rules = append(rules, ruleSite, rulePriv)
				delete(want, "k8s.pod.ip")
				delete(want, "container.ip")
				maps.Copy(want, map[string]string{"container.privileged": "true", "container.host_network": "true"})
			}
			w.check(t, id, want)
			w.fired(t, id, rules...)
			if k.Metadata.Name == "agent" {
				continue
			}
			for _, e := range w.events[short(id)] {
				if cni := value(&e, "k8s.pod.cni.json"); !strings.Contains(cni, m.IP) || !strings.Contains(cni, "eth0") {
					t.Errorf("container %s: k8s.pod.cni.json is %s", id, cni)
					break
				}
			}
		}
	}
}
