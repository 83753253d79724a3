// SPDX-License-Identifier: Apache-2.0

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Type is the runtime that a container belongs to, numbered as in the events that
// tell of containers.
type Type int

// Values of Type.
const (
	TypeDocker     Type = 0
	TypeLXC        Type = 1
	TypeLibvirtLXC Type = 2
	TypeMesos      Type = 3
	TypeRkt        Type = 4
	TypeCustom     Type = 5
	TypeCRI        Type = 6
	TypeContainerd Type = 7
	TypeCRIO       Type = 8
	TypeBPM        Type = 9
	TypeStatic     Type = 10
	TypePodman     Type = 11
	TypeUnknown    Type = 0xffff
)

var typeNames = [...]string{
	TypeDocker: "docker", TypeLXC: "lxc", TypeLibvirtLXC: "libvirt-lxc", TypeMesos: "mesos", TypeRkt: "rkt", TypeCustom: "custom",
	TypeCRI: "cri", TypeContainerd: "containerd", TypeCRIO: "cri-o", TypeBPM: "bpm", TypeStatic: "static", TypePodman: "podman",
}

// String returns what container.type prints, "" if nobody knows.
func (t Type) String() string {
	if t >= 0 && int(t) < len(typeNames) {
		return typeNames[t]
	}
	return ""
}

// DockerLike reports whether such containers have privileges and namespaces that
// can be asked for.
func (t Type) DockerLike() bool {
	switch t {
	case TypeDocker, TypeCRI, TypeContainerd, TypeCRIO, TypePodman:
		return true
	}
	return false
}

// Info is what is known of a container. Names in JSON are those of the events
// that tell of containers (spec: containers, record). It is never changed once it
// has been handed over.
type Info struct {
	ID     string `json:"id"` // as shown
	FullID string `json:"full_id,omitempty"`
	Type   Type   `json:"type"`
	Name   string `json:"name"`

	Image       string `json:"image"` // as it was asked for
	ImageID     string `json:"imageid"`
	ImageRepo   string `json:"imagerepo"`
	ImageTag    string `json:"imagetag"`
	ImageDigest string `json:"imagedigest"`

	User        string `json:"User"`
	Privileged  bool   `json:"privileged"`
	HostPid     bool   `json:"host_pid"`
	HostNetwork bool   `json:"host_network"`
	HostIPC     bool   `json:"host_ipc"`

	Mounts  []Mount `json:"Mounts"`
	IP      Address `json:"ip"`
	CNIJSON string  `json:"cni_json"`

	IsPodSandbox     bool   `json:"is_pod_sandbox"`
	PodSandboxID     string `json:"pod_sandbox_id"`
	PodSandboxLabels Labels `json:"pod_sandbox_labels"`
	Labels           Labels `json:"labels"`

	Ports   []Port   `json:"port_mappings"`
	Env     []string `json:"env"`
	Created int64    `json:"created_time"` // s since the epoch

	MemoryLimit int64 `json:"memory_limit"`
	SwapLimit   int64 `json:"swap_limit"`
	CPUShares   int64 `json:"cpu_shares"`
	CPUQuota    int64 `json:"cpu_quota"`
	CPUPeriod   int64 `json:"cpu_period"`
	CPUSet      int32 `json:"cpuset_cpu_count"`
	Size        int64 `json:"size_rw_bytes"`

	Healthcheck *Probe `json:"Healthcheck,omitempty"`
	Liveness    *Probe `json:"LivenessProbe,omitempty"`
	Readiness   *Probe `json:"ReadinessProbe,omitempty"`

	// Partial says that there is more to know: such a record does not take the place
	// of one that is whole. Late says that it was too slow in coming, so that it is
	// worth asking again; else somebody else knows it. Neither is told in events.
	Partial, Late bool `json:"-"`

	mounts, labels, podLabels string // see Seal
}

// Seal composes the texts that consist of several parts, so that nobody has to do
// that for each event. It is to be called once, when the record is complete.
func (i *Info) Seal() {
	mounts := make([]string, len(i.Mounts))
	for n := range i.Mounts {
		mounts[n] = i.Mounts[n].String()
	}
	i.mounts = strings.Join(mounts, ",")
	i.labels, i.podLabels = i.Labels.String(), i.PodSandboxLabels.String()
}

// MountsText returns all mounts, with commas between.
func (i *Info) MountsText() string { return i.mounts }

// LabelsText returns Labels as they are printed.
func (i *Info) LabelsText() string { return i.labels }

// PodLabelsText returns PodSandboxLabels as they are printed.
func (i *Info) PodLabelsText() string { return i.podLabels }

// Mount is a file system that is mounted into a container.
type Mount struct {
	Source      string `json:"Source"`
	Dest        string `json:"Destination"`
	Mode        string `json:"Mode"`
	RW          bool   `json:"RW"`
	Propagation string `json:"Propagation"`
}

// String returns m as container.mounts prints it.
func (m *Mount) String() string {
	return fmt.Sprintf("%s:%s:%s:%t:%s", m.Source, m.Dest, m.Mode, m.RW, m.Propagation)
}

// Port is a port of the host that leads to one of the container.
type Port struct {
	HostIP        Address `json:"HostIp"`
	HostPort      uint16  `json:"HostPort"`
	ContainerPort uint16  `json:"ContainerPort"`
}

// Address is an IP address: text today, a number in events of old versions.
type Address string

// UnmarshalJSON implements json.Unmarshaler.
func (a *Address) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(a))
	}
	var n uint32 // in host byte order, as the old versions kept it
	if err := json.Unmarshal(b, &n); err != nil || n == 0 {
		return nil
	}
	*a = Address(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String())
	return nil
}

// Labels are the labels of a container or pod.
type Labels map[string]string

// String returns the labels in order, as "key:value" with ", " between, without
// those that kubelet adds for itself.
func (l Labels) String() string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(l)) {
		if !strings.HasPrefix(k, "annotation.") && !strings.HasPrefix(k, "io.kubernetes.") {
			out = append(out, k+":"+l[k])
		}
	}
	return strings.Join(out, ", ")
}

// maxLabel bounds the bytes of a label's value: what is longer is left out.
var maxLabel = 100

// LimitLabels changes that bound. It is to be called before anything else of this
// package, if at all.
func LimitLabels(bytes int) { maxLabel = bytes }

// KeepLabels returns those of all that are not too long.
func KeepLabels(all map[string]string) Labels {
	l := make(Labels, len(all))
	for k, v := range all {
		if len(v) <= maxLabel {
			l[k] = v
		}
	}
	return l
}

// UnmarshalJSON implements json.Unmarshaler. Values that are no text, or too long,
// are left out.
func (l *Labels) UnmarshalJSON(b []byte) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(b, &all) != nil || all == nil {
		return nil
	}
	*l = make(Labels, len(all))
	for k, v := range all {
		var s string
		if json.Unmarshal(v, &s) == nil && len(s) <= maxLabel {
			(*l)[k] = s
		}
	}
	return nil
}

// MaxJSON bounds what Parse reads, in bytes.
const MaxJSON = 1 << 20

// envelope is what stands around a record.
type envelope struct {
	Container *Info `json:"container"`
}

var errNoID = errors.New("a container without an id")

// Parse reads the record that an event of type container carries.
func Parse(text []byte) (*Info, error) {
	if len(text) > MaxJSON {
		return nil, fmt.Errorf("a record of %d bytes", len(text))
	}
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		var wrong *json.UnmarshalTypeError
		if !errors.As(err, &wrong) || e.Container == nil {
			return nil, err
		}
		// One member of another type than ours: the others count.
	}
	if e.Container == nil || e.Container.ID == "" {
		return nil, errNoID
	}
	i := e.Container
	if i.FullID == "" {
		i.FullID = i.ID
	}
	if len(i.ID) > fullLen {
		i.ID = i.ID[:fullLen]
	}
	i.Name = strings.TrimPrefix(i.Name, "/")
	i.Seal()
	return i, nil
}

// JSON returns the record as an event carries it.
func (i *Info) JSON() []byte {
	b, err := json.Marshal(envelope{i})
	if err != nil {
		panic(err) // there is nothing in it that cannot be encoded
	}
	return b
}

// Labels that kubelet gives to the containers of a pod.
const (
	labelPodName   = "io.kubernetes.pod.name"
	labelPodNS     = "io.kubernetes.pod.namespace"
	labelPodUID    = "io.kubernetes.pod.uid"
	labelSandboxID = "io.kubernetes.sandbox.id"
)

// SetPod says which pod the container belongs to, whatever labels it has brought along.
func (i *Info) SetPod(namespace, name, uid, sandbox string) {
	if i.Labels == nil {
		i.Labels = Labels{}
	}
	for k, v := range map[string]string{labelPodNS: namespace, labelPodName: name, labelPodUID: uid, labelSandboxID: sandbox} {
		if v != "" {
			i.Labels[k] = v
		} else {
			delete(i.Labels, k)
		}
	}
	i.PodSandboxID = sandbox
}

// SetImage takes ref for the image's name, and apart what stands in it.
func (i *Info) SetImage(ref string) {
	i.Image = ref
	if strings.HasPrefix(ref, "sha256:") { // an id, no name
		return
	}
	repo, tag, digest := SplitImage(ref)
	i.ImageRepo, i.ImageTag = repo, tag
	if digest != "" {
		i.ImageDigest = digest
	}
}

// PodName returns the name of the pod that the container belongs to, "" if none.
func (i *Info) PodName() string { return i.Labels[labelPodName] }

// PodNamespace returns the namespace of the pod.
func (i *Info) PodNamespace() string { return i.Labels[labelPodNS] }

// PodUID returns the unique id of the pod.
func (i *Info) PodUID() string { return i.Labels[labelPodUID] }

// SandboxID returns the whole id of the pod's sandbox, "" if there is none. A
// sandbox is its own.
func (i *Info) SandboxID() string {
	switch {
	case i.PodSandboxID != "":
		return i.PodSandboxID
	case i.IsPodSandbox:
		return i.FullID
	}
	return i.Labels[labelSandboxID]
}

// ShortID returns an id as it is shown.
func ShortID(id string) string {
	if len(id) == fullLen && allHex(id) {
		return id[:shortLen]
	}
	return id
}

// SplitImage cuts the reference of an image: "repo:tag@digest", of which tag and
// digest may be missing.
func SplitImage(ref string) (repo, tag, digest string) {
	repo, digest, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(repo, ':'); i > strings.LastIndexByte(repo, '/') {
		repo, tag = repo[:i], repo[i+1:]
	}
	return repo, tag, digest
}
