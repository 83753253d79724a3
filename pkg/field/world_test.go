// SPDX-License-Identifier: Apache-2.0

package field

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// start is when the process Cat of the world is cloned.
const start = 1_566_230_400_030_000_000

// world is a small machine: init(1), sshd(20), bash(30), and whatever a test
// adds. Its events are numbered like those of a real stream.
type world struct {
	t   testing.TB
	st  *state.State
	num uint64
	ts  uint64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, ts: start - 10_000_000, num: 1}
	w.st = state.New(state.Options{Machine: state.Machine{
		Hostname: "host1", BootTime: start - 3600*second,
		Addrs: []netip.Prefix{netip.MustParsePrefix("192.168.1.10/24"), netip.MustParsePrefix("2001:db8:77::10/64")},
	}})
	w.st.SetHostUsers([]byte("root:x:0:0:root:/root:/bin/bash\nu1000:x:1000:1000::/home/u1000:/bin/sh\n"), []byte("root:x:0:\nusers:x:1000:\n"))
	for _, p := range []struct {
		pid, ppid int64
		comm      string
		args      []string
	}{{1, 0, "init", nil}, {20, 1, "sshd", []string{"-D", "-e"}}, {30, 20, "bash", []string{"-l"}}} {
		w.st.Seed(&procfs.Task{
			ReadAt: 1, Tid: p.pid, Pid: p.pid, PPid: p.ppid, NSTid: p.pid, NSPid: p.pid, NSPgid: p.pid, Pgid: p.pid, Sid: 20,
			Threads: 1, Comm: p.comm, Exe: "/usr/bin/" + p.comm, Args: p.args, ExePath: "/usr/bin/" + p.comm, Cwd: "/home/user", Root: "/",
			Env:      []string{"HOME=/home/user/" + map[int64]string{1: "init", 20: "sshd", 30: "parent"}[p.pid], "LANG= C "},
			LoginUID: 0, FDLimit: 1024, Start: start - 60*second, CapEff: 1<<12 | 1<<21, CapPrm: 1,
			Cgroups: []string{"cpu=/user.slice", "cpuset=/"},
			ExeIno:  77, ExeCtime: start - 120*second, ExeMtime: start - 240*second, TTY: 34816,
		})
	}
	w.st.Seeded()
	return w
}

// apply makes an event of thread tid happen, 10 ms after the last one.
func (w *world) apply(tid int64, b *eventtest.Builder) *state.Scene {
	w.t.Helper()
	w.st.Settle()
	w.num++
	w.ts += 10_000_000
	ev := b.Tid(tid).TS(w.ts).CPU(1).Event()
	ev.Num = w.num
	s := w.st.Apply(ev)
	if s == nil {
		w.t.Fatalf("%s shows nothing", ev.Info.ID)
	}
	return s
}

// clone makes bash(30) start a process, or a thread if flags say so.
func (w *world) clone(tid, pid, ptid int64, flags uint32) *state.Scene {
	return w.apply(tid, eventtest.New(schema.CloneX).Int(0).Str("/usr/bin/bash").Strs("-l").Int(tid).Int(pid).Int(ptid).
		Str("").Set("fdlimit", 1024).Set("comm", "bash").Set("flags", flags).Set("uid", 0).Set("gid", 0).
		Set("vtid", tid).Set("vpid", pid).Set("cgroups", []string{"cpu=/user.slice", "cpuset=/"}))
}

// exec makes thread tid run the program called comm.
func (w *world) exec(tid, ptid int64, comm string, change func(b *eventtest.Builder)) *state.Scene {
	b := eventtest.New(schema.ExecveX).Int(0).Str("/usr/bin/" + comm).Skip().Int(tid).Int(tid).Int(ptid).Str("")
	for range 6 {
		b.Uint(0)
	}
	b.Str(comm).Skip().Skip().Uint(0).Int(0).Uint(0).Uint(0).Uint(0).Uint(0).Uint(0).Uint(0).Uint(0).Uint(0).Uint(0).
		Str("/usr/bin/" + comm).Int(0).Uint(0).Str("/usr/bin/" + comm)
	if change != nil {
		change(b)
	}
	return w.apply(tid, b)
}

func (w *world) open(tid, fd int64, name string, flags uint32, mode uint32) *state.Scene {
	return w.apply(tid, eventtest.New(schema.OpenX).Int(fd).Str(name).Uint(uint64(flags)).Uint(uint64(mode)).Uint(0).Uint(0))
}

func (w *world) socket(tid, fd, domain, typ, proto int64) *state.Scene {
	return w.apply(tid, eventtest.New(schema.SocketX).Int(fd).Int(domain).Int(typ).Int(proto).Uint(0))
}

func (w *world) connect(tid, fd int64, from, to string) *state.Scene {
	a, b := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	return w.apply(tid, eventtest.New(schema.ConnectX).Int(0).Tuple(a, b).Int(fd).Addr(b))
}

// check reads fields of s and compares them with what is wanted; a want of "-"
// means that the field has no value, not even an empty one.
func check(t *testing.T, s *state.Scene, want map[string]string) {
	t.Helper()
	for token, w := range want {
		r, err := Parse(token)
		if err != nil {
			t.Errorf("%s: %v", token, err)
			continue
		}
		vs := r.OutputValues(s, nil)
		if r.Def.Has(FilterOnly) {
			vs = r.Values(s, nil)
		}
		switch got := string(joinTexts(r, vs)); {
		case w == "-" && len(vs) > 0:
			t.Errorf("%s: %s has the value %q", s.Event.Info.Name, token, got)
		case w != "-" && len(vs) == 0:
			t.Errorf("%s: %s has no value, want %q", s.Event.Info.Name, token, w)
		case w != "-" && got != w:
			t.Errorf("%s: %s = %q, want %q", s.Event.Info.Name, token, got, w)
		}
	}
}

func joinTexts(r *Ref, vs []Value) (out []byte) {
	for i, v := range vs {
		if i > 0 {
			out = append(out, ' ')
		}
		out = r.AppendText(out, v)
	}
	return out
}
