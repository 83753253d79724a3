// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/falco-go/falco/tests/vm/wire"
)

// machine is one run of QEMU.
type machine struct {
	arch      arch
	kernel    string
	initrd    string
	accel     string
	cpus      int
	memoryMB  int
	append    []string // to the kernel's command line
	args      []string // to QEMU's
	disk      string   // a root file system, which is not changed; "" for none
	terminal  bool     // the console is our standard input and output
	consoleTo string   // file that keeps a copy of the console when it is a terminal
}

// commandLine is the kernel's. An oops is the end: what comes after one tells nothing. Watchdogs are patient and timers are
// not tested, since a guest on a busy machine may get no time for a while.
func (m *machine) commandLine() string {
	words := []string{
		"console=" + m.arch.console, "rdinit=/init", "panic=-1", "oops=panic", "printk.time=1", "net.ifnames=0",
		"watchdog_thresh=60", "rcupdate.rcu_cpu_stall_timeout=120", "random.trust_cpu=on", "tsc=nowatchdog", "no_timer_check",
	}
	if m.terminal {
		words = append(words, "quiet", "loglevel=3")
	} else {
		words = append(words, "loglevel=7")
	}
	return strings.Join(append(words, m.append...), " ")
}

// arguments are QEMU's. The first descriptors after standard error are the ports', in wire's order, then the console's.
func (m *machine) arguments() []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none",
		"-smp", fmt.Sprint(m.cpus), "-m", fmt.Sprint(m.memoryMB),
		"-kernel", m.kernel, "-initrd", m.initrd, "-append", m.commandLine(),
		"-device", "virtio-serial-pci,max_ports=8",
	}
	args = append(args, m.arch.machine...)
	if m.accel == "kvm" {
		args = append(args, "-accel", "kvm", "-cpu", "host")
	} else {
		// One thread for all CPUs: with a thread each, QEMU 7.2 can go on running its translation of a breakpoint that
		// another CPU has just patched away. The kernel patches each time a tracepoint is switched, which is what our
		// module does, and such a CPU then stands still for ever.
		args = append(args, "-accel", "tcg,thread=single", "-cpu", m.arch.tcgCPU)
	}
	if m.disk != "" {
		// What the guest writes goes to a file without a name.
		args = append(args, "-drive", "if=virtio,format=raw,snapshot=on,cache=unsafe,file="+strings.ReplaceAll(m.disk, ",", ",,"))
	}
	for i, name := range wire.Ports {
		args = append(args,
			"-add-fd", fmt.Sprintf("fd=%d,set=%d", 3+i, 1+i),
			"-chardev", fmt.Sprintf("file,id=%s,append=on,path=/dev/fdset/%d", name, 1+i),
			"-device", fmt.Sprintf("virtserialport,chardev=%s,name=%s,nr=%d", name, name, 1+i))
	}
	if m.terminal {
		args = append(args, "-chardev", "stdio,id=console,signal=off,logfile="+m.consoleTo, "-serial", "chardev:console")
	} else {
		n := len(wire.Ports)
		args = append(args,
			"-add-fd", fmt.Sprintf("fd=%d,set=%d", 3+n, 1+n),
			"-chardev", fmt.Sprintf("file,id=console,append=on,path=/dev/fdset/%d", 1+n),
			"-serial", "chardev:console")
	}
	return append(args, m.args...)
}

// errTimeLimit is why a machine was stopped.
var errTimeLimit = errors.New("time limit")

// run boots the machine and gives every port's bytes to its sink, in a goroutine each, until QEMU has ended. limit 0 is no
// limit. sinks may be nil.
func (m *machine) run(ctx context.Context, limit time.Duration, sinks map[string]io.Writer) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, errTimeLimit)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, m.arch.qemu.command, m.arguments()...)
	// QEMU goes when we go, however that is.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	stderr := &tailBuffer{limit: 16 << 10}
	cmd.Stderr = stderr
	names := append([]string(nil), wire.Ports...)
	if m.terminal {
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	} else {
		names = append(names, portConsole)
	}

	var readers sync.WaitGroup
	var ours, theirs []*os.File
	closeAll := func(files []*os.File) {
		for _, file := range files {
			file.Close()
		}
	}
	for range names {
		read, write, err := os.Pipe()
		if err != nil {
			closeAll(append(ours, theirs...))
			return err
		}
		ours, theirs = append(ours, read), append(theirs, write)
	}
	cmd.ExtraFiles = theirs
	err := startLocked(cmd)
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		return fmt.Errorf("start qemu: %w", err)
	}
	for i, name := range names {
		sink := sinks[name]
		if sink == nil {
			sink = io.Discard
		}
		readers.Add(1)
		go func() {
			defer readers.Done()
			io.Copy(sink, ours[i])
		}()
	}
	err = cmd.Wait()
	readers.Wait()
	closeAll(ours)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("qemu: %w\n%s", err, stderr.String())
	}
	return nil
}

// portConsole names the sink of the kernel's console.
const portConsole = "console"

// starts takes commands to the one thread that starts them and lives for ever: Pdeathsig speaks of the thread that was the
// parent, and the runtime ends idle ones.
var starts = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

func startLocked(cmd *exec.Cmd) error {
	result := make(chan error)
	starts() <- func() { result <- cmd.Start() }
	return <-result
}

// tailBuffer keeps the last bytes written to it.
type tailBuffer struct {
	mu    sync.Mutex
	limit int
	data  []byte
}

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	if extra := len(b.data) - b.limit; extra > b.limit {
		b.data = append(b.data[:0], b.data[extra:]...)
	}
	return len(p), nil
}

func (b *tailBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.data)
}
