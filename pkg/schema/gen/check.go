// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// families are the files that may know a system call (driver/fill_*.c,
// pkg/state/*.go).
var families = strings.Fields("path io socket process memory mount cred ipc wait signal sched kernel -")

// check finds references to names that no table has.
func (t *tables) check() error {
	sets := map[string]bool{"": true}
	for _, s := range t.sets {
		sets[s.name] = true
	}
	maps := map[string]bool{}
	for _, m := range t.maps {
		maps[m.name] = true
		if !sets[m.set] {
			return fmt.Errorf("map %s: no set %q", m.name, m.set)
		}
	}
	dyns := map[string]bool{"": true}
	for _, d := range t.dyns {
		dyns[d.name] = true
	}
	events := map[string]bool{"-": true}
	for _, e := range t.events {
		if events[e.id] {
			return fmt.Errorf("event %s: twice", e.id)
		}
		events[e.id] = true
		if len(e.params) > 32 {
			return fmt.Errorf("event %s: %d parameters", e.id, len(e.params))
		}
		for _, p := range e.params {
			_, m, hasMap := strings.Cut(p.from, ":")
			switch {
			case !sets[p.set]:
				return fmt.Errorf("%s.%s: no set %q", e.id, p.name, p.set)
			case !dyns[p.dyn]:
				return fmt.Errorf("%s.%s: no dyn %q", e.id, p.name, p.dyn)
			case hasMap && !maps[m]:
				return fmt.Errorf("%s.%s: no map %q", e.id, p.name, m)
			case typeNumber(p.typ) < 0:
				return fmt.Errorf("%s.%s: no type %q", e.id, p.name, p.typ)
			case p.dirfd >= len(e.params):
				return fmt.Errorf("%s.%s: no parameter %d", e.id, p.name, p.dirfd)
			}
		}
	}
	for _, s := range t.syscalls {
		if !events[s.enter] || !events[s.exit] {
			return fmt.Errorf("system call %s: no event %q or %q", s.name, s.enter, s.exit)
		}
		if !contains(families, s.family) {
			return fmt.Errorf("system call %s: no family %q", s.name, s.family)
		}
	}
	if err := t.checkConvert(); err != nil {
		return err
	}
	return t.checkLegacy()
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// types in the order of their numbers (schema.ParamType).
var types = strings.Fields(`none int8 int16 int32 int64 uint8 uint16 uint32 uint64 charbuf bytebuf errno sockaddr
	socktuple fd pid fdlist fspath syscallid sigtype reltime abstime port l4proto sockfamily bool ipv4addr dyn flags8
	flags16 flags32 uid gid double sigset charbufarray charbufpairarray ipv4net ipv6addr ipv6net ipaddr ipnet mode
	fsrelpath enumflags8 enumflags16 enumflags32 fd32 pid32`)

func typeNumber(name string) int {
	for i, t := range types {
		if t == name {
			return i
		}
	}
	return -1
}
