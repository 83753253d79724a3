// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/output"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// Captures tell of containers in events: those of 2020 in some of their own, those of
// today in asynchronous ones. Both hold the record that toldJSON is one of.

const toldID = "3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e"

const toldJSON = `{"container":{"Mounts":[{"Destination":"/data","Mode":"ro","Propagation":"rprivate","RW":false,"Source":"/srv/data"}],
"User":"1001","cni_json":"{\"eth0\":{}}","cpu_period":100000,"cpu_quota":0,"cpu_shares":1024,"cpuset_cpu_count":0,"created_time":1730971086,
"env":["PATH=/bin","A=b"],"full_id":"` + toldID + `","host_ipc":false,"host_network":true,"host_pid":true,"id":"3ad7b26ded6d",
"image":"docker.io/library/fedora:38","imagedigest":"sha256:b9ff","imageid":"0ca0fed353fb77c247abada85aebc667fd1f5fa0b5f6ab1efb26867ba18f2f0a",
"imagerepo":"docker.io/library/fedora","imagetag":"38","ip":"172.17.0.2","is_pod_sandbox":false,
"labels":{"io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"prod","io.kubernetes.pod.uid":"1-2-3","maintainer":"Clement Verna"},
"lookup_state":1,"memory_limit":0,"metadata_deadline":0,"name":"youthful_babbage","pod_sandbox_id":"fedc","pod_sandbox_labels":{"tier":"x"},
"port_mappings":[{"ContainerPort":80,"HostIp":0,"HostPort":8080}],"privileged":true,"size_rw_bytes":-1,"swap_limit":0,"type":0}}`

// allTold names every field that a record fills, and toldText is what they say.
const (
	allTold = "%container.id %container.full_id %container.name %container.image %container.image.id %container.image.repository " +
		"%container.image.tag %container.image.digest %container.type %container.privileged %container.mounts %container.mount[0] " +
		"%container.mount.source[/data] %container.mount.dest[/srv/*] %container.mount.mode[0] %container.mount.rdwr[0] " +
		"%container.mount.propagation[0] %container.ip %container.cni.json %container.host_pid %container.host_network %container.host_ipc " +
		"%container.label.maintainer %container.labels %k8s.ns.name %k8s.pod.name %k8s.pod.uid %k8s.pod.id %k8s.pod.sandbox_id " +
		"%k8s.pod.full_sandbox_id %k8s.pod.label.tier %k8s.pod.labels %k8s.pod.ip %k8s.pod.cni.json %evt.metadata"
	toldText = "3ad7b26ded6d " + toldID + " youthful_babbage docker.io/library/fedora:38 0ca0fed353fb77c247abada85aebc667fd1f5fa0b5f6ab1efb26867ba18f2f0a " +
		"docker.io/library/fedora 38 sha256:b9ff docker true /srv/data:/data:ro:false:rprivate /srv/data:/data:ro:false:rprivate " +
		"/srv/data /data ro false rprivate 172.17.0.2 {\"eth0\":{}} true true false " +
		"Clement Verna maintainer:Clement Verna prod web-0 1-2-3 1-2-3 fedc fedc x tier:x 172.17.0.2 {\"eth0\":{}} known"
)

// replayedAlerts replays a capture with a rule on everything that happens in a container
// called youthful_babbage, and returns the alerts.
func replayedAlerts(t *testing.T, path, fields string, tapes func(*pipeline)) []string {
	t.Helper()
	d := &daemon{cfg: &config.Config{Containers: config.DefaultContainers()}, log: newLogger(io.Discard), stop: make(chan struct{})}
	r, err := openReplay(path, d.stop)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	set, results := rules.Load([]rules.File{{Name: "r.yaml", Content: []byte(`
- rule: r
  desc: d
  condition: container.name = youthful_babbage and container.image.repository endswith /fedora
  output: "%evt.num %evt.type ` + fields + `"
  priority: NOTICE
  warn_evttypes: false
`)}}, rules.Options{Priority: rules.Debug})
	if set == nil {
		t.Fatal(results[0].Text(true))
	}
	sink := &lines{mark: make(chan struct{})}
	q := output.Start(sink, output.Options{Style: alert.Style{Location: time.UTC}, Wait: d.stop})
	d.pipe = pipeline{source: r, rules: set, counts: make([]uint64, len(set.Rules)), outputs: []*output.Queue{q}, stop: d.stop, mail: make(chan func())}
	if err := d.beginReplay(r); err != nil {
		t.Fatal(err)
	}
	if tapes != nil {
		tapes(&d.pipe)
	}
	if err := d.pipe.run(time.Minute); err != io.EOF {
		t.Fatal(err)
	}
	q.Close(time.Minute)
	for i := range sink.got {
		sink.got[i] = strings.ReplaceAll(sink.got[i], `\"`, `"`)
	}
	return sink.got
}

// inside is an exec in the container.
func inside() *eventtest.Builder {
	return eventtest.New(schema.ExecveX).Set("res", 0).Set("exe", "sh").Set("tid", 10).Set("pid", 10).Set("comm", "sh").
		Set("cgroups", []string{"cpu=/docker/" + toldID})
}

// What a capture tells of a container fills the same fields as when it was live: also
// for the events of its first moments, which come before.
func TestReplayContainers(t *testing.T) {
	compact := strings.ReplaceAll(toldJSON, "\n", "")
	forms := map[string]func(m *made) *made{
		"container_json": func(m *made) *made {
			return m.add(0.05, 0, eventtest.New(schema.ContainerJsonE).Set("json", compact))
		},
		"the one before it": func(m *made) *made {
			return m.add(0.05, 0, eventtest.New(schema.ContainerJson0E).Set("json", compact))
		},
		"asyncevent": func(m *made) *made {
			if err := m.w.Event(uint64(noon+5e7), 0, 0, appendAsync(nil, uint64(noon+5e7), "container", []byte(compact)), nil); err != nil {
				t.Fatal(err)
			}
			return m
		},
	}
	for name, tell := range forms {
		m := tell(newMade(t, "host").add(0, 0, inside())).opened(1, "/etc/passwd")
		got := replayedAlerts(t, file(t, m.bytes()), allTold, nil)
		want := []string{"1 execve " + toldText, "2 container " + toldText, "3 openat " + toldText}
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Errorf("%s:\ngot  %q\nwant %q", name, got[min(i, len(got)):], want[i:])
				break
			}
		}
	}
}

// A capture that begins later tells of the containers that were known by then.
func TestRecordContainers(t *testing.T) {
	m := newMade(t, "host").add(0, 0, eventtest.New(schema.ContainerJsonE).Set("json", toldJSON)).add(0, 0, inside()).
		opened(100, "/a").opened(101, "/b")
	second := filepath.Join(t.TempDir(), "second.scap")
	var r *recorder
	replayedAlerts(t, file(t, m.bytes()), "", func(p *pipeline) {
		r = &recorder{path: second, state: p.state, opt: recordOptions{waits: true}, machine: capture.Machine{CPUs: 1}, end: func() {}}
		p.tapes = []tape{tapeFunc(func(ev *event.Event, scene *state.Scene) {
			if ev.TS >= uint64(noon+100e9) {
				r.event(ev, scene, nil)
			}
		})}
	})
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	got := replayedAlerts(t, second, allTold, nil)
	if len(got) != 3 || got[0] != "1 container "+toldText || got[2] != "3 openat "+toldText {
		t.Errorf("got %q", got)
	}
}
