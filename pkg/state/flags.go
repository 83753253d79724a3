// SPDX-License-Identifier: Apache-2.0

package state

// Values of flags.tbl that change tables, named as there.
const (
	cloneFiles        = 0x1
	cloneNewPID       = 0x40
	cloneParent       = 0x100
	cloneThread       = 0x2000
	cloneInverted     = 0x10000 // the record was made by the child's event
	cloneNameChanged  = 0x20000
	cloneNewUser      = 0x100000
	cloneVfork        = 0x8000000
	cloneChildInPidns = 0x20000000

	// Marks in Thread.Flags that no event carries; they lie in bits that
	// clone_flags leaves free.
	flagActive  = 1 << 19
	flagPipeSrc = 1 << 21 // has moved a descriptor to its standard output
	flagPipeDst = 1 << 22 // has moved a descriptor to its standard input
	flagMain    = 1 << 30 // main thread after an exec by another one

	openDirectory  = 0x400
	openCloexec    = 0x1000
	openTmpfile    = 0x2000
	openCreated    = 0x4000 // this and the two below are found out at exit
	openUpper      = 0x8000
	openLower      = 0x10000
	openExitBits   = openCreated | openUpper | openLower
	creatUpper     = 1
	creatLower     = 2
	epollCloexec   = 1
	memfdCloexec   = 1
	rangeCloexec   = 4
	fcntlDupFD     = 1
	fcntlSetFD     = 3
	fcntlDupCloexc = 26
	hostFDCloexec  = 1 // FD_CLOEXEC, argument of F_SETFD as the caller gave it

	rlimitNofile      = 7
	prSetSubreaper    = 36
	prGetSubreaper    = 37
	afUnix            = 1
	afInet            = 2
	afNetlink         = 16
	afInet6           = 10
	sockStream        = 1
	sockDgram         = 2
	sockRaw           = 3
	hostSockCloexec   = 0x80000 // SOCK_CLOEXEC in a socket type as the caller gave it
	protoICMP         = 1
	protoTCP          = 6
	protoUDP          = 17
	protoICMPv6       = 58
	protoRaw          = 255
	errInProgress     = -115
	atFDCWD           = -100
	capsAll           = 1<<41 - 1
	execWritable      = 1
	execveFlagsMask   = 0xf
	deletedSuffix     = " (deleted)"
	unknownBase       = "<UNKNOWN>"
	unsetLimit        = -1
	pidfdNonblockFlag = 1
)

// bpfMakesFD tells which commands of bpf(2) return a descriptor.
var bpfMakesFD = [64]bool{
	0: true, 5: true, 7: true, 13: true, 14: true, 17: true, 18: true, 19: true, 28: true, 30: true, 32: true, 33: true,
}
