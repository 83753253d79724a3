// SPDX-License-Identifier: Apache-2.0

package vm

// An arch is a machine that guests can be.
type arch struct {
	goarch  string
	triplet string // of its libraries' folder and of its compiler
	loader  string // where programs look for ld.so
	qemu    tool
	machine []string // QEMU's arguments for the board
	tcgCPU  string
	console string   // the serial line, as the kernel calls it
	make    []string // what the kernel's make wants to know when this is not the host
}

// arches are known by Debian's name.
var arches = map[string]arch{
	"amd64": {
		goarch: "amd64", triplet: "x86_64-linux-gnu", loader: "lib64/ld-linux-x86-64.so.2",
		qemu: tool{"qemu-system-x86_64", "qemu-system-x86"}, machine: []string{"-machine", "pc,hpet=off,usb=off,vmport=off"},
		tcgCPU: "max", console: "ttyS0,115200",
	},
	"arm64": {
		goarch: "arm64", triplet: "aarch64-linux-gnu", loader: "lib/ld-linux-aarch64.so.1",
		qemu: tool{"qemu-system-aarch64", "qemu-system-arm"}, machine: []string{"-machine", "virt,gic-version=3"},
		// Pointer authentication, as "max" has it, takes most of the time that the guest has.
		tcgCPU: "cortex-a72", console: "ttyAMA0",
		make: []string{"ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-"},
	},
}

// hostArch is what kernels are built on, and what runs here without emulation.
const hostArch = "amd64"

// machine is what this kernel runs on.
func (r Recipe) machine() arch { return arches[r.Arch] }
