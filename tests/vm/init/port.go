// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/falco-go/falco/tests/vm/wire"
)

// ports are the lines to the host, by name. The kernel lets each be opened once.
var ports = map[string]*os.File{}

// reporting keeps reports whole: the goroutine that reaps writes some, too.
var reporting sync.Mutex

// openPorts takes the ports as the driver finds them, which goes on after insmod has come back.
func openPorts() {
	for deadline := time.Now().Add(10 * time.Second); len(ports) < len(wire.Ports); time.Sleep(2 * time.Millisecond) {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, path := range names {
			openPort(path)
		}
		if time.Now().After(deadline) {
			check("open the ports to the host", fmt.Errorf("%d of %d are there", len(ports), len(wire.Ports)))
		}
	}
}

func openPort(path string) {
	text, err := os.ReadFile(path)
	name := strings.TrimSpace(string(text))
	if _, known := ports[name]; err != nil || name == "" || known {
		return // not named yet, or known
	}
	if name == wire.PortCapture { // the daemon's, if it wants it
		ports[name] = nil
		check("make "+wire.CapturePath, makeNode(wire.CapturePath, filepath.Join(filepath.Dir(path), "dev")))
		return
	}
	file, err := os.OpenFile("/dev/"+filepath.Base(filepath.Dir(path)), os.O_WRONLY, 0)
	if err == nil {
		ports[name] = file
	}
}

// makeNode makes a character device like the one whose numbers stand in a file.
func makeNode(path, numbers string) error {
	text, err := os.ReadFile(numbers)
	if err != nil {
		return err
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(text), "%d:%d", &major, &minor); err != nil {
		return fmt.Errorf("%s: %w", numbers, err)
	}
	os.Remove(path) // of the boot, where this is a service
	return syscall.Mknod(path, syscall.S_IFCHR|0o600, major<<8|minor)
}

func closePorts() {
	for _, port := range ports {
		if port != nil {
			port.Close()
		}
	}
}

// report sends one line to the host. Without a port, the console has to do.
func report(r wire.Report) {
	line, err := json.Marshal(r)
	if err != nil {
		return
	}
	reporting.Lock()
	defer reporting.Unlock()
	if port := ports[wire.PortReport]; port != nil {
		port.Write(append(line, '\n'))
	}
	if r.Kind != wire.KindDmesg {
		kmsg(r.Kind + " " + r.Text)
	}
}

// kernelLog is opened once, before anybody watches: an open for writing below /dev is what rules look for.
var kernelLog *os.File

// kmsg puts a line between those of the kernel, so that the console tells how far a run came.
func kmsg(text string) {
	if kernelLog == nil {
		kernelLog, _ = os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	}
	if len(text) > 800 {
		text = text[:800]
	}
	kernelLog.WriteString("<6>init: " + text + "\n")
}
