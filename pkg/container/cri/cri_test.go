// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"context"
	"errors"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/containertest"
)

const (
	webID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	podID = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

// server plays CRI-O.
type server struct {
	runtime.UnimplementedRuntimeServiceServer
	mu   sync.Mutex
	gone bool
}

func (s *server) Version(context.Context, *runtime.VersionRequest) (*runtime.VersionResponse, error) {
	return &runtime.VersionResponse{RuntimeName: "cri-o"}, nil
}

func (s *server) ListContainers(context.Context, *runtime.ListContainersRequest) (*runtime.ListContainersResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return &runtime.ListContainersResponse{}, nil
	}
	return &runtime.ListContainersResponse{Containers: []*runtime.Container{{Id: webID}, {}, {Id: "nobody knows"}}}, nil
}

func (s *server) ListPodSandbox(context.Context, *runtime.ListPodSandboxRequest) (*runtime.ListPodSandboxResponse, error) {
	return &runtime.ListPodSandboxResponse{Items: []*runtime.PodSandbox{{Id: podID}}}, nil
}

func (s *server) ContainerStatus(_ context.Context, r *runtime.ContainerStatusRequest) (*runtime.ContainerStatusResponse, error) {
	if r.ContainerId != webID {
		return nil, status.Error(codes.NotFound, "no such container")
	}
	return &runtime.ContainerStatusResponse{Status: &runtime.ContainerStatus{Id: webID, Metadata: &runtime.ContainerMetadata{Name: "web"}, CreatedAt: 5e9,
		Image: &runtime.ImageSpec{Image: "sha256:c0ffee"}, ImageRef: "quay.io/a/web@sha256:d", Labels: map[string]string{"io.kubernetes.pod.namespace": "forged", "a": "b"},
		Mounts: []*runtime.Mount{{HostPath: "/proc", ContainerPath: "/host/proc", Readonly: true, Propagation: runtime.MountPropagation_PROPAGATION_HOST_TO_CONTAINER}},
		User:   &runtime.ContainerUser{Linux: &runtime.LinuxContainerUser{Uid: 7}}},
		Info: map[string]string{"info": `{"sandboxID":"` + podID + `","privileged":true,"config":{"envs":[{"key":"K","value":"v"}]},
			"runtimeSpec":{"annotations":{"io.kubernetes.cri-o.ImageName":"quay.io/a/web:1"}}}`}}, nil
}

func (s *server) PodSandboxStatus(_ context.Context, r *runtime.PodSandboxStatusRequest) (*runtime.PodSandboxStatusResponse, error) {
	if r.PodSandboxId != podID {
		return nil, status.Error(codes.NotFound, "no such pod")
	}
	return &runtime.PodSandboxStatusResponse{Status: &runtime.PodSandboxStatus{Id: podID, Metadata: &runtime.PodSandboxMetadata{Name: "p", Namespace: "n", Uid: "u"},
		Network: &runtime.PodSandboxNetworkStatus{Ip: "10.1.1.1"}, Labels: map[string]string{"app": "web"},
		Linux: &runtime.LinuxPodSandboxStatus{Namespaces: &runtime.Namespace{Options: &runtime.NamespaceOption{Pid: runtime.NamespaceMode_NODE}}}},
		Info: map[string]string{"info": `{"runtimeSpec":{"annotations":{"io.kubernetes.cri-o.CNIResult":"{\"x\":1}"}}}`}}, nil
}

func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s, g := &server{}, grpc.NewServer()
	runtime.RegisterRuntimeServiceServer(g, s)
	go g.Serve(l)
	defer g.Stop()
	e := New([]string{"/nowhere/s", path})
	e.every = 5 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan container.Change, 1000), make(chan error, 1)
	go func() { ended <- e.Watch(ctx, func(c container.Change) { changes <- c }) }()
	defer func() { cancel(); <-ended }()
	got := map[string]*container.Info{}
	next := func() container.Change {
		t.Helper()
		select {
		case c := <-changes:
			return c
		case err := <-ended:
			ended <- err
			t.Fatalf("the watch has ended: %v", err)
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is told")
		}
		return container.Change{}
	}
	for c := next(); c.What != container.Ready; c = next() {
		got[c.Info.FullID] = c.Info
	}
	labels := container.Labels{"io.kubernetes.pod.namespace": "n", "io.kubernetes.pod.name": "p", "io.kubernetes.pod.uid": "u", "io.kubernetes.sandbox.id": podID}
	own := container.Labels{"app": "web"}
	pod := container.Labels{"app": "web"}
	web := container.Labels{"a": "b"}
	for k, v := range labels {
		web[k], pod[k] = v, v
	}
	want := map[string]*container.Info{
		webID: {ID: webID[:12], FullID: webID, Type: container.TypeCRIO, Name: "web", Image: "quay.io/a/web:1", ImageID: "c0ffee", ImageRepo: "quay.io/a/web",
			ImageTag: "1", ImageDigest: "sha256:d", User: "7", Privileged: true, HostPid: true, IP: "10.1.1.1", CNIJSON: `{"x":1}`,
			Mounts: []container.Mount{{Source: "/proc", Dest: "/host/proc", Propagation: "rslave"}}, PodSandboxID: podID, PodSandboxLabels: own, Labels: web,
			Env: []string{"K=v"}, Created: 5, CPUShares: 1024, CPUPeriod: 100000, Size: -1},
		podID: {ID: podID[:12], FullID: podID, Type: container.TypeCRIO, Name: "POD", HostPid: true, IP: "10.1.1.1", CNIJSON: `{"x":1}`, IsPodSandbox: true,
			PodSandboxID: podID, PodSandboxLabels: own, Labels: pod, CPUShares: 1024, CPUPeriod: 100000, Size: -1},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(container.Info{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if i, err := e.Get(t.Context(), container.Match{FullID: webID}); err != nil || i.Name != "web" {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := e.Get(t.Context(), container.Match{FullID: "another"}); !errors.Is(err, container.ErrNotFound) {
		t.Error(err)
	}
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	if c := next(); c.What != container.Gone || c.Info.ID != webID[:12] {
		t.Errorf("its end: %+v", c)
	}
	g.Stop()
	select {
	case err := <-ended:
		ended <- err
	case <-time.After(20 * time.Second):
		t.Fatal("the watch goes on")
	}
}

// telling is a server that tells of changes.
type telling struct {
	server
	events chan *runtime.ContainerEventResponse
}

func (s *telling) GetContainerEvents(_ *runtime.GetEventsRequest, to runtime.RuntimeService_GetContainerEventsServer) error {
	for {
		select {
		case <-to.Context().Done():
			return nil
		case ev := <-s.events:
			if err := to.Send(ev); err != nil {
				return err
			}
		}
	}
}

// A runtime that tells of changes is not waited for until the next list.
func TestEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s, g := &telling{events: make(chan *runtime.ContainerEventResponse)}, grpc.NewServer()
	s.gone = true // the list does not say it
	runtime.RegisterRuntimeServiceServer(g, s)
	go g.Serve(l)
	defer g.Stop()
	e := New([]string{path})
	e.every = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan container.Change, 1000), make(chan error, 1)
	go func() { ended <- e.Watch(ctx, func(c container.Change) { changes <- c }) }()
	defer func() { cancel(); <-ended }()
	s.events <- &runtime.ContainerEventResponse{ContainerId: "", ContainerEventType: runtime.ContainerEventType_CONTAINER_STARTED_EVENT}
	s.events <- &runtime.ContainerEventResponse{ContainerId: podID, ContainerEventType: runtime.ContainerEventType_CONTAINER_STOPPED_EVENT}
	s.events <- &runtime.ContainerEventResponse{ContainerId: "nobody knows", ContainerEventType: runtime.ContainerEventType_CONTAINER_CREATED_EVENT}
	s.events <- &runtime.ContainerEventResponse{ContainerId: webID, ContainerEventType: runtime.ContainerEventType_CONTAINER_CREATED_EVENT}
	for {
		select {
		case c := <-changes:
			if c.What == container.Known && c.Info.FullID == webID {
				return
			}
			if c.What == container.Gone {
				t.Fatalf("got %+v", c)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is told")
		}
	}
}

// A runtime that only knows the version before serves the same under another name.
func TestAlpha(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1000)
	g := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		select {
		case asked <- method:
		default:
		}
		name, ok := strings.CutPrefix(method, "/runtime.v1alpha2.RuntimeService/")
		if !ok || name == "GetContainerEvents" {
			return status.Error(codes.Unimplemented, "unknown service "+method)
		}
		return answerAs(&server{}, name, stream)
	}))
	go g.Serve(l)
	defer g.Stop()
	e := New([]string{path})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes, ended := make(chan container.Change, 1000), make(chan error, 1)
	go func() { ended <- e.Watch(ctx, func(c container.Change) { changes <- c }) }()
	got := map[string]string{}
	for ready := false; !ready; {
		select {
		case c := <-changes:
			if ready = c.What == container.Ready; !ready {
				got[c.Info.FullID] = c.Info.Type.String() + " " + c.Info.Name
			}
		case err := <-ended:
			t.Fatalf("the watch has ended: %v", err)
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is told")
		}
	}
	if want := map[string]string{webID: "cri-o web", podID: "cri-o POD"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if first := <-asked; first != "/runtime.v1.RuntimeService/Version" {
		t.Errorf("asked first: %s", first)
	}
}

// answerAs serves one call of a method that the description does not name.
func answerAs(s *server, name string, stream grpc.ServerStream) error {
	switch name {
	case "Version":
		return answer(stream, s.Version)
	case "ListContainers":
		return answer(stream, s.ListContainers)
	case "ListPodSandbox":
		return answer(stream, s.ListPodSandbox)
	case "ContainerStatus":
		return answer(stream, s.ContainerStatus)
	case "PodSandboxStatus":
		return answer(stream, s.PodSandboxStatus)
	}
	return status.Error(codes.Unimplemented, name)
}

func answer[Q, A any](stream grpc.ServerStream, f func(context.Context, *Q) (*A, error)) error {
	q := new(Q)
	if err := stream.RecvMsg(q); err != nil {
		return err
	}
	a, err := f(stream.Context(), q)
	if err != nil {
		return err
	}
	return stream.SendMsg(a)
}

// slow takes its time to tell of a pod.
type slow struct {
	server
	now chan struct{}
}

func (s *slow) PodSandboxStatus(ctx context.Context, r *runtime.PodSandboxStatusRequest) (*runtime.PodSandboxStatusResponse, error) {
	select {
	case <-s.now:
		return s.server.PodSandboxStatus(ctx, r)
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// What there was no time for is not taken for what is not there.
func TestSlowPod(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s, g := &slow{now: make(chan struct{})}, grpc.NewServer()
	runtime.RegisterRuntimeServiceServer(g, s)
	go g.Serve(l)
	defer g.Stop()
	c, err := connect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if i, err := c.inspect(ctx, webID); err != nil || !i.Partial || !i.Late || i.Name != "web" {
		t.Errorf("there was no time: %+v, %v", i, err)
	}
	close(s.now)
	if i, err := c.inspect(t.Context(), webID); err != nil || i.Partial || i.Late || i.PodName() != "p" {
		t.Errorf("now there is: %+v, %v", i, err)
	}
}

// liar answers, but not to what it was asked.
type liar struct {
	runtime.UnimplementedRuntimeServiceServer
}

func (liar) Version(context.Context, *runtime.VersionRequest) (*runtime.VersionResponse, error) {
	return &runtime.VersionResponse{}, nil
}

func (liar) ListContainers(context.Context, *runtime.ListContainersRequest) (*runtime.ListContainersResponse, error) {
	return &runtime.ListContainersResponse{Containers: []*runtime.Container{{Id: webID}, {}}}, nil
}

func (liar) ListPodSandbox(context.Context, *runtime.ListPodSandboxRequest) (*runtime.ListPodSandboxResponse, error) {
	return &runtime.ListPodSandboxResponse{Items: []*runtime.PodSandbox{{Id: podID}}}, nil
}

func (liar) ContainerStatus(_ context.Context, r *runtime.ContainerStatusRequest) (*runtime.ContainerStatusResponse, error) {
	switch r.ContainerId {
	case webID:
		return &runtime.ContainerStatusResponse{Status: &runtime.ContainerStatus{Id: podID}}, nil
	case podID:
		return nil, status.Error(codes.NotFound, "no such container")
	}
	return &runtime.ContainerStatusResponse{Info: map[string]string{"info": "<html>"}}, nil
}

func (liar) PodSandboxStatus(context.Context, *runtime.PodSandboxStatusRequest) (*runtime.PodSandboxStatusResponse, error) {
	return &runtime.PodSandboxStatusResponse{}, nil
}

// Answers that mean nothing are never taken for a container.
func TestNonsense(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	runtime.RegisterRuntimeServiceServer(g, &liar{})
	go g.Serve(l)
	defer g.Stop()
	e := New([]string{path})
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan container.Change, 10), make(chan error, 1)
	go func() { ended <- e.Watch(ctx, func(c container.Change) { changes <- c }) }()
	defer func() { cancel(); <-ended }()
	select {
	case c := <-changes:
		if c.What != container.Ready {
			t.Errorf("got %+v", c)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it is never ready")
	}
	for _, id := range []string{webID, podID, "x"} {
		if i, err := e.Get(t.Context(), container.Match{FullID: id}); err == nil {
			t.Errorf("%s was taken for %+v", id, i)
		}
	}
}

// What does not even speak the protocol costs no more than the deadline.
func TestNoise(t *testing.T) {
	path := containertest.Noise(t)
	ended := make(chan error, 1)
	go func() { ended <- New([]string{path}).Watch(t.Context(), func(container.Change) {}) }()
	select {
	case err := <-ended:
		if err == nil || errors.Is(err, container.ErrNobody) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the watch goes on")
	}
}

func FuzzVerbose(f *testing.F) {
	f.Add(`{"sandboxID":"x","cniResult":{"Interfaces":{"eth0":{"Mac":"a"},"lo":null}},"config":{"linux":{"security_context":null}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		m := map[string]string{"info": text}
		sandboxOf(m)
		info(container.TypeCRI, &runtime.ContainerStatusResponse{Info: m}, &runtime.PodSandboxStatusResponse{Info: m, Status: &runtime.PodSandboxStatus{}})
		info(container.TypeCRI, nil, nil)
	})
}

// The image's id is where the runtime's version has it.
func TestImageID(t *testing.T) {
	for _, tc := range []struct {
		name, id, image, ref, want string
	}{
		{"since 1.29", "sha256:aa", "registry/shop:1", "registry/shop@sha256:bb", "aa"},
		{"in the place of the name", "", "sha256:aa", "registry/shop@sha256:bb", "aa"},
		{"of an image that was imported", "", "registry/shop:1", "sha256:aa", "aa"},
		{"not told", "", "registry/shop:1", "registry/shop@sha256:bb", ""},
	} {
		i := new(container.Info)
		setImage(i, &runtime.ContainerStatus{ImageId: tc.id, Image: &runtime.ImageSpec{Image: tc.image}, ImageRef: tc.ref}, nil)
		if i.ImageID != tc.want {
			t.Errorf("%s: %q, not %q", tc.name, i.ImageID, tc.want)
		}
	}
}
