// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helper names what a process that a test has started is to do.
const helper = "FALCO_SPOOL_HELPER"

func TestMain(m *testing.M) {
	if job := os.Getenv(helper); job != "" && strings.HasPrefix(job, "crash ") {
		work(strings.Fields(job)[1:])
	}
	os.Exit(m.Run())
}

// payload is a text that cannot be torn or mixed up without being noticed.
func payload(n uint64) []byte {
	sum := sha256.Sum256(strconv.AppendUint(nil, n, 10))
	return fmt.Appendf(nil, "%d %x%s", n, sum, strings.Repeat("x", int(sum[0])*8))
}

// work is the life of a process that will be killed: it appends numbers and says
// "in n" for what was taken, reads them and says "out n", and then acknowledges.
func work(args []string) {
	first, _ := strconv.ParseUint(args[1], 10, 64)
	s, err := Open(args[0], Options{Readers: []string{"x"}, Segment: minSegment, Max: 64 << 20, Sync: 20 * time.Millisecond, Save: 5 * time.Millisecond})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	x, _ := s.Reader("x")
	go func() {
		for n := first; ; {
			var list []Entry
			for range 1 + rand.IntN(20) {
				list = append(list, Entry{Class: 5, Payload: payload(n)})
				n++
			}
			if _, err := s.Append(list...); err != nil {
				fmt.Println("error", err)
				os.Exit(1)
			}
			os.Stdout.WriteString(fmt.Sprintf("in %d\n", n-1))
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) // so that the reader is now behind and now not
		}
	}()
	for {
		rec, err := x.Next(context.Background())
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		text, _, _ := bytes.Cut(rec.Payload, []byte(" "))
		n, _ := strconv.ParseUint(string(text), 10, 64)
		if !bytes.Equal(rec.Payload, payload(n)) {
			fmt.Printf("error torn: %q\n", rec.Payload)
			os.Exit(1)
		}
		os.Stdout.WriteString(fmt.Sprintf("out %d\n", n))
		x.Ack(rec.Seq)
	}
}

// A process is killed at random moments, many times over one spool. What it said
// that it had taken comes out at least once, in order, and whole.
func TestKilled(t *testing.T) {
	rounds := 20
	if long() {
		rounds = 200
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "s")
	const perRound = 1_000_000
	accepted := map[uint64]bool{}
	delivered := map[uint64]bool{}
	top, again := uint64(0), 0
	deliver := func(n uint64) {
		if delivered[n] {
			again++
			return
		}
		if n < top {
			t.Fatalf("%d comes after %d", n, top)
		}
		top, delivered[n] = n, true
	}
	for round := range rounds {
		first := uint64(round)*perRound + 1
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=crash %s %d", helper, dir, first))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(60_000))*time.Microsecond, func() {})
		lines, heard := bufio.NewScanner(out), false
		for lines.Scan() {
			word, text, _ := strings.Cut(lines.Text(), " ")
			n, err := strconv.ParseUint(text, 10, 64)
			switch {
			case word == "error":
				t.Fatalf("round %d: %s", round, text)
			case err != nil: // the last line, torn by the kill
			case word == "in":
				for ; n >= first && !accepted[n]; n-- {
					accepted[n] = true
				}
			case word == "out":
				deliver(n)
			}
			if !heard { // it has begun; from now on any moment will do
				heard = true
				timer.Stop()
				timer = time.AfterFunc(time.Duration(rand.IntN(60_000))*time.Microsecond, func() { cmd.Process.Kill() })
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("round %d: %v", round, err)
		}
		timer.Stop()
	}
	s := open(t, dir, Options{Readers: []string{"x"}, Segment: minSegment, Max: 64 << 20})
	for _, rec := range rest(t, reader(t, s, "x")) {
		text, _, _ := bytes.Cut(rec.Payload, []byte(" "))
		n, _ := strconv.ParseUint(string(text), 10, 64)
		if !bytes.Equal(rec.Payload, payload(n)) {
			t.Fatalf("torn: %q", rec.Payload)
		}
		deliver(n)
	}
	missing := 0
	for n := range accepted {
		if !delivered[n] {
			missing++
		}
	}
	if missing > 0 || len(accepted) < rounds || s.Stats().Damaged > 0 {
		t.Errorf("%d of %d are missing, %+v", missing, len(accepted), s.Stats())
	}
	t.Logf("killed %d times: %d accepted, all delivered, %d of them twice or more", rounds, len(accepted), again)
}
