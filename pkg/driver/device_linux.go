// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/falco-go/falco/pkg/schema"
)

// Device is an open /dev/falco: one consumer of events. Its methods may not be
// called concurrently, except Wait, which may run beside all but Close.
type Device struct {
	file *os.File
	raw  syscall.RawConn
	maps [][]byte
}

// Mapping is the memory of one CPU's ring. It is valid until Unmap or Close.
type Mapping struct {
	CPU     int
	Control []byte // one page, shared with the kernel
	Data    []byte // the ring twice back to back; writing to it is a fault
}

// Open opens the device at path and makes sure that we and the module
// understand each other.
func Open(path string) (*Device, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	// A non-blocking descriptor joins the runtime's poller: Wait parks a
	// goroutine, not a thread.
	return Attach(os.NewFile(uintptr(fd), path))
}

// Attach makes a Device of a descriptor that was opened elsewhere, in another
// process perhaps: all descriptors of one open file are the same consumer. The
// file belongs to the Device, also if there is an error.
func Attach(file *os.File) (*Device, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	d := &Device{file: file, raw: raw}
	info, err := d.Info()
	if err == nil {
		err = compatible(info)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return d, nil
}

// Dup returns another descriptor of this consumer, to be handed on.
func (d *Device) Dup() (*os.File, error) {
	var fd int
	var err error
	cerr := d.raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", d.file.Name(), err)
	}
	return os.NewFile(uintptr(fd), d.file.Name()), nil
}

// Close stops the consumer and gives its memory back. Slices from Map must not
// be touched afterwards.
func (d *Device) Close() error { return errors.Join(d.Unmap(), d.file.Close()) }

// Unmap gives all mappings back, as Configure wants it before it makes rings of
// another size. Slices from Map must not be touched afterwards.
func (d *Device) Unmap() error {
	var errs []error
	for _, m := range d.maps {
		errs = append(errs, unix.Munmap(m))
	}
	d.maps = nil
	return errors.Join(errs...)
}

// ioctl calls request nr with a pointer to arg, which may be nil.
func (d *Device) ioctl(name string, nr uintptr, arg unsafe.Pointer) error {
	var errno unix.Errno
	err := d.raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, nr, uintptr(arg))
	})
	runtime.KeepAlive(arg)
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return fmt.Errorf("ioctl %s: %w", name, err)
	}
	return nil
}

// Info asks the module what it is and how this consumer's rings lie.
func (d *Device) Info() (*Info, error) {
	a := schema.ABIInfo{Size: uint32(unsafe.Sizeof(schema.ABIInfo{}))}
	if err := d.ioctl("GET_INFO", schema.ABIIocGetInfo, unsafe.Pointer(&a)); err != nil {
		return nil, err
	}
	return &Info{
		ABIVersion:    a.AbiVersion,
		APIVersion:    Version(a.ApiVersion),
		SchemaVersion: Version(a.SchemaVersion),
		CPUs:          int(a.Cpus),
		RingBytes:     int(a.RingBytes),
		Watermark:     int(a.Watermark),
		Started:       a.Started != 0,
		PageFaults:    a.Features&schema.ABIFeaturePageFaults != 0,
		Generation:    a.Generation,
		PageSize:      int(a.PageSize),
	}, nil
}

// Configure sizes the rings and allocates them.
func (d *Device) Configure(c Config) error {
	a := schema.ABIConfig{
		Size:      uint32(unsafe.Sizeof(schema.ABIConfig{})),
		RingBytes: uint32(c.RingBytes),
		Watermark: uint32(c.Watermark),
		Snaplen:   uint32(c.Snaplen),
	}
	return d.ioctl("CONFIG", schema.ABIIocConfig, unsafe.Pointer(&a))
}

// SetFilter replaces what this consumer wants, without a gap in the stream.
func (d *Device) SetFilter(f Filter) error {
	a := schema.ABIFilter{Size: uint32(unsafe.Sizeof(schema.ABIFilter{}))}
	for _, set := range []struct {
		bits  *[8]uint64
		codes []schema.SyscallCode
	}{{&a.Syscalls, f.Syscalls}, {&a.FdSyscalls, f.FDSyscalls}} {
		for _, sc := range set.codes {
			if int(sc) >= 64*len(set.bits) {
				return fmt.Errorf("ioctl FILTER_SET: system call code %d: %w", sc, unix.ERANGE)
			}
			set.bits[sc/64] |= 1 << (sc % 64)
		}
	}
	a.FdKinds, a.HeardTid = f.FDKinds, uint32(f.HeardTid)
	if f.SuccessOnly {
		a.Flags |= schema.ABIFilterSuccess
	}
	if f.Enter {
		a.Flags |= schema.ABIFilterEnter
	}
	if f.Realpath {
		a.Flags |= schema.ABIFilterRealpath
	}
	if len(f.IgnoredTgids) > len(a.IgnoredTgids) {
		return fmt.Errorf("ioctl FILTER_SET: %d ignored processes, %d are possible: %w",
			len(f.IgnoredTgids), len(a.IgnoredTgids), unix.E2BIG)
	}
	for i, pid := range f.IgnoredTgids {
		a.IgnoredTgids[i] = uint32(pid)
	}
	return d.ioctl("FILTER_SET", schema.ABIIocFilterSet, unsafe.Pointer(&a))
}

// Start lets events flow; the module attaches its hooks for the first consumer.
func (d *Device) Start() error { return d.ioctl("START", schema.ABIIocStart, nil) }

// Stop ends the flow. What is in the rings can still be read.
func (d *Device) Stop() error { return d.ioctl("STOP", schema.ABIIocStop, nil) }

// Stats reads the books of one CPU. A CPU that never had a ring can have
// losses all the same.
func (d *Device) Stats(cpu int) (Stats, error) {
	a := schema.ABIStats{Size: uint32(unsafe.Sizeof(schema.ABIStats{})), Cpu: uint32(cpu)}
	if err := d.ioctl("STATS", schema.ABIIocStats, unsafe.Pointer(&a)); err != nil {
		return Stats{}, err
	}
	return Stats{Produced: a.Produced, Published: a.Published, Lost: lossOf(a.Lost), Hooks: a.Hooks}, nil
}

// TypeStats reads the books of one CPU by event type.
func (d *Device) TypeStats(cpu int) (*[schema.NumEvents]TypeStats, error) {
	var counts [schema.NumEvents]schema.ABICount
	var pin runtime.Pinner
	pin.Pin(&counts)
	defer pin.Unpin()
	a := schema.ABIStats{
		Size:    uint32(unsafe.Sizeof(schema.ABIStats{})),
		Cpu:     uint32(cpu),
		Counts:  uint64(uintptr(unsafe.Pointer(&counts))),
		Ncounts: schema.NumEvents,
	}
	if err := d.ioctl("STATS", schema.ABIIocStats, unsafe.Pointer(&a)); err != nil {
		return nil, err
	}
	out := new([schema.NumEvents]TypeStats)
	for i := range counts {
		out[i] = TypeStats{Produced: counts[i].Produced, Lost: lossOf(counts[i].Lost)}
	}
	return out, nil
}

// Map maps the ring of one CPU. ok is false if that CPU has no ring.
func (d *Device) Map(cpu int) (m Mapping, ok bool, err error) {
	info, err := d.Info()
	if err != nil {
		return m, false, err
	}
	base := int64(cpu) << schema.ABIMmapCpuShift
	control, err := d.mmap(base+schema.ABIMmapControl, info.PageSize, unix.PROT_READ|unix.PROT_WRITE)
	if errors.Is(err, unix.ENODEV) {
		return m, false, nil
	}
	if err != nil {
		return m, false, fmt.Errorf("map control page of CPU %d: %w", cpu, err)
	}
	data, err := d.mmap(base+schema.ABIMmapData, 2*info.RingBytes, unix.PROT_READ)
	if err != nil {
		return m, false, fmt.Errorf("map ring of CPU %d: %w", cpu, err)
	}
	return Mapping{CPU: cpu, Control: control, Data: data}, true, nil
}

func (d *Device) mmap(offset int64, length, prot int) (b []byte, err error) {
	cerr := d.raw.Control(func(fd uintptr) {
		b, err = unix.Mmap(int(fd), offset, length, prot, unix.MAP_SHARED)
	})
	if err == nil {
		err = cerr
	}
	if err == nil {
		d.maps = append(d.maps, b)
	}
	return b, err
}

// Wait parks the calling goroutine until a ring that asked to be woken has
// passed its watermark, or until max has passed, which is no error. It touches
// no ring memory. After Close it returns os.ErrClosed.
func (d *Device) Wait(max time.Duration) error {
	if err := d.file.SetReadDeadline(time.Now().Add(max)); err != nil {
		return err
	}
	// The poller is edge-triggered: readiness from before this call may have
	// been consumed. Whoever parks therefore arms need_wakeup first and looks at
	// the rings once more, and max bounds what is missed nevertheless.
	parked := false
	err := d.raw.Read(func(uintptr) bool {
		defer func() { parked = true }()
		return parked
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// BootTime returns CLOCK_BOOTTIME, the clock of the rings, in ns.
func BootTime() uint64 { return clock(unix.CLOCK_BOOTTIME) }

// MonotonicTime returns CLOCK_MONOTONIC, which service managers understand, in ns.
func MonotonicTime() uint64 { return clock(unix.CLOCK_MONOTONIC) }

// EpochOffset returns what has to be added to CLOCK_BOOTTIME to get the time
// since the epoch, in ns. It changes when the clock is set.
func EpochOffset() int64 {
	// Of three readings the one that was interrupted least: the shorter the pair
	// of boot times around the wall clock, the better it is known.
	best, offset := uint64(1<<63), int64(0)
	for range 3 {
		before := clock(unix.CLOCK_BOOTTIME)
		wall := clock(unix.CLOCK_REALTIME)
		after := clock(unix.CLOCK_BOOTTIME)
		if after-before < best {
			best, offset = after-before, int64(wall-(before+(after-before)/2))
		}
	}
	return offset
}

func clock(id int32) uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0 // both clocks exist since Linux 2.6.39
	}
	return uint64(ts.Nano())
}
