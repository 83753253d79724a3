// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/falco-go/falco/tests/vm/wire"
)

// daemon is the falco that watches the act. Its standard output is the port itself: no alert passes through our hands.
type daemon struct {
	*process
	notify *net.UnixConn
	ready  chan struct{}
	done   chan struct{}
}

// notifySocket is where the daemon says READY=1, as it would to systemd. It is gone when the act begins.
const notifySocket = "/run/notify"

func startDaemon(plan *wire.Plan) *daemon {
	if len(plan.Daemon) == 0 {
		return nil
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notifySocket, Net: "unixgram"})
	check("listen for the daemon", err)
	falco := &daemon{notify: notify, ready: make(chan struct{})}
	go falco.listen()
	in := devNull()
	alerts := ports[wire.PortAlerts]
	log, done := pipeTo(wire.PortLog)
	falco.done = done
	env := append(os.Environ(), "NOTIFY_SOCKET="+notifySocket)
	falco.process = start(plan.Daemon, env, "/", []uintptr{in.Fd(), alerts.Fd(), log.Fd()}, false)
	in.Close()
	log.Close()
	return falco
}

// listen ends with the first word that says ready, or when the socket is closed.
func (falco *daemon) listen() {
	buf := make([]byte, 4<<10)
	for {
		n, err := falco.notify.Read(buf)
		if err != nil {
			return
		}
		if slices.Contains(strings.Split(string(buf[:n]), "\n"), "READY=1") {
			close(falco.ready)
			return
		}
	}
}

// waitReady is whether there is a daemon that watches, or none wanted.
func (falco *daemon) waitReady(plan *wire.Plan) bool {
	if falco == nil {
		return true
	}
	defer os.Remove(notifySocket)
	defer falco.notify.Close()
	select {
	case <-falco.ready:
		return true
	case <-falco.ended:
		return false
	case <-time.After(plan.ReadyLimit):
		trouble("falco did not say that it is ready within %v", plan.ReadyLimit)
		return false
	}
}

// stop ends the daemon as a service manager does, and tells how it went.
func (falco *daemon) stop(plan *wire.Plan) {
	if falco == nil {
		return
	}
	asked, late := false, false
	select {
	case <-falco.ended:
	default:
		if !falco.waitFor(plan.Settle) {
			asked = true
			syscall.Kill(falco.pid, syscall.SIGTERM)
		}
	}
	if !falco.waitFor(plan.StopLimit) {
		late = true
		trouble("falco did not end within %v of SIGTERM", plan.StopLimit)
		syscall.Kill(falco.pid, syscall.SIGQUIT)
		if !falco.waitFor(2 * time.Second) {
			syscall.Kill(falco.pid, syscall.SIGKILL)
			falco.waitFor(2 * time.Second)
		}
	}
	select {
	case <-falco.done:
	case <-time.After(time.Second):
	}
	verdict := falco.verdict(wire.KindFalco)
	verdict.Asked, verdict.Limit = asked, late
	report(verdict)
}
