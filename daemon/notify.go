// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/falco-go/falco/pkg/driver"
)

// States that a service manager can be told.
const (
	notifyReady    = "READY=1"
	notifyStopping = "STOPPING=1"
	notifyWatchdog = "WATCHDOG=1"
)

// notifyWait is how long whoever listens may have no room for a datagram.
const notifyWait = time.Second

// watchdogTime is how long the service manager waits for a sign of life; 0 if it does not.
func watchdogTime() time.Duration {
	n, err := strconv.ParseUint(os.Getenv("WATCHDOG_USEC"), 10, 40)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

// notify tells the service manager (systemd, or the harness of tests/vm) how we
// are: one datagram to the socket that NOTIFY_SOCKET names; nobody listening is
// no error. READY=1 comes when the hooks are in place and /proc has been read:
// what happens after that is seen.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(notifyWait))
	conn.Write([]byte(state))
}

// notifyReload tells it that a reload has begun, and when: since systemd 253 it wants
// to know, to tell this reload from one before (Type=notify-reload).
func notifyReload() {
	notify(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", driver.MonotonicTime()/1000))
}

// notifyAlive tells a service manager that asks for it (WatchdogSec=) that we see
// what happens. Nobody here waits for the manager.
func notifyAlive() {
	if watchdogTime() > 0 {
		go notify(notifyWatchdog)
	}
}
