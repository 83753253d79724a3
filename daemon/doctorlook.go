// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/container"
)

// What the doctor looks at beyond this program: where alerts go, and who knows of
// containers. Nothing is sent anywhere.

func (doc *doctor) outputs() finding {
	if doc.cfg == nil {
		return doubtful("mend the configuration first", "not looked at")
	}
	c := doc.cfg
	if err := checkOutputs(c); err != nil {
		return brokenBy(err)
	}
	var on []string
	for _, o := range []struct {
		name string
		on   bool
		look func(*config.Config) (mend string, err error)
	}{
		{"stdout", c.Stdout, nil}, {"syslog", c.Syslog, syslogThere}, {"file", c.File.Enabled, fileThere},
		{"program", c.Program.Enabled, nil}, {"http", c.HTTP.Enabled, serverThere},
	} {
		if !o.on {
			continue
		}
		on = append(on, o.name)
		if o.look == nil {
			continue
		}
		if mend, err := o.look(c); err != nil {
			return broken(mend+", or see "+o.name+"_output in "+doc.path, "%s: %v", o.name, err)
		}
	}
	return fineWith("%s", strings.Join(on, ", "))
}

func syslogThere(*config.Config) (mend string, err error) {
	mend = "systemctl start systemd-journald"
	conn, err := net.DialTimeout("unixgram", syslogSocket, doctorWait)
	if err != nil {
		return mend, err
	}
	return mend, conn.Close()
}

func fileThere(c *config.Config) (mend string, err error) {
	dir := filepath.Dir(c.File.Name)
	st, err := os.Stat(dir)
	if err == nil && !st.IsDir() {
		return "rm " + dir, fmt.Errorf("%s is no folder", dir)
	}
	return "mkdir -p " + dir, err
}

func serverThere(c *config.Config) (mend string, err error) {
	u, err := url.Parse(c.HTTP.URL)
	if err != nil {
		return "another URL", err
	}
	mend = "curl -v " + c.HTTP.URL
	if u.Scheme == "unix" {
		mend = "systemctl enable --now falcosidekick"
	}
	network, address := "tcp", u.Host
	switch {
	case u.Scheme == "unix":
		network, address = "unix", u.Path
	case u.Port() == "":
		address = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	ctx, stop := doctorContext()
	defer stop()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return mend, err
	}
	return mend, conn.Close()
}

// containers connects to each runtime that is here, wherever the daemon would.
func (doc *doctor) containers() finding {
	c := config.DefaultContainers()
	if doc.cfg != nil {
		c = doc.cfg.Containers
	}
	root := os.Getenv("HOST_ROOT")
	var there, tried []string
	for _, a := range whoIsAsked(&c, root) {
		for _, path := range container.Find(a.paths) {
			conn, err := net.DialTimeout("unix", path, doctorWait)
			if err != nil {
				return doubtful("systemctl status "+a.name, "%s: %v", path, lastError(err))
			}
			conn.Close()
			there = append(there, a.name+" at "+strings.TrimPrefix(path, root))
		}
		for _, p := range a.paths {
			tried = append(tried, strings.TrimPrefix(p, root))
		}
	}
	switch {
	case len(there) > 0:
		return fineWith("%s", strings.Join(there, ", "))
	case len(tried) == 0:
		return fineWith("no runtime is asked; containers are known by their ids")
	}
	return fineWith("no runtime is here; their containers would be known by their ids; nobody is at %s", strings.Join(tried, ", "))
}
