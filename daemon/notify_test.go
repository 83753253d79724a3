// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/driver"
)

// A service manager hears, in this order, that we are ready, see (again and again), read anew, are ready again, and end.
func TestNotify(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "3000000")
	conf, rules := filepath.Join(dir, "f.yaml"), filepath.Join(dir, "r.yaml")
	put(t, conf, "engine: {kind: nodriver}\nlog_syslog: false\nstdout_output: {enabled: true}\nstate_socket: ''\n")
	put(t, rules, reloadRule)
	out, log := &watchedLog{more: make(chan struct{}, 1)}, &watchedLog{more: make(chan struct{}, 1)}
	ended := make(chan int)
	before := driver.MonotonicTime() / 1000
	go func() { ended <- falco([]string{"falco", "-c", conf, "-r", rules}, out, log) }()
	reloading := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=(\d+)$`)
	buf := make([]byte, 256)
	hear := func(want *regexp.Regexp) (text string) {
		t.Helper()
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		for {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if text = string(buf[:n]); want.MatchString(text) {
				return text
			}
			if text != notifyWatchdog { // which comes when it comes
				t.Fatalf("%q, want %s", text, want)
			}
		}
	}
	ready, alive, stopping := regexp.MustCompile("^READY=1$"), regexp.MustCompile("^WATCHDOG=1$"), regexp.MustCompile("^STOPPING=1$")
	hear(ready)
	hear(alive)
	hear(alive)
	syscall.Kill(syscall.Getpid(), syscall.SIGHUP)
	when, err := strconv.ParseUint(reloading.FindStringSubmatch(hear(reloading))[1], 10, 64)
	if now := driver.MonotonicTime() / 1000; err != nil || when < before || when > now {
		t.Errorf("reloaded at %d, which is not between %d and %d: %v", when, before, now, err)
	}
	hear(ready)
	syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
	hear(stopping)
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestWatchdogTime(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "30000000": 30 * time.Second, "x": 0, "-1": 0, "0": 0} {
		t.Setenv("WATCHDOG_USEC", text)
		if got := watchdogTime(); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
