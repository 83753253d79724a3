// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"github.com/falco-go/falco/tests/vm"
)

// runShell is make shell: a shell in the guest, on our terminal, with falco watching. Its alerts come between what the
// shell prints; with -out they are left there, too.
func runShell(ctx context.Context, o *options) int {
	config, err := o.config()
	if err != nil {
		return fail(vm.ExitLater, "%v", err)
	}
	config.Act = ""
	config.Terminal = true
	config.Text = o.out == ""
	config.Alerts = rawTerminal{os.Stdout}
	config.Rows, config.Columns = terminalSize(os.Stdin)
	if o.out != "" {
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return fail(vm.ExitHarness, "%v", err)
		}
		config.ConsoleLog = filepath.Join(o.out, "console.log")
	} else {
		file, err := os.CreateTemp("", "falco-console-*.log")
		if err != nil {
			return fail(vm.ExitHarness, "%v", err)
		}
		file.Close()
		defer os.Remove(file.Name())
		config.ConsoleLog = file.Name()
	}
	guest, code := prepare(config)
	if guest == nil {
		return code
	}
	o.progress.Say("falco watches; its alerts come in between; leave with exit")
	result, code := boot(ctx, guest, o)
	if result == nil {
		return code
	}
	if code := judge(result, config); code != 0 {
		return code
	}
	o.progress.Say("%s", sums(result))
	return 0
}

// rawTerminal writes lines to a terminal that no longer adds the carriage returns.
type rawTerminal struct{ out io.Writer }

func (r rawTerminal) Write(p []byte) (int, error) {
	_, err := r.out.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n")))
	return len(p), err
}

// terminalSize is 0, 0 where there is no terminal.
func terminalSize(file *os.File) (rows, columns uint16) {
	var size [4]uint16
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, 0
	}
	return size[0], size[1]
}
