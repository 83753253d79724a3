// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/falco-go/falco/pkg/container"
)

// What containerd's CRI service keeps beside a container: JSON of its own records,
// in which what kubelet had asked for stands in the names of the CRI's protocol.

// Where it keeps that, and how it marks its containers.
const (
	extContainer  = "io.cri-containerd.container.metadata"
	extSandbox    = "io.cri-containerd.sandbox.metadata" // of the sandbox's container
	extStore      = "metadata"                           // of the sandbox in the sandbox store
	labelKind     = "io.cri-containerd.kind"
	noteType      = "io.kubernetes.cri.container-type"
	noteName      = "io.kubernetes.cri.container-name"
	noteImage     = "io.kubernetes.cri.image-name"
	noteSandbox   = "io.kubernetes.cri.sandbox-id"
	notePodName   = "io.kubernetes.cri.sandbox-name"
	notePodNS     = "io.kubernetes.cri.sandbox-namespace"
	notePodUID    = "io.kubernetes.cri.sandbox-uid"
	labelName     = "io.kubernetes.container.name"
	kindSandbox   = "sandbox"
	sandboxName   = "POD" // what the container of a pod itself is called
	namespaceNode = 2     // the CRI's word for the host's namespace
)

type criMetadata struct {
	ID        string
	SandboxID string
	ImageRef  string
	Config    *criConfig
}

type criConfig struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Image struct {
		Image string `json:"image"`
		User  string `json:"user_specified_image"`
	} `json:"image"`
	Envs []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"envs"`
	Mounts []struct {
		ContainerPath string `json:"container_path"`
		HostPath      string `json:"host_path"`
		Readonly      bool   `json:"readonly"`
		Propagation   int    `json:"propagation"`
	} `json:"mounts"`
	Labels map[string]string `json:"labels"`
	Linux  *criLinux         `json:"linux"`
}

type criLinux struct {
	SecurityContext struct {
		Privileged bool `json:"privileged"`
		Namespaces struct {
			Network int `json:"network"`
			Pid     int `json:"pid"`
			IPC     int `json:"ipc"`
		} `json:"namespace_options"`
	} `json:"security_context"`
}

// Sandbox is what the CRI service keeps of a pod.
type Sandbox struct {
	ID        string
	IP        string
	Config    *sandboxConfig
	CNIResult *struct {
		Interfaces map[string]map[string]json.RawMessage
	}
}

type sandboxConfig struct {
	Metadata struct {
		Name      string `json:"name"`
		UID       string `json:"uid"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Ports []struct {
		Protocol      int    `json:"protocol"` // 0 is TCP
		ContainerPort int32  `json:"container_port"`
		HostPort      int32  `json:"host_port"`
		HostIP        string `json:"host_ip"`
	} `json:"port_mappings"`
	Labels map[string]string `json:"labels"`
	Notes  map[string]string `json:"annotations"`
	Linux  *criLinux         `json:"linux"`
}

// ParseSandbox reads such a record; nil if it is none.
func ParseSandbox(text []byte) *Sandbox { return metadataOf[Sandbox](text) }

// metadataOf reads one of the CRI service's records; nil if it is none.
func metadataOf[T any](text []byte) *T {
	var v struct{ Metadata *T }
	if len(text) == 0 || decode(text, &v) != nil {
		return nil
	}
	return v.Metadata
}

// propagations are the CRI's numbers for how a mount propagates.
var propagations = [...]string{"private", "rslave", "rshared"}

func (c *criConfig) mounts() []container.Mount {
	var out []container.Mount
	for _, m := range c.Mounts {
		to := container.Mount{Source: m.HostPath, Dest: m.ContainerPath, RW: !m.Readonly}
		if m.Propagation >= 0 && m.Propagation < len(propagations) {
			to.Propagation = propagations[m.Propagation]
		}
		out = append(out, to)
	}
	return out
}

func (c *criConfig) env() []string {
	var out []string
	for _, e := range c.Envs {
		out = append(out, e.Key+"="+e.Value)
	}
	return out
}

// maxCNI bounds the bytes of what is kept of a network plugin's result.
const maxCNI = 4096

// cniJSON returns the interfaces of the pod as the network plugin has told them,
// without those that say nothing and what differs from one pod to the next.
func (s *Sandbox) cniJSON() string {
	if s.CNIResult == nil || len(s.CNIResult.Interfaces) == 0 {
		return ""
	}
	keep := map[string]map[string]json.RawMessage{}
	for name, i := range s.CNIResult.Interfaces {
		if name == "lo" || strings.HasPrefix(name, "veth") {
			continue
		}
		i = maps.Clone(i)
		delete(i, "Mac")
		delete(i, "Sandbox")
		keep[name] = i
	}
	if len(keep) == 0 {
		return ""
	}
	b, err := json.Marshal(keep)
	if err != nil || len(b) > maxCNI {
		return ""
	}
	return string(b)
}

// fill takes over what the pod says of its containers.
func (s *Sandbox) fill(i *container.Info) {
	i.IP, i.CNIJSON = container.Address(s.IP), s.cniJSON()
	c := s.Config
	if c == nil {
		return
	}
	i.PodSandboxLabels = container.KeepLabels(c.Labels)
	i.SetPod(c.Metadata.Namespace, c.Metadata.Name, c.Metadata.UID, s.ID)
	i.SetProbes(nil, c.Notes[container.NoteApplied], i.Name)
	for _, p := range c.Ports {
		if p.Protocol == 0 && p.HostPort > 0 && p.HostPort < 1<<16 && p.ContainerPort > 0 && p.ContainerPort < 1<<16 {
			i.Ports = append(i.Ports, container.Port{HostIP: container.Address(p.HostIP), HostPort: uint16(p.HostPort), ContainerPort: uint16(p.ContainerPort)})
		}
	}
	if c.Linux != nil {
		ns := &c.Linux.SecurityContext.Namespaces
		i.HostPid, i.HostNetwork, i.HostIPC = ns.Pid == namespaceNode, ns.Network == namespaceNode, ns.IPC == namespaceNode
	}
	if i.HostNetwork {
		i.IP = ""
	}
}

// cri takes over what kubelet has asked for.
func (r *Record) cri(i *container.Info) {
	notes := r.spec.Annotations
	i.IsPodSandbox = r.Labels[labelKind] == kindSandbox || notes[noteType] == kindSandbox
	own := metadataOf[criMetadata](r.Extensions[extContainer])
	sandbox, ref := notes[noteSandbox], ""
	if r.SandboxID != "" {
		sandbox = r.SandboxID
	}
	if own != nil {
		if own.SandboxID != "" {
			sandbox = own.SandboxID
		}
		i.ImageID = strings.TrimPrefix(own.ImageRef, "sha256:")
	}
	if i.IsPodSandbox {
		sandbox = r.ID
	}
	i.SetPod(notes[notePodNS], notes[notePodName], notes[notePodUID], sandbox)
	if notes[notePodName] == "" && r.Sandbox == nil { // nobody knows better than the labels
		for k, v := range container.KeepLabels(r.Labels) {
			i.Labels[k] = v
		}
	}
	if i.Name = notes[noteName]; i.Name == "" {
		i.Name = r.Labels[labelName]
	}
	if own != nil && own.Config != nil {
		c := own.Config
		i.Mounts, i.Env = c.mounts(), c.env()
		if c.Metadata.Name != "" {
			i.Name = c.Metadata.Name
		}
		ref = c.Image.User
		if c.Linux != nil {
			i.Privileged = c.Linux.SecurityContext.Privileged
		}
	} else {
		i.Mounts = r.spec.mounts("bind")
	}
	if ref == "" {
		ref = notes[noteImage]
	}
	if ref != "" {
		i.SetImage(ref)
	}
	if s := r.Sandbox; s != nil {
		if s.ID == "" {
			s.ID = sandbox
		}
		s.fill(i)
		if i.IsPodSandbox && s.Config != nil && s.Config.Linux != nil {
			i.Privileged = s.Config.Linux.SecurityContext.Privileged
		}
	}
	if i.IsPodSandbox {
		i.Name = sandboxName
	}
}
