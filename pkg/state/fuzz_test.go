// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

// randomEvent makes a record that decodes, of any type, about few threads and few
// descriptors, so that events meet.
func randomEvent(r *rand.Rand, ts uint64) []byte {
	var rows []schema.EventType
	for typ := range table {
		if table[typ].fn != nil || table[typ].fd != 0 {
			rows = append(rows, schema.EventType(typ))
		}
	}
	typ := rows[r.IntN(len(rows))]
	switch r.IntN(10) {
	case 0:
		typ = schema.EventType(r.IntN(schema.NumEvents))
	case 1:
		typ &^= 1 // an enter event
	}
	for typ.Info() == nil {
		typ = schema.EventType(r.IntN(schema.NumEvents))
	}
	b := eventtest.New(typ).TS(ts).Tid(randomID(r))
	for _, p := range typ.Info().Params {
		switch w := p.Type.Width(); {
		case r.IntN(12) == 0:
			b.Skip()
		case p.Name == "res" && r.IntN(3) > 0:
			b.Int([]int64{0, 0, randomID(r)}[r.IntN(3)])
		case w == 1 || w == 2 || w == 4 || w == 8:
			b.Int(randomID(r))
		case w == 16:
			b.Raw(make([]byte, 16))
		case p.Type == schema.TypeSockTuple || p.Type == schema.TypeSockAddr:
			b.Raw(randomEnds(r))
		case p.Type == schema.TypeByteBuf && r.IntN(2) == 0:
			buf := make([]byte, r.IntN(64))
			for i := range buf {
				buf[i] = byte(r.IntN(3)) * byte(r.IntN(256))
			}
			b.Raw(buf)
		default:
			b.Str([]string{"", "/", "a", "../b", "/etc//x/..", "cpu=/docker/" + hex64, "sh"}[r.IntN(7)])
		}
	}
	return b.Bytes()
}

func randomID(r *rand.Rand) int64 {
	switch r.IntN(12) {
	case 0:
		return -r.Int64N(300)
	case 1:
		return int64(r.Uint64())
	case 2:
		return []int64{schema.CloneThread, schema.CloneChildInPidns, schema.CloneNewpid, schema.OCloexec}[r.IntN(4)]
	}
	return r.Int64N(24)
}

func randomEnds(r *rand.Rand) []byte {
	a := []string{"0.0.0.0:0", "10.0.0.5:7", "8.8.8.8:53", "127.0.0.1:9"}
	b := []string{"[::]:0", "[::ffff:1.2.3.4]:7", "[2001:db8::1]:53"}
	switch r.IntN(5) {
	case 0:
		return eventtest.Addr(addr(a[r.IntN(len(a))]))
	case 1:
		return tuple(a[r.IntN(len(a))], a[r.IntN(len(a))])
	case 2:
		return tuple(b[r.IntN(len(b))], b[r.IntN(len(b))])
	case 3:
		return eventtest.UnixTuple(r.Uint64(), 7, "/x")
	}
	return binary.LittleEndian.AppendUint64(nil, r.Uint64())[:r.IntN(9)]
}

// FuzzApply hands in long runs of valid, senseless events: nothing may panic, the
// tables must fit together and stay within their limits.
func FuzzApply(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, uint16(400))
	}
	f.Fuzz(func(t *testing.T, seed uint64, n uint16) {
		r := rand.New(rand.NewPCG(seed, 1))
		limits := Limits{Threads: 12, FDs: 6, Bytes: 30_000}
		s := New(Options{Limits: limits, Source: randomSource{r}, Suppress: []string{"a"}})
		s.Seed(task(1, 1, 0, "systemd", nil))
		s.Seeded()
		ts := uint64(begin)
		var ev event.Event
		for range n {
			switch r.IntN(20) {
			case 0:
				ts -= uint64(r.Int64N(3 * sec))
			case 1:
				ts += uint64(r.Int64N(400 * sec))
			default:
				ts += uint64(r.Int64N(ms))
			}
			if _, err := ev.Decode(randomEvent(r, ts)); err != nil {
				t.Fatal(err)
			}
			sc := s.Apply(&ev)
			if sc != nil && sc.Thread != nil {
				look(s, sc.Thread)
			}
			if err := s.consistent(); err != nil {
				t.Fatalf("seed %d: after Apply of %s: %v", seed, ev.Info.ID, err)
			}
			s.Settle()
			if err := s.consistent(); err != nil {
				t.Fatalf("seed %d: after Settle of %s: %v", seed, ev.Info.ID, err)
			}
			// One event may need two records beside its own: caller, child, parent.
			if st := s.Stats(); st.Threads > limits.Threads+3 || st.FDs > limits.FDs*st.Threads {
				t.Fatalf("seed %d: the tables grow: %+v", seed, st)
			}
			if s.bytes > limits.Bytes && len(s.threads) > 1 {
				t.Fatalf("seed %d: the tables weigh %d", seed, s.bytes)
			}
			for _, th := range s.threads {
				if th.array().count() > limits.FDs {
					t.Fatalf("seed %d: %d has %d descriptors", seed, th.Tid, th.array().count())
				}
			}
		}
	})
}

// look makes the look-ups that fields make.
func look(s *State, t *Thread) {
	s.Ancestors(t, func(*Thread) bool { return true })
	s.Ancestor(t, 7)
	s.SessionLeader(t)
	s.VpgidLeader(t)
	s.PgidLeader(t)
	s.Parent(t)
	s.Cwd(t)
	s.Env(t)
	s.FDs(t, func(int64, *FD) bool { return true })
}

// randomSource is a /proc that makes things up.
type randomSource struct{ r *rand.Rand }

func (s randomSource) Task(tid int64) (*procfs.Task, error) {
	if s.r.IntN(2) == 0 {
		return nil, errGone
	}
	return task(tid, max(1, tid-s.r.Int64N(3)), s.r.Int64N(24), "made up", func(k *procfs.Task) {
		k.ReadAt = begin + uint64(s.r.Int64N(sec))
		k.FDs = []procfs.FD{{Num: s.r.Int64N(9), Kind: procfs.Kind(s.r.IntN(int(procfs.Netlink) + 1)), Name: "/x"}}
	}), nil
}

func (s randomSource) Descriptor(_, fd int64) (procfs.FD, error) {
	return procfs.FD{Num: fd, Kind: procfs.File, Name: "/y"}, nil
}

func (s randomSource) Comm(_, _ int64) (string, error) {
	if s.r.IntN(2) == 0 {
		return "", errGone
	}
	return "bash", nil
}
