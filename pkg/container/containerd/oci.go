// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/container"
)

// spec is what we read of an OCI runtime specification.
type spec struct {
	Annotations map[string]string `json:"annotations"`
	Process     *struct {
		User struct {
			UID uint32 `json:"uid"`
		} `json:"user"`
		Env          []string `json:"env"`
		AppArmor     string   `json:"apparmorProfile"`
		SelinuxLabel string   `json:"selinuxLabel"`
	} `json:"process"`
	Mounts []struct {
		Destination string   `json:"destination"`
		Type        string   `json:"type"`
		Source      string   `json:"source"`
		Options     []string `json:"options"`
	} `json:"mounts"`
	Linux *struct {
		Namespaces []struct {
			Type string `json:"type"`
		} `json:"namespaces"`
		MaskedPaths       []string        `json:"maskedPaths"`
		ReadonlyPaths     []string        `json:"readonlyPaths"`
		Seccomp           json.RawMessage `json:"seccomp"`
		RootfsPropagation string          `json:"rootfsPropagation"`
		Resources         *resources      `json:"resources"`
	} `json:"linux"`
}

type resources struct {
	Memory *struct {
		Limit *int64 `json:"limit"`
		Swap  *int64 `json:"swap"`
	} `json:"memory"`
	CPU *struct {
		Shares *uint64 `json:"shares"`
		Quota  *int64  `json:"quota"`
		Period *uint64 `json:"period"`
		Cpus   string  `json:"cpus"`
	} `json:"cpu"`
}

// decode reads JSON of somebody else's: a member of another type than ours does not
// hide the others.
func decode(text []byte, into any) error {
	if len(text) > container.MaxJSON {
		return errTooLong
	}
	err := json.Unmarshal(text, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return nil
	}
	return err
}

var errTooLong = errors.New("more JSON than a container can need")

// shares reports whether a namespace is the host's: the specification makes none.
// Who has no specification shares nothing as far as we know.
func (s *spec) shares(namespace string) bool {
	if s.Linux == nil {
		return false
	}
	for i := range s.Linux.Namespaces {
		if s.Linux.Namespaces[i].Type == namespace {
			return false
		}
	}
	return true
}

// privileged guesses whether a container has all privileges, where nobody says so:
// all that a runtime does to keep a container in its place is missing.
func (s *spec) privileged() bool {
	if s.Linux == nil || s.Process == nil {
		return false
	}
	if len(s.Linux.MaskedPaths)+len(s.Linux.ReadonlyPaths) > 0 || s.Process.SelinuxLabel != "" {
		return false
	}
	if s.Process.AppArmor != "" && s.Process.AppArmor != "unconfined" {
		return false
	}
	if len(s.Linux.Seccomp) > 0 && string(s.Linux.Seccomp) != "null" {
		return false
	}
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if (m.Type == "sysfs" || m.Type == "cgroup") && slices.Contains(m.Options, "ro") {
			return false
		}
	}
	return true
}

// mounts returns what is mounted; only those of one type if that is given.
func (s *spec) mounts(only string) []container.Mount {
	var out []container.Mount
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if only != "" && m.Type != only {
			continue
		}
		to := container.Mount{Source: m.Source, Dest: m.Destination, RW: true}
		if s.Linux != nil {
			to.Propagation = s.Linux.RootfsPropagation
		}
		for _, o := range m.Options {
			switch o {
			case "ro":
				to.RW = false
			case "private", "rprivate", "slave", "rslave", "shared", "rshared":
				to.Propagation = o
			default:
				if mode, ok := strings.CutPrefix(o, "mode="); ok {
					to.Mode = mode
				}
			}
		}
		out = append(out, to)
	}
	return out
}

// fill takes over what only the specification says.
func (s *spec) fill(i *container.Info) {
	i.CPUShares, i.CPUPeriod, i.Size = 1024, 100000, -1
	if s.Process != nil {
		i.User = strconv.FormatUint(uint64(s.Process.User.UID), 10)
		i.Env = s.Process.Env
	}
	if s.Linux == nil || s.Linux.Resources == nil {
		return
	}
	if m := s.Linux.Resources.Memory; m != nil {
		put(&i.MemoryLimit, m.Limit)
		put(&i.SwapLimit, m.Swap)
	}
	if c := s.Linux.Resources.CPU; c != nil {
		put(&i.CPUShares, c.Shares)
		put(&i.CPUQuota, c.Quota)
		put(&i.CPUPeriod, c.Period)
		i.CPUSet = cpuCount(c.Cpus)
	}
}

func put[T int64 | uint64](to *int64, v *T) {
	if v != nil {
		*to = int64(*v)
	}
}

// cpuCount returns how many CPUs a list as "0-3,7" has.
func cpuCount(list string) int32 {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, err1 := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
		b, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
		if err1 == nil && err2 == nil && a <= b {
			n += int(b-a) + 1
		}
	}
	return int32(min(n, 1<<16))
}
