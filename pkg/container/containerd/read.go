// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/content/v1"
	"github.com/containerd/containerd/api/services/images/v1"
	"github.com/containerd/containerd/api/services/namespaces/v1"
	"github.com/containerd/containerd/api/services/sandbox/v1"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/wire"
)

// What is read over a connection. Answers may lack anything: they are only read by
// getters, which take a nil for something empty.

// in says which namespace a call is about.
func in(ctx context.Context, namespace string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "containerd-namespace", namespace)
}

// why returns an error of gRPC as one of ours.
func why(err error) error {
	return wire.Why(err, func(s *status.Status) error {
		return fmt.Errorf("%s: %s", strings.ToLower(s.Code().String()), s.Message())
	})
}

func (c *conn) listNamespaces(ctx context.Context) ([]string, error) {
	answer, err := c.namespaces.List(ctx, &namespaces.ListNamespacesRequest{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range answer.GetNamespaces() {
		if name := n.GetName(); name != "" && len(names) < maxNamespaces {
			names = append(names, name)
		}
	}
	c.mu.Lock()
	c.spaces = names
	c.mu.Unlock()
	return names, nil
}

// get reads one container.
func (c *conn) get(ctx context.Context, namespace, id string) (*container.Info, error) {
	ctx = in(ctx, namespace)
	answer, err := c.containers.Get(ctx, &containers.GetContainerRequest{ID: id})
	if err != nil {
		return nil, why(err)
	}
	if answer.GetContainer().GetID() != id {
		return nil, container.ErrNonsense
	}
	return c.info(ctx, namespace, answer.GetContainer()), nil
}

// info completes what containerd says of a container by what it refers to. What
// cannot be read is left out. ctx is in the namespace.
func (c *conn) info(ctx context.Context, namespace string, from *containers.Container) *container.Info {
	r := &Record{Namespace: namespace, ID: from.GetID(), Image: from.GetImage(), SandboxID: from.GetSandbox(), Labels: from.GetLabels(),
		Spec: from.GetSpec().GetValue(), Extensions: map[string][]byte{}}
	if t := from.GetCreatedAt(); t.IsValid() {
		r.Created = t.AsTime()
	}
	for name, v := range from.GetExtensions() {
		r.Extensions[name] = v.GetValue()
	}
	image, pod := c.readImage(ctx, r), c.readSandbox(ctx, r)
	i := r.Info()
	i.Late = tooLate(image) || tooLate(pod)
	i.Partial = i.Partial || i.Late
	return i
}

// tooLate reports whether something is missing only because there was no time to
// read it. Whichever end of the connection is the first to see that, says so.
func tooLate(err error) bool {
	code := status.Code(err)
	return code == codes.DeadlineExceeded || code == codes.Canceled
}

// readImage reads what the image's name stands for.
func (c *conn) readImage(ctx context.Context, r *Record) error {
	if r.Image == "" {
		return nil
	}
	answer, err := c.images.Get(ctx, &images.GetImageRequest{Name: r.Image})
	if err != nil {
		return err
	}
	r.Target = answer.GetImage().GetTarget().GetDigest()
	if r.Target == "" {
		return nil
	}
	if strings.HasPrefix(r.Image, "sha256:") {
		same, err := c.images.List(ctx, &images.ListImagesRequest{Filters: []string{"target.digest==" + r.Target}})
		if tooLate(err) {
			return err
		}
		for _, i := range same.GetImages() {
			if n := i.GetName(); n != "" && !strings.HasPrefix(n, "sha256:") && (r.Tagged == "" || !strings.Contains(n, "@")) {
				r.Tagged = n
			}
		}
	}
	r.Config, err = c.config(ctx, r.Target)
	return err
}

// config returns the digest of the configuration that target leads to, "" if there
// is none that we understand.
func (c *conn) config(ctx context.Context, target string) (string, error) {
	c.mu.Lock()
	d, ok := c.configs[target]
	c.mu.Unlock()
	if ok {
		return d, nil
	}
	at := target
	for range 3 { // an index of indexes is not made by anybody
		text, err := c.blob(ctx, at)
		if err != nil {
			return "", err
		}
		var m struct {
			Config    struct{ Digest string } `json:"config"`
			Manifests []struct {
				Digest   string
				Platform struct{ Architecture, OS string }
			} `json:"manifests"`
		}
		if json.Unmarshal(text, &m) != nil {
			return "", nil
		}
		if m.Config.Digest != "" {
			c.mu.Lock()
			if len(c.configs) >= maxImages {
				clear(c.configs)
			}
			c.configs[target] = m.Config.Digest
			c.mu.Unlock()
			return m.Config.Digest, nil
		}
		at = ""
		for _, p := range m.Manifests {
			if p.Platform.OS == "linux" && p.Platform.Architecture == runtime.GOARCH {
				at = p.Digest
				break
			}
		}
		if at == "" {
			return "", nil
		}
	}
	return "", nil
}

// blob reads a manifest.
func (c *conn) blob(ctx context.Context, digest string) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.content.Read(ctx, &content.ReadContentRequest{Digest: digest})
	if err != nil {
		return nil, err
	}
	var all []byte
	for {
		part, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if all = append(all, part.GetData()...); len(all) > container.MaxJSON {
			return nil, errTooLong
		}
	}
}

// readSandbox reads what is kept of the pod: beside its own container, or in the
// store for sandboxes, which today's versions have.
func (c *conn) readSandbox(ctx context.Context, r *Record) error {
	if r.Sandbox = metadataOf[Sandbox](r.Extensions[extSandbox]); r.Sandbox != nil {
		return nil // it is the pod's own
	}
	id := r.SandboxID
	if own := metadataOf[criMetadata](r.Extensions[extContainer]); id == "" && own != nil {
		id = own.SandboxID
	}
	if id == "" && r.Labels[labelKind] == kindSandbox {
		id = r.ID
	}
	if id == "" {
		return nil
	}
	if id != r.ID {
		answer, err := c.containers.Get(ctx, &containers.GetContainerRequest{ID: id})
		if tooLate(err) {
			return err
		}
		r.Sandbox = metadataOf[Sandbox](answer.GetContainer().GetExtensions()[extSandbox].GetValue())
	}
	if r.Sandbox == nil {
		answer, err := c.sandboxes.Get(ctx, &sandbox.StoreGetRequest{SandboxID: id})
		if tooLate(err) {
			return err
		}
		r.Sandbox = metadataOf[Sandbox](answer.GetSandbox().GetExtensions()[extStore].GetValue())
	}
	if r.Sandbox != nil && r.Sandbox.ID == "" {
		r.Sandbox.ID = id
	}
	return nil
}
