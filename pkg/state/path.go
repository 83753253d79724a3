// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// maxPath bounds the names of files. Longer ones keep their head.
const maxPath = 4096

// AppendPath appends to dst the file that rel names for somebody who stands in
// base, and returns the whole. Nothing is appended for an empty rel.
//
// An absolute rel stands for itself. Otherwise base is taken as it is, so it
// should end with a slash. Of rel, runs of slashes become one, "." goes, ".."
// takes the component before it with it, and a slash at the end goes. No link
// is followed.
func AppendPath(dst []byte, base, rel string) []byte {
	if rel == "" {
		return dst
	}
	start := len(dst)
	if rel[0] == '/' {
		base = "/"
	}
	dst = append(dst, base...)
	glue := false // whether the next component needs a slash before it
	for rel != "" {
		var c string
		if i := strings.IndexByte(rel, '/'); i >= 0 {
			c, rel = rel[:i], rel[i+1:]
		} else {
			c, rel = rel, ""
		}
		switch c {
		case "", ".":
		case "..":
			out := dst[start:]
			n := len(out)
			if n > 1 && out[n-1] == '/' {
				n--
			}
			for n > 0 && out[n-1] != '/' {
				n--
			}
			dst, glue = dst[:start+n], false
		default:
			if glue {
				dst = append(dst, '/')
			}
			dst = append(dst, c...)
			glue = true
		}
	}
	if n := len(dst); n-start > 1 && dst[n-1] == '/' {
		dst = dst[:n-1]
	}
	return dst
}

// DirBase returns where a path relative to the descriptor dirfd of t begins, in
// two pieces to be put together: the name of a directory, and a slash if that
// lacks one. It is "<UNKNOWN>" if the descriptor is not known.
func (s *State) DirBase(t *Thread, dirfd int64) (base, slash string) {
	if t == nil {
		return unknownBase, ""
	}
	if dirfd == atFDCWD {
		return s.Cwd(t), ""
	}
	f := s.FD(t, dirfd)
	switch {
	case f == nil:
		return unknownBase, ""
	case f.Name == "" || f.Name[len(f.Name)-1] == '/':
		return f.Name, ""
	}
	return f.Name, "/"
}

// path returns rel, seen from base, as a text of our own, and whether it was cut.
func (s *State) path(base, rel string) (string, bool) {
	s.buf = AppendPath(s.buf[:0], base, rel)
	return s.keepPath()
}

// pathAt is path for a descriptor of a directory.
func (s *State) pathAt(t *Thread, dirfd int64, rel string) (string, bool) {
	if rel == "" {
		return "", false
	}
	if rel[0] == '/' {
		return s.path("/", rel)
	}
	base, slash := s.DirBase(t, dirfd)
	if slash != "" {
		// Normalise behind a copy of base with its slash: first put that together.
		s.joined = append(append(s.joined[:0], base...), '/')
		base = event.View(s.joined)
	}
	return s.path(base, rel)
}

// keepPath returns what buf holds as a text of our own, cut to the limit.
func (s *State) keepPath() (string, bool) {
	cut := len(s.buf) > maxPath
	if cut {
		s.buf = s.buf[:maxPath]
		s.stats.PathsCut++
	}
	return s.names.bytes(s.buf), cut
}

// rawPath returns p with runs of slashes made one, as a text of our own; name, if
// that is the same.
func (s *State) rawPath(p, name string) string {
	if p == name {
		return name
	}
	if len(p) > maxPath {
		p = p[:maxPath]
	}
	if !strings.Contains(p, "//") {
		return s.names.str(p)
	}
	s.buf = s.buf[:0]
	for i := range len(p) {
		if p[i] != '/' || i == 0 || p[i-1] != '/' {
			s.buf = append(s.buf, p[i])
		}
	}
	return s.names.bytes(s.buf)
}

// pending is what the enter event of a system call told. The exit event has
// read the caller's memory later, when another thread may have changed it: where
// they differ, this is what the kernel is more likely to have used.
type pending struct {
	typ   schema.EventType // of the enter event; 0 if the call has ended
	name  []byte
	flags uint32
	dirfd int64
	addr  [19]byte // connect: the address, as the parameter holds it
	alen  uint8
}

// noteEnter keeps what ev, an enter event, tells until the call's exit. t may be nil.
func (s *State) noteEnter(ev *event.Event, t *Thread) {
	name, flags, dirfd := -1, -1, int64(atFDCWD)
	switch ev.Type {
	case schema.OpenE:
		name, flags = 0, 1
	case schema.OpenatE, schema.Openat2E:
		name, flags, dirfd = 1, 2, intOr(ev, 0, atFDCWD)
	case schema.CreatE:
		name = 0
	case schema.ExecveatE:
		name, flags, dirfd = 1, 2, intOr(ev, 0, atFDCWD)
	case schema.ConnectE:
	default:
		if t != nil && t.enter != nil {
			t.enter.typ = 0
		}
		return
	}
	if t == nil {
		s.stats.EntersLost++
		return
	}
	s.stats.Enters++
	p := t.enter
	if p == nil {
		p = new(pending)
		t.enter = p
		s.weigh(t)
	}
	p.typ, p.dirfd, p.name, p.flags, p.alen = ev.Type, dirfd, p.name[:0], 0, 0
	if name >= 0 {
		v, _ := ev.Str(name)
		before := cap(p.name)
		p.name = append(p.name, v[:min(len(v), maxPath)]...)
		if cap(p.name) != before {
			s.weigh(t)
		}
	} else if a := ev.Param(1); len(a) <= len(p.addr) {
		p.alen = uint8(copy(p.addr[:], a))
	}
	if flags >= 0 {
		p.flags = uint32(uintOr(ev, flags, 0))
	}
}

// entered returns what was noted at the entry of the call that ev ends, nil if
// nothing was. It is asked once an event.
func (s *State) entered(ev *event.Event) *pending {
	if t := s.scene.Thread; t != nil && t.enter != nil && t.enter.typ == ev.Type-1 && t.enter.typ != 0 {
		s.stats.EntersUsed++
		return t.enter
	}
	s.stats.EntersMissed++
	return nil
}

// opened is what the calls of the open family have in common.
type opened struct {
	name     string
	flags    uint32
	dirfd    int64
	dev      int // indices of parameters
	ino      int
	creating bool // creat: enter tells no flags
}

// succeeded reports whether a call has returned what is no error.
func succeeded(ev *event.Event) bool {
	n, ok := ev.Return()
	return ok && n >= 0
}

func (s *State) open(ev *event.Event) {
	if !succeeded(ev) {
		return
	}
	name, _ := ev.Str(1)
	s.openFD(ev, opened{name: name, flags: uint32(uintOr(ev, 2, 0)), dirfd: atFDCWD, dev: 4, ino: 5})
}

// openat handles openat2 too, which has one parameter more before the device.
func (s *State) openat(ev *event.Event) {
	if !succeeded(ev) {
		return
	}
	dev := 5
	if ev.Type == schema.Openat2X {
		dev = 6
	}
	name, _ := ev.Str(2)
	s.openFD(ev, opened{name: name, flags: uint32(uintOr(ev, 3, 0)), dirfd: intOr(ev, 1, atFDCWD), dev: dev, ino: dev + 1})
}

func (s *State) creat(ev *event.Event) {
	if !succeeded(ev) {
		return
	}
	o := opened{dirfd: atFDCWD, dev: 3, ino: 4, creating: true}
	o.name, _ = ev.Str(1)
	layers := uintOr(ev, 5, 0)
	if layers&schema.FdUpperLayerCreat != 0 {
		o.flags |= schema.FdUpperLayer
	}
	if layers&schema.FdLowerLayerCreat != 0 {
		o.flags |= schema.FdLowerLayer
	}
	s.openFD(ev, o)
}

func (s *State) openByHandle(ev *event.Event) {
	if !succeeded(ev) {
		return
	}
	name, _ := ev.Str(3)
	s.openFD(ev, opened{name: name, flags: uint32(uintOr(ev, 2, 0)), dirfd: atFDCWD, dev: 4, ino: 5})
}

func (s *State) openFD(ev *event.Event, o opened) {
	n, _ := ev.Return()
	t := s.scene.Thread
	if p := s.entered(ev); p != nil && len(p.name) > 0 {
		o.name, o.dirfd = event.View(p.name), p.dirfd
		if !o.creating {
			o.flags = p.flags | o.flags&openExitBits
		}
	}
	f := s.newFD()
	f.Type = FDFile
	if o.flags&schema.ODirectory != 0 && o.flags&(schema.OTmpfile|schema.OWronly) != schema.OTmpfile|schema.OWronly {
		f.Type = FDDirectory // O_TMPFILE contains the bit too, and is only good for writing
	}
	var cut bool
	f.Name, cut = s.pathAt(t, o.dirfd, o.name)
	f.RawName = s.rawPath(o.name, f.Name)
	f.OpenFlags = o.flags
	f.Dev, f.Ino = uint32(uintOr(ev, o.dev, 0)), uintOr(ev, o.ino, 0)
	if o.flags&schema.OCloexec != 0 {
		f.Flags |= FDCloexec
	}
	if o.flags&schema.FdUpperLayer != 0 {
		f.Flags |= FDUpper
	}
	if o.flags&schema.FdLowerLayer != 0 {
		f.Flags |= FDLower
	}
	if cut {
		f.Flags |= FDCut
	}
	s.addFD(t, n, f)
}

// chdir, fchdir and getcwd change the directory of a whole process.

func (s *State) chdir(ev *event.Event) {
	if o, p := s.moved(ev); o != nil && p != "" {
		s.setCwd(o, o.Cwd, p)
	}
}

func (s *State) fchdir(ev *event.Event) {
	res, ok := ev.Return()
	if f := s.scene.FD; ok && res >= 0 && f != nil {
		if o := s.folder(s.scene.Thread); o != nil && s.now > o.scannedAt {
			s.setCwd(o, "/", f.Name)
		}
	}
}

// getcwd heals what was lost.
func (s *State) getcwd(ev *event.Event) {
	if o, p := s.moved(ev); o != nil && strings.HasPrefix(p, "/") {
		s.setCwd(o, "/", p)
	}
}

// moved returns whose directory a successful call tells, and parameter 1.
func (s *State) moved(ev *event.Event) (*Thread, string) {
	res, ok := ev.Return()
	o := s.folder(s.scene.Thread)
	if !ok || res < 0 || o == nil || s.now <= o.scannedAt {
		return nil, ""
	}
	p, _ := ev.Str(1)
	return o, p
}

func (s *State) setCwd(o *Thread, base, p string) {
	if p == "" {
		return
	}
	s.buf = AppendPath(s.buf[:0], base, p)
	if n := len(s.buf); n == 0 || s.buf[n-1] != '/' {
		s.buf = append(s.buf, '/')
	}
	var cut bool
	if o.Cwd, cut = s.keepPath(); cut {
		o.Cut |= CutCwd
	} else {
		o.Cut &^= CutCwd
	}
	s.weigh(o)
}
