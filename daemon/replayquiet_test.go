// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/falco-go/falco/pkg/container/containertest"
)

// What is used only while watching is not started for a replay: nobody connects to a
// runtime, whatever containers the file has. The same configuration, watching, does.
func TestReplayAsksNobody(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var asked atomic.Int32
	engines := ""
	for _, engine := range []string{"containerd", "docker", "podman", "cri"} {
		socket := filepath.Join(dir, engine+".sock")
		containertest.Accept(t, socket, func(net.Conn) { asked.Add(1) })
		engines += fmt.Sprintf("    %s: {enabled: true, sockets: [%s]}\n", engine, socket)
	}
	m := newMade(t, "host").add(0, 0, inside()).opened(0, "/etc/b")
	scap := put("x.scap", m.bytes())
	rule := put("r.yaml", []byte("- rule: named\n  desc: d\n  condition: evt.type = openat\n  output: opened %fd.name by %container.name\n  priority: NOTICE\n"))
	conf := put("f.yaml", []byte("stdout_output: {enabled: true}\nlog_syslog: false\nstate_socket: ''\nwatch_config_files: false\ncontainers:\n  engines:\n"+engines))
	run := func(args ...string) string {
		var out, log bytes.Buffer
		if code := falco(append([]string{"falco", "-c", conf, "-r", rule}, args...), &out, &log); code != 0 {
			t.Fatalf("%v: %d\n%s", args, code, &log)
		}
		return out.String()
	}
	if out := run("-o", "engine.kind=replay", "-o", "engine.replay.capture_file="+scap); !bytes.Contains([]byte(out), []byte("opened /etc/b by")) {
		t.Errorf("the replay says\n%s", out)
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("a replay has connected to runtimes %d times", n)
	}
	run("-o", "engine.kind=nodriver", "-M", "1")
	if asked.Load() == 0 {
		t.Error("nobody is asked while watching either: this test would not notice")
	}
}
