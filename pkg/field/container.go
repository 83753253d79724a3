// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/state"
)

// hostID is what the host's processes have for a container id.
const hostID = "host"

// Metadata of containers is not there yet: inside a container these fields have
// no value (NotYet); for processes of the host they say what they will always say.
var containerFields = []Def{
	{Name: "container.id", Type: String, Get: threadText(containerID),
		Desc: "First 12 characters of the container's id; host for processes outside of containers."},
	{Name: "container.full_id", Type: String, Traits: NotYet, Get: onHost(Value{Str: hostID}),
		Desc: "The container's whole id; host for processes outside of containers."},
	{Name: "container.name", Type: String, Traits: NotYet, Get: onHost(Value{Str: hostID}),
		Desc: "Name of the container; host for processes outside of containers."},
	{Name: "container.image", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "Image of the container, as it was asked for."},
	{Name: "container.image.id", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "Id of the container's image."},
	{Name: "container.image.repository", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "Name of the container's image, without tag and digest."},
	{Name: "container.image.tag", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "Tag of the container's image."},
	{Name: "container.image.digest", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "Digest of the container's image."},
	{Name: "container.type", Type: String, Traits: NotYet, Get: onHost(Value{Str: hostID}),
		Desc: "What runs the container: docker, containerd, cri-o, podman, …; host for processes outside of containers."},
	{Name: "container.privileged", Type: Bool, Traits: NotYet, Get: onHost(Value{}),
		Desc: "Whether the container runs with all privileges of the host."},
	{Name: "container.mounts", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "What is mounted into the container, as source:dest:mode:rdwr:propagation with commas between."},
	{Name: "container.mount", Type: String, Args: ArgIndex | ArgKey | ArgRequired, Traits: NotYet, Get: never,
		Desc: "One mount of the container, by position or by a pattern for its source."},
	{Name: "container.mount.source", Type: String, Args: ArgIndex | ArgKey | ArgRequired, Traits: NotYet, Get: never,
		Desc: "Source of a mount, by position or by a pattern for its destination."},
	{Name: "container.mount.dest", Type: String, Args: ArgIndex | ArgKey | ArgRequired, Traits: NotYet, Get: never,
		Desc: "Destination of a mount, by position or by a pattern for its source."},
	{Name: "container.mount.mode", Type: String, Args: ArgIndex | ArgKey | ArgRequired, Traits: NotYet, Get: never,
		Desc: "Mode of a mount, by position or by a pattern for its source."},
	{Name: "container.mount.rdwr", Type: String, Args: ArgIndex | ArgKey | ArgRequired, Traits: NotYet, Get: never,
		Desc: "Whether a mount can be written to, by position or by a pattern for its source."},
	{Name: "container.mount.propagation", Type: String, Args: ArgIndex | ArgKey | ArgRequired, Traits: NotYet, Get: never,
		Desc: "How a mount propagates, by position or by a pattern for its source."},
	{Name: "container.healthcheck", Type: String, Traits: Deprecated, Get: never,
		Desc: "Never has a value; once, the container's health check."},
	{Name: "container.liveness_probe", Type: String, Traits: Deprecated, Get: never,
		Desc: "Never has a value; once, the container's liveness probe."},
	{Name: "container.readiness_probe", Type: String, Traits: Deprecated, Get: never,
		Desc: "Never has a value; once, the container's readiness probe."},
	{Name: "container.start_ts", Type: AbsTime, Get: threadTime(func(_ *state.Scene, t *state.Thread) uint64 { return t.PidnsStartTS }),
		Desc: "When the container was started, in nanoseconds since 1970; on the host, when the machine was."},
	{Name: "container.duration", Type: RelTime, Get: containerDuration,
		Desc: "Nanoseconds since the container was started."},
	{Name: "container.ip", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "IPv4 address of the container."},
	{Name: "container.cni.json", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "What the network plugin has said about the container, as JSON."},
	{Name: "container.host_pid", Type: Bool, Traits: NotYet, Get: onHost(Value{}),
		Desc: "Whether the container shares the pid namespace of the host."},
	{Name: "container.host_network", Type: Bool, Traits: NotYet, Get: onHost(Value{}),
		Desc: "Whether the container shares the network namespace of the host."},
	{Name: "container.host_ipc", Type: Bool, Traits: NotYet, Get: onHost(Value{}),
		Desc: "Whether the container shares the ipc namespace of the host."},
	{Name: "container.label", Type: String, Args: ArgKey | ArgDot | ArgRequired, Traits: NotYet, Get: never,
		Desc: "One label of the container, by its key."},
	{Name: "container.labels", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "All labels of the container, as key:value with commas between."},
}

func containerID(_ *state.Scene, t *state.Thread) string {
	if t.ContainerID == "" {
		return hostID
	}
	return t.ContainerID
}

// onHost gives v for processes outside of containers.
func onHost(v Value) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Thread == nil || s.Thread.ContainerID != "" {
			return out
		}
		return append(out, v)
	}
}

func containerDuration(s *state.Scene, _ *Arg, out []Value) []Value {
	if s.Thread == nil || s.Thread.PidnsStartTS == 0 {
		return out
	}
	return number(out, s.Event.TS-s.Thread.PidnsStartTS)
}
