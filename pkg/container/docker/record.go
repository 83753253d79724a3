// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/container"
)

// record is what we read of a container.
type record struct {
	ID        string `json:"Id"`
	Name      string
	Created   time.Time
	Image     string // id
	ImageName string // podman
	IsInfra   bool   // podman: the pod's own
	SizeRw    *int64

	Config struct {
		Image, User string
		Env         []string
		Labels      map[string]string
		Healthcheck struct{ Test []string }
	}
	HostConfig struct {
		Privileged                     bool
		NetworkMode, PidMode, IpcMode  string
		Memory, MemorySwap             int64
		CPUShares, CPUQuota, CPUPeriod int64
		CpusetCpus                     string
	}
	Mounts []struct {
		Name, Source, Destination, Mode, Propagation string
		RW                                           bool
	}
	NetworkSettings struct {
		IPAddress string
		Networks  map[string]*struct{ IPAddress string }
		Ports     map[string][]struct{ HostIP, HostPort string }
	}
}

// image is what we read of an image.
type image struct {
	RepoTags, RepoDigests []string
}

// Parse makes a record of what the API says of a container, and of its image.
func Parse(t container.Type, text, ofImage []byte) (*container.Info, error) {
	var r record
	var img image
	if err := lenient(json.Unmarshal(text, &r)); err != nil {
		return nil, err
	}
	if err := lenient(json.Unmarshal(ofImage, &img)); err != nil {
		return nil, err
	}
	if r.ID == "" {
		return nil, container.ErrNonsense
	}
	return r.info(t, &img), nil
}

// lenient lets members of another type than ours pass: the others count.
func lenient(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return nil
	}
	return err
}

// peer returns the container whose network this one shares, "" if none.
func (r *record) peer() string {
	id, ok := strings.CutPrefix(r.HostConfig.NetworkMode, "container:")
	if !ok || strings.ContainsAny(id, "/?#%.") {
		return ""
	}
	return id
}

func (r *record) address() string {
	if r.NetworkSettings.IPAddress != "" {
		return r.NetworkSettings.IPAddress
	}
	for _, name := range slices.Sorted(maps.Keys(r.NetworkSettings.Networks)) {
		if n := r.NetworkSettings.Networks[name]; n != nil && n.IPAddress != "" {
			return n.IPAddress
		}
	}
	return ""
}

// info makes of r what the fields read.
func (r *record) info(t container.Type, img *image) *container.Info {
	h := &r.HostConfig
	i := &container.Info{ID: container.ShortID(r.ID), FullID: r.ID, Type: t, Name: strings.TrimPrefix(r.Name, "/"), User: r.Config.User,
		Privileged: h.Privileged, HostPid: h.PidMode == "host", HostNetwork: h.NetworkMode == "host", HostIPC: h.IpcMode == "host",
		IP: container.Address(r.address()), Labels: container.KeepLabels(r.Config.Labels), Env: r.Config.Env,
		MemoryLimit: h.Memory, SwapLimit: h.MemorySwap, CPUShares: 1024, CPUQuota: h.CPUQuota, CPUPeriod: 100000, Size: -1}
	if !r.Created.IsZero() {
		i.Created = r.Created.Unix()
	}
	if h.CPUShares > 0 {
		i.CPUShares = h.CPUShares
	}
	if h.CPUPeriod > 0 {
		i.CPUPeriod = h.CPUPeriod
	}
	if r.SizeRw != nil {
		i.Size = *r.SizeRw
	}
	if r.IsInfra || strings.Contains(i.Name, "k8s_POD") {
		i.IsPodSandbox = true
	}
	i.PodSandboxID = i.Labels["io.kubernetes.sandbox.id"]
	i.SetProbes(container.HealthCheck(r.Config.Healthcheck.Test), r.Config.Labels[container.LabelApplied], r.Config.Labels["io.kubernetes.container.name"])
	for _, m := range r.Mounts {
		i.Mounts = append(i.Mounts, container.Mount{Source: m.Source, Dest: m.Destination, Mode: m.Mode, RW: m.RW, Propagation: m.Propagation})
	}
	i.Ports = r.ports()
	r.setImage(i, img)
	return i
}

func (r *record) setImage(i *container.Info, img *image) {
	i.ImageID = strings.TrimPrefix(r.Image, "sha256:")
	ref := r.Config.Image
	if r.ImageName != "" {
		ref = r.ImageName
	}
	i.SetImage(ref)
	if isID := i.ImageRepo == "" || strings.HasPrefix(i.ImageID, ref); isID { // it was asked for by its id
		i.ImageRepo, i.ImageTag = "", ""
		if len(img.RepoTags) > 0 {
			i.ImageRepo, i.ImageTag, _ = container.SplitImage(img.RepoTags[0])
		}
	} else if i.ImageTag == "" && i.ImageDigest == "" {
		i.ImageTag = "latest"
	}
	if i.ImageDigest != "" {
		return
	}
	for _, ref := range img.RepoDigests {
		repo, _, digest := container.SplitImage(ref)
		if i.ImageDigest == "" || repo == i.ImageRepo {
			i.ImageDigest = digest
		}
	}
}

func (r *record) ports() []container.Port {
	var out []container.Port
	for _, port := range slices.Sorted(maps.Keys(r.NetworkSettings.Ports)) {
		number, isTCP := strings.CutSuffix(port, "/tcp")
		inside, err := strconv.ParseUint(number, 10, 16)
		if !isTCP || err != nil {
			continue
		}
		for _, p := range r.NetworkSettings.Ports[port] {
			if outside, err := strconv.ParseUint(p.HostPort, 10, 16); err == nil && outside != 0 {
				out = append(out, container.Port{HostIP: container.Address(p.HostIP), HostPort: uint16(outside), ContainerPort: uint16(inside)})
			}
		}
	}
	return out
}
