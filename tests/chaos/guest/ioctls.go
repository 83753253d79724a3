// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/schema"
)

// The fuzzer knows the grammar of our ioctls: requests, the fields of their arguments, values that are nearly right. It does
// not know what is legal when. All that it does follows from the seed, or from the tapes of guide.go.

// fuzzer is one process' worth of descriptors and mappings.
type fuzzer struct {
	rng    *rand.Rand
	fds    []int
	maps   [][]byte
	memory []byte // arguments lie here: the page behind it cannot be read, the one before it cannot be written
	edge   uintptr
	done   map[string]int
	errno  map[unix.Errno]int
}

func newFuzzer(rng *rand.Rand) (*fuzzer, error) {
	f := &fuzzer{rng: rng, done: map[string]int{}, errno: map[unix.Errno]int{}}
	page := unix.Getpagesize()
	var err error
	if f.memory, err = unix.Mmap(-1, 0, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
		return nil, err
	}
	if err := unix.Mprotect(f.memory[3*page:], unix.PROT_NONE); err != nil {
		return nil, err
	}
	f.edge = uintptr(unsafe.Pointer(&f.memory[0])) + uintptr(3*page)
	return f, nil
}

// letGo leaves no descriptor and no mapping.
func (f *fuzzer) letGo() {
	for _, m := range f.maps {
		unix.Munmap(m)
	}
	for _, fd := range f.fds {
		unix.Close(fd)
	}
	f.maps, f.fds = f.maps[:0], f.fds[:0]
}

func (f *fuzzer) close() {
	f.letGo()
	unix.Munmap(f.memory)
}

// calls is how many ioctls there were.
func (f *fuzzer) calls() (n int) {
	for _, c := range f.errno {
		n += c
	}
	return n
}

// number is one that may be right, or next to right, or wrong.
func (f *fuzzer) number(right ...uint64) uint64 {
	switch f.rng.IntN(8) {
	case 0:
		return f.rng.Uint64()
	case 1:
		return []uint64{0, 1, 2, 3, 4, 7, 8, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, 1 << 63, ^uint64(0), 4095, 4096, 4097}[f.rng.IntN(16)]
	}
	n := uint64(0)
	if len(right) > 0 {
		n = right[f.rng.IntN(len(right))]
	}
	switch f.rng.IntN(10) {
	case 0:
		n++
	case 1:
		n--
	case 2:
		n ^= 1 << f.rng.IntN(64)
	}
	return n
}

// argument writes words of four bytes, and returns where they begin: inside, or running into memory that is not there.
func (f *fuzzer) argument(words []uint32) uintptr {
	for len(words) < 64 {
		words = append(words, 0)
	}
	at := f.edge - uintptr(4*(64+f.rng.IntN(16)))
	if f.rng.IntN(6) == 0 {
		at = f.edge - uintptr(f.rng.IntN(4*64)) // unaligned, and too short
	}
	base := uintptr(unsafe.Pointer(&f.memory[0]))
	for i, w := range words {
		for b := range 4 {
			if off := int(at-base) + 4*i + b; off < int(f.edge-base) {
				f.memory[off] = byte(w >> (8 * b))
			}
		}
	}
	if f.rng.IntN(40) == 0 {
		return uintptr(f.number())
	}
	return at
}

func (f *fuzzer) size(right int) uint32 {
	if f.rng.IntN(4) > 0 {
		return uint32(right)
	}
	return uint32(f.number(uint64(right), uint64(right-4), uint64(right+4), 4, 8, 4096))
}

// request is one ioctl with its argument.
func (f *fuzzer) request() (name string, nr, arg uintptr) {
	pick := f.rng.IntN(1000)
	switch {
	case pick < 250:
		return "GET_INFO", schema.ABIIocGetInfo, f.argument([]uint32{f.size(int(unsafe.Sizeof(schema.ABIInfo{})))})
	case pick < 400:
		words := []uint32{f.size(int(unsafe.Sizeof(schema.ABIConfig{}))),
			uint32(f.number(0, 0x10000, 0x20000, 0x40000, 0x30000, 0x20000000)), uint32(f.number(0, 1, 4096, 0x10000)),
			uint32(f.number(0, 80, 65000)), uint32(f.rare()), uint32(f.rare())}
		return "CONFIG", schema.ABIIocConfig, f.argument(words)
	case pick < 480:
		words := []uint32{f.size(int(unsafe.Sizeof(schema.ABIFilter{}))), uint32(f.number(0, schema.ABIFilterSuccess, schema.ABIFilterEnter, 3, 4))}
		for range 16 {
			words = append(words, f.rng.Uint32()&f.rng.Uint32())
		}
		for range 16 {
			words = append(words, uint32(f.number(0, 0, 1, uint64(unix.Getpid()))))
		}
		return "FILTER_SET", schema.ABIIocFilterSet, f.argument(words)
	case pick < 488:
		return "START", schema.ABIIocStart, uintptr(f.number())
	case pick < 494:
		return "STOP", schema.ABIIocStop, uintptr(f.number())
	case pick < 600:
		counts := f.argument(nil)
		words := []uint32{f.size(int(unsafe.Sizeof(schema.ABIStats{}))), uint32(f.number(0, 1, 2)),
			uint32(counts), uint32(uint64(counts) >> 32), uint32(f.number(0, 1, 2, schema.NumEvents)), uint32(f.rare())}
		if f.rng.IntN(3) == 0 {
			words[2], words[3] = 0, 0
		}
		return "STATS", schema.ABIIocStats, f.argument(words)
	}
	// A request with another size, number, direction or letter than ours.
	right := []uintptr{schema.ABIIocGetInfo, schema.ABIIocConfig, schema.ABIIocFilterSet, schema.ABIIocStats}[f.rng.IntN(4)]
	switch f.rng.IntN(4) {
	case 0:
		right ^= 1 << f.rng.IntN(32)
	case 1:
		right = right&^0x3fff0000 | uintptr(f.rng.IntN(0x4000))<<16
	case 2:
		right = uintptr(f.rng.Uint32())
	case 3:
		right = right&^0xff | uintptr(f.rng.IntN(16))
	}
	return "other", right, f.argument([]uint32{f.size(int(f.number(24, 64, 104)))})
}

// rare is nearly always zero.
func (f *fuzzer) rare() uint64 {
	if f.rng.IntN(20) == 0 {
		return f.number(1)
	}
	return 0
}

// step does one thing.
func (f *fuzzer) step() {
	switch pick := f.rng.IntN(1000); {
	case len(f.fds) == 0 || pick < 2 && len(f.fds) < 8:
		if fd, err := unix.Open(driver.Path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err == nil {
			f.fds = append(f.fds, fd)
			f.done["open"]++
		}
		return
	case pick < 4 && len(f.fds) > 1:
		i := f.rng.IntN(len(f.fds))
		unix.Close(f.fds[i])
		f.fds[i] = f.fds[len(f.fds)-1]
		f.fds = f.fds[:len(f.fds)-1]
		f.done["close"]++
		return
	case pick < 24:
		f.mmap()
		return
	case pick < 40 && len(f.maps) > 0:
		i := f.rng.IntN(len(f.maps))
		unix.Munmap(f.maps[i])
		f.maps[i] = f.maps[len(f.maps)-1]
		f.maps = f.maps[:len(f.maps)-1]
		return
	}
	name, nr, arg := f.request()
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f.fds[f.rng.IntN(len(f.fds))]), nr, arg)
	f.errno[errno]++
	if errno == 0 {
		f.done[name]++
	}
}

func (f *fuzzer) mmap() {
	if len(f.maps) >= 40 {
		return
	}
	fd := f.fds[f.rng.IntN(len(f.fds))]
	offset := f.number(schema.ABIMmapControl, schema.ABIMmapData, 1<<schema.ABIMmapCpuShift, 1<<schema.ABIMmapCpuShift|schema.ABIMmapData)
	length := int(f.number(4096, 0x20000, 0x40000, 0x80000) & 0xffffff)
	prot := int(f.number(unix.PROT_READ, unix.PROT_READ|unix.PROT_WRITE) & 7)
	flags := []int{unix.MAP_SHARED, unix.MAP_SHARED, unix.MAP_SHARED, unix.MAP_PRIVATE}[f.rng.IntN(4)]
	m, err := unix.Mmap(fd, int64(offset&^4095), length, prot, flags)
	if err != nil {
		return
	}
	f.done["mmap"]++
	f.maps = append(f.maps, m)
	if prot&unix.PROT_WRITE != 0 && len(m) == 4096 {
		for i := 0; i < 16; i += 8 {
			m[i+f.rng.IntN(8)] = byte(f.rng.Uint32())
		}
	}
}

// ioctls makes a million random ones, while one consumer that is left alone does its work beside them: its books stay exact.
func ioctls(s *stage) error {
	stop, err := s.startLoad("mixed", 1, "19")
	if err != nil {
		return err
	}
	defer stop()
	r, err := newReader(options{ringBytes: 4 << 20}, nil)
	if err != nil {
		return err
	}
	until, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- r.follow(until) }()
	n, began := s.count(10_000, 1_000_000), time.Now()
	f, err := newFuzzer(s.rng)
	if err != nil {
		return err
	}
	g, err := newGuide(s.rng)
	if err != nil {
		return err
	}
	if g != nil { // what it finds is what takes long
		n = s.count(2_000, 100_000)
	}
	for f.calls() < n {
		if g != nil {
			g.round(f)
			continue
		}
		for range 1000 {
			f.step()
		}
	}
	if g != nil {
		s.say("places=%d tapes=%d", g.cov.total, len(g.kept))
		g.cov.close()
	}
	f.close()
	close(until)
	err = <-ended
	b, err2 := r.finish()
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	calls := f.calls()
	for _, name := range []string{"GET_INFO", "CONFIG", "FILTER_SET", "START", "STOP", "STATS", "mmap"} {
		if f.done[name] == 0 {
			return fmt.Errorf("no %s was ever done: %v", name, f.done)
		}
	}
	for errno := range f.errno {
		switch errno {
		case 0, unix.EFAULT, unix.EINVAL, unix.E2BIG, unix.ENOTTY, unix.EBUSY, unix.EALREADY, unix.ENXIO, unix.ENOMEM, unix.EINTR:
		default:
			return fmt.Errorf("an ioctl said %v", errno)
		}
	}
	s.say("ioctls=%d done=%v refused=%v rate=%.0f/s", calls, f.done, f.errno, float64(calls)/time.Since(began).Seconds())
	s.tell(b)
	return nil
}

// scribble writes nonsense over the control pages of a consumer that is started, while the kernel fills its rings. That is the
// consumer's own loss: the kernel does not care, and another consumer does not notice.
func scribble(s *stage) error {
	stop, err := s.startLoad("storm", 1)
	if err != nil {
		return err
	}
	defer stop()
	other, err := newReader(options{ringBytes: 1 << 20}, nil)
	if err != nil {
		return err
	}
	victim, err := newReader(options{ringBytes: 64 << 10}, nil)
	if err != nil {
		other.close()
		return err
	}
	until, ended := make(chan struct{}), make(chan error, 2)
	go func() { ended <- other.follow(until) }()
	go func() { // somebody sleeps on it, too
		for {
			select {
			case <-until:
				ended <- nil
				return
			default:
				victim.dev.Wait(time.Millisecond)
			}
		}
	}()
	seconds := s.count(4, 60)
	writes := 0
	for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); {
		for range 1000 {
			for _, l := range victim.lanes {
				if l != nil {
					s.scribbleOn(l.control)
					writes++
				}
			}
		}
	}
	close(until)
	err = errors.Join(<-ended, <-ended)
	var produced, published, lost uint64
	stopErr := victim.dev.Stop()
	for cpu := range victim.lanes {
		st, err2 := victim.dev.Stats(cpu)
		err = errors.Join(err, err2)
		produced, published, lost = produced+st.Produced, published+st.Published, lost+st.Lost.Total()
	}
	victim.close()
	b, err2 := other.finish()
	if err := errors.Join(err, stopErr, err2); err != nil {
		return err
	}
	if produced != published+lost || produced == 0 {
		return fmt.Errorf("the victim's books: produced %d, published %d, lost %d", produced, published, lost)
	}
	s.say("seconds=%d writes=%d victim: produced=%d published=%d lost=%d", seconds, writes, produced, published, lost)
	s.tell(b)
	return nil
}

func (s *stage) scribbleOn(control []byte) {
	at := uint64(0)
	if s.rng.IntN(2) == 0 {
		at = uint64(s.rng.IntN(len(control) - 8))
	}
	word := (*uint64)(unsafe.Pointer(&control[at]))
	producer := *(*uint64)(unsafe.Pointer(&control[64]))
	switch s.rng.IntN(5) {
	case 0:
		*word = s.rng.Uint64()
	case 1:
		*word = producer + uint64(s.rng.IntN(1<<17)) - 1<<16
	case 2:
		*word = producer
	case 3:
		*word = 0
	case 4:
		control[8] = 1 // always somebody to wake
	}
}
