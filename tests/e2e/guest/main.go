// SPDX-License-Identifier: Apache-2.0

// Guest does inside a guest what a script cannot:
//
//	live blind PID        takes the daemon's own descriptor and has the module send it nothing any more
//	live get URL          prints the answer; exit code 1 if it is not 200
//	live reloads N        N reloads, each with rules of its own, while numbered events are made
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-go/falco/pkg/driver"
)

func main() {
	err := errors.New("usage: live blind PID, live get URL, live reloads N")
	if len(os.Args) == 3 && os.Args[1] == "get" {
		err = get(os.Args[2])
	} else if len(os.Args) == 3 {
		var n int
		if n, err = strconv.Atoi(os.Args[2]); err == nil {
			switch os.Args[1] {
			case "blind":
				err = blind(n)
			case "reloads":
				err = reloads(n)
			}
		}
	}
	if err != nil {
		fmt.Println("live:", err)
		os.Exit(1)
	}
}

func get(url string) error {
	c := http.Client{Timeout: 10 * time.Second}
	r, err := c.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.Copy(os.Stdout, r.Body); err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return errors.New(r.Status)
	}
	return nil
}

// blind empties the filter of a daemon, as somebody would who does not want to be seen.
func blind(pid int) error {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if link, err := os.Readlink(filepath.Join(dir, e.Name())); err != nil || link != driver.Path {
			continue
		}
		number, err := strconv.Atoi(e.Name())
		if err != nil {
			return err
		}
		pidfd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		fd, err := unix.PidfdGetfd(pidfd, number, 0)
		if err != nil {
			return err
		}
		dev, err := driver.Attach(os.NewFile(uintptr(fd), driver.Path))
		if err != nil {
			return err
		}
		return dev.SetFilter(driver.Filter{})
	}
	return fmt.Errorf("%s: no %s", dir, driver.Path)
}

// The rules that reloads writes, and where alerts come out.
const (
	rulesFile  = "/files/gen.yaml"
	alertsFile = "/tmp/alerts"
	markEvery  = 4 * time.Millisecond
	rulesText  = `
- rule: Marker
  desc: a numbered event
  condition: evt.type = openat and evt.arg.name startswith /marker/
  output: "gen=%d %%evt.arg.name"
  priority: INFO
`
)

// reloads makes numbered events without end, and one generation of the rules after the other:
// the next one is written when an alert of the last one has come out.
func reloads(n int) error {
	falco, err := daemonPid()
	if err != nil {
		return err
	}
	var marks atomic.Uint64
	var ended atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for t := time.NewTicker(markEvery); !ended.Load(); <-t.C {
			os.Open(fmt.Sprintf("/marker/%d", marks.Add(1))) // is not there
		}
	}()
	out := &tail{}
	for gen := 1; gen <= n && err == nil; gen++ {
		if err = out.wait(fmt.Sprintf("gen=%d ", gen-1)); err != nil {
			break
		}
		next := rulesFile + ".next"
		if err = os.WriteFile(next, fmt.Appendf(nil, rulesText, gen), 0o644); err == nil {
			err = os.Rename(next, rulesFile)
		}
		if err == nil && gen%2 == 0 { // else the watched file alone has to do
			err = unix.Kill(falco, unix.SIGHUP)
		}
	}
	if err == nil {
		err = out.wait(fmt.Sprintf("gen=%d ", n))
	}
	ended.Store(true)
	<-done
	fmt.Printf("marks=%d reloads=%d\n", marks.Load(), n)
	return err
}

func daemonPid() (int, error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil && string(text) == "falco\n" {
			return strconv.Atoi(strings.Split(name, "/")[2])
		}
	}
	return 0, errors.New("no falco runs here")
}

// tail reads what is appended to the alerts.
type tail struct {
	f    *os.File
	rest []byte
}

// wait reads until text comes.
func (t *tail) wait(text string) (err error) {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if t.f == nil {
			if t.f, err = os.Open(alertsFile); err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
		}
		if i := bytes.Index(t.rest, []byte(text)); i >= 0 {
			t.rest = t.rest[i:]
			return nil
		}
		t.rest = t.rest[max(len(t.rest)-len(text), 0):]
		var buf [64 << 10]byte
		n, _ := t.f.Read(buf[:])
		if n == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		t.rest = append(t.rest, buf[:n]...)
	}
	return fmt.Errorf("no %q in %s: %w", text, alertsFile, err)
}
