// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/state"
)

// The state socket tells what the daemon believes now. Whoever connects gets a
// capture without events, its tables, and then the end; nothing is asked. So
// falco ps, falco fds and every reader of captures understand it:
//
//	socat -u UNIX:/run/falco/state.sock - > now.scap
//
// Root alone may connect: arguments and environments of all processes are in it.

const (
	stateSocket     = "/run/falco/state.sock" // unless state_socket says otherwise
	stateReaders    = 2                       // are served at a time; others wait
	stateReadWithin = 30 * time.Second        // or the connection ends
)

// serveState opens the socket. That it cannot be opened is no reason not to watch.
func (d *daemon) serveState() {
	path := d.cfg.StateSocket
	if path == "" {
		return
	}
	l, err := listenAsRoot(path)
	if err != nil {
		d.log.warnf("state socket: %v; falco ps and falco fds will not find this daemon", err)
		return
	}
	d.atEnd(func() {
		l.Close()
		os.Remove(path)
	})
	m := machineOf(d.pipe.source)
	for range stateReaders {
		go func() {
			for {
				c, err := l.AcceptUnix()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err != nil { // too many files, perhaps
					time.Sleep(time.Second)
					continue
				}
				d.tellState(c, m)
				c.Close()
			}
		}()
	}
}

// listenAsRoot makes a socket that root alone can connect to. A file that nobody
// listens on any more is replaced.
func listenAsRoot(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	addr := &net.UnixAddr{Name: path, Net: "unix"}
	if c, err := net.DialUnix("unix", nil, addr); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s: another daemon answers there", path)
	}
	if st, err := os.Lstat(path); err == nil && st.Mode().Type() == os.ModeSocket {
		os.Remove(path) // listening tells if it is still there
	}
	// A name that nobody knows, until the mode is right: there is no moment at
	// which others could connect.
	hidden := fmt.Sprintf("%s.%d", path, os.Getpid())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: hidden, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(hidden, 0o600)
	if err == nil {
		err = os.Rename(hidden, path)
	}
	if err != nil {
		l.Close()
		os.Remove(hidden)
		return nil, err
	}
	return l, nil
}

// tellState serves one connection. The loop only copies the tables; writing them
// is done here.
func (d *daemon) tellState(c *net.UnixConn, m capture.Machine) {
	peer, err := peerOf(c)
	if err != nil || peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return
	}
	copied := make(chan *tables, 1)
	select {
	case d.mail <- func() { copied <- tablesOf(d.pipe.state, m) }:
	case <-d.stop:
		return
	}
	select {
	case t := <-copied:
		c.SetWriteDeadline(time.Now().Add(stateReadWithin))
		w := capture.NewWriter(c, false)
		t.tell(w)
		w.Flush() // whoever went away does not want to hear of it
	case <-d.stop:
	}
}

// peerOf returns who is at the other end.
func peerOf(c *net.UnixConn) (*syscall.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *syscall.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return peer, failed
}

// askState returns what the daemon behind a socket believes, and which process
// that daemon is.
func askState(path string) (*state.State, int64, error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		f := &failure{form: plain, text: fmt.Sprintf("connect to the daemon: %s: %v", path, lastError(err))}
		switch {
		case errors.Is(err, os.ErrPermission):
			f.hint = "only root may ask"
		default:
			f.hint = "is a daemon running here, with state_socket set? -e FILE looks into a capture instead"
		}
		return nil, 0, f
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(stateReadWithin))
	peer, err := peerOf(c)
	if err != nil {
		return nil, 0, err
	}
	st, err := readState(c)
	if err != nil {
		return nil, 0, &failure{form: plain, text: fmt.Sprintf("ask the daemon: %s: %v", path, err),
			hint: "it answers root alone; its log may know more"}
	}
	return st, int64(peer.Pid), nil
}

// lastError leaves out what the message around err says already.
func lastError(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}
