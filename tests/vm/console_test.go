// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplats(t *testing.T) {
	for _, c := range []struct{ line, title string }{
		{"[   12.345678] BUG: kernel NULL pointer dereference, address: 0000000000000008", "BUG: kernel NULL pointer dereference, address: 0000000000000008"},
		{"[    1.000000] WARNING: CPU: 0 PID: 91 at kernel/softirq.c:376 __local_bh_enable_ip+0x2f/0x60", "WARNING: CPU: 0 PID: 91 at kernel/softirq.c:376 __local_bh_enable_ip+0x2f/0x60"},
		{"[    1.000000] WARNING: possible circular locking dependency detected", "WARNING: possible circular locking dependency detected"},
		{"[  288.460662] watchdog: BUG: soft lockup - CPU#1 stuck for 268s! [falco:383]", "watchdog: BUG: soft lockup - CPU#1 stuck for 268s! [falco:383]"},
		{"[    0.052000] Kernel panic - not syncing: IO-APIC + timer doesn't work!", "Kernel panic - not syncing: IO-APIC + timer doesn't work!"},
		{"[    1.000000] Oops: 0000 [#1] PREEMPT SMP NOPTI", "Oops: 0000 [#1] PREEMPT SMP NOPTI"},
		{"[    1.000000] general protection fault, probably for non-canonical address 0xdead: 0000 [#1]", "general protection fault, probably for non-canonical address 0xdead: 0000 [#1]"},
		{"[    1.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"},
		{"[    1.000000] INFO: task rmmod:91 blocked for more than 120 seconds.", "INFO: task rmmod:91 blocked for more than 120 seconds."},
		{"[    1.000000][   T91] refcount_t: underflow; use-after-free.", "[   T91] refcount_t: underflow; use-after-free."},
		{"<4>[    1.000000] falco: ring self-test: fail: 3 of 4", "falco: ring self-test: fail: 3 of 4"},
		{"[    1.000000] Out of memory: Killed process 92 (falco)", "Out of memory: Killed process 92 (falco)"},
	} {
		got := findSplats("[    0.500000] before\r\n" + c.line + "\r\n[    1.000001] Call Trace:\r\n")
		if len(got) != 1 || got[0].Title != c.title {
			t.Errorf("%s: %+v", c.line, got)
		}
	}
}

// One splat is one, with all that the kernel said about it and nothing that comes after.
func TestSplatText(t *testing.T) {
	got := findSplats(`[    1.0] falco: loaded
[    2.0] WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2
[    2.0] Modules linked in: falco(OE)
[    2.0] WARNING: inside it
[    2.0] ---[ end trace 0000000000000000 ]---
[    3.0] init: act
[    4.0] BUG: sleeping function called from invalid context at mm/slab.h:1
`)
	want := []Splat{
		{"WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2", "[    2.0] WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2\n" +
			"[    2.0] Modules linked in: falco(OE)\n[    2.0] WARNING: inside it\n[    2.0] ---[ end trace 0000000000000000 ]---"},
		{"BUG: sleeping function called from invalid context at mm/slab.h:1", "[    4.0] BUG: sleeping function called from invalid context at mm/slab.h:1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A boot that went well has none, and neither has what only looks like one.
func TestNoSplats(t *testing.T) {
	boot, err := os.ReadFile("testdata/console.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(boot), "BUG: said by a program\n", "WARNING: CPU: no time stamp\n", ""} {
		if got := findSplats(text); len(got) > 0 {
			t.Errorf("%+v", got)
		}
	}
}

const sums = `Events detected: 3
Rule counts by severity:
   ERROR: 1
   WARNING: 2
Triggered rules by rule name:
   Write below etc: 1
   Odd: name: 2
`

// A ledger that does not balance fails a test, unless nobody could have balanced it.
func TestUnbalanced(t *testing.T) {
	right, wrong := Ledger{Produced: 10, Delivered: 7, Lost: 3}, Ledger{Produced: 10, Delivered: 7, Lost: 2}
	for _, c := range []struct {
		result Result
		wrong  bool
	}{
		{Result{FalcoAsked: true, Ledger: right}, false},
		{Result{FalcoAsked: true, Ledger: wrong}, true},
		{Result{FalcoAsked: true, Ledger: Ledger{Produced: 10, Delivered: 7, Lost: 4}}, true},
		{Result{FalcoAsked: true, Ledger: parseLedger("")}, false}, // it has said nothing
		{Result{FalcoAsked: false, Ledger: wrong}, false},
		{Result{FalcoAsked: true, FalcoLate: true, Ledger: wrong}, false},
		{Result{FalcoAsked: true, FalcoCode: 1, Ledger: wrong}, false},
	} {
		if err := c.result.unbalanced(); (err != nil) != c.wrong {
			t.Errorf("%+v: %v", c.result, err)
		}
	}
}

func TestLedger(t *testing.T) {
	got := parseLedger("Sat Nov 21 03:12:54 2026: SIGINT received, exiting...\n" +
		"Syscall event drop monitoring:\n   - event drop detected: 0 occurrences\n   - num times actions taken: 0\n" +
		"Events seen: 815, delivered: 810, lost: 5 (ring full: 4, too big: 1, nested: 0, no memory: 0, no ring: 0)\n" + sums)
	want := Ledger{
		Produced: 815, Delivered: 810, Lost: 5, Detected: 3,
		Rules:      map[string]int64{"Write below etc": 1, "Odd: name": 2},
		Severities: map[string]int64{"ERROR": 1, "WARNING": 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	none := parseLedger("Sat Nov 21 03:12:54 2026: killed before it could say a word\n")
	if none.Produced != -1 || none.Delivered != -1 || none.Lost != -1 || none.Detected != -1 {
		t.Errorf("%+v", none)
	}
}

func TestSieve(t *testing.T) {
	var alerts, told bytes.Buffer
	s := newSieve(&alerts, &told)
	text := "first alert\n   indented: 3\n" + sums + "second alert\nWARNING: 2\nlast, cut o"
	for i := range text { // as it comes: in pieces
		s.Write([]byte(text[i : i+1]))
	}
	if got := alerts.String(); got != "first alert\n   indented: 3\nsecond alert\nWARNING: 2\n" {
		t.Errorf("alerts before the end: %q", got)
	}
	s.flush()
	if !strings.HasSuffix(alerts.String(), "last, cut o\n") {
		t.Errorf("alerts: %q", alerts.String())
	}
	if told.String() != sums {
		t.Errorf("sums: %q", told.String())
	}
}

// Whatever a guest sends, the host reads it, and loses nothing of what the daemon printed.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("{\"rule\":\"R\"}\n" + sums))
	f.Add([]byte("[    1.0] BUG: x\n[    2.0] ---[ end trace"))
	f.Add([]byte("Events seen: 99999999999999999999, lost: 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var alerts, told bytes.Buffer
		s := newSieve(&alerts, &told)
		s.Write(data)
		s.flush()
		if n := alerts.Len() + told.Len(); n != len(data) && n != len(data)+1 {
			t.Errorf("%d bytes came, %d went on", len(data), n)
		}
		readAlerts(string(data))
		parseLedger(string(data))
		findSplats(string(data))
	})
}

func TestReadAlerts(t *testing.T) {
	got := readAlerts(`{"rule":"R","priority":"Warning","output":"o","time":"2026-11-21T03:12:53.624525324Z","output_fields":{"fd.name":"/x"}}
not JSON
{"rule":`)
	if len(got) != 1 || got[0].Rule != "R" || got[0].Fields["fd.name"] != "/x" || got[0].Time.Nanosecond() != 624525324 {
		t.Errorf("%+v", got)
	}
}
