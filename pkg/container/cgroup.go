// SPDX-License-Identifier: Apache-2.0

// Package container tells which container a process belongs to, and what its runtime
// says of it.
//
// From the paths of its cgroups comes the id (cgroup.go). A Resolver keeps in touch
// with runtimes, each behind an Engine, and tells what they know (resolver.go).
package container

import "strings"

// Kind says whose way of naming cgroups a path follows. Several runtimes share
// one way, so that for some it is only a guess until the runtime is asked.
type Kind string

// Values of Kind.
const (
	Podman     Kind = "podman"
	Docker     Kind = "docker"
	CRI        Kind = "cri"
	CRIO       Kind = "cri-o"
	Containerd Kind = "containerd"
	LXC        Kind = "lxc"
	LibvirtLXC Kind = "libvirt-lxc"
	BPM        Kind = "bpm"
)

// Match is what the path of a cgroup says.
type Match struct {
	ID     string // as shown: of 64 hexadecimal digits the first twelve
	FullID string // as in the path
	Kind   Kind
	PodUID string // of the pod that the path names, "" if it names none
	User   string // whose slice it lies in, "" if nobody's
}

const (
	fullLen  = 64 // digits of an OCI container's id
	shortLen = 12 // of which so many are shown
)

// layout is one way of putting an id of 64 digits into the name of a cgroup.
type layout struct {
	prefix, suffix string
	kind           Kind
}

// layouts are tried in this order; the id stands between the last occurrences
// of prefix and suffix, and fills all of the room between them.
var layouts = []layout{
	{"/libpod-payload-", "", Podman},
	{"/libpod-payload-", ".scope", Podman},
	{"/libpod-payload-", ".scope/container", Podman},
	{"/libpod-", ".scope/container", Podman},
	{"/libpod-", ".scope", Podman},
	{"/libpod-", "", Podman},
	{"/docker-", ".scope", Docker},
	{"/crio-", ".scope/container", CRIO},
	{"/crio-", ".scope", CRIO},
	{"/crio-", "", CRIO},
	{"/cri-containerd-", ".scope", CRI},
	{":cri-containerd:", "", CRI},
	{"/nerdctl-", ".scope", Containerd},
	{"/", "", Docker},
}

// Namespaces are those of containerd, beside the ones that its clients use by
// themselves: it has told of them.
type Namespaces map[string]bool

// FromCgroups is Namespaces.FromCgroups where none are known.
func FromCgroups(cgroups []string) (Match, bool) { return Namespaces(nil).FromCgroups(cgroups) }

// FromPath is Namespaces.FromPath where none are known.
func FromPath(path string) (Match, bool) { return Namespaces(nil).FromPath(path) }

// FromCgroups looks for a container in cgroups, a list of "subsystem=path", and
// returns the first match; ok is false for processes of the host.
func (n Namespaces) FromCgroups(cgroups []string) (m Match, ok bool) {
	for _, c := range cgroups {
		if i := strings.IndexByte(c, '='); i >= 0 {
			c = c[i+1:]
		}
		if m, ok := n.FromPath(c); ok {
			m.PodUID, m.User = PodUID(c), userOf(c)
			return m, true
		}
	}
	return Match{}, false
}

// FromPath looks for a container in the path of one cgroup.
func (n Namespaces) FromPath(path string) (Match, bool) {
	for strings.HasPrefix(path, "/../") { // seen from another cgroup namespace
		path = path[3:]
	}
	if len(path) < 2 || path[0] != '/' {
		return Match{}, false
	}
	for i := range layouts {
		if id, ok := layouts[i].match(path); ok {
			kind := layouts[i].kind
			if kind == Docker && strings.Contains(path, "/kubepods") {
				kind = CRI
			}
			return Match{ID: id[:shortLen], FullID: id, Kind: kind}, true
		}
	}
	if id, ok := lxcID(path); ok {
		return Match{ID: id, FullID: id, Kind: LXC}, true
	}
	if id, ok := libvirtID(path); ok {
		return Match{ID: id, FullID: id, Kind: LibvirtLXC}, true
	}
	if id, ok := bpmID(path); ok {
		return Match{ID: id, FullID: id, Kind: BPM}, true
	}
	if id, ok := n.containerdID(path); ok {
		return Match{ID: id[:min(len(id), shortLen)], FullID: id, Kind: Containerd}, true
	}
	return Match{}, false
}

// userOf returns the id of the user whose slice a path lies in: "/user-1000.slice/".
func userOf(path string) string {
	const mark = "/user-"
	i := strings.Index(path, mark)
	if i < 0 {
		return ""
	}
	uid, _, ok := strings.Cut(path[i+len(mark):], ".slice/")
	if !ok || uid == "" || strings.Trim(uid, "0123456789") != "" {
		return ""
	}
	return uid
}

func (l *layout) match(path string) (id string, ok bool) {
	rest, ok := strings.CutSuffix(path, l.suffix)
	if !ok {
		return "", false
	}
	i := strings.LastIndex(rest, l.prefix)
	if i < 0 {
		return "", false
	}
	id = rest[i+len(l.prefix):]
	return id, len(id) == fullLen && allHex(id)
}

// lxcID: /lxc/ID, /lxc.payload/ID, /lxc.payload.ID, each perhaps with more behind.
func lxcID(path string) (string, bool) {
	for _, prefix := range []string{"/lxc.payload.", "/lxc.payload/", "/lxc/"} {
		if i := strings.Index(path, prefix); i >= 0 {
			if strings.HasSuffix(path[:i], "/libvirt") {
				continue
			}
			id, _, _ := strings.Cut(path[i+len(prefix):], "/")
			return id, id != ""
		}
	}
	return "", false
}

// libvirtID: …/ID.libvirt-lxc, …-lxc\x2dID.scope[/libvirt], /libvirt/lxc/ID.
func libvirtID(path string) (string, bool) {
	if head, ok := strings.CutSuffix(path, ".libvirt-lxc"); ok {
		id := head[strings.LastIndexByte(head, '/')+1:]
		return id, id != ""
	}
	head := strings.TrimSuffix(path, "/libvirt")
	if head, ok := strings.CutSuffix(head, ".scope"); ok {
		const mark = `-lxc\x2d`
		if i := strings.LastIndex(head, mark); i >= 0 && !strings.Contains(head[i:], "/") {
			id := head[i+len(mark):]
			return id, id != ""
		}
	}
	const dir = "/libvirt/lxc/"
	if i := strings.Index(path, dir); i >= 0 {
		id, _, _ := strings.Cut(path[i+len(dir):], "/")
		return id, id != ""
	}
	return "", false
}

// bpmID: …bpm-ID[.scope].
func bpmID(path string) (string, bool) {
	i := strings.LastIndex(path, "bpm-")
	if i <= 0 || path[i-1] != '/' && path[i-1] != '-' {
		return "", false
	}
	id := strings.TrimSuffix(path[i+len("bpm-"):], ".scope")
	return id, id != "" && strings.Trim(id, wordChars+"-") == ""
}

// containerdID: /NAMESPACE/ID and nothing else, as ctr and buildkit make them.
// Everybody who makes cgroups by hand could have made such a path: only the
// namespaces that clients of containerd use by themselves count, and those that it has
// told of.
func (n Namespaces) containerdID(path string) (string, bool) {
	ns, id, ok := strings.Cut(path[1:], "/")
	if !ok || id == "" || len(id) > fullLen || strings.Trim(id, wordChars+"-") != "" {
		return "", false
	}
	for _, unit := range []string{".service", ".slice", ".scope"} {
		if strings.HasSuffix(id, unit) {
			return "", false
		}
	}
	switch ns {
	case "default", "k8s.io", "moby", "buildkit":
		return id, true
	}
	return id, n[ns]
}

const wordChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"

func allHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }
