// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/schema"
)

// hostile runs the C program of that name that many times.
func (s *stage) hostile(rounds int, argv ...string) error {
	for i := range rounds {
		cmd := exec.Command(s.hostilePath(), argv...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("round %d: %w: %s", i, err, out)
		}
		if i == 0 {
			s.say("%s", strings.TrimSpace(string(out)))
		}
	}
	s.say("rounds=%d", rounds)
	return nil
}

func (s *stage) hostilePath() string { return filepath.Join(filepath.Dir(s.load), "hostile") }

// seen is an event of a thread that we look for.
type seen struct {
	ts    uint64
	kind  schema.EventType
	flags uint32
	words map[string]string
}

// collect reads everything into lists by thread id. A thread may have moved to a CPU whose ring was read before: inOrder.
func (r *reader) collect(into map[uint64][]seen) error {
	var ev event.Event
	for _, l := range r.lanes {
		if l == nil {
			continue
		}
		for l.ring.Refill(); ; l.ring.Next() {
			f, ok := l.ring.Peek()
			if !ok {
				break
			}
			if err := l.now.take(f); err != nil {
				return err
			}
			if f.Flags&ring.Gap != 0 {
				continue
			}
			if _, err := ev.Decode(f.Record); err != nil {
				return err
			}
			into[uint64(ev.Tid)] = append(into[uint64(ev.Tid)], pick(&ev, f.Flags))
		}
		l.release()
	}
	return nil
}

func inOrder(byTid map[uint64][]seen) {
	for _, events := range byTid {
		slices.SortStableFunc(events, func(a, b seen) int { return cmp.Compare(a.ts, b.ts) })
	}
}

// pick keeps the parameters that scenarios look at.
func pick(ev *event.Event, flags uint32) seen {
	e := seen{ts: ev.TS, kind: ev.Type, flags: flags, words: map[string]string{}}
	for i := range ev.Info.Params {
		name := ev.Info.Params[i].Name
		v := ev.Param(i)
		switch name {
		case "fd", "res", "ino":
			if n, ok := ev.Int(i); ok {
				e.words[name] = strconv.FormatInt(n, 10)
			}
		case "name", "filename", "trusted_exepath":
			if v != nil {
				e.words[name] = strings.TrimRight(string(v), "\x00")
			}
		case "tuple":
			if t, ok := event.ParseTuple(v); ok {
				e.words[name] = strconv.Itoa(int(t.Dst.Port()))
				if t.Family == event.FamilyUnix {
					e.words[name] = t.Path
				}
			}
		case "addr":
			if a, ok := event.ParseAddr(v); ok {
				e.words[name] = strconv.Itoa(int(a.Port))
				if a.Family == event.FamilyUnix {
					e.words[name] = a.Path
				}
			}
		case "data", "args", "exe":
			e.words[name] = strconv.Itoa(len(v))
		}
	}
	return e
}

// unserved has calls with pointers into memory that nobody serves: the events are there, at once and marked, and the module
// can be unloaded while the threads stand still.
func unserved(s *stage) error {
	r, err := newReader(options{ringBytes: 4 << 20}, nil)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			r.close()
		}
	}()
	cmd := exec.Command(s.hostilePath(), "unserved")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	var pid uint64
	var events []string
	stuck := map[uint64]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if lines.Text() == "all stuck" {
			break
		}
		switch {
		case len(f) == 2 && f[0] == "pid":
			pid, _ = strconv.ParseUint(f[1], 10, 64)
		case len(f) == 2 && f[0] == "event":
			events = append(events, f[1])
		case len(f) == 3 && f[0] == "stuck":
			tid, _ := strconv.ParseUint(f[2], 10, 64)
			stuck[tid] = f[1]
		}
	}
	if len(events) != 9 || len(stuck) != 6 {
		return fmt.Errorf("%d events and %d threads", len(events), len(stuck))
	}
	byTid := map[uint64][]seen{}
	if err := r.collect(byTid); err != nil {
		return err
	}
	inOrder(byTid)
	// In the order of the calls, each with the mark that something could not be read.
	left := byTid[pid]
	for _, name := range events {
		for len(left) > 0 && (schema.Events[left[0].kind].ID != name || left[0].flags&ring.Fault == 0) {
			left = left[1:]
		}
		if len(left) == 0 {
			return fmt.Errorf("no %s with the mark of a fault", name)
		}
		for _, what := range []string{"data", "exe", "args"} {
			if d := left[0].words[what]; d != "" && d != "0" {
				return fmt.Errorf("%s has %s bytes of what cannot be read in its %s", name, d, what)
			}
		}
		left = left[1:]
	}
	for tid, name := range stuck {
		found := name == "-"
		for _, e := range byTid[tid] {
			if schema.Events[e.kind].ID == name {
				found = e.flags&ring.Fault != 0
			}
			if exit := strings.TrimSuffix(name, "_e") + "_x"; schema.Events[e.kind].ID == exit && exit != "connect_x" {
				return fmt.Errorf("thread %d is not stuck: %s", tid, exit)
			}
		}
		if !found {
			return fmt.Errorf("no %s of thread %d with the mark of a fault", name, tid)
		}
	}
	closed = true
	b, err := r.finish()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := rmmod(); err != nil {
		return err
	}
	took := time.Since(began)
	if err := insmod(""); err != nil {
		return err
	}
	if took >= 5*time.Second {
		return fmt.Errorf("rmmod took %v", took)
	}
	s.say("events=%d stuck=%d rmmod=%v", len(events), len(stuck), took.Round(time.Millisecond))
	s.tell(b)
	return nil
}

// racing compares what calls have really done with what their events say, while another thread changes their arguments.
func racing(s *stage) error {
	r, err := newReader(options{ringBytes: 16 << 20}, nil)
	if err != nil {
		return err
	}
	defer func() { r.close() }()
	rounds := s.count(300, 20_000)
	cmd := exec.Command(s.hostilePath(), "racing", strconv.Itoa(rounds))
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	byTid := map[uint64][]seen{}
	for over := false; !over; {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("racing: %w: %s", err, &text)
			}
			over = true
		case <-time.After(10 * time.Millisecond):
		}
		if err := r.collect(byTid); err != nil {
			return err
		}
	}
	inOrder(byTid)
	truth, err := newTruth()
	if err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if err := truth.compare(strings.Fields(line), byTid); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	for what, want := range map[string]int{"open": rounds, "connect": rounds, "exec": rounds / 10,
		"slow-open": rounds / 10, "slow-connect": rounds / 10, "slow-exec": rounds / 10} {
		if truth.done[what] != want {
			return fmt.Errorf("%d of %s, not %d", truth.done[what], what, want)
		}
	}
	// The slow ones always lie at exit, and never at entry.
	if slow := 2 * (rounds / 10); truth.lies < slow || truth.enterTrue < slow {
		return fmt.Errorf("%d lies at exit, %d of them true at entry; others %q", truth.lies, truth.enterTrue, truth.odd)
	}
	b, err := r.finish()
	if err != nil {
		return err
	}
	s.say("%v lies-at-exit=%d of-these-true-at-entry=%d", truth.done, truth.lies, truth.enterTrue)
	s.tell(b)
	return nil
}

// truth compares, line by line, what was done with what events say.
type truth struct {
	names  map[string]string // of programs, by exit code
	inodes map[string]string // of files, by inode
	left   []seen            // events of the thread that opens and connects

	done            map[string]int
	odd             []string
	lies, enterTrue int // memory at exit said something else; the enter event did not
}

func newTruth() (*truth, error) {
	t := &truth{names: map[string]string{"1": "/tmp/race/aaaaaaaa", "2": "/tmp/race/bbbbbbbb"}, inodes: map[string]string{}, done: map[string]int{}}
	for _, name := range []string{t.names["1"], t.names["2"], "/tmp/race/the-fifo"} {
		st, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		t.inodes[inode(st)] = name
	}
	return t, nil
}

func (t *truth) compare(f []string, byTid map[uint64][]seen) error {
	if len(f) == 2 && f[0] == "tid" {
		tid, _ := strconv.ParseUint(f[1], 10, 64)
		t.left = byTid[tid]
	}
	if len(f) == 1 && f[0] == "queue" {
		_, _, err := next(&t.left, schema.ConnectX, schema.ConnectE, "")
		return err
	}
	if len(f) != 3 {
		return nil
	}
	t.done[f[0]]++
	switch f[0] {
	case "open", "slow-open":
		e, enter, err := next(&t.left, schema.OpenatX, schema.OpenatE, "/tmp/race/")
		if err != nil {
			return err
		}
		if e.words["ino"] != f[2] {
			return fmt.Errorf("the event says %v", e.words)
		}
		t.judge(e, enter, "name", t.inodes[f[2]])
	case "connect", "slow-connect":
		e, enter, err := next(&t.left, schema.ConnectX, schema.ConnectE, "")
		if err != nil {
			return err
		}
		if e.words["tuple"] != f[2] {
			return fmt.Errorf("the event says %v", e.words)
		}
		t.judge(e, enter, "addr", f[2])
	case "exec", "slow-exec":
		pid, _ := strconv.ParseUint(f[1], 10, 64)
		for _, e := range byTid[pid] {
			if e.kind == schema.ExecveX && e.words["res"] == "0" {
				if said := e.words["trusted_exepath"]; said != t.names[f[2]] || e.words["filename"] != said {
					return fmt.Errorf("the event says %v", e.words)
				}
				return nil
			}
		}
		return errors.New("no event of a successful execve")
	default:
		t.done[f[0]]--
	}
	return nil
}

// judge counts what the memory said at exit and at entry.
func (t *truth) judge(exit, enter seen, name, true string) {
	if exit.words[name] == true {
		return
	}
	t.lies++
	if enter.words[name] == true {
		t.enterTrue++
	} else {
		t.odd = append(t.odd, fmt.Sprintf("%v<%v!=%v", enter.words, exit.words, true))
	}
}

// next is the next event of that kind, and the one of its enter before it.
func next(events *[]seen, kind, enterKind schema.EventType, prefix string) (e, enter seen, err error) {
	for len(*events) > 0 {
		e, *events = (*events)[0], (*events)[1:]
		switch {
		case e.kind == enterKind:
			enter = e
		case e.kind == kind && strings.HasPrefix(e.words["name"], prefix):
			return e, enter, nil
		}
	}
	return e, enter, errors.New("an event is missing")
}
