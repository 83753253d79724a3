// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Serving is an open listener with what it serves.
type Serving struct {
	Name string // for the log
	Net  net.Listener
	HTTP *http.Server
}

// Listen opens all listeners that the settings name: TCP, TLS with a plain one beside it, the
// unix socket.
func (f *Forwarder) Listen() (out []*Serving, err error) {
	c := f.live.Load().cfg
	h := f.Handler()
	defer func() {
		if err != nil {
			for _, s := range out {
				s.Net.Close()
			}
			out = nil
		}
	}()
	add := func(name string, l net.Listener, h http.Handler) {
		out = append(out, &Serving{name, l, Server(h)})
	}
	addr := func(port int) string { return net.JoinHostPort(c.ListenAddress, strconv.Itoa(port)) }
	if c.ListenPort > 0 {
		l, err := net.Listen("tcp", addr(c.ListenPort))
		if err != nil {
			return out, err
		}
		name := addr(c.ListenPort)
		if !c.TLSServer.Deploy {
			add(name, l, h)
		} else {
			conf, err := f.serverTLS()
			if err != nil {
				l.Close()
				return out, err
			}
			plain := c.TLSServer.NoTLSPaths
			add(name, tls.NewListener(l, conf), only(h, plain, false))
			if len(plain) > 0 {
				l, err := net.Listen("tcp", addr(c.TLSServer.NoTLSPort))
				if err != nil {
					return out, err
				}
				add(addr(c.TLSServer.NoTLSPort), l, only(h, plain, true))
			}
		}
	}
	if c.ListenSocket != "" {
		l, err := ListenUnix(c.ListenSocket, f.log)
		if err != nil {
			return out, err
		}
		add("unix://"+c.ListenSocket, l, h)
	}
	return out, nil
}

// only serves the paths, or all but them.
func only(h http.Handler, paths []string, in bool) http.Handler {
	set := map[string]bool{}
	for _, p := range paths {
		set["/"+strings.Trim(p, "/")] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(set) > 0 && set[r.URL.Path] != in {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// serverTLS returns a configuration that follows the files: a certificate that is renewed
// counts from the next connection on.
func (f *Forwarder) serverTLS() (*tls.Config, error) {
	c := &f.live.Load().cfg.TLSServer
	certs := &fileCert{cert: c.CertFile, key: c.KeyFile}
	if _, err := certs.get(nil); err != nil {
		return nil, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certs.get, NextProtos: []string{"h2", "http/1.1"}}
	if c.MutualTLS {
		text, err := os.ReadFile(c.CACertFile)
		if err != nil {
			return nil, err
		}
		conf.ClientCAs, conf.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !conf.ClientCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", c.CACertFile)
		}
	}
	return conf, nil
}

// fileCert is a certificate that is read again when its file has changed.
type fileCert struct {
	cert, key string

	mu   sync.Mutex
	at   time.Time
	pair *tls.Certificate
}

func (c *fileCert) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.cert)
	if err == nil && (c.pair == nil || !info.ModTime().Equal(c.at)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.cert, c.key); err == nil {
			c.pair, c.at = &pair, info.ModTime()
		}
	}
	if c.pair == nil {
		return nil, err
	}
	return c.pair, nil // the old one, if the new one cannot be read yet
}

// group is the one that may write to the socket, if it is there and we may give it.
const group = "falco"

// ListenUnix makes a socket for root and for our own user: who else connects is
// turned away. A socket that nobody listens at is replaced.
func ListenUnix(path string, log Logger) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != os.ModeSocket {
			return nil, fmt.Errorf("%s is there and is no socket", path)
		}
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("%s: %w", path, syscall.EADDRINUSE)
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			os.Remove(path)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	if g, err := user.LookupGroup(group); err == nil {
		if gid, err := strconv.Atoi(g.Gid); err == nil {
			if err := os.Chown(path, -1, gid); err != nil {
				log.Debugf("%s: %v", path, err)
			}
		}
	}
	return &unixListener{UnixListener: l, log: log, allowed: allowed}, nil
}

// unixListener lets those in whom the kernel says are root or ourselves.
type unixListener struct {
	*net.UnixListener
	log     Logger
	said    time.Time
	allowed func(uid uint32) bool
}

// peerConn is a connection of somebody who was let in.
type peerConn struct{ *net.UnixConn }

// Accept implements net.Listener.
func (l *unixListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peer(c)
		if err == nil && l.allowed(uid) {
			return &peerConn{c}, nil
		}
		c.Close()
		if time.Since(l.said) > time.Minute {
			l.said = time.Now()
			if err == nil {
				err = fmt.Errorf("uid %d may not", uid)
			}
			l.log.Warnf("%s: a connection is refused: %v", l.Addr(), err)
		}
	}
}

// allowed says who may come by the socket: root, and ourselves.
func allowed(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }

// peer asks who is at the other end.
func peer(c *net.UnixConn) (uid uint32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	cerr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(cerr, err); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
