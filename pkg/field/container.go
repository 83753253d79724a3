// SPDX-License-Identifier: Apache-2.0

package field

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/state"
)

// hostID is what the host's processes have for a container id.
const hostID = "host"

// What a runtime tells of a container has no value before it is told. Processes of
// the host have texts without content where today's versions have them, and no value
// where those up to 0.40 had none (state.Options.ClassicContainers).
var containerFields = []Def{
	{Name: "container.id", Type: String, Get: containerID,
		Desc: "First 12 characters of the container's id; host for processes outside of containers."},
	{Name: "container.full_id", Type: String, Traits: Metadata, Get: containerText(hostID, func(i *container.Info) string { return i.FullID }),
		Desc: "The container's whole id; host for processes outside of containers."},
	{Name: "container.name", Type: String, Traits: Metadata, Get: containerText(hostID, func(i *container.Info) string { return i.Name }),
		Desc: "Name of the container; host for processes outside of containers."},
	{Name: "container.image", Type: String, Traits: Metadata, Get: containerText("", func(i *container.Info) string { return i.Image }),
		Desc: "Image of the container, as it was asked for."},
	{Name: "container.image.id", Type: String, Traits: Metadata, Get: containerText("", func(i *container.Info) string { return i.ImageID }),
		Desc: "Id of the container's image."},
	{Name: "container.image.repository", Type: String, Traits: Metadata, Get: containerText("", func(i *container.Info) string { return i.ImageRepo }),
		Desc: "Name of the container's image, without tag and digest."},
	{Name: "container.image.tag", Type: String, Traits: Metadata, Get: containerText("", func(i *container.Info) string { return i.ImageTag }),
		Desc: "Tag of the container's image."},
	{Name: "container.image.digest", Type: String, Traits: Metadata, Get: containerText("", func(i *container.Info) string { return i.ImageDigest }),
		Desc: "Digest of the container's image."},
	{Name: "container.type", Type: String, Traits: Metadata, Get: containerText(hostID, func(i *container.Info) string { return i.Type.String() }),
		Desc: "What runs the container: docker, containerd, cri-o, podman, …; host for processes outside of containers."},
	{Name: "container.privileged", Type: Bool, Traits: Metadata, Get: containerBool(func(i *container.Info) bool { return i.Privileged }),
		Desc: "Whether the container runs with all privileges of the host."},
	{Name: "container.mounts", Type: String, Traits: Metadata, Get: containerText("", (*container.Info).MountsText),
		Desc: "What is mounted into the container, as source:dest:mode:rdwr:propagation with commas between."},
	mountField("container.mount", "source", (*container.Mount).String,
		"One mount of the container, by position or by a pattern for its source."),
	mountField("container.mount.source", "dest", func(m *container.Mount) string { return m.Source },
		"Source of a mount, by position or by a pattern for its destination."),
	mountField("container.mount.dest", "source", func(m *container.Mount) string { return m.Dest },
		"Destination of a mount, by position or by a pattern for its source."),
	mountField("container.mount.mode", "source", func(m *container.Mount) string { return m.Mode },
		"Mode of a mount, by position or by a pattern for its source."),
	mountField("container.mount.rdwr", "source", func(m *container.Mount) string { return strconv.FormatBool(m.RW) },
		"Whether a mount can be written to, by position or by a pattern for its source."),
	mountField("container.mount.propagation", "source", func(m *container.Mount) string { return m.Propagation },
		"How a mount propagates, by position or by a pattern for its source."),
	{Name: "container.healthcheck", Type: String, Traits: Deprecated | Metadata, Get: probeText(func(i *container.Info) *container.Probe { return i.Healthcheck }),
		Desc: "The container's health check, or NONE, in the fields of versions up to 0.40; no value in those of today."},
	{Name: "container.liveness_probe", Type: String, Traits: Deprecated | Metadata, Get: probeText(func(i *container.Info) *container.Probe { return i.Liveness }),
		Desc: "The container's liveness probe, or NONE, in the fields of versions up to 0.40; no value in those of today."},
	{Name: "container.readiness_probe", Type: String, Traits: Deprecated | Metadata, Get: probeText(func(i *container.Info) *container.Probe { return i.Readiness }),
		Desc: "The container's readiness probe, or NONE, in the fields of versions up to 0.40; no value in those of today."},
	{Name: "container.start_ts", Type: AbsTime, Get: containerStart,
		Desc: "When the container was started, in nanoseconds since 1970; on the host, when the machine was."},
	{Name: "container.duration", Type: RelTime, Get: containerDuration,
		Desc: "Nanoseconds since the container was started."},
	{Name: "container.ip", Type: String, Traits: Metadata, Get: containerText("", func(i *container.Info) string { return string(i.IP) }),
		Desc: "IPv4 address of the container."},
	{Name: "container.cni.json", Type: String, Traits: Metadata, Get: containerText("", func(i *container.Info) string { return i.CNIJSON }),
		Desc: "What the network plugin has said about the container, as JSON."},
	{Name: "container.host_pid", Type: Bool, Traits: Metadata, Get: containerBool(func(i *container.Info) bool { return i.HostPid }),
		Desc: "Whether the container shares the pid namespace of the host."},
	{Name: "container.host_network", Type: Bool, Traits: Metadata, Get: containerBool(func(i *container.Info) bool { return i.HostNetwork }),
		Desc: "Whether the container shares the network namespace of the host."},
	{Name: "container.host_ipc", Type: Bool, Traits: Metadata, Get: containerBool(func(i *container.Info) bool { return i.HostIPC }),
		Desc: "Whether the container shares the ipc namespace of the host."},
	{Name: "container.label", Type: String, Args: ArgKey | ArgDot | ArgRequired, Traits: Metadata, Get: containerLabel,
		Desc: "One label of the container, by its key."},
	{Name: "container.labels", Type: String, Traits: Metadata, Get: containerText("", (*container.Info).LabelsText),
		Desc: "All labels of the container, as key:value with commas between."},
}

// evtMetadata tells how much is known of the container that the event is about.
func evtMetadata(s *state.Scene, _ *Arg, out []Value) []Value {
	c := s.Container
	if c == nil && s.Thread != nil {
		c = s.Thread.Container()
	}
	switch {
	case c == nil:
		return out
	case c.Info() != nil && s.State.Ended(c.ID):
		return text(out, "gone")
	case c.Info() != nil:
		return text(out, "known")
	case c.Failed() != nil:
		return text(out, "missing: "+c.Failed().Error())
	case c.Pending():
		return text(out, "pending")
	}
	return text(out, "unasked")
}

func containerID(s *state.Scene, _ *Arg, out []Value) []Value {
	switch {
	case s.Container != nil:
		return text(out, s.Container.ID)
	case s.Thread == nil:
		return out
	case s.Thread.ContainerID == "":
		return text(out, hostID)
	}
	return text(out, s.Thread.ContainerID)
}

// containerText gives a text of the container's record, and host for processes
// outside of containers. A text without content is no value to classic rules.
func containerText(host string, f func(*container.Info) string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		info, onHost := s.ContainerInfo()
		v := host
		switch {
		case info != nil:
			v = f(info)
		case !onHost:
			return out
		}
		if v == "" && s.State.ClassicContainers {
			return out
		}
		return text(out, v)
	}
}

// containerBool gives a property that only containers like docker's can have.
func containerBool(f func(*container.Info) bool) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		info, onHost := s.ContainerInfo()
		switch {
		case info != nil && info.Type.DockerLike():
			return boolean(out, f(info))
		case info == nil && !onHost, s.State.ClassicContainers:
			return out
		}
		return boolean(out, false)
	}
}

// mountField makes a field whose argument finds a mount: its number, or a pattern
// for one end of it.
func mountField(name, keyed string, f func(*container.Mount) string, desc string) Def {
	key := func(m *container.Mount) string { return m.Source }
	if keyed == "dest" {
		key = func(m *container.Mount) string { return m.Dest }
	}
	return Def{Name: name, Type: String, Args: ArgIndex | ArgKey | ArgRequired, Traits: Metadata, Bind: bindMount, Desc: desc,
		Get: func(s *state.Scene, a *Arg, out []Value) []Value {
			info, _ := s.ContainerInfo()
			if info == nil {
				return out
			}
			if a.Index >= 0 {
				if a.Index < len(info.Mounts) {
					return text(out, f(&info.Mounts[a.Index]))
				}
				return out
			}
			for _, like := range a.Data.([]*regexp.Regexp) {
				for i := range info.Mounts {
					if like.MatchString(key(&info.Mounts[i])) {
						return text(out, f(&info.Mounts[i]))
					}
				}
			}
			return out
		}}
}

// bindMount reads a pattern both as a shell would, whose rules mean this, and as a
// regular expression, which today's versions take: the first that fits a mount counts.
func bindMount(r *Ref) error {
	if r.Arg.Index >= 0 {
		return nil
	}
	likes := []*regexp.Regexp{globExp(r.Arg.Text)}
	if re, err := regexp.Compile("(?m)" + r.Arg.Text); err == nil {
		likes = append(likes, re)
	}
	r.Arg.Data = likes
	return nil
}

// globExp returns the expression for a shell's pattern in which * goes over slashes
// as well (fnmatch without flags). A bracket that is never closed is one.
func globExp(glob string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '\\':
			if i+1 < len(glob) {
				i++
			}
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		case '[':
			end := strings.IndexByte(glob[min(i+2, len(glob)):], ']')
			if end < 0 {
				b.WriteString(`\[`)
				break
			}
			set := glob[i+1 : i+2+end]
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			b.WriteString("[" + strings.ReplaceAll(set, `[`, `\[`) + "]")
			i += 2 + end
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	b.WriteString(`\z`)
	if re, err := regexp.Compile(b.String()); err == nil {
		return re
	}
	return regexp.MustCompile(`\A` + regexp.QuoteMeta(glob) + `\z`)
}

func containerLabel(s *state.Scene, a *Arg, out []Value) []Value {
	info, _ := s.ContainerInfo()
	return label(info, a, out, func(i *container.Info) container.Labels { return i.Labels })
}

// label gives one of the labels that of finds in info.
func label(info *container.Info, a *Arg, out []Value, of func(*container.Info) container.Labels) []Value {
	if info == nil {
		return out
	}
	if v, ok := of(info)[a.Text]; ok {
		return text(out, v)
	}
	return out
}

// containerStart has no value on the host of classic rules.
func containerStart(s *state.Scene, _ *Arg, out []Value) []Value {
	t := s.Thread
	if t == nil || t.PidnsStartTS == 0 || t.ContainerID == "" && s.State.ClassicContainers {
		return out
	}
	return number(out, t.PidnsStartTS)
}

func containerDuration(s *state.Scene, a *Arg, out []Value) []Value {
	n := len(out)
	if out = containerStart(s, a, out); len(out) > n {
		out[n].Num = s.Event.TS - out[n].Num
	}
	return out
}
