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

// idKey names a user or a group: ids mean something else in each container.
type idKey struct {
	container string // "" on the host
	id        uint32
}

// users knows the names of uids and gids.
type users struct {
	byUID map[idKey]User
	byGID map[idKey]string
}

// maxUsers bounds each of the tables.
const maxUsers = 1 << 16

func (u *users) init() {
	u.byUID, u.byGID = make(map[idKey]User), make(map[idKey]string)
}

// User returns the user called uid where t lives; ok is false if nobody knows
// him there. The user 0 that no file tells of is root, on the host.
func (s *State) User(t *Thread, uid uint32) (u User, ok bool) {
	c := containerOf(t)
	if u, ok := s.users.byUID[idKey{c, uid}]; ok {
		return u, true
	}
	if uid == 0 {
		return User{Name: "root", Home: "/root"}, true
	}
	return User{}, false
}

// GroupName returns the name of the group gid where t lives.
func (s *State) GroupName(t *Thread, gid uint32) (name string, ok bool) {
	if name, ok := s.users.byGID[idKey{containerOf(t), gid}]; ok {
		return name, true
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
func (s *State) SetHostUsers(passwd, group []byte) {
	for k := range s.users.byUID {
		if k.container == "" {
			delete(s.users.byUID, k)
		}
	}
	for k := range s.users.byGID {
		if k.container == "" {
			delete(s.users.byGID, k)
		}
	}
	eachLine(passwd, func(f []string) {
		if len(f) < 7 {
			return
		}
		uid, ok1 := parseID(f[2])
		gid, ok2 := parseID(f[3])
		if ok1 && ok2 {
			s.users.addUser("", User{UID: uid, GID: gid, Name: f[0], Home: f[5], Shell: f[6]}, false)
		}
	})
	eachLine(group, func(f []string) {
		if len(f) < 3 {
			return
		}
		if gid, ok := parseID(f[2]); ok {
			s.users.addGroup("", gid, f[0], false)
		}
	})
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

// addUser takes in u. Of two lines for one uid the first counts in a file, the
// last among events.
func (u *users) addUser(container string, v User, last bool) {
	k := idKey{container, v.UID}
	if _, known := u.byUID[k]; known && !last || !known && len(u.byUID) >= maxUsers {
		return
	}
	u.byUID[k] = v
}

func (u *users) addGroup(container string, gid uint32, name string, last bool) {
	k := idKey{container, gid}
	if _, known := u.byGID[k]; known && !last || !known && len(u.byGID) >= maxUsers {
		return
	}
	u.byGID[k] = name
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
	delete(u.byUID, idKey{c, uint32(uintOr(ev, 0, noID))})
}

// … and of groups: gid, name, container_id.

func (u *users) addedGroup(ev *event.Event) {
	name, _ := ev.Str(1)
	c, _ := ev.Str(2)
	u.addGroup(strings.Clone(c), uint32(uintOr(ev, 0, noID)), strings.Clone(name), true)
}

func (u *users) deletedGroup(ev *event.Event) {
	c, _ := ev.Str(2)
	delete(u.byGID, idKey{c, uint32(uintOr(ev, 0, noID))})
}
