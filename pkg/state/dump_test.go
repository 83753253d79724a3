// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
)

// snapshot collects what Dump tells, in a form that can be compared.
type snapshot struct {
	Machines   []capture.Machine
	Interfaces []capture.Interface
	Users      []capture.User
	Groups     []capture.Group
	Procs      []capture.Proc
	FDs        []capture.FD
	Roles      map[string]int // of sockets, by name: which end we are
}

func (c *snapshot) Begin()                         {}
func (c *snapshot) End()                           {}
func (c *snapshot) Machine(m *capture.Machine)     { c.Machines = append(c.Machines, *m) }
func (c *snapshot) Interface(i *capture.Interface) { c.Interfaces = append(c.Interfaces, *i) }
func (c *snapshot) User(u *capture.User)           { c.Users = append(c.Users, *u) }
func (c *snapshot) Group(g *capture.Group)         { c.Groups = append(c.Groups, *g) }
func (c *snapshot) Proc(p *capture.Proc)           { c.Procs = append(c.Procs, *p) }
func (c *snapshot) FD(f *capture.FD)               { c.FDs = append(c.FDs, *f) }

func dumped(s *State) *snapshot {
	c := &snapshot{}
	s.Dump(c, capture.Machine{CPUs: 2, Memory: 1 << 30})
	c.Roles = make(map[string]int)
	for _, t := range s.threads {
		for _, f := range t.array().each {
			switch {
			case f.Has(FDServer):
				c.Roles[f.Name]--
			case f.Has(FDClient):
				c.Roles[f.Name]++
			}
		}
	}
	return c
}

// through writes what s holds into a capture and seeds another State from it.
func through(t *testing.T, s *State) *State {
	t.Helper()
	var b bytes.Buffer
	w := capture.NewWriter(&b, false)
	s.Dump(w, capture.Machine{CPUs: 2, Memory: 1 << 30})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r, err := capture.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := New(Options{})
	if err := r.Seed(out.Tables()); err != nil && !errors.Is(err, capture.ErrNoEvents) {
		t.Fatal(err)
	}
	if n := r.Stats().BadEntries; n > 0 {
		t.Errorf("%d entries cannot be read", n)
	}
	return out
}

// What the tables hold at the beginning and at the end of a recording survives
// being written and read: a State from it tells the same again.
func TestDumpRoundTrip(t *testing.T) {
	shared := os.Getenv("FALCO_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(shared, "data", "captures", "*.scap"))
	if len(files) == 0 {
		t.Skip("SKIP 1 cases: FALCO_SHARED not found")
	}
	for _, name := range files {
		if strings.HasSuffix(name, "-large.scap") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := capture.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			s := New(Options{})
			if err := r.Seed(s.Tables()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(dumped(s), dumped(through(t, s)), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("at the beginning: %s", diff)
			}
			var ev event.Event
			for {
				rec, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := ev.Decode(rec.Event); err != nil {
					continue
				}
				ev.CPU = rec.CPU
				s.Apply(&ev)
				s.Settle()
			}
			want := dumped(s)
			if len(want.Procs) == 0 || len(want.FDs) == 0 {
				t.Fatal("the tables are empty")
			}
			if diff := cmp.Diff(want, dumped(through(t, s)), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("at the end: %s", diff)
			}
		})
	}
}

// Both ends of a connection keep their roles, and users their names.
func TestDumpRoles(t *testing.T) {
	s := New(Options{})
	to := s.Tables()
	to.Begin()
	to.Interface(&capture.Interface{Addr: netip.MustParseAddr("10.0.0.1"), Netmask: netip.MustParseAddr("255.255.128.0")})
	to.Interface(&capture.Interface{Addr: netip.MustParseAddr("fe80::1"), Netmask: netip.MustParseAddr("ffff:f000::")})
	to.User(&capture.User{UID: 5, Name: "five"})
	to.Group(&capture.Group{GID: 6, Name: "six"})
	to.Proc(&capture.Proc{Tid: 10, Pid: 10, Ptid: 1, Comm: "nginx"})
	ours, theirs := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:5555")
	to.FD(&capture.FD{Tid: 10, Num: 3, Type: capture.FDIPv4Server, L4: 2, Dst: netip.MustParseAddrPort("0.0.0.0:80")})
	to.FD(&capture.FD{Tid: 10, Num: 4, Type: capture.FDIPv4, L4: 2, Src: ours, Dst: theirs})
	to.FD(&capture.FD{Tid: 10, Num: 5, Type: capture.FDIPv4, L4: 2, Src: netip.MustParseAddrPort("10.0.0.1:4444"), Dst: theirs})
	to.End()
	want := dumped(s)
	if got := want.Roles["10.0.0.2:5555->10.0.0.1:80"]; got != -1 {
		t.Fatalf("roles %v", want.Roles)
	}
	if diff := cmp.Diff(want, dumped(through(t, s)), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}
