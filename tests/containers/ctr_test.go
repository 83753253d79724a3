// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// box is a container that ctr runs, and what is to be known of it.
type box struct {
	namespace, id string
	image         *image
	flags         []string
	command       string // "" is the image's own
	detach        bool
	exec          string // a command for ctr task exec
	want          map[string]string
	rules         []string
	user          string // of the container's own passwd, who its shell is
	systemd       bool   // needs it
}

const (
	podUID      = "11111111-2222-3333-4444-555555555555"
	podName     = "front-7d8f-abcde"
	podSpace    = "prod"
	ruleShell   = "Shell in a Container"
	ruleShadow  = "Read sensitive file trusted by host"
	ruleConnect = "Outbound Connection"
	ruleNamed   = "Any process in a specific container"
	rulePriv    = "File Open by Privileged Container"
	ruleSite    = "Connection to test or release"
)

// hex is an id as runtimes make them.
func hex(n int) string { return fmt.Sprintf("%08x%056x", 0xabc00000+n, n) }

// boxes are containers in all namespaces and cgroup layouts that there are. Where ctr
// takes no annotations (bullseye), pods are known by kubelet's labels alone.
func boxes(shop, app *image, annotations bool) []box {
	sandbox := hex(1)
	each := func(flag string, values []string) (words []string) {
		for _, v := range values {
			words = append(words, flag, v)
		}
		return words
	}
	labels := func(values ...string) []string { return each("--label", values) }
	notes := func(values ...string) []string {
		if !annotations {
			return nil
		}
		return each("--annotation", values)
	}
	pod := append(labels("io.kubernetes.pod.name="+podName, "io.kubernetes.pod.namespace="+podSpace, "io.kubernetes.pod.uid="+podUID, "app=shop"),
		notes("io.kubernetes.cri.sandbox-id="+sandbox, "io.kubernetes.cri.sandbox-name="+podName,
			"io.kubernetes.cri.sandbox-namespace="+podSpace, "io.kubernetes.cri.sandbox-uid="+podUID)...)
	workload := func(name string) []string {
		return slices.Concat(labels("io.cri-containerd.kind=container", "io.kubernetes.container.name="+name),
			notes("io.kubernetes.cri.container-type=container", "io.kubernetes.cri.container-name="+name, "io.kubernetes.cri.image-name="+shop.ref), pod)
	}
	of := func(i *image, more map[string]string) map[string]string {
		ref := strings.SplitN(i.ref, ":", 2)
		want := map[string]string{
			"container.image": i.ref, "container.image.repository": ref[0], "container.image.tag": ref[1],
			"container.image.digest": i.Digest, "container.image.id": i.ID, "container.type": "containerd",
			"container.privileged": "false", "container.host_network": "false", "container.host_pid": "false", "evt.metadata": "known",
		}
		maps.Copy(want, more)
		return want
	}
	inPod := func(name string) map[string]string {
		want := map[string]string{
			"container.name": name, "k8s.pod.name": podName, "k8s.ns.name": podSpace, "k8s.pod.uid": podUID, "container.label.app": "shop",
		}
		if annotations {
			maps.Copy(want, map[string]string{"k8s.pod.sandbox_id": short(sandbox), "k8s.pod.full_sandbox_id": sandbox, "k8s.pod.label.app": "shop"})
		}
		return of(shop, want)
	}
	usual := []string{ruleShell, ruleShadow, ruleConnect}
	return []box{
		{namespace: "k8s.io", id: sandbox, image: shop, command: "/bin/sh /wait.sh", detach: true,
			flags: slices.Concat(labels("io.cri-containerd.kind=sandbox"), notes("io.kubernetes.cri.container-type=sandbox"),
				[]string{"--cgroup", "/kubepods/besteffort/pod" + podUID + "/" + sandbox}, pod),
			want: of(shop, map[string]string{"container.name": "POD", "k8s.pod.name": podName, "k8s.pod.sandbox_id": short(sandbox)})},
		{namespace: "default", id: "my-web-app", image: shop, flags: []string{"--net-host", "--label", "app=web"}, rules: append([]string{ruleNamed, ruleSite}, usual...),
			want: of(shop, map[string]string{"container.name": "my-web-app", "container.full_id": "my-web-app", "container.host_network": "true", "container.label.app": "web"})},
		{namespace: "default", id: hex(2), image: shop, rules: append([]string{rulePriv}, usual...),
			flags: []string{"--privileged", "--mount", "type=bind,src=/root,dst=/host,options=rbind:ro", "--env", "A=b", "--label", "nerdctl/name=front",
				"--label", ports},
			want: of(shop, map[string]string{"container.name": "front", "container.full_id": hex(2), "container.privileged": "true",
				"container.mount.dest[/root]": "/host", "container.mount.source[/host]": "/root", "container.mount.rdwr[/root]": "false"})},
		{namespace: "default", id: "app", image: app, rules: []string{ruleShell, ruleConnect},
			command: "/bin/sh /slow.sh",
			want:    of(app, map[string]string{"container.name": "app"}), user: "shopkeeper"},
		{namespace: "default", id: "visited", image: shop, command: "/bin/sh /wait.sh", detach: true, exec: "/bin/sh /act.sh", rules: usual,
			want: of(shop, map[string]string{"container.name": "visited"})},
		{namespace: "k8s.io", id: hex(3), image: shop, rules: usual, flags: append([]string{"--cgroup", "/kubepods/besteffort/pod" + podUID + "/" + hex(3)}, workload("web")...),
			want: inPod("web")},
		{namespace: "moby", id: hex(4), image: shop, rules: usual, flags: []string{"--cgroup", "/docker/" + hex(4)},
			want: of(shop, map[string]string{"container.type": "docker", "container.full_id": hex(4)})},
		{namespace: "k8s.io", id: hex(5), image: shop, rules: usual, systemd: true, want: inPod("scoped"),
			flags: append([]string{"--runc-systemd-cgroup", "--cgroup", "kubepods-besteffort-pod" + strings.ReplaceAll(podUID, "-", "_") + ".slice:cri-containerd:" + hex(5)}, workload("scoped")...)},
		{namespace: "moby", id: hex(6), image: shop, rules: usual, systemd: true, flags: []string{"--runc-systemd-cgroup", "--cgroup", "system.slice:docker:" + hex(6)},
			want: of(shop, map[string]string{"container.type": "docker", "container.full_id": hex(6)})},
		{namespace: "default", id: hex(7), image: shop, rules: usual, systemd: true, flags: []string{"--runc-systemd-cgroup", "--cgroup", "system.slice:nerdctl:" + hex(7), "--label", "nerdctl/name=scoped"},
			want: of(shop, map[string]string{"container.name": "scoped", "container.full_id": hex(7)})},
	}
}

// script runs the boxes one after the other.
func script(all []box) string {
	var b strings.Builder
	b.WriteString("try() { \"$@\" || { echo \"failed with $?: $*\"; failed=1; }; }\n")
	var after strings.Builder
	for _, x := range all {
		words := []string{"ctr", "-n", x.namespace, "run"}
		if x.detach {
			words = append(words, "-d")
		} else {
			words = append(words, "--rm")
		}
		words = append(append(words, x.flags...), x.image.ref, x.id)
		if x.command != "" {
			words = append(words, strings.Fields(x.command)...)
		}
		for i, w := range words {
			words[i] = "'" + w + "'"
		}
		fmt.Fprintf(&b, "try %s < /dev/null\n", strings.Join(words, " "))
		if x.exec != "" {
			fmt.Fprintf(&b, "try ctr -n %s task exec --exec-id visit %s %s < /dev/null\n", x.namespace, x.id, x.exec)
		}
		if x.detach {
			fmt.Fprintf(&b, "grep -H . /proc/$(ctr -n %s task ls | grep ^%s | tr -s ' ' | cut -d' ' -f2)/cgroup\n", x.namespace, x.id)
			fmt.Fprintf(&after, "ctr -n %s task kill -s KILL %s; ctr -n %s task delete %s; ctr -n %s container delete %s\n",
				x.namespace, x.id, x.namespace, x.id, x.namespace, x.id)
		}
	}
	return b.String() + after.String() + "exit ${failed:-0}\n"
}

// inRecord is what records of containers tell beyond that which fields show.
var inRecord = []string{`"A=b"`, `"FROM=image"`, `"HostPort":8080`, `"ContainerPort":80`}

// runBoxes boots a guest of a suite, and looks at all that ctr ran there.
func runBoxes(t *testing.T, config vm.Config) {
	vm.RequireDebian(t)
	dir := t.TempDir()
	shop, app, _ := images(t, dir)
	var all []box
	for _, x := range boxes(shop, app, config.Debian.Suite != "bullseye") {
		if config.Debian.Systemd || !x.systemd {
			all = append(all, x)
		}
	}
	config.Debian.Packages = containerPackages
	config.Rules = rulesOf(t)
	config.Files = guestFiles(t, dir)
	config.Setup = setUp
	if !config.Debian.Systemd {
		config.Setup = "containerd > /tmp/containerd.log 2>&1 &\n" + setUp
	}
	config.Script = script(all)
	config.Capture = true
	w := watch(t, config)
	w.boxes(t, all)
	w.users(t, all)
	for _, text := range inRecord {
		if !bytes.Contains(w.Capture, []byte(text)) {
			t.Errorf("no record of a container has %s", text)
		}
	}
	t.Run("replay", func(t *testing.T) {
		again := w.replay(t, config.Rules)
		again.boxes(t, all)
		for _, x := range all {
			if live, replayed := w.rules[short(x.id)], again.rules[short(x.id)]; !maps.Equal(live, replayed) {
				t.Errorf("container %s: rules fired %v, in the replay %v", x.id, live, replayed)
			}
		}
	})
	w.heldNoLonger(t)
	if t.Failed() {
		t.Logf("act:\n%s\nset up:\n%s\nlog:\n%s", w.Act, w.Setup, w.lastWords())
	}
}

// users holds that names come from the container's own passwd: once its first process
// runs it is read, beside the stream.
func (w *watched) users(t *testing.T, all []box) {
	for _, x := range all {
		if x.user == "" {
			continue
		}
		events := w.events[short(x.id)]
		if len(events) == 0 || value(&events[len(events)-1], "user.name") != x.user {
			t.Errorf("container %s: its last event is not of %s", x.id, x.user)
		}
	}
}

// boxes looks at what was seen of them.
func (w *watched) boxes(t *testing.T, all []box) {
	for _, x := range all {
		t.Run(x.namespace+"_"+short(x.id), func(t *testing.T) {
			w.check(t, x.id, x.want)
			w.fired(t, x.id, x.rules...)
			for _, a := range w.Alerts {
				if a.Rule == everything || a.Fields["container.id"] != short(x.id) {
					continue
				}
				for _, field := range []string{"user.name", "container.name", "container.image.repository", "container.image.tag"} {
					got, printed := a.Fields[field]
					if field == "user.name" && x.user != "" {
						continue
					}
					if printed && (got == nil || got == "") {
						t.Errorf("%s is missing: %s", field, a.Output)
						break
					}
				}
			}
		})
	}
}

// Debian's own containerd and runc, with systemd as in every Debian.
func TestGuestContainers(t *testing.T) {
	runBoxes(t, vm.Config{Debian: &vm.Debian{Suite: "bookworm", Systemd: true}})
}

// The same with version 1 of control groups, and without systemd, which then are
// below /default and the like; and with the containerd 2 of sid.
func TestGuestLayouts(t *testing.T) {
	if !long() {
		t.Skip("long: FALCO_LONG=1")
	}
	for _, c := range []struct {
		name string
		vm.Config
	}{
		{"bookworm_v1", vm.Config{CgroupV1: true, Debian: &vm.Debian{Suite: "bookworm", Systemd: true}}},
		{"bookworm_v2_bare", vm.Config{Debian: &vm.Debian{Suite: "bookworm"}}},
		{"bookworm_v1_bare", vm.Config{CgroupV1: true, Debian: &vm.Debian{Suite: "bookworm"}}},
		{"bullseye_v2", vm.Config{Debian: &vm.Debian{Suite: "bullseye", Systemd: true}}},
		{"trixie_v2", vm.Config{Debian: &vm.Debian{Suite: "trixie", Systemd: true}}},
		{"sid_v2", vm.Config{Debian: &vm.Debian{Suite: "sid", Systemd: true}}},
	} {
		t.Run(c.name, func(t *testing.T) { runBoxes(t, c.Config) })
	}
}
