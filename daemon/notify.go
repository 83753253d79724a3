// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"os"
	"time"
)

// States that a service manager can be told.
const (
	notifyReady    = "READY=1"
	notifyStopping = "STOPPING=1"
	notifyReload   = "RELOADING=1"
	notifyWatchdog = "WATCHDOG=1"
)

// notifyWait is how long whoever listens may have no room for a datagram.
const notifyWait = time.Second

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

// notifyAlive tells a service manager that asks for it (WatchdogSec=) that the loop
// turns. The loop does not wait for the manager.
func notifyAlive() {
	if os.Getenv("WATCHDOG_USEC") != "" {
		go notify(notifyWatchdog)
	}
}
