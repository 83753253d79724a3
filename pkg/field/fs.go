// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

var fsFields = []Def{
	{Name: "fs.path.name", Type: String, Get: fsPath(fsName),
		Desc: "Absolute path that a successful system call on one path is about, such as open, mkdir, unlink and chmod."},
	{Name: "fs.path.nameraw", Type: String, Get: fsPathRaw(fsName),
		Desc: "The same path as the caller gave it."},
	{Name: "fs.path.source", Type: String, Get: fsPath(fsSource),
		Desc: "Absolute path that a successful system call on two paths starts from: rename, link, symlink, mount. Of a link it is the new name."},
	{Name: "fs.path.sourceraw", Type: String, Get: fsPathRaw(fsSource),
		Desc: "The same path as the caller gave it."},
	{Name: "fs.path.target", Type: String, Get: fsPath(fsTarget),
		Desc: "Absolute path that a successful system call on two paths leads to. Of a link it is what the link stands for."},
	{Name: "fs.path.targetraw", Type: String, Get: fsPathRaw(fsTarget),
		Desc: "The same path as the caller gave it."},
}

// fsSide selects one of the paths of an event.
type fsSide uint8

const (
	fsName fsSide = iota
	fsSource
	fsTarget
)

// Where a relative path starts, if not at a descriptor in a parameter.
const (
	atCwd     = -1 // working directory
	atFD      = -2 // there is no path: it is the name of the descriptor in the parameter
	atUnknown = -3 // nobody can say
)

// pathArg is a path parameter of an event and the parameter with the directory
// that it starts from.
type pathArg struct {
	param int8
	dir   int8
}

var noPath = pathArg{-1, -1}

// pathArgs lists the events that are about paths (fields.md §4).
type pathArgs struct {
	name, source, target pathArg
	src, dst             pathArg // for evt.abspath
}

func one(param, dir string) func(e *schema.Event) pathArgs {
	return func(e *schema.Event) pathArgs {
		p := path(e, param, dir)
		a := pathArgs{p, noPath, noPath, noPath, noPath}
		if p.dir >= 0 {
			a.src = p
		}
		return a
	}
}

func two(source, sourceDir, target, targetDir string) func(e *schema.Event) pathArgs {
	return func(e *schema.Event) pathArgs {
		return pathArgs{noPath, path(e, source, sourceDir), path(e, target, targetDir), noPath, noPath}
	}
}

// with adds the paths that evt.abspath is about.
func with(f func(e *schema.Event) pathArgs, src, srcDir, dst, dstDir string) func(e *schema.Event) pathArgs {
	return func(e *schema.Event) pathArgs {
		a := f(e)
		a.src, a.dst = path(e, src, srcDir), path(e, dst, dstDir)
		return a
	}
}

// path looks up the names of a path parameter and of its directory, which may
// also be "cwd", "fd" or "unknown".
func path(e *schema.Event, param, dir string) pathArg {
	if param == "" {
		return noPath
	}
	p := pathArg{param: mustParam(e, param)}
	switch dir {
	case "cwd":
		p.dir = atCwd
	case "fd":
		p.dir = atFD
	case "unknown":
		p.dir = atUnknown
	default:
		p.dir = mustParam(e, dir)
	}
	return p
}

func mustParam(e *schema.Event, name string) int8 {
	i := e.Param(name)
	if i < 0 {
		panic("field: " + e.ID + " has no parameter " + name)
	}
	return int8(i)
}

// fsEvents tells, by event type, which parameters are paths.
var fsEvents = func() []*pathArgs {
	rows := []struct {
		typ schema.EventType
		row func(e *schema.Event) pathArgs
	}{
		{schema.OpenX, one("name", "cwd")},
		{schema.OpenatX, one("name", "dirfd")},
		{schema.Openat2X, one("name", "dirfd")},
		{schema.OpenByHandleAtX, with(func(*schema.Event) pathArgs { return pathArgs{noPath, noPath, noPath, noPath, noPath} }, "path", "cwd", "", "")},
		{schema.MkdirX, one("path", "cwd")},
		{schema.RmdirX, one("path", "cwd")},
		{schema.UnlinkX, one("path", "cwd")},
		{schema.MkdiratX, one("path", "dirfd")},
		{schema.UnlinkatX, one("name", "dirfd")},
		{schema.ChmodX, one("filename", "cwd")},
		{schema.FchmodatX, one("filename", "dirfd")},
		{schema.FchmodX, one("fd", "fd")},
		{schema.FchownX, one("fd", "fd")},
		{schema.ChownX, one("path", "cwd")},
		{schema.LchownX, one("path", "cwd")},
		{schema.FchownatX, one("pathname", "dirfd")},
		{schema.QuotactlX, one("special", "cwd")},
		{schema.UmountX, one("name", "cwd")},
		{schema.Umount2X, one("name", "cwd")},
		{schema.RenameX, two("oldpath", "cwd", "newpath", "cwd")},
		{schema.RenameatX, with(two("oldpath", "olddirfd", "newpath", "newdirfd"), "oldpath", "olddirfd", "newpath", "newdirfd")},
		{schema.Renameat2X, with(two("oldpath", "olddirfd", "newpath", "newdirfd"), "oldpath", "olddirfd", "newpath", "newdirfd")},
		{schema.LinkX, two("newpath", "cwd", "oldpath", "cwd")},
		{schema.LinkatX, with(two("newpath", "newdir", "oldpath", "olddir"), "oldpath", "olddir", "newpath", "newdir")},
		{schema.SymlinkX, two("linkpath", "cwd", "target", "cwd")},
		{schema.SymlinkatX, with(two("linkpath", "linkdirfd", "target", "unknown"), "linkpath", "linkdirfd", "", "")},
		{schema.MountX, two("dev", "cwd", "dir", "cwd")},
	}
	out := make([]*pathArgs, len(schema.Events))
	for _, r := range rows {
		a := r.row(r.typ.Info())
		out[r.typ] = &a
	}
	return out
}()

// fsArg returns the path on one side of the event, if the event has one and
// succeeded. Opens count as successful unless they fail with EPERM.
func fsArg(s *state.Scene, side fsSide) (pathArg, bool) {
	row := fsEvents[s.Event.Type]
	if row == nil {
		return noPath, false
	}
	p := row.name
	switch side {
	case fsSource:
		p = row.source
	case fsTarget:
		p = row.target
	}
	res, ok := s.Event.Return()
	switch s.Event.Type {
	case schema.OpenX, schema.OpenatX, schema.Openat2X:
		ok = ok && res != -1
	default:
		ok = ok && res == 0
	}
	return p, ok && p.param >= 0
}

func fsPathRaw(side fsSide) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		p, ok := fsArg(s, side)
		if !ok {
			return out
		}
		if raw, ok := rawPath(s, p); ok {
			return text(out, raw)
		}
		return out
	}
}

// rawPath returns the path as the caller gave it.
func rawPath(s *state.Scene, p pathArg) (string, bool) {
	if p.dir != atFD {
		return s.Event.Str(int(p.param))
	}
	num, ok := s.Event.Int(int(p.param))
	if !ok {
		return "", false
	}
	if f := fdOf(s, num); f != nil {
		return f.Name, true
	}
	return "", false
}

func fsPath(side fsSide) getter {
	return func(s *state.Scene, a *Arg, out []Value) []Value {
		p, ok := fsArg(s, side)
		if !ok || s.Thread == nil {
			return out
		}
		return absolute(s, a, out, p, unknownDir)
	}
}

// absolute composes the absolute form of a path; unknown is what stands for a
// directory that nobody knows.
func absolute(s *state.Scene, a *Arg, out []Value, p pathArg, unknown string) []Value {
	raw, ok := rawPath(s, p)
	switch {
	case !ok:
		return out
	case p.dir == atFD:
		return text(out, raw)
	}
	base, slash := baseDir(s, p)
	if base == unknownDir {
		base = unknown
	}
	a.buf = appendFrom(a.buf[:0], base, slash, raw)
	return text(out, event.View(a.buf))
}

// baseDir returns the directory that a relative path starts from.
func baseDir(s *state.Scene, p pathArg) (base, slash string) {
	dirfd := int64(event.AtFDCWD)
	if p.dir >= 0 {
		var ok bool
		if dirfd, ok = s.Event.Int(int(p.dir)); !ok {
			return unknownDir, ""
		}
	}
	if p.dir == atUnknown {
		return unknownDir, ""
	}
	return s.State.DirBase(s.Thread, dirfd)
}

// abspathSide accepts the two names that may follow evt.abspath.
func abspathSide(name string) (string, error) {
	for _, side := range []string{"src", "dst"} {
		if len(name) >= 3 && name[:3] == side {
			return side, nil
		}
	}
	return "", &UnknownError{"evt.abspath." + name}
}

// abspath is older than fs.path: it looks at no result, and knows only events
// with a directory descriptor.
func abspath(s *state.Scene, a *Arg, out []Value) []Value {
	row := fsEvents[s.Event.Type]
	if row == nil || s.Thread == nil {
		return out
	}
	p := row.src
	if a.Text == "dst" {
		p = row.dst
	}
	if p.param < 0 {
		return out
	}
	if s.Event.Type == schema.OpenByHandleAtX {
		if fd, ok := s.Event.Return(); !ok || fd <= 0 {
			return out
		}
	}
	if raw, ok := rawPath(s, p); !ok || raw == "" {
		return out
	}
	return absolute(s, a, out, p, unknownDir+"/")
}
