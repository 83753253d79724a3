// SPDX-License-Identifier: Apache-2.0

// Command narrow is a 32-bit ARM program that makes calls in the ways of the EABI, which differ from those of 64-bit
// callers in numbers, in the registers of 64-bit values and in the widths of what pointers lead to.
package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

func call(nr uintptr, args ...uintptr) uintptr {
	var a [6]uintptr
	copy(a[:], args)
	ret, _, errno := syscall.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 && errno != syscall.ECONNREFUSED {
		fmt.Fprintf(os.Stderr, "narrow: call %d: %v\n", nr, errno)
		os.Exit(1)
	}
	return ret
}

// What calls are told the addresses of; here it stays where it is.
var (
	path    = [...]byte{16: 0}
	word    [11]byte
	iov     [2]uintptr
	pair    [2]int32
	address = [16]byte{syscall.AF_INET, 0, 0x1e, 0x62, 127, 0, 0, 1} // port 7778, where nobody listens
	span    = [2]int32{0, 7000000}                                   // seconds and nanoseconds have 32 bits
	limit   = [2]uint32{0, 1<<32 - 1}
)

func main() {
	copy(path[:], "/tmp/narrow-file")
	copy(word[:], "narrow data")
	p := func(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }

	fd := call(syscall.SYS_OPEN, p(path[:]), syscall.O_CREAT|syscall.O_RDWR|syscall.O_LARGEFILE, 0o640)
	call(syscall.SYS_PWRITE64, fd, p(word[:]), uintptr(len(word)), 0, 5, 1) // the pair begins at an even register
	iov = [2]uintptr{p(word[:]), 6}
	call(syscall.SYS_PREADV, fd, uintptr(unsafe.Pointer(&iov)), 1, 7, 1) // two arguments, no pair
	call(syscall.SYS_MMAP2, 0, 4096, syscall.PROT_READ, syscall.MAP_PRIVATE, fd, 2)

	call(syscall.SYS_SOCKETPAIR, syscall.AF_UNIX, syscall.SOCK_STREAM, 0, uintptr(unsafe.Pointer(&pair)))
	call(syscall.SYS_SEND, uintptr(pair[0]), p(word[:]), uintptr(len(word)), 0)
	call(syscall.SYS_RECV, uintptr(pair[1]), p(word[:]), uintptr(len(word)), 0)
	socket := call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_STREAM, 0)
	call(syscall.SYS_CONNECT, socket, uintptr(unsafe.Pointer(&address)), uintptr(len(address)))

	call(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&span)), 0)
	call(syscall.SYS_SETRLIMIT, syscall.RLIMIT_CORE, uintptr(unsafe.Pointer(&limit)))
	call(syscall.SYS_SETGID, 65536+3) // ids of this call have 16 bits
	call(syscall.SYS_SETUID32, 65536+4)
}
