// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/containertest"
)

const (
	webID   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	peerID  = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
	webJSON = `{"Id":"` + webID + `","Name":"/web","Created":"2026-01-02T03:04:05.6Z","Image":"sha256:c0ffee","Config":{"Image":"redis","User":"app",
		"Env":["A=1"],"Healthcheck":{"Test":["CMD-SHELL","curl localhost"]},"Labels":{"io.kubernetes.pod.name":"p","long":"%s"}},"HostConfig":{"Privileged":true,"NetworkMode":"container:` + peerID + `","PidMode":"host",
		"IpcMode":"private","Memory":64,"MemorySwap":-1,"CpuShares":0,"CpuQuota":5,"CpuPeriod":50000},
		"Mounts":[{"Type":"bind","Source":"/etc","Destination":"/host","Mode":"ro,z","RW":false,"Propagation":"rprivate"}],"NetworkSettings":{"IPAddress":"","Networks":{}}}`
	peerJSON = `{"Id":"` + peerID + `","Name":"/peer","NetworkSettings":{"Networks":{"b":{"IPAddress":"10.0.0.2"},"a":null},"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"53/udp":[{"HostPort":"53"}],"81/tcp":null}}}`
	imgJSON  = `{"RepoTags":["redis:latest"],"RepoDigests":["mirror/redis@sha256:m","redis@sha256:d"]}`
)

// serve plays the API: answers by path, and events one by one.
func serve(t *testing.T, prefix string, answers map[string]string, events <-chan string) string {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, ok := strings.CutPrefix(r.URL.Path, prefix)
		switch body, found := answers[at]; {
		case r.URL.Path == "/_ping":
			fmt.Fprint(w, "OK")
		case ok && at == "/events":
			for {
				select {
				case <-r.Context().Done():
					return
				case e, more := <-events:
					if !more {
						return
					}
					fmt.Fprint(w, e)
					w.(http.Flusher).Flush()
				}
			}
		case ok && found:
			fmt.Fprint(w, body)
		default:
			http.Error(w, `{"message":"no"}`, http.StatusNotFound)
		}
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return path
}

func watch(t *testing.T, e *Engine) (<-chan container.Change, <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	changes, ended := make(chan container.Change, 100), make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- e.Watch(ctx, func(c container.Change) { changes <- c })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return changes, ended
}

func next(t *testing.T, changes <-chan container.Change, what container.What) *container.Info {
	t.Helper()
	select {
	case c := <-changes:
		if c.What != what {
			t.Fatalf("got %d of %+v, want %d", c.What, c.Info, what)
		}
		return c.Info
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is told")
	}
	return nil
}

func TestDocker(t *testing.T) {
	long := strings.Repeat("x", 101)
	events := make(chan string)
	path := serve(t, "", map[string]string{
		"/containers/json": `[{"Id":"` + webID + `"},{"Id":""},{"Id":"x"}]`, "/containers/" + webID + "/json": fmt.Sprintf(webJSON, long),
		"/containers/" + peerID + "/json": peerJSON, "/images/sha256:c0ffee/json": imgJSON,
	}, events)
	e := New(Docker, []string{"/nowhere/s", path})
	changes, ended := watch(t, e)
	want := &container.Info{ID: webID[:12], FullID: webID, Type: container.TypeDocker, Name: "web", Image: "redis", ImageID: "c0ffee", ImageRepo: "redis",
		ImageTag: "latest", ImageDigest: "sha256:d", User: "app", Privileged: true, HostPid: true, IP: "10.0.0.2", Env: []string{"A=1"},
		Mounts: []container.Mount{{Source: "/etc", Dest: "/host", Mode: "ro,z", Propagation: "rprivate"}}, Labels: container.Labels{"io.kubernetes.pod.name": "p"},
		Ports: []container.Port{{HostIP: "0.0.0.0", HostPort: 8080, ContainerPort: 80}}, MemoryLimit: 64, SwapLimit: -1, CPUShares: 1024, CPUQuota: 5,
		CPUPeriod: 50000, Size: -1, Healthcheck: &container.Probe{Exe: "/bin/sh", Args: []string{"-c", "curl localhost"}}, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Unix()}
	if diff := cmp.Diff(want, next(t, changes, container.Known), cmpopts.IgnoreUnexported(container.Info{})); diff != "" {
		t.Errorf("C-112 (-want +got)\n%s", diff)
	}
	next(t, changes, container.Ready)
	events <- `{"Type":"network","Action":"create","Actor":{"ID":"x"}}{"Type":"container","Action":"exec_start","Actor":{"ID":"` + webID + `"}}`
	events <- `{"Type":"container","Action":"start","Actor":{"ID":"` + webID + `"}}` + "\n"
	next(t, changes, container.Known)
	events <- `{"Type":"container","Action":"destroy","Actor":{"ID":"` + webID + `"}}`
	if i := next(t, changes, container.Gone); i.FullID != webID || i.ID != webID[:12] {
		t.Errorf("gone: %+v", i)
	}
	if _, err := e.Get(t.Context(), container.Match{FullID: strings.Repeat("9", 64)}); !errors.Is(err, container.ErrNotFound) {
		t.Error(err)
	}
	close(events)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the events have ended, and nothing is wrong")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the watch goes on")
	}
	if _, err := e.Get(t.Context(), container.Match{FullID: webID}); !errors.Is(err, container.ErrDown) {
		t.Error(err)
	}
}

func TestPodman(t *testing.T) {
	path := serve(t, "/v4.0.0/libpod", map[string]string{
		"/containers/json": `[{"Id":"` + webID + `"}]`,
		"/containers/" + webID + "/json": `{"Id":"` + webID + `","Name":"db","Image":"beef","ImageName":"quay.io/a/db:2","IsInfra":true,"Config":{"User":5},
			"HostConfig":{"NetworkMode":"host","PidMode":"private"}}`,
	}, make(chan string))
	changes, _ := watch(t, New(Podman, []string{filepath.Dir(path) + "/*"}))
	i := next(t, changes, container.Known)
	if i.Type != container.TypePodman || i.Name != "db" || i.ImageRepo != "quay.io/a/db" || i.ImageTag != "2" || i.ImageID != "beef" || !i.HostNetwork || i.HostPid || !i.IsPodSandbox {
		t.Errorf("got %+v", i)
	}
}

// What is no API costs no more than the deadline.
func TestSilentSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, ended := watch(t, New(Docker, []string{path}))
	select {
	case err := <-ended:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the watch goes on")
	}
}

// One container that is locked, as podman's are while they start, keeps nobody else
// waiting, and what there was no time for is not taken for what is not there.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	locked, events := make(chan struct{}), make(chan string, 10)
	wait := func(r *http.Request) {
		select {
		case <-locked:
		case <-r.Context().Done():
		}
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/events":
			for {
				select {
				case <-r.Context().Done():
					return
				case e := <-events:
					fmt.Fprint(w, e)
					w.(http.Flusher).Flush()
				}
			}
		case "/containers/json":
			fmt.Fprint(w, "[]")
		case "/containers/" + webID + "/json":
			wait(r)
			fmt.Fprintf(w, `{"Id":%q,"Name":"web"}`, webID)
		case "/containers/" + peerID + "/json":
			fmt.Fprintf(w, `{"Id":%q,"Name":"peer","Image":"img","Config":{"Image":"redis"}}`, peerID)
		case "/images/img/json":
			wait(r)
			fmt.Fprint(w, imgJSON)
		}
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	e := New(Docker, []string{path})
	changes, _ := watch(t, e)
	next(t, changes, container.Ready)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if i, err := e.Get(ctx, container.Match{FullID: peerID}); err != nil || i.Name != "peer" || !i.Partial {
		t.Errorf("there is no time for the image: %+v, %v", i, err)
	}
	events <- `{"Type":"container","Action":"create","Actor":{"ID":"` + webID + `"}}`
	other := webID
	for n := 0; maphash.String(seed, other)%readers == maphash.String(seed, webID)%readers; n++ {
		other = fmt.Sprintf("%064d", n) // of another reader
	}
	events <- `{"Type":"container","Action":"destroy","Actor":{"ID":"` + other + `"}}`
	if i := next(t, changes, container.Gone); i.FullID != other {
		t.Errorf("got %+v", i)
	}
	events <- `{"Type":"container","Action":"destroy","Actor":{"ID":"` + webID + `"}}`
	close(locked)
	if i := next(t, changes, container.Known); i.Name != "web" || i.Partial {
		t.Errorf("got %+v", i)
	}
	next(t, changes, container.Gone)
	if i, err := e.Get(t.Context(), container.Match{FullID: peerID}); err != nil || i.Partial || i.ImageTag == "" {
		t.Errorf("now there is: %+v, %v", i, err)
	}
}

// Answers that mean nothing end a question, or a watch, and are never taken for a
// container.
func TestNonsense(t *testing.T) {
	for _, list := range []string{"<html>", `{"Id":`, ""} {
		path := serve(t, "", map[string]string{"/containers/json": list}, make(chan string))
		_, ended := watch(t, New(Docker, []string{path}))
		if err := end(t, ended); !strings.HasPrefix(err.Error(), "list containers") {
			t.Errorf("%q for a list: %v", list, err)
		}
	}
	events := make(chan string, 1)
	answers := map[string]string{"/containers/json": `[null,{"Id":5},{"Id":"` + webID + `"}]`}
	for n, answer := range []string{"<html>", "[]", "null", "{}", `{"Id":5}`, `{"Id":"` + peerID + `"}`, `{"Id":"x`} {
		answers["/containers/"+fmt.Sprintf("%064d", n)+"/json"] = answer
	}
	e := New(Docker, []string{serve(t, "", answers, events)})
	changes, ended := watch(t, e)
	next(t, changes, container.Ready) // and nothing before
	for n := range len(answers) - 1 {
		if i, err := e.Get(t.Context(), container.Match{FullID: fmt.Sprintf("%064d", n)}); err == nil {
			t.Errorf("answer %d was taken for %+v", n, i)
		}
	}
	events <- "<html>"
	if err := end(t, ended); !strings.HasPrefix(err.Error(), "listen to events") {
		t.Error(err)
	}
}

// What does not even speak HTTP is no API.
func TestNoise(t *testing.T) {
	path := containertest.Noise(t)
	_, ended := watch(t, New(Docker, []string{path}))
	if err := end(t, ended); errors.Is(err, container.ErrNobody) {
		t.Error(err)
	}
}

// end is why a watch has ended.
func end(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		if err == nil {
			t.Fatal("nothing is wrong")
		}
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the watch goes on")
	}
	return nil
}

func TestImages(t *testing.T) {
	for _, c := range []struct{ asked, id, tags, repo, tag, digest string }{
		{"redis", "sha256:c0ffee", "", "redis", "latest", "sha256:d"},
		{"redis:7", "sha256:c0ffee", "", "redis", "7", "sha256:d"},
		{"redis@sha256:own", "sha256:c0ffee", "", "redis", "", "sha256:own"},
		{"sha256:c0ffee", "sha256:c0ffee", "a/b:3", "a/b", "3", "sha256:m"},
		{"c0ff", "sha256:c0ffee", "", "", "", "sha256:m"},
		{"", "", "", "", "", "sha256:m"},
	} {
		r := record{Image: c.id}
		r.Config.Image = c.asked
		img := &image{RepoDigests: []string{"mirror/redis@sha256:m", "redis@sha256:d"}}
		if c.tags != "" {
			img.RepoTags = []string{c.tags}
		}
		i := r.info(container.TypeDocker, img)
		if i.ImageRepo != c.repo || i.ImageTag != c.tag || i.ImageDigest != c.digest {
			t.Errorf("%q: %s:%s@%s", c.asked, i.ImageRepo, i.ImageTag, i.ImageDigest)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(webJSON, "")), []byte(imgJSON))
	f.Add([]byte(peerJSON), []byte(`{}`))
	f.Fuzz(func(t *testing.T, text, of []byte) {
		var r record
		var img image
		_, _ = json.Unmarshal(text, &r), json.Unmarshal(of, &img)
		r.peer()
		r.info(container.TypeDocker, &img).JSON()
	})
}
