// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/falco-go/falco/pkg/container"
)

// verbose is what runtimes tell beside the protocol, as JSON.
type verbose struct {
	SandboxID  string `json:"sandboxID"`
	Privileged bool   `json:"privileged"` // CRI-O
	Config     struct {
		Envs []struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		} `json:"envs"`
		Linux *linux `json:"linux"`
	} `json:"config"`
	RuntimeSpec struct {
		Linux       *linux            `json:"linux"`
		Annotations map[string]string `json:"annotations"`
	} `json:"runtimeSpec"`
	CNIResult *struct {
		Interfaces map[string]map[string]json.RawMessage
	} `json:"cniResult"`
}

type linux struct {
	SecurityContext *struct {
		Privileged bool `json:"privileged"`
	} `json:"security_context"`
}

func readVerbose(info map[string]string) *verbose {
	v := new(verbose)
	if text := info["info"]; len(text) <= container.MaxJSON {
		_ = json.Unmarshal([]byte(text), v) // what is not understood is left out
	}
	return v
}

// sandboxOf returns the pod that a container belongs to, "" if nobody says.
func sandboxOf(info map[string]string) string {
	v := readVerbose(info)
	if v.SandboxID != "" {
		return v.SandboxID
	}
	for _, note := range []string{"io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID"} {
		if id := v.RuntimeSpec.Annotations[note]; id != "" {
			return id
		}
	}
	return ""
}

// info makes of the answers what the fields read. own is nil for a pod's own
// container, pod if nobody knows it.
func info(t container.Type, own *runtime.ContainerStatusResponse, pod *runtime.PodSandboxStatusResponse) *container.Info {
	i := &container.Info{Type: t, CPUShares: 1024, CPUPeriod: 100000, Size: -1}
	p := pod.GetStatus()
	if own == nil {
		i.FullID, i.IsPodSandbox, i.Name, i.Created = p.GetId(), true, "POD", p.GetCreatedAt()/1e9
		i.Labels = container.KeepLabels(p.GetLabels())
	} else {
		fill(i, own)
	}
	i.ID = container.ShortID(i.FullID)
	if p == nil {
		return i
	}
	m := p.GetMetadata()
	i.SetPod(m.GetNamespace(), m.GetName(), m.GetUid(), p.GetId())
	i.PodSandboxLabels = container.KeepLabels(p.GetLabels())
	i.SetProbes(nil, p.GetAnnotations()[container.NoteApplied], i.Name)
	i.IP = container.Address(p.GetNetwork().GetIp())
	ns := p.GetLinux().GetNamespaces().GetOptions()
	i.HostNetwork, i.HostPid, i.HostIPC = ns.GetNetwork() == runtime.NamespaceMode_NODE, ns.GetPid() == runtime.NamespaceMode_NODE,
		ns.GetIpc() == runtime.NamespaceMode_NODE
	if i.HostNetwork {
		i.IP = ""
	}
	v := readVerbose(pod.GetInfo())
	i.CNIJSON = cniJSON(v)
	if own == nil {
		i.Privileged = v.privileged()
	}
	return i
}

// fill takes over what is said of the container itself.
func fill(i *container.Info, own *runtime.ContainerStatusResponse) {
	s, v := own.GetStatus(), readVerbose(own.GetInfo())
	i.FullID, i.Name, i.Created = s.GetId(), s.GetMetadata().GetName(), s.GetCreatedAt()/1e9
	i.Labels = container.KeepLabels(s.GetLabels())
	i.Privileged = v.privileged()
	for _, e := range v.Config.Envs {
		i.Env = append(i.Env, e.Key+"="+e.Value)
	}
	if u := s.GetUser().GetLinux(); u != nil {
		i.User = strconv.FormatInt(u.GetUid(), 10)
	}
	for _, m := range s.GetMounts() {
		to := container.Mount{Source: m.GetHostPath(), Dest: m.GetContainerPath(), RW: !m.GetReadonly()}
		if p := int(m.GetPropagation()); p >= 0 && p < len(propagations) {
			to.Propagation = propagations[p]
		}
		i.Mounts = append(i.Mounts, to)
	}
	setImage(i, s, v.RuntimeSpec.Annotations)
}

var propagations = [...]string{"private", "rslave", "rshared"}

// setImage finds a name for the image: the runtime may only tell its id.
func setImage(i *container.Info, s *runtime.ContainerStatus, notes map[string]string) {
	ref := s.GetImage().GetUserSpecifiedImage()
	for _, other := range []string{s.GetImage().GetImage(), notes["io.kubernetes.cri.image-name"], notes["io.kubernetes.cri-o.ImageName"],
		notes["io.kubernetes.cri-o.Image"]} {
		if ref == "" || strings.HasPrefix(ref, "sha256:") {
			ref = other
		}
	}
	i.SetImage(ref)
	by := s.GetImageRef()
	if name, digest, ok := strings.Cut(by, "@"); ok { // what it was pulled by
		if i.ImageRepo == "" {
			i.ImageRepo = name
		}
		i.ImageDigest = digest
	} else if i.ImageDigest == "" && strings.HasPrefix(by, "sha256:") {
		i.ImageDigest = by
	}
	i.ImageID = strings.TrimPrefix(s.GetImageId(), "sha256:")
	// Runtimes from before image_id (CRI of Kubernetes 1.29) refer to an image without a registry by its id.
	for _, older := range []string{s.GetImage().GetImage(), by} {
		if id, ok := strings.CutPrefix(older, "sha256:"); ok && i.ImageID == "" {
			i.ImageID = id
		}
	}
}

// privileged asks whoever may have said so.
func (v *verbose) privileged() bool {
	for _, l := range []*linux{v.RuntimeSpec.Linux, v.Config.Linux} {
		if l != nil && l.SecurityContext != nil {
			return l.SecurityContext.Privileged
		}
	}
	return v.Privileged
}

// cniJSON returns the interfaces of the pod as the network plugin has told them,
// without those that say nothing and what differs from one pod to the next.
func cniJSON(v *verbose) string {
	if v.CNIResult == nil {
		if text := v.RuntimeSpec.Annotations["io.kubernetes.cri-o.CNIResult"]; len(text) <= maxCNI {
			return text
		}
		return ""
	}
	keep := maps.Clone(v.CNIResult.Interfaces)
	for name, i := range keep {
		if name == "lo" || strings.HasPrefix(name, "veth") {
			delete(keep, name)
			continue
		}
		delete(i, "Mac")
		delete(i, "Sandbox")
	}
	b, err := json.Marshal(keep)
	if err != nil || len(keep) == 0 || len(b) > maxCNI {
		return ""
	}
	return string(b)
}

// maxCNI bounds the bytes of what is kept of a network plugin's result.
const maxCNI = 4096
