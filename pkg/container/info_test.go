// SPDX-License-Identifier: Apache-2.0

package container

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParse(t *testing.T) {
	got, err := Parse([]byte(`{"container":{"id":"3ad7b26ded6d","full_id":"` + strings.Repeat("3", 64) + `","type":0,"name":"/web",
		"image":"reg:5000/a/b:t","imageid":"ee","imagerepo":"reg:5000/a/b","imagetag":"t","imagedigest":"sha256:d",
		"User":"1000","privileged":true,"host_pid":false,"Mounts":[{"Source":"/proc","Destination":"/host/proc","Mode":"","RW":false,"Propagation":"private"}],
		"ip":"172.17.0.2","labels":{"app":"x","long":"` + strings.Repeat("y", 101) + `","no text":5},"pod_sandbox_labels":null,
		"port_mappings":[{"HostIp":16777343,"HostPort":80,"ContainerPort":8080}],"env":["A=b"],"created_time":12,"unheard of":{"a":[1]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Info{
		ID: "3ad7b26ded6d", FullID: strings.Repeat("3", 64), Name: "web", Image: "reg:5000/a/b:t", ImageID: "ee",
		ImageRepo: "reg:5000/a/b", ImageTag: "t", ImageDigest: "sha256:d", User: "1000", Privileged: true,
		Mounts: []Mount{{"/proc", "/host/proc", "", false, "private"}}, IP: "172.17.0.2", Labels: Labels{"app": "x"},
		Ports: []Port{{"1.0.0.127", 80, 8080}}, Env: []string{"A=b"}, Created: 12,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Info{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s := got.Mounts[0].String(); s != "/proc:/host/proc::false:private" {
		t.Errorf("the mount is %s", s)
	}
	if s := got.MountsText() + " " + got.LabelsText(); s != "/proc:/host/proc::false:private app:x" {
		t.Errorf("composed: %s", s)
	}
	again, err := Parse(got.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, again, cmp.AllowUnexported(Info{})); diff != "" {
		t.Errorf("written and read again (-want +got)\n%s", diff)
	}
}

// A member of another type than ours does not hide the others.
func TestParseOdd(t *testing.T) {
	i, err := Parse([]byte(`{"container":{"id":"x","type":"docker","name":"n","labels":"none","ip":[],"Mounts":5,"image":"i"}}`))
	if err != nil || i.ID != "x" || i.Name != "n" || i.Image != "i" || i.Labels != nil {
		t.Errorf("got %+v, %v", i, err)
	}
	for _, bad := range []string{``, `{`, `[]`, `{"container":null}`, `{"container":{}}`, `{"container":{"id":""}}`, strings.Repeat(" ", MaxJSON+1)} {
		if i, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%.40s: got %+v", bad, i)
		}
	}
}

func TestPod(t *testing.T) {
	i := &Info{FullID: "s", Labels: Labels{labelPodName: "p", labelPodNS: "n", labelPodUID: "u", labelSandboxID: "z"}}
	if got := []string{i.PodName(), i.PodNamespace(), i.PodUID(), i.SandboxID()}; !cmp.Equal(got, []string{"p", "n", "u", "z"}) {
		t.Errorf("got %v", got)
	}
	i.IsPodSandbox = true
	if got := i.SandboxID(); got != "s" {
		t.Errorf("the sandbox of a sandbox is %q", got)
	}
}

func TestSplitImage(t *testing.T) {
	for _, c := range [][4]string{
		{"nginx", "nginx", "", ""},
		{"nginx:1.25", "nginx", "1.25", ""},
		{"reg:5000/a/b:t@sha256:d", "reg:5000/a/b", "t", "sha256:d"},
		{"reg:5000/a/b@sha256:d", "reg:5000/a/b", "", "sha256:d"},
		{"reg:5000/a/b", "reg:5000/a/b", "", ""},
		{"docker.io/library/redis:7", "docker.io/library/redis", "7", ""},
	} {
		repo, tag, digest := SplitImage(c[0])
		if got := [4]string{c[0], repo, tag, digest}; got != c {
			t.Errorf("got %q, want %q", got, c)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"container":{"id":"x","Mounts":[{"RW":true}],"labels":{"a":"b"},"ip":1,"port_mappings":[{"HostIp":"::1"}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(i.JSON())
		if err != nil || again.ID == "" {
			t.Fatalf("%q: written and read again: %v", b, err)
		}
		i.SandboxID()
	})
}

func TestLabels(t *testing.T) {
	l := Labels{"b": "2", "a": "1", "io.kubernetes.pod.name": "p", "annotation.x": "y"}
	if got := l.String(); got != "a:1, b:2" {
		t.Errorf("got %q", got)
	}
}

func TestPodUID(t *testing.T) {
	for path, want := range map[string]string{
		"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-x.scope": "1-2", // C-091
		"/kubepods.slice/kubepods-pod9_8_7.slice/crio-x.scope":                                              "9-8-7",
		"/kubepods/burstable/pod3-4/x":                                                                      "3-4",
		"/system.slice/containerd.service/kubepods-besteffort-pod5_6.slice:cri-containerd:x":                "5-6",
		"/docker/x": "", "/": "", "/kubepods/pod/x": "", "/podman/x": "",
	} {
		if got := PodUID(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
