// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/state"
)

// falco ps --diff-proc holds what the daemon believes against what /proc says.
// The two cannot be read in one moment, and a busy machine changes meanwhile: so
// both are read several times, and what is told is what was different in the same
// way each time.

const (
	diffRounds = 6
	diffPause  = 100 * time.Millisecond // before the second round; twice as much before each further one
)

// disagreement is one, and where.
type disagreement struct {
	pid, tid int64
	fd       int64 // -1: of the thread itself
	what     string
}

// sides are the two opinions.
type sides struct{ falco, proc string }

// runDiffProc is falco ps --diff-proc.
func runDiffProc(c *cli.Context, d *daemon) error {
	if c.String("e") != "" {
		return &failure{form: plain, text: "ps: --diff-proc compares this machine; a capture is of another time"}
	}
	proc, err := procfs.New(os.Getenv("HOST_ROOT") + "/proc")
	if err != nil {
		return err
	}
	proc.SetBoot(uint64(driver.EpochOffset()))
	var last map[disagreement]sides
	moment, rounds := 0, 0
	var tasks, fds int
	for pause := diffPause; rounds < diffRounds && (rounds == 0 || len(last) > 0); rounds++ {
		if rounds > 0 {
			time.Sleep(pause)
			pause *= 2
		}
		st, daemonPid, err := askState(c.String("socket"))
		if err != nil {
			return err
		}
		there, err := readMachine(proc)
		if err != nil {
			return err
		}
		ours := tablesOf(st, capture.Machine{})
		// The daemon does not watch itself, and we change while we look.
		found := diffTables(ours, there, map[int64]bool{daemonPid: true, int64(selfPid()): true})
		tasks, fds = len(there.procs), 0
		for _, f := range there.fds {
			fds += len(f)
		}
		if rounds == 0 {
			last = found
			continue
		}
		for at, was := range last {
			if found[at] != was {
				delete(last, at)
				moment++
			}
		}
	}
	if err := printDifferences(d, last); err != nil {
		return err
	}
	fmt.Fprintf(d.stderr, "falco: %d tasks and %d descriptors compared, %d times: %d differences, %d more of a moment\n",
		tasks, fds, rounds, len(last), moment)
	if len(last) > 0 {
		return &failure{form: plain, text: "ps: the daemon and /proc do not agree"}
	}
	return nil
}

// readMachine reads /proc as the daemon does when it starts.
func readMachine(proc *procfs.FS) (*tables, error) {
	machine, err := state.ThisMachine(os.Getenv("HOST_ROOT"), proc.Boot())
	if err != nil {
		return nil, err
	}
	st := state.New(state.Options{Machine: machine})
	if _, err := proc.Scan(context.Background(), st.Seed); err != nil {
		return nil, err
	}
	st.Seeded()
	return tablesOf(st, capture.Machine{}), nil
}

func printDifferences(d *daemon, all map[disagreement]sides) error {
	if len(all) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(d.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "PID\tTID\tFD\tWHAT\tFALCO\t/PROC")
	for _, at := range slices.SortedFunc(maps.Keys(all), func(a, b disagreement) int {
		return cmp.Or(cmp.Compare(a.pid, b.pid), cmp.Compare(a.tid, b.tid), cmp.Compare(a.fd, b.fd), cmp.Compare(a.what, b.what))
	}) {
		fd := "-"
		if at.fd >= 0 {
			fd = num(at.fd)
		}
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\t%s\n", at.pid, at.tid, fd, at.what, printable(all[at].falco), printable(all[at].proc))
	}
	return w.Flush()
}

// compared is what two records of a thread are compared in. What moves without
// any event is not among it: amounts of memory, counts of faults, and the name,
// which is the one of the last exec here (spec: prctl changes no proc.name).
var compared = []struct {
	name string
	main bool // only main threads have it
	get  func(*capture.Proc) string
}{
	{"pid", false, func(p *capture.Proc) string { return num(p.Pid) }},
	{"ppid", false, func(p *capture.Proc) string { return num(p.Ptid) }},
	{"vtid", false, func(p *capture.Proc) string { return num(p.Vtid) }},
	{"vpid", false, func(p *capture.Proc) string { return num(p.Vpid) }},
	{"sid", false, func(p *capture.Proc) string { return num(p.Sid) }},
	{"pgid", false, func(p *capture.Proc) string { return num(p.Pgid) }},
	{"vpgid", false, func(p *capture.Proc) string { return num(p.Vpgid) }},
	{"exe", true, func(p *capture.Proc) string { return p.Exe }},
	{"exepath", true, func(p *capture.Proc) string { return p.ExePath }},
	{"args", true, func(p *capture.Proc) string { return strings.Join(p.Args, " ") }},
	{"env", true, func(p *capture.Proc) string { return strings.Join(p.Env, " ") }},
	{"cwd", true, func(p *capture.Proc) string {
		if !hasHostRoot(p) {
			return ""
		}
		return p.Cwd
	}},
	{"root", true, func(p *capture.Proc) string { return p.Root }},
	{"uid", false, func(p *capture.Proc) string { return strconv.FormatUint(uint64(p.UID), 10) }},
	{"gid", false, func(p *capture.Proc) string { return strconv.FormatUint(uint64(p.GID), 10) }},
	{"loginuid", false, func(p *capture.Proc) string { return num(int64(int32(p.LoginUID))) }},
	{"tty", true, func(p *capture.Proc) string { return strconv.FormatUint(uint64(p.TTY), 10) }},
	{"cap_effective", false, func(p *capture.Proc) string { return rootCaps(p, p.CapEff) }},
	{"cap_permitted", false, func(p *capture.Proc) string { return rootCaps(p, p.CapPrm) }},
	{"cap_inheritable", false, func(p *capture.Proc) string { return strconv.FormatUint(p.CapInh, 16) }},
	{"exe_ino", true, func(p *capture.Proc) string { return strconv.FormatUint(p.ExeIno, 10) }},
	{"exe_mtime", true, func(p *capture.Proc) string { return strconv.FormatUint(p.ExeMtime, 10) }},
}

// diffTables returns in what the two differ, but for the processes in skip.
func diffTables(falco, proc *tables, skip map[int64]bool) map[disagreement]sides {
	out := map[disagreement]sides{}
	for tid, p := range falco.procs {
		if _, both := proc.procs[tid]; !both && !skip[p.Pid] {
			out[disagreement{p.Pid, tid, -1, "thread"}] = sides{"has " + p.Comm, ""}
		}
	}
	for tid, p := range proc.procs {
		if skip[p.Pid] {
			continue
		}
		q, both := falco.procs[tid]
		if !both {
			out[disagreement{p.Pid, tid, -1, "thread"}] = sides{"", "has " + p.Comm}
			continue
		}
		for _, c := range compared {
			if c.main && tid != p.Pid {
				continue
			}
			if s := (sides{c.get(&q), c.get(&p)}); s.falco != s.proc {
				out[disagreement{p.Pid, tid, -1, c.name}] = s
			}
		}
		if s := diffCgroups(q.Cgroups, p.Cgroups); s != (sides{}) {
			out[disagreement{p.Pid, tid, -1, "cgroups"}] = s
		}
		if tid == p.Pid {
			diffFDs(out, falco, proc, tid)
		}
	}
	return out
}

// diffCgroups compares the paths of the controllers that both name: the module
// names all, /proc those of version 1 and the tree of version 2.
func diffCgroups(falco, proc []string) (s sides) {
	for _, f := range falco {
		name, _, _ := strings.Cut(f, "=")
		i := slices.IndexFunc(proc, func(p string) bool { return strings.HasPrefix(p, name+"=") })
		if i >= 0 && proc[i] != f {
			s.falco += f + " "
			s.proc += proc[i] + " "
		}
	}
	return s
}

// rootCaps leaves out what a change of users has taken away: the kernel does that
// by itself, and tells nobody.
func rootCaps(p *capture.Proc, caps uint64) string {
	if p.UID != 0 {
		return "of a user"
	}
	return strconv.FormatUint(caps, 16)
}

// hasHostRoot reports whether paths of p can be compared: of a process with another
// root /proc tells them as the host sees them, and events as the process does.
func hasHostRoot(p *capture.Proc) bool { return p.Root == "/" }

func diffFDs(out map[disagreement]sides, falco, proc *tables, pid int64) {
	theirs := map[int64]*capture.FD{}
	for i := range proc.fds[pid] {
		theirs[proc.fds[pid][i].Num] = &proc.fds[pid][i]
	}
	owner := proc.procs[pid]
	names := hasHostRoot(&owner)
	for i := range falco.fds[pid] {
		f := &falco.fds[pid][i]
		p := theirs[f.Num]
		delete(theirs, f.Num)
		if p == nil || !sameFD(f, p, names) {
			out[disagreement{pid, pid, f.Num, "descriptor"}] = sides{describeFD(f), describeFD(p)}
		}
	}
	for n, p := range theirs {
		out[disagreement{pid, pid, n, "descriptor"}] = sides{"", describeFD(p)}
	}
}

// sameFD reports whether both are about the same thing, each in its words: events
// and /proc tell different parts of it.
func sameFD(f, p *capture.FD, names bool) bool {
	name, link := f.Name, strings.TrimSuffix(p.Name, " (deleted)")
	switch f.Type {
	case capture.FDFileV2:
		if p.Type == capture.FDFifo { // a named one
			return !names || name == link
		}
		return p.Type == f.Type && (!names || name == link) && f.Ino == p.Ino && f.Dev == p.Dev
	case capture.FDDirectory:
		return p.Type == f.Type && (!names || name == link)
	case capture.FDFifo:
		return p.Type == f.Type && f.Ino == p.Ino
	case capture.FDMemfd:
		return p.Type == f.Type && name == strings.TrimPrefix(link, "/memfd:")
	case capture.FDUnix: // a path is told to one end, and a pair has none
		return p.Type == f.Type && (name == "" || p.Name == "" || strings.HasSuffix(name, p.Name))
	case capture.FDIPv4, capture.FDIPv6:
		if f.Dst.Port() == 0 { // the kernel has chosen its port, if it has one
			return isInet(p.Type)
		}
		return p.Type == f.Type && f.Src == p.Src && f.Dst == p.Dst
	case capture.FDIPv4Server, capture.FDIPv6Server:
		return p.Type == f.Type && f.Dst == p.Dst
	}
	return f.Type == p.Type
}

func isInet(t capture.FDType) bool {
	return t == capture.FDIPv4 || t == capture.FDIPv6 || t == capture.FDIPv4Server || t == capture.FDIPv6Server
}

// describeFD says what is behind a descriptor.
func describeFD(f *capture.FD) string {
	if f == nil {
		return ""
	}
	s := fmt.Sprintf("type %d %s", f.Type, f.Name)
	if isInet(f.Type) {
		s += fmt.Sprintf("%v->%v", f.Src, f.Dst)
	}
	if f.Ino != 0 {
		s += fmt.Sprintf(" ino %d dev %x", f.Ino, f.Dev)
	}
	return s
}
