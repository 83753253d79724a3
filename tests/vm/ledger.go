// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Ledger is what the daemon says at its end: what it saw, what it lost, what it found. Numbers that it did not say are -1.
type Ledger struct {
	Produced, Delivered, Lost int64
	Detected                  int64            // alerts of all rules
	Rules                     map[string]int64 // alerts by rule
	Severities                map[string]int64
}

var (
	ledgerCount = regexp.MustCompile(`\b(produced|delivered|lost|seen|drops?)\b(?:\s+events?)?\s*[:=]?\s*(\d+)`)
	ledgerRow   = regexp.MustCompile(`^\s+(.+?): (\d+)\s*$`)
	ledgerTotal = regexp.MustCompile(`^Events detected: (\d+)\s*$`)
)

// parseLedger reads the block that the daemon prints when it ends. The last one counts: a reload prints one, too.
//
//	Events detected: 4
//	Rule counts by severity:
//	   WARNING: 4
//	Triggered rules by rule name:
//	   Read below /etc: 4
func parseLedger(log string) Ledger {
	l := Ledger{Produced: -1, Delivered: -1, Lost: -1, Detected: -1, Rules: map[string]int64{}, Severities: map[string]int64{}}
	var rows map[string]int64
	for _, line := range strings.Split(log, "\n") {
		line = strings.TrimRight(line, "\r")
		if m := ledgerTotal.FindStringSubmatch(line); m != nil {
			l.Detected = number(m[1])
			clear(l.Rules)
			clear(l.Severities)
			rows = nil
			continue
		}
		switch {
		case strings.HasPrefix(line, "Rule counts by severity:"):
			rows = l.Severities
			continue
		case strings.HasPrefix(line, "Triggered rules by rule name:"):
			rows = l.Rules
			continue
		}
		if m := ledgerRow.FindStringSubmatch(line); m != nil && rows != nil {
			rows[m[1]] = number(m[2])
			continue
		}
		rows = nil
		l.count(line)
	}
	return l
}

// count reads "Events seen: 5, delivered: 5, lost: 0 (ring full: 0, …)", and lines like it. They must name at least two of
// the numbers.
func (l *Ledger) count(line string) {
	matches := ledgerCount.FindAllStringSubmatch(line, -1)
	if len(matches) < 2 {
		return
	}
	for _, m := range matches {
		switch m[1] {
		case "produced", "seen":
			l.Produced = number(m[2])
		case "delivered":
			l.Delivered = number(m[2])
		case "lost", "drop", "drops":
			l.Lost = number(m[2])
		}
	}
}

// unbalanced is an error where a daemon that ended in peace has told of its events, and they are neither delivered nor lost.
func (r *Result) unbalanced() error {
	l := r.Ledger
	if !r.FalcoAsked || r.FalcoLate || r.FalcoCode != 0 || l.Produced < 0 || l.Produced == l.Delivered+l.Lost {
		return nil
	}
	return fmt.Errorf("the ledger does not balance: %d events produced, %d delivered, %d lost", l.Produced, l.Delivered, l.Lost)
}

func number(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
