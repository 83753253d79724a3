// SPDX-License-Identifier: Apache-2.0

package field

import (
	"math"

	"github.com/falco-go/falco/pkg/state"
)

var userFields = []Def{
	{Name: "user.uid", Type: Uint32, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return uint64(t.UID) }),
		Desc: "Effective user id of the thread."},
	{Name: "user.name", Type: String, Get: userName,
		Desc: "Name of the effective user."},
	{Name: "user.homedir", Type: String, Get: userText(func(t *state.Thread) uint32 { return t.UID }, func(u state.User) string { return u.Home }, "/root"),
		Desc: "Home directory of the effective user."},
	{Name: "user.shell", Type: String, Get: userText(func(t *state.Thread) uint32 { return t.UID }, func(u state.User) string { return u.Shell }, ""),
		Desc: "Login shell of the effective user."},
	{Name: "user.loginuid", Type: Int64, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return uint64(loginUID(t)) }),
		Desc: "Id of the user who logged in, whoever the thread has become since; -1 if nobody did."},
	{Name: "user.loginname", Type: String, Get: userText(func(t *state.Thread) uint32 { return t.LoginUID }, func(u state.User) string { return u.Name }, "root"),
		Desc: "Name of the user who logged in."},
}

var groupFields = []Def{
	{Name: "group.gid", Type: Uint32, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return uint64(t.GID) }),
		Desc: "Effective group id of the thread."},
	{Name: "group.name", Type: String, Get: threadText(groupName),
		Desc: "Name of the effective group."},
}

// loginUID is -1 where the kernel has all bits set.
func loginUID(t *state.Thread) int64 {
	if t.LoginUID == math.MaxUint32 {
		return -1
	}
	return int64(t.LoginUID)
}

// userText reads the user table as the thread's container has it. User 0 is
// called root even if no table says so.
func userText(id func(*state.Thread) uint32, f func(state.User) string, root string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Thread == nil {
			return out
		}
		uid := id(s.Thread)
		u, ok := s.State.User(s.Thread, uid)
		switch {
		case ok && (f(u) != "" || u.Name != ""):
			return text(out, f(u))
		case uid == 0 && root != "":
			return text(out, root)
		}
		return text(out, NA)
	}
}

var effectiveName = userText(func(t *state.Thread) uint32 { return t.UID }, func(u state.User) string { return u.Name }, "root")

// userName is, where a container is told of, the user that it is configured for.
func userName(s *state.Scene, a *Arg, out []Value) []Value {
	if info := s.Container.Info(); info != nil && s.Thread == nil && info.User != "" {
		return text(out, info.User)
	}
	return effectiveName(s, a, out)
}

func groupName(s *state.Scene, t *state.Thread) string {
	if name, ok := s.State.GroupName(t, t.GID); ok {
		return name
	}
	if t.GID == 0 {
		return "root"
	}
	return NA
}
