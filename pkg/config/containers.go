// SPDX-License-Identifier: Apache-2.0

package config

import "slices"

// Containers tells which runtimes are asked for what they know of containers.
type Containers struct {
	Containerd, CRI, Docker, Podman ContainerEngine

	MaxWaitMs int // how long an event may wait for what they tell; 0: not at all
	LabelMax  int // bytes of a label's value; one that is longer is left out
}

// ContainerEngine is one kind of runtime.
type ContainerEngine struct {
	Enabled bool
	Sockets []string // none: the usual ones
}

// DefaultContainers asks all of them.
func DefaultContainers() Containers {
	on := ContainerEngine{Enabled: true}
	return Containers{Containerd: on, CRI: on, Docker: on, Podman: on, MaxWaitMs: 100, LabelMax: 100}
}

// Same reports whether c asks the same runtimes as o does, and takes the same of what
// they tell.
func (c *Containers) Same(o *Containers) bool {
	for _, name := range []string{"containerd", "cri", "docker", "podman"} {
		if a, b := c.engine(name), o.engine(name); a.Enabled != b.Enabled || !slices.Equal(a.Sockets, b.Sockets) {
			return false
		}
	}
	return c.LabelMax == o.LabelMax
}

// engine returns the one called name, nil if there is none.
func (c *Containers) engine(name string) *ContainerEngine {
	switch name {
	case "containerd":
		return &c.Containerd
	case "cri":
		return &c.CRI
	case "docker":
		return &c.Docker
	case "podman":
		return &c.Podman
	}
	return nil
}

// readEngines reads a mapping of names of engines to {enabled, sockets}: what
// containers.engines is, and what the original's names for it were.
func readEngines(l *loader, n *node) error {
	if n.kind != dict {
		return nil
	}
	for i, name := range n.keys {
		e, v := l.cfg.Containers.engine(name), n.items[i]
		if e == nil || v.kind != dict {
			continue
		}
		if on := v.get("enabled"); on != nil {
			to, ok := parseBool(on)
			if !ok {
				l.warn(on.at, "%q is not a boolean (yes, no, true, false, on, off); %v is used", on.text, e.Enabled)
			} else {
				e.Enabled = to
			}
		}
		if s := v.get("sockets"); s != nil {
			sockets, err := s.texts()
			if err != nil {
				return err
			}
			e.Sockets = slices.DeleteFunc(sockets, func(s string) bool { return s == "" })
		}
	}
	return nil
}

// readPlugins takes over what the original's plugin for containers is told; it is
// built in here.
func readPlugins(l *loader, n *node) error {
	if n.kind != list {
		return nil
	}
	for _, p := range n.items {
		if p.textOf("name") != "container" {
			continue
		}
		c := p.get("init_config")
		if c == nil {
			continue
		}
		if n := c.get("label_max_len"); n != nil {
			if err := readLabelMax(l, n); err != nil {
				return err
			}
		}
		if e := c.get("engines"); e != nil {
			return readEngines(l, e)
		}
	}
	return nil
}

// Bounds of what can be set.
const (
	mostWaitMs   = 10_000
	mostLabelMax = 64 << 10
)

func readMaxWait(l *loader, n *node) error {
	return readBounded(l, n, &l.cfg.Containers.MaxWaitMs, mostWaitMs)
}

func readLabelMax(l *loader, n *node) error {
	return readBounded(l, n, &l.cfg.Containers.LabelMax, mostLabelMax)
}

// readBounded reads a number from 0 to most.
func readBounded(l *loader, n *node, to *int, most int) error {
	v, ok := parseNumber(n)
	switch {
	case !ok || v < 0:
		l.warn(n.at, "%q is not a number from 0 to %d; %d is used", n.text, most, *to)
	case v > most:
		l.warn(n.at, "%d is more than %d, which is used", v, most)
		*to = most
	default:
		*to = v
	}
	return nil
}
