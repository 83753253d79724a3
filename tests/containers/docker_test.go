// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"maps"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// engineSetUp loads the image into the engine of that name, which the package has
// enabled (docker) or whose API a socket starts (podman).
const engineSetUp = `set -e
ip addr add ` + outside + `/32 dev lo
mkdir -p /tmp/www && echo hello > /tmp/www/index.html
/files/busybox httpd -p ` + outside + `:80 -h /tmp/www
systemctl start ENGINE.socket
for i in $(seq 300); do ENGINE version && break; sleep 0.5; done
ENGINE load -i /files/shop.tar
`

// engineScript runs an ordinary container, one that may do everything, and one that is
// visited; it says which ids they had. Before that one has run, and the API, which its
// socket starts, has answered once: it takes longer to start than it is waited for.
const engineScript = `set -e
shop=registry.example/team/shop:1.2
ENGINE run --rm -p 8080:80 $shop /bin/true
REMOTE version > /dev/null
sleep 20
ENGINE run --rm --cidfile /tmp/front.id --name front --label app=shop -v /root:/host:ro -p 8080:80 $shop /bin/sh /slow.sh
ENGINE run --rm --cidfile /tmp/agent.id --name agent --privileged --network host $shop /bin/sh /slow.sh
ENGINE run -d --cidfile /tmp/visited.id --name visited --network none $shop /bin/sh /wait.sh
ENGINE exec visited /bin/sh /act.sh
ENGINE rm -f visited
for name in front agent visited; do echo "made $name $(cat /tmp/$name.id)"; done
`

// patient has events wait for runtimes that say nothing of a container before they have
// started it, as podman: a tenth of a second or three, and under emulation far more.
var patient = []string{"-o", maxWait + "10000"}

// remote are commands that ask the API.
var remote = map[string]string{"docker": "docker", "podman": "podman --remote"}

// Debian's docker.io and podman, asked over their own APIs.
func TestGuestEngines(t *testing.T) {
	if !long() {
		t.Skip("long: FALCO_LONG=1")
	}
	for engine, packages := range map[string][]string{"docker": {"docker.io", "apparmor"}, "podman": {"podman", "netavark"}} {
		t.Run(engine, func(t *testing.T) {
			vm.RequireDebian(t)
			runEngine(t, engine, packages)
		})
	}
}

func runEngine(t *testing.T, engine string, packages []string) {
	dir := t.TempDir()
	shop, _, _ := images(t, dir)
	var args []string
	if engine == "podman" {
		args = patient
	}
	w := watch(t, vm.Config{
		FalcoArgs: args,
		Debian:    &vm.Debian{Suite: "bookworm", Systemd: true, Packages: append(packages, containerPackages...)},
		Rules:     rulesOf(t), Files: guestFiles(t, dir),
		Setup:  strings.ReplaceAll(engineSetUp, "ENGINE", engine),
		Script: strings.NewReplacer("ENGINE", engine, "REMOTE", remote[engine]).Replace(engineScript),
	})
	ids := map[string]string{}
	for line := range strings.Lines(w.Act) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "made" {
			ids[words[1]] = words[2]
		}
	}
	usual := map[string]string{
		"container.type": engine, "evt.metadata": "known", "container.image": shop.ref, "container.image.id": shop.ID,
		"container.image.repository": "registry.example/team/shop", "container.image.tag": "1.2",
		"container.privileged": "false", "container.host_network": "false",
	}
	for name, c := range map[string]struct {
		want  map[string]string
		rules []string
	}{
		"front": {map[string]string{"container.label.app": "shop", "container.mount.dest[/root]": "/host", "container.mount.source[/host]": "/root",
			"container.mount.rdwr[/root]": "false"}, []string{ruleSite}},
		"agent":   {map[string]string{"container.privileged": "true", "container.host_network": "true"}, []string{ruleSite, rulePriv}},
		"visited": {},
	} {
		id := ids[name]
		if len(id) != 64 {
			t.Errorf("%s was not made", name)
			continue
		}
		want := maps.Clone(usual)
		maps.Copy(want, c.want)
		want["container.name"], want["container.full_id"] = name, id
		w.check(t, id, want)
		w.fired(t, id, append(c.rules, ruleShell, ruleShadow, ruleConnect)...)
	}
	w.heldNoLonger(t)
	if t.Failed() {
		t.Logf("act:\n%s\nset up:\n%s\nlog:\n%s", w.Act, w.Setup, w.lastWords())
	}
}
