// SPDX-License-Identifier: Apache-2.0

// Package containerdtest plays containerd for tests: a server on a unix socket that
// offers the services which are used, over containers that the test makes. It can be
// killed and started again, fall silent, and talk nonsense.
package containerdtest

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	apievents "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/content/v1"
	"github.com/containerd/containerd/api/services/events/v1"
	"github.com/containerd/containerd/api/services/images/v1"
	"github.com/containerd/containerd/api/services/namespaces/v1"
	"github.com/containerd/containerd/api/services/sandbox/v1"
	"github.com/containerd/containerd/api/types"
)

// Server is a containerd. What it holds outlives Kill.
type Server struct {
	Path string

	mu         sync.Mutex
	containers map[key]*containers.Container
	sandboxes  map[key]*types.Sandbox
	images     map[key]string // digests of targets
	blobs      map[string][]byte
	listeners  map[chan *types.Envelope]bool
	grpc       *grpc.Server

	Silent   atomic.Bool  // takes requests and answers none
	Nonsense atomic.Bool  // answers with nothing in it
	Slow     atomic.Bool  // is silent when it is asked for images
	Calls    atomic.Int64 // requests so far
}

type key struct{ namespace, name string }

// New starts a server. It ends with the test.
func New(t testing.TB, path string) *Server {
	s := &Server{Path: path, containers: map[key]*containers.Container{}, sandboxes: map[key]*types.Sandbox{}, images: map[key]string{},
		blobs: map[string][]byte{}, listeners: map[chan *types.Envelope]bool{}}
	s.Start(t)
	t.Cleanup(s.Kill)
	return s
}

// Start begins to serve, again after Kill.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	os.Remove(s.Path)
	l, err := net.Listen("unix", s.Path)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	containers.RegisterContainersServer(g, containersServer{s: s})
	namespaces.RegisterNamespacesServer(g, namespacesServer{s: s})
	images.RegisterImagesServer(g, imagesServer{s: s})
	content.RegisterContentServer(g, contentServer{s: s})
	sandbox.RegisterStoreServer(g, sandboxServer{s: s})
	events.RegisterEventsServer(g, eventsServer{s: s})
	s.mu.Lock()
	s.grpc = g
	s.mu.Unlock()
	go g.Serve(l)
}

// Kill cuts all connections at once.
func (s *Server) Kill() {
	s.mu.Lock()
	g := s.grpc
	s.grpc = nil
	s.mu.Unlock()
	if g != nil {
		g.Stop()
	}
}

// Container is what Create makes.
type Container struct {
	Namespace, ID, Image string
	Labels               map[string]string
	Spec                 any            // OCI, as it is to be encoded
	Extensions           map[string]any // the same
}

// Create makes a container and tells of it.
func (s *Server) Create(c Container) {
	to := &containers.Container{ID: c.ID, Image: c.Image, Labels: c.Labels, CreatedAt: timestamppb.Now(), Extensions: map[string]*anypb.Any{}}
	if c.Spec != nil {
		to.Spec = JSON(c.Spec)
	}
	for name, v := range c.Extensions {
		to.Extensions[name] = JSON(v)
	}
	s.mu.Lock()
	s.containers[key{c.Namespace, c.ID}] = to
	s.mu.Unlock()
	s.publish(c.Namespace, "/containers/create", &apievents.ContainerCreate{ID: c.ID, Image: c.Image})
}

// Delete ends a container and tells so.
func (s *Server) Delete(namespace, id string) {
	s.mu.Lock()
	delete(s.containers, key{namespace, id})
	s.mu.Unlock()
	s.publish(namespace, "/containers/delete", &apievents.ContainerDelete{ID: id})
}

// Image says what the name of an image stands for: a manifest with this digest, whose
// configuration has that.
func (s *Server) Image(namespace, name, digest, config string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images[key{namespace, name}] = digest
	s.blobs[digest] = []byte(`{"config":{"digest":"` + config + `"}}`)
}

// Sandbox puts a record into the sandbox store.
func (s *Server) Sandbox(namespace, id string, metadata any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sandboxes[key{namespace, id}] = &types.Sandbox{SandboxID: id, Extensions: map[string]*anypb.Any{"metadata": JSON(metadata)}}
}

// JSON wraps a value as containerd keeps it; bytes are taken as they are.
func JSON(v any) *anypb.Any {
	b, ok := v.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(v); err != nil {
			panic(err)
		}
	}
	return &anypb.Any{TypeUrl: "types.containerd.io/test", Value: b}
}

// publish tells all who listen; who does not read loses it, as everybody who is late.
func (s *Server) publish(namespace, topic string, m proto.Message) {
	body, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	e := &types.Envelope{Timestamp: timestamppb.Now(), Namespace: namespace, Topic: topic, Event: body}
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		select {
		case l <- e:
		default:
		}
	}
}

// Listeners returns how many listen to events.
func (s *Server) Listeners() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners)
}

// begin is what every request goes through.
func (s *Server) begin(ctx context.Context) (namespace string, empty bool, err error) {
	s.Calls.Add(1)
	for s.Silent.Load() {
		select {
		case <-ctx.Done():
			return "", false, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("containerd-namespace"); len(v) > 0 {
		namespace = v[0]
	}
	return namespace, s.Nonsense.Load(), nil
}

type containersServer struct {
	containers.UnimplementedContainersServer
	s *Server
}

func (c containersServer) Get(ctx context.Context, r *containers.GetContainerRequest) (*containers.GetContainerResponse, error) {
	ns, empty, err := c.s.begin(ctx)
	if err != nil || empty {
		return &containers.GetContainerResponse{}, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if found := c.s.containers[key{ns, r.GetID()}]; found != nil {
		return &containers.GetContainerResponse{Container: found}, nil
	}
	return nil, status.Errorf(codes.NotFound, "container %q: not found", r.GetID())
}

func (c containersServer) List(ctx context.Context, _ *containers.ListContainersRequest) (*containers.ListContainersResponse, error) {
	ns, empty, err := c.s.begin(ctx)
	if err != nil {
		return nil, err
	}
	if empty {
		return &containers.ListContainersResponse{Containers: []*containers.Container{nil, {}, {ID: "x", Spec: &anypb.Any{Value: []byte(`{"linux":5,"process":[]`)}}}}, nil
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	all := &containers.ListContainersResponse{}
	for k, v := range c.s.containers {
		if k.namespace == ns {
			all.Containers = append(all.Containers, v)
		}
	}
	return all, nil
}

type namespacesServer struct {
	namespaces.UnimplementedNamespacesServer
	s *Server
}

func (n namespacesServer) List(ctx context.Context, _ *namespaces.ListNamespacesRequest) (*namespaces.ListNamespacesResponse, error) {
	_, empty, err := n.s.begin(ctx)
	if err != nil {
		return nil, err
	}
	all := &namespaces.ListNamespacesResponse{}
	if empty {
		all.Namespaces = []*namespaces.Namespace{nil, {}, {Name: "default"}}
		return all, nil
	}
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	seen := map[string]bool{"default": true}
	for k := range n.s.containers {
		seen[k.namespace] = true
	}
	for name := range seen {
		all.Namespaces = append(all.Namespaces, &namespaces.Namespace{Name: name})
	}
	return all, nil
}

type imagesServer struct {
	images.UnimplementedImagesServer
	s *Server
}

func (i imagesServer) Get(ctx context.Context, r *images.GetImageRequest) (*images.GetImageResponse, error) {
	ns, empty, err := i.s.begin(ctx)
	if err != nil || empty {
		return &images.GetImageResponse{}, err
	}
	for i.s.Slow.Load() {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	d, ok := i.s.images[key{ns, r.GetName()}]
	if !ok {
		return nil, status.Error(codes.NotFound, "no such image")
	}
	return &images.GetImageResponse{Image: &images.Image{Name: r.GetName(), Target: &types.Descriptor{Digest: d}}}, nil
}

func (i imagesServer) List(ctx context.Context, r *images.ListImagesRequest) (*images.ListImagesResponse, error) {
	ns, _, err := i.s.begin(ctx)
	if err != nil {
		return nil, err
	}
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	all := &images.ListImagesResponse{}
	for k, d := range i.s.images {
		if k.namespace == ns && len(r.GetFilters()) == 1 && r.GetFilters()[0] == "target.digest=="+d {
			all.Images = append(all.Images, &images.Image{Name: k.name, Target: &types.Descriptor{Digest: d}})
		}
	}
	return all, nil
}

type contentServer struct {
	content.UnimplementedContentServer
	s *Server
}

func (c contentServer) Read(r *content.ReadContentRequest, to content.Content_ReadServer) error {
	if _, _, err := c.s.begin(to.Context()); err != nil {
		return err
	}
	c.s.mu.Lock()
	b, ok := c.s.blobs[r.GetDigest()]
	c.s.mu.Unlock()
	if !ok {
		return status.Error(codes.NotFound, "no such content")
	}
	return to.Send(&content.ReadContentResponse{Data: b})
}

type sandboxServer struct {
	sandbox.UnimplementedStoreServer
	s *Server
}

func (b sandboxServer) Get(ctx context.Context, r *sandbox.StoreGetRequest) (*sandbox.StoreGetResponse, error) {
	ns, _, err := b.s.begin(ctx)
	if err != nil {
		return nil, err
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if found := b.s.sandboxes[key{ns, r.GetSandboxID()}]; found != nil {
		return &sandbox.StoreGetResponse{Sandbox: found}, nil
	}
	return nil, status.Error(codes.NotFound, "no such sandbox")
}

type eventsServer struct {
	events.UnimplementedEventsServer
	s *Server
}

func (e eventsServer) Subscribe(_ *events.SubscribeRequest, to events.Events_SubscribeServer) error {
	q := make(chan *types.Envelope, 4096)
	e.s.mu.Lock()
	e.s.listeners[q] = true
	e.s.mu.Unlock()
	defer func() {
		e.s.mu.Lock()
		delete(e.s.listeners, q)
		e.s.mu.Unlock()
	}()
	for {
		select {
		case <-to.Context().Done():
			return to.Context().Err()
		case env := <-q:
			if err := to.Send(env); err != nil {
				return err
			}
		}
	}
}
