// SPDX-License-Identifier: Apache-2.0

package container

import (
	"strings"
	"testing"
)

const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestFromPath(t *testing.T) {
	for _, c := range []struct {
		name, path, id string
		kind           Kind
	}{
		{"C-090", "/docker/<64>", "0123456789ab", Docker},
		{"docker systemd", "/system.slice/docker-<64>.scope", "0123456789ab", Docker},
		{"C-091", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-<64>.scope", "0123456789ab", CRI},
		{"C-092", "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:<64>", "0123456789ab", CRI},
		{"C-093", "/kubepods.slice/a.slice/crio-<64>.scope", "0123456789ab", CRIO},
		{"C-093 container", "/kubepods.slice/a.slice/crio-<64>.scope/container", "0123456789ab", CRIO},
		{"C-094", "/machine.slice/libpod-conmon-<64>.scope", "", ""},
		{"C-094 crio", "/kubepods.slice/a.slice/crio-conmon-<64>.scope", "", ""},
		{"C-095", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-<64>.scope/container", "0123456789ab", Podman},
		{"podman payload", "/machine.slice/libpod-payload-<64>", "0123456789ab", Podman},
		{"podman", "/machine.slice/libpod-<64>.scope", "0123456789ab", Podman},
		{"kubepods cgroupfs", "/kubepods/burstable/pod8c0b3c1e-0000-0000-0000-000000000000/<64>", "0123456789ab", CRI},
		{"C-096", "/lxc.payload.web/init.scope", "web", LXC},
		{"lxc", "/lxc/web1", "web1", LXC},
		{"lxc payload dir", "/lxc.payload/web1/x", "web1", LXC},
		{"C-097", `/machine.slice/machine-lxc\x2d229\x2dc1.scope/libvirt`, `229\x2dc1`, LibvirtLXC},
		{"libvirt old", "/machine/c1.libvirt-lxc", "c1", LibvirtLXC},
		{"libvirt dir", "/libvirt/lxc/c1", "c1", LibvirtLXC},
		{"bpm", "/system.slice/runc-bpm-uaa.scope", "uaa", BPM},
		{"C-098", "/default/redis", "redis", Containerd},
		{"C-098 unknown namespace", "/process_api/redis", "", ""},
		{"C-098 unit", "/default/redis.service", "", ""},
		{"containerd hex", "/default/<64>", "0123456789ab", Docker},
		{"C-099 session", "/user.slice/user-0.slice/session-1.scope", "", ""},
		{"C-099 init", "/init.scope", "", ""},
		{"C-099 root", "/", "", ""},
		{"service", "/system.slice/sshd.service", "", ""},
		{"C-100", "/machine.slice/systemd-nspawn@deb.service/payload", "", ""},
		{"pod level", "/kubepods/besteffort/pod8c0b3c1e", "", ""},
		{"pod class", "/kubepods/besteffort", "", ""},
		{"other cgroup namespace", "/../../docker/<64>", "0123456789ab", Docker},
		{"short", "/docker/0123456789ab", "", ""},
		{"empty", "", "", ""},
		{"no slash", "<64>", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, ok := FromPath(strings.ReplaceAll(c.path, "<64>", hex64))
			if ok != (c.id != "") || m.ID != c.id || m.Kind != c.kind {
				t.Errorf("got %+v %v, want id %q of %q", m, ok, c.id, c.kind)
			}
		})
	}
}

// C-101: a mixed list, where only one subsystem knows the container.
func TestFromCgroups(t *testing.T) {
	m, ok := FromCgroups([]string{"cpuset=/", "memory=/docker/" + hex64})
	if !ok || m.ID != hex64[:12] || m.FullID != hex64 {
		t.Errorf("got %+v %v", m, ok)
	}
	if _, ok := FromCgroups([]string{"cpuset=/", "=", "x"}); ok {
		t.Error("found a container on the host")
	}
}

func FuzzFromPath(f *testing.F) {
	f.Add("/docker/" + hex64)
	f.Add("/lxc.payload.")
	f.Add("bpm-")
	f.Fuzz(func(t *testing.T, path string) {
		m, ok := FromPath(path)
		if ok != (m.ID != "") || ok && !strings.HasPrefix(m.FullID, m.ID) {
			t.Errorf("%q: %+v %v", path, m, ok)
		}
	})
}

func TestUserOf(t *testing.T) {
	for path, want := range map[string]string{
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-x.scope": "1000",
		"/user.slice/user-1000.slice": "",
		"/user.slice/user-x.slice/a":  "", "/system.slice/docker-x.scope": "", "/user-.slice/x": "", "/user-1.slice/": "1",
	} {
		if got := userOf(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	id := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	if m, ok := FromCgroups([]string{"cpu=/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope"}); !ok || m.User != "1000" {
		t.Errorf("got %+v", m)
	}
}
