// SPDX-License-Identifier: Apache-2.0

package state

// User is one line of a passwd file.
type User struct {
	UID, GID          uint32
	Name, Home, Shell string
}

// Group names of a group file are kept by (container, gid); users likewise.
type idKey struct {
	container string // "" on the host
	id        uint32
}

// User returns the user called uid where t lives; ok is false if nobody knows
// him there. The user 0 that no file tells of is root.
func (s *State) User(t *Thread, uid uint32) (u User, ok bool) {
	return s.users.user(containerOf(t), uid)
}

// GroupName returns the name of the group gid where t lives.
func (s *State) GroupName(t *Thread, gid uint32) (name string, ok bool) {
	return s.users.group(containerOf(t), gid)
}

func containerOf(t *Thread) string {
	if t == nil {
		return ""
	}
	return t.ContainerID
}

// users knows the names of uids and gids.
type users struct {
	byUID map[idKey]User
	byGID map[idKey]string
}

func (u *users) user(container string, uid uint32) (User, bool) {
	if v, ok := u.byUID[idKey{container, uid}]; ok {
		return v, true
	}
	if uid == 0 && container == "" {
		return User{Name: "root", Home: "/root"}, true
	}
	return User{}, false
}

func (u *users) group(container string, gid uint32) (string, bool) {
	if v, ok := u.byGID[idKey{container, gid}]; ok {
		return v, true
	}
	if gid == 0 && container == "" {
		return "root", true
	}
	return "", false
}
