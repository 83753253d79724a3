// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/schema"

// Marks in Thread.Flags that no event carries; they lie in bits that clone_flags
// leaves free.
const (
	flagActive  = 1 << 19
	flagPipeSrc = 1 << 21 // has moved a descriptor to its standard output
	flagPipeDst = 1 << 22 // has moved a descriptor to its standard input
	flagMain    = 1 << 30 // main thread after an exec by another one
)

// Bits of an open's flags that are only known at its exit.
const openExitBits = schema.OFCreated | schema.FdUpperLayer | schema.FdLowerLayer

// Host values, which some parameters carry untranslated.
const (
	hostFDCloexec  = 1       // FD_CLOEXEC, the argument of F_SETFD
	hostCloexec    = 0x80000 // O_CLOEXEC, SOCK_CLOEXEC
	hostMFDCloexec = 1

	rlimitNofile    = 7
	prSetKeepcaps   = 8
	prSetSecurebits = 28
	prSetSubreaper  = 36
	prGetSubreaper  = 37

	sockStream = 1
	sockDgram  = 2
	sockRaw    = 3
	protoIP    = 0
	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoRaw   = 255

	solSocket = 1
	scmRights = 1

	errInProgress = -115
	atFDCWD       = -100

	capsAll = 1<<41 - 1
)

const (
	deletedSuffix = " (deleted)"
	unknownBase   = "<UNKNOWN>" // where a relative path starts if nobody knows
)

// bpfMakesFD tells which commands of bpf(2) return a descriptor.
var bpfMakesFD = [...]bool{
	schema.BpfMapCreate: true, schema.BpfProgLoad: true, schema.BpfObjGet: true, schema.BpfProgGetFdById: true,
	schema.BpfMapGetFdById: true, schema.BpfRawTracepointOpen: true, schema.BpfBtfLoad: true,
	schema.BpfBtfGetFdById: true, schema.BpfLinkCreate: true, schema.BpfLinkGetFdById: true,
	schema.BpfEnableStats: true, schema.BpfIterCreate: true,
}
