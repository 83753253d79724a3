// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/state"
)

// All that is known of pods comes from the runtime, which puts it on the containers
// of the pod, or on its sandbox.
var k8sFields = []Def{
	{Name: "k8s.ns.name", Type: String, Traits: Metadata, Get: podText((*container.Info).PodNamespace),
		Desc: "Namespace of the pod that the container belongs to."},
	{Name: "k8s.pod.name", Type: String, Traits: Metadata, Get: podText((*container.Info).PodName),
		Desc: "Name of the pod that the container belongs to."},
	{Name: "k8s.pod.uid", Type: String, Traits: Metadata, Get: podUID,
		Desc: "Unique id of the pod."},
	{Name: "k8s.pod.id", Type: String, Traits: Deprecated | Metadata, Get: podUID,
		Desc: "Older name of k8s.pod.uid."},
	{Name: "k8s.pod.sandbox_id", Type: String, Traits: Metadata, Get: sandboxID(true, container.ShortID),
		Desc: "First 12 characters of the id of the pod's sandbox."},
	{Name: "k8s.pod.full_sandbox_id", Type: String, Traits: Metadata, Get: sandboxID(false, func(id string) string { return id }),
		Desc: "Whole id of the pod's sandbox."},
	{Name: "k8s.pod.label", Type: String, Args: ArgKey | ArgDot | ArgRequired, Traits: Metadata, Get: podLabel,
		Desc: "One label of the pod, by its key."},
	{Name: "k8s.pod.labels", Type: String, Traits: Metadata, Get: podLabels,
		Desc: "All labels of the pod, as key:value with commas between."},
	{Name: "k8s.pod.ip", Type: String, Traits: Metadata, Get: sandboxText(func(i *container.Info) string { return string(i.IP) }),
		Desc: "Address of the pod."},
	{Name: "k8s.pod.cni.json", Type: String, Traits: Metadata, Get: sandboxText(func(i *container.Info) string { return i.CNIJSON }),
		Desc: "What the network plugin has said about the pod, as JSON."},
}

// podText gives what a label says that kubelet has put on the container.
func podText(f func(*container.Info) string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if info, _ := s.ContainerInfo(); info != nil && f(info) != "" {
			return text(out, f(info))
		}
		return out
	}
}

// podUID stands in the path of the cgroup as well, and so is known from the start.
func podUID(s *state.Scene, _ *Arg, out []Value) []Value {
	if info, _ := s.ContainerInfo(); info != nil && info.PodUID() != "" {
		return text(out, info.PodUID())
	}
	c := s.Container
	if c == nil && s.Thread != nil {
		c = s.Thread.Container()
	}
	if c != nil && c.PodUID != "" {
		return text(out, c.PodUID)
	}
	return out
}

// sandboxID is without content on the host, where onHost says so.
func sandboxID(onHost bool, f func(string) string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		info, host := s.ContainerInfo()
		if host && onHost && !s.State.ClassicContainers {
			return text(out, "")
		}
		if info != nil && info.SandboxID() != "" {
			return text(out, f(info.SandboxID()))
		}
		return out
	}
}

// sandbox returns whose record tells of the pod's network: the container's own if it
// does, else the one of the pod's sandbox. own says which.
func sandbox(s *state.Scene) (info *container.Info, own bool) {
	info, _ = s.ContainerInfo()
	if info == nil || info.CNIJSON != "" {
		return info, true
	}
	return s.State.Container(container.ShortID(info.SandboxID())), false
}

func sandboxText(f func(*container.Info) string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if info, _ := sandbox(s); info != nil && f(info) != "" {
			return text(out, f(info))
		}
		return out
	}
}

func podLabel(s *state.Scene, a *Arg, out []Value) []Value {
	info, own := sandbox(s)
	return label(info, a, out, func(i *container.Info) container.Labels {
		if ofPod(i, own) {
			return i.PodSandboxLabels
		}
		return i.Labels
	})
}

func podLabels(s *state.Scene, _ *Arg, out []Value) []Value {
	if _, host := s.ContainerInfo(); host && !s.State.ClassicContainers {
		return text(out, "")
	}
	info, own := sandbox(s)
	all := ""
	switch {
	case info == nil:
		return out
	case ofPod(info, own):
		all = info.PodLabelsText()
	default:
		all = info.LabelsText()
	}
	if all == "" {
		return out
	}
	return text(out, all)
}

// ofPod reports whether a record keeps the labels of the pod apart: a container's
// own does, a sandbox's has no others.
func ofPod(i *container.Info, own bool) bool { return own && !i.IsPodSandbox }
