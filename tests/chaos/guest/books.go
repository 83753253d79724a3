// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/schema"
)

// books are the sums over all CPUs and types, once they were found to balance.
type books struct {
	produced, read, lost, gaps uint64
	nested                     uint64 // of those that were read
	causes                     [schema.ABILostCauses]uint64
	byType                     [schema.NumEvents]uint64 // read
}

func (b *books) add(other books) {
	b.produced += other.produced
	b.read += other.read
	b.lost += other.lost
	b.gaps += other.gaps
	b.nested += other.nested
	for i := range b.causes {
		b.causes[i] += other.causes[i]
	}
	for i := range b.byType {
		b.byType[i] += other.byType[i]
	}
}

// tell puts them into the report.
func (s *stage) tell(b books) {
	s.say("produced=%d read=%d lost=%d gaps=%d", b.produced, b.read, b.lost, b.gaps)
}

func causesOf(l driver.Loss) [schema.ABILostCauses]uint64 {
	return [schema.ABILostCauses]uint64{
		schema.ABILostFull: l.Full, schema.ABILostTooBig: l.TooBig, schema.ABILostNested: l.Nested,
		schema.ABILostNoMemory: l.NoMemory, schema.ABILostNoRing: l.NoRing,
	}
}

// audit compares, for a stopped consumer of which all has been read, the module's books with what was read: for each CPU
// and type, produced = read + lost; for each CPU and cause, what was lost = what the gap records tell + what was lost after
// the last record.
func (r *reader) audit() (books, error) {
	var sum books
	for cpu := range r.tally.cpus {
		var seen slot
		if l := r.lanes[cpu]; l != nil {
			seen = l.now
		}
		b, err := auditCPU(r.dev, cpu, &seen)
		if err != nil {
			return sum, fmt.Errorf("the books of CPU %d: %w", cpu, err)
		}
		sum.add(b)
	}
	return sum, nil
}

func auditCPU(dev *driver.Device, cpu int, seen *slot) (b books, err error) {
	stats, err := dev.Stats(cpu)
	if err != nil {
		return b, err
	}
	types, err := dev.TypeStats(cpu)
	if err != nil {
		return b, err
	}
	b.produced, b.gaps, b.nested, b.causes = stats.Produced, seen.Gaps, seen.Nested, causesOf(stats.Lost)
	b.byType = seen.Events
	var produced uint64
	var lost driver.Loss
	for kind := range types {
		produced += types[kind].Produced
		lost.Add(types[kind].Lost)
		b.read += seen.Events[kind]
		if t := &types[kind]; t.Produced != seen.Events[kind]+t.Lost.Total() {
			return b, fmt.Errorf("%s: produced %d, read %d, lost %d", schema.Events[kind].ID, t.Produced, seen.Events[kind], t.Lost.Total())
		}
	}
	b.lost = lost.Total()
	switch {
	case produced != stats.Produced || lost != stats.Lost:
		return b, fmt.Errorf("types sum up to %d produced, %v lost; the CPU has %d and %v", produced, lost, stats.Produced, stats.Lost)
	case stats.Produced != stats.Published+stats.Lost.Total():
		return b, fmt.Errorf("produced %d, published %d, lost %d", stats.Produced, stats.Published, stats.Lost.Total())
	case b.read != stats.Published:
		return b, fmt.Errorf("published %d, read %d", stats.Published, b.read)
	case seen.Seq > stats.Produced:
		return b, fmt.Errorf("produced %d, but %d is next", stats.Produced, seen.Seq)
	}
	// Losses after the last record have no record that tells of them yet.
	left := stats.Produced - seen.Seq
	for cause, n := range b.causes {
		if n < seen.Lost[cause] || n-seen.Lost[cause] > left {
			return b, fmt.Errorf("cause %d: lost %d, gap records tell of %d, and %d come after them", cause, n, seen.Lost[cause], left)
		}
		left -= n - seen.Lost[cause]
	}
	if left != 0 {
		return b, fmt.Errorf("%d events after the last record have no cause", left)
	}
	return b, nil
}
