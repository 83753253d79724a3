// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/event"
)

// User is one line of a passwd file.
type User struct {
	UID, GID          uint32
	Name, Home, Shell string
}

// users knows the names of uids and gids: ids mean something else in each
// container.
type users struct {
	host  people
	in    map[string]*people // by container
	asked map[string]asked   // by container
	total int                // entries in all tables
}

// asked says how far we are with the users of a container.
type asked struct {
	waiting bool  // for an answer
	tries   uint8 // maxTries if there is nothing more to ask
}

// people are the users and groups of the host, or of one container.
type people struct {
	users  map[uint32]User
	groups map[uint32]string
}

// maxUsers bounds the entries of all tables together, and the containers.
const maxUsers = 1 << 17

func (u *users) init() {
	u.in, u.asked, u.total = make(map[string]*people), make(map[string]asked), 0
	u.host = people{make(map[uint32]User), make(map[uint32]string)}
}

// of returns the table of a container, "" for the host; nil if there is none.
func (u *users) of(container string) *people {
	if container == "" {
		return &u.host
	}
	return u.in[container]
}

// User returns the user called uid where t lives; ok is false if nobody knows
// him there. The user 0 that no file tells of is root.
func (s *State) User(t *Thread, uid uint32) (u User, ok bool) {
	if n := s.users.of(containerOf(t)); n != nil {
		if u, ok := n.users[uid]; ok {
			return u, true
		}
	}
	if uid == 0 {
		return User{Name: "root", Home: "/root"}, true
	}
	return User{}, false
}

// GroupName returns the name of the group gid where t lives.
func (s *State) GroupName(t *Thread, gid uint32) (name string, ok bool) {
	if n := s.users.of(containerOf(t)); n != nil {
		if name, ok := n.groups[gid]; ok {
			return name, true
		}
	}
	if gid == 0 {
		return "root", true
	}
	return "", false
}

func containerOf(t *Thread) string {
	if t == nil {
		return ""
	}
	return t.ContainerID
}

// SetHostUsers replaces what is known of the host's users and groups by what
// passwd and group say, the contents of the files of these names.
func (s *State) SetHostUsers(passwd, group []byte) { s.users.set("", passwd, group) }

func (u *users) set(container string, passwd, group []byte) {
	u.forget(container)
	eachLine(passwd, func(f []string) {
		if len(f) < 7 {
			return
		}
		uid, ok1 := parseID(f[2])
		gid, ok2 := parseID(f[3])
		if ok1 && ok2 {
			u.addUser(container, User{UID: uid, GID: gid, Name: f[0], Home: f[5], Shell: f[6]}, false)
		}
	})
	eachLine(group, func(f []string) {
		if len(f) < 3 {
			return
		}
		if gid, ok := parseID(f[2]); ok {
			u.addGroup(container, gid, f[0], false)
		}
	})
}

// forget drops the users and groups of one container, or of the host.
func (u *users) forget(container string) {
	n := u.of(container)
	if n == nil {
		return
	}
	u.total -= len(n.users) + len(n.groups)
	clear(n.users)
	clear(n.groups)
	delete(u.in, container)
}

// ended is called when the first process of a container is removed.
func (u *users) ended(container string) {
	u.forget(container)
	delete(u.asked, container)
}

// eachLine calls visit with the fields of each line that names somebody. Those
// that begin with a sign ask other services, which nobody does here.
func eachLine(b []byte, visit func([]string)) {
	for line := range bytes.Lines(b) {
		l := strings.TrimRight(string(line), "\r\n")
		if l == "" || strings.IndexByte("+-#", l[0]) >= 0 {
			continue
		}
		visit(strings.Split(l, ":"))
	}
}

func parseID(s string) (uint32, bool) {
	v, err := strconv.ParseUint(s, 10, 32)
	return uint32(v), err == nil
}

// addUser takes in v. Of two lines for one uid the first counts in a file, the
// last among events.
func (u *users) addUser(container string, v User, last bool) {
	n := u.room(container)
	if n == nil {
		return
	}
	_, known := n.users[v.UID]
	if known && !last || !known && u.total >= maxUsers {
		return
	}
	if !known {
		u.total++
	}
	n.users[v.UID] = v
}

func (u *users) addGroup(container string, gid uint32, name string, last bool) {
	n := u.room(container)
	if n == nil {
		return
	}
	_, known := n.groups[gid]
	if known && !last || !known && u.total >= maxUsers {
		return
	}
	if !known {
		u.total++
	}
	n.groups[gid] = name
}

// room returns the table of a container, a new one if it has none; nil if there
// are too many.
func (u *users) room(container string) *people {
	n := u.of(container)
	if n == nil && len(u.in) < maxUsers {
		n = &people{make(map[uint32]User), make(map[uint32]string)}
		u.in[container] = n
	}
	return n
}

// The events that tell of users: uid, gid, name, home, shell, container_id.

func (u *users) addedUser(ev *event.Event) {
	str := func(i int) string { v, _ := ev.Str(i); return strings.Clone(v) }
	u.addUser(str(5), User{
		UID: uint32(uintOr(ev, 0, noID)), GID: uint32(uintOr(ev, 1, noID)), Name: str(2), Home: str(3), Shell: str(4),
	}, true)
}

func (u *users) deletedUser(ev *event.Event) {
	c, _ := ev.Str(5)
	if n := u.of(c); n != nil {
		before := len(n.users)
		delete(n.users, uint32(uintOr(ev, 0, noID)))
		u.total -= before - len(n.users)
	}
}

// … and of groups: gid, name, container_id.

func (u *users) addedGroup(ev *event.Event) {
	name, _ := ev.Str(1)
	c, _ := ev.Str(2)
	u.addGroup(strings.Clone(c), uint32(uintOr(ev, 0, noID)), strings.Clone(name), true)
}

func (u *users) deletedGroup(ev *event.Event) {
	c, _ := ev.Str(2)
	if n := u.of(c); n != nil {
		before := len(n.groups)
		delete(n.groups, uint32(uintOr(ev, 0, noID)))
		u.total -= before - len(n.groups)
	}
}
