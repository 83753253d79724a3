// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/container"
)

// Record is what containerd says of a container: its own, and what it refers to.
// What is made of it needs no connection.
type Record struct {
	Namespace  string
	ID         string
	Image      string // the reference that it was made from
	SandboxID  string
	Labels     map[string]string
	Created    time.Time
	Spec       []byte            // OCI, JSON
	Extensions map[string][]byte // values alone

	Target  string   // digest of the image's manifest or index, "" if the image is not there
	Config  string   // digest of the image's configuration, the same
	Tagged  string   // another name of the image, where Image is none
	Sandbox *Sandbox // of the pod, nil if there is none

	spec spec
}

const dockerNamespace = "moby"

// Labels by which nerdctl remembers what it was asked for.
const (
	nerdctlName  = "nerdctl/name"
	nerdctlPorts = "nerdctl/ports"
	nerdctlCheck = "nerdctl/healthcheck"
)

// Info makes of r what the fields read. What cannot be understood is left out.
func (r *Record) Info() *container.Info {
	r.spec = spec{}
	_ = decode(r.Spec, &r.spec) // without it, what containerd itself says counts
	i := &container.Info{ID: shown(r.ID), FullID: r.ID, Type: container.TypeContainerd, Labels: container.KeepLabels(r.Labels)}
	if !r.Created.IsZero() {
		i.Created = r.Created.Unix()
	}
	s := &r.spec
	s.fill(i)
	i.HostPid, i.HostNetwork, i.HostIPC = s.shares("pid"), s.shares("network"), s.shares("ipc")
	i.Privileged = s.privileged()
	i.ImageID = strings.TrimPrefix(r.Config, "sha256:")
	i.ImageDigest = r.Target
	if r.Image != "" {
		i.SetImage(r.Image)
		if i.ImageRepo == "" && r.Tagged != "" {
			i.SetImage(r.Tagged)
		}
	}
	switch {
	case r.isCRI():
		r.cri(i)
	case r.Namespace == dockerNamespace:
		// dockerd keeps the rest to itself.
		i.Type, i.Partial = container.TypeDocker, true
		i.Name, i.User = i.ID, ""
		i.Mounts = s.mounts("bind")
	default:
		i.Name = r.Labels[nerdctlName]
		if i.Name == "" {
			i.Name = i.ID
		}
		i.Mounts = s.mounts("")
		i.Ports = ports(r.Labels[nerdctlPorts])
		var check struct{ Test []string }
		if text := r.Labels[nerdctlCheck]; text != "" && json.Unmarshal([]byte(text), &check) == nil {
			i.SetProbes(container.HealthCheck(check.Test), "", "")
		}
	}
	return i
}

// maxID is how much of an id is shown.
const maxID = 12

// shown returns an id as pkg/container finds it in the path of a cgroup.
func shown(id string) string { return id[:min(len(id), maxID)] }

// isCRI reports whether the container was made for a pod.
func (r *Record) isCRI() bool {
	return r.Labels[labelKind] != "" || len(r.Extensions[extContainer]) > 0 || len(r.Extensions[extSandbox]) > 0 || r.spec.Annotations[noteType] != ""
}

// ports reads how nerdctl remembers ports.
func ports(text string) []container.Port {
	var list []struct {
		HostPort, ContainerPort int64
		Protocol, HostIP        string
	}
	if text == "" || json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	var out []container.Port
	for _, p := range list {
		if p.Protocol == "tcp" && p.HostPort > 0 && p.HostPort < 1<<16 && p.ContainerPort > 0 && p.ContainerPort < 1<<16 {
			out = append(out, container.Port{HostIP: container.Address(p.HostIP), HostPort: uint16(p.HostPort), ContainerPort: uint16(p.ContainerPort)})
		}
	}
	return out
}
