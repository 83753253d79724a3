// SPDX-License-Identifier: Apache-2.0

package config

import "slices"

// Containers tells which runtimes are asked for what they know of containers.
type Containers struct {
	Containerd, CRI, Docker, Podman ContainerEngine
}

// ContainerEngine is one kind of runtime.
type ContainerEngine struct {
	Enabled bool
	Sockets []string // none: the usual ones
}

// DefaultContainers asks all of them.
func DefaultContainers() Containers {
	on := ContainerEngine{Enabled: true}
	return Containers{on, on, on, on}
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
		if c := p.get("init_config"); c != nil {
			if e := c.get("engines"); e != nil {
				return readEngines(l, e)
			}
		}
	}
	return nil
}
