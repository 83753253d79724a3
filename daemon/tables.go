// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/state"
)

// tables is a copy of what a state holds. It shares strings and lists with that, which
// nobody changes in place.
type tables struct {
	machine    capture.Machine
	interfaces []capture.Interface
	users      []capture.User
	groups     []capture.Group
	procs      map[int64]capture.Proc // by tid
	fds        map[int64][]capture.FD // by the tid of the main thread
}

// Begin implements capture.Tables, as all the methods down to End.
func (t *tables) Begin() {
	*t = tables{procs: map[int64]capture.Proc{}, fds: map[int64][]capture.FD{}}
}

// Machine keeps m.
func (t *tables) Machine(m *capture.Machine) { t.machine = *m }

// Interface keeps i.
func (t *tables) Interface(i *capture.Interface) { t.interfaces = append(t.interfaces, *i) }

// User keeps u.
func (t *tables) User(u *capture.User) { t.users = append(t.users, *u) }

// Group keeps g.
func (t *tables) Group(g *capture.Group) { t.groups = append(t.groups, *g) }

// Proc keeps p.
func (t *tables) Proc(p *capture.Proc) { t.procs[p.Tid] = *p }

// FD keeps f.
func (t *tables) FD(f *capture.FD) { t.fds[f.Tid] = append(t.fds[f.Tid], *f) }

// End has nothing to do.
func (t *tables) End() {}

// tids returns those of all threads, in order.
func (t *tables) tids() []int64 { return slices.Sorted(maps.Keys(t.procs)) }

// tell hands all of it to somebody else.
func (t *tables) tell(to capture.Tables) {
	to.Begin()
	to.Machine(&t.machine)
	for i := range t.interfaces {
		to.Interface(&t.interfaces[i])
	}
	for i := range t.users {
		to.User(&t.users[i])
	}
	for i := range t.groups {
		to.Group(&t.groups[i])
	}
	tids := t.tids()
	for _, tid := range tids {
		p := t.procs[tid]
		to.Proc(&p)
	}
	for _, tid := range tids {
		for i := range t.fds[tid] {
			to.FD(&t.fds[tid][i])
		}
	}
	to.End()
}

// readState reads what a capture has in front of its first event.
func readState(from io.Reader) (*state.State, error) {
	r, err := capture.NewReader(from)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	st := state.New(state.Options{})
	if err := st.SeedCapture(r); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, capture.ErrNoEvents) {
		return nil, err
	}
	return st, nil
}

// tablesOf copies what st holds; m is what is known of the machine.
func tablesOf(st *state.State, m capture.Machine) *tables {
	t := new(tables)
	st.Dump(t, m)
	return t
}

// process is a row of falco ps: a main thread, and how much belongs to it.
type process struct {
	capture.Proc
	threads, fds int
}

// processes returns a row for each process, or for each thread, by number. A
// process whose main thread is unknown shows another one of it.
func (t *tables) processes(threads bool) []process {
	rows := make([]process, 0, len(t.procs))
	at := map[int64]int{} // pid to row
	for _, tid := range t.tids() {
		p := t.procs[tid]
		i, known := at[p.Pid]
		if !known || threads {
			i = len(rows)
			at[p.Pid] = i
			rows = append(rows, process{Proc: p})
		}
		if p.Tid == p.Pid {
			rows[i].Proc = p
		}
		rows[i].threads++
		rows[i].fds += len(t.fds[tid])
	}
	slices.SortFunc(rows, func(a, b process) int { return cmp.Or(cmp.Compare(a.Pid, b.Pid), cmp.Compare(a.Tid, b.Tid)) })
	return rows
}
