// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where the kernel has kcov (the debug kernel does, and our module is built for it there), the fuzzer is guided: what a
// sequence of calls is made of is a tape of numbers, and tapes that came to code where none was before are kept, changed a
// little and played again.

// tape is a source of random numbers that can be played again. Behind its end there is more.
type tape struct {
	words []uint64
	at    int
	more  *rand.Rand
}

func (t *tape) Uint64() uint64 {
	if t.at == len(t.words) {
		t.words = append(t.words, t.more.Uint64())
	}
	t.at++
	return t.words[t.at-1]
}

// guide keeps the tapes that led somewhere.
type guide struct {
	rng  *rand.Rand
	cov  *kcov
	kept [][]uint64
}

// newGuide gives nil where there is no kcov. It must be called on, and used from, one thread, which it locks.
func newGuide(rng *rand.Rand) (*guide, error) {
	cov, err := openKcov()
	if cov == nil {
		return nil, err
	}
	return &guide{rng: rng, cov: cov}, nil
}

// A round is so many steps, on descriptors of its own: whatever it comes to, it comes to again.
const roundSteps = 60

func (g *guide) round(f *fuzzer) {
	t := &tape{words: g.pick(), more: g.rng}
	f.rng = rand.New(t)
	fresh := 0
	for range roundSteps {
		g.cov.reset()
		f.step()
		fresh += g.cov.take()
	}
	g.cov.reset()
	f.letGo()
	fresh += g.cov.take()
	if fresh > 0 {
		g.kept = append(g.kept, t.words[:t.at])
	}
}

// pick gives nothing, or a tape that led somewhere with changes: other numbers, another end, or the end of another one.
func (g *guide) pick() []uint64 {
	if len(g.kept) == 0 || g.rng.IntN(8) == 0 {
		return nil
	}
	// Those that came late are the ones that are hard to come by.
	i := max(g.rng.IntN(len(g.kept)), g.rng.IntN(len(g.kept)))
	words := slices.Clone(g.kept[i])
	switch g.rng.IntN(4) {
	case 0:
		words = words[:g.rng.IntN(len(words)+1)]
	case 1:
		other := g.kept[g.rng.IntN(len(g.kept))]
		words = append(words[:g.rng.IntN(len(words)+1)], other[g.rng.IntN(len(other)+1):]...)
	default:
		for range 1 + g.rng.IntN(8) {
			if len(words) > 0 {
				words[g.rng.IntN(len(words))] = g.rng.Uint64()
			}
		}
	}
	return words
}

// kcov is the kernel's record of which places of our module this thread came to: a count, then addresses.
type kcov struct {
	file  *os.File
	area  []byte
	seen  []bool // by the low bits of addresses, of which the module has fewer
	total int
}

const (
	kcovInit   = 0x80086301
	kcovEnable = 0x6364
	kcovWords  = 1 << 18
	kcovPlaces = 1 << 21
)

func openKcov() (*kcov, error) {
	unix.Mount("debugfs", "/sys/kernel/debug", "debugfs", 0, "")
	file, err := os.OpenFile("/sys/kernel/debug/kcov", os.O_RDWR, 0)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k := &kcov{file: file, seen: make([]bool, kcovPlaces)}
	if err := unix.IoctlSetInt(int(file.Fd()), kcovInit, kcovWords); err != nil {
		return nil, fmt.Errorf("kcov: %w", err)
	}
	k.area, err = unix.Mmap(int(file.Fd()), 0, 8*kcovWords, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("kcov: %w", err)
	}
	runtime.LockOSThread()
	if err := unix.IoctlSetInt(int(file.Fd()), kcovEnable, 0); err != nil {
		return nil, fmt.Errorf("kcov: %w", err)
	}
	return k, nil
}

// close switches it off: the kernel does when the descriptor and the mapping are gone.
func (k *kcov) close() {
	const disable = 0x6365
	unix.IoctlSetInt(int(k.file.Fd()), disable, 0)
	unix.Munmap(k.area)
	k.file.Close()
	runtime.UnlockOSThread()
}

func (k *kcov) words() []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(&k.area[0])), kcovWords)
}

func (k *kcov) reset() { k.words()[0] = 0 }

// take counts the places that are new.
func (k *kcov) take() (fresh int) {
	words := k.words()
	for _, pc := range words[1 : 1+min(words[0], kcovWords-1)] {
		if at := pc % kcovPlaces; !k.seen[at] {
			k.seen[at] = true
			fresh++
		}
	}
	k.total += fresh
	return fresh
}
