// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-go/falco/pkg/driver"
)

// roles are what this program is when it calls itself.
var roles = map[string]func(args []string) error{
	"consume": consume,
}

// A child is a consumer in a process of its own, which will come to harm. We keep another descriptor of its open file, and
// its tally: so its books can be read whatever happens to it.
type child struct {
	cmd   *exec.Cmd
	dev   *driver.Device // nil if it did not come so far
	tally *tally
	sock  *net.UnixConn
	ended chan error
}

// possibleCPUs asks the module.
func possibleCPUs() (int, error) {
	dev, err := driver.Open(driver.Path)
	if err != nil {
		return 0, err
	}
	defer dev.Close()
	info, err := dev.Info()
	if err != nil {
		return 0, err
	}
	return info.CPUs, nil
}

// spawn starts a consumer with rings of that size.
func spawn(ringBytes int, env ...string) (*child, error) {
	cpus, err := possibleCPUs()
	if err != nil {
		return nil, err
	}
	c := &child{ended: make(chan error, 1)}
	if c.tally, err = newTally(cpus); err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "keeper"), os.NewFile(uintptr(pair[1]), "child")
	defer theirs.Close()
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	c.sock = conn.(*net.UnixConn)
	c.cmd = exec.CommandContext(context.Background(), "/proc/self/exe", "consume", strconv.Itoa(ringBytes))
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.ExtraFiles = []*os.File{theirs, c.tally.file}
	c.cmd.Stderr = os.Stderr
	if len(env) > 0 {
		c.cmd.Stderr = nil
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { c.ended <- c.cmd.Wait() }()
	return c, nil
}

// adopt waits for the child's descriptor; nil if the child has ended before.
func (c *child) adopt() error {
	oob := make([]byte, 64)
	c.sock.SetReadDeadline(time.Now().Add(30 * time.Second))
	_, n, _, _, err := c.sock.ReadMsgUnix(make([]byte, 1), oob)
	if err != nil || n == 0 {
		return nil // it has ended, or never will say anything: whoever asks for dev knows
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	c.dev, err = driver.Attach(os.NewFile(uintptr(fds[0]), driver.Path))
	return err
}

// waitStarted is until the child reads events.
func (c *child) waitStarted() error {
	if err := c.adopt(); err != nil {
		return err
	}
	c.sock.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.sock.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("the consumer did not start: %w", err)
	}
	return nil
}

// signal sends one, and waits for the end if that is what it means.
func (c *child) end(sig syscall.Signal) {
	c.cmd.Process.Signal(sig)
	<-c.ended
}

// settle reads what the dead child has not read, and compares its books. It may have died before it was configured.
func (c *child) settle() (b books, err error) {
	defer c.sock.Close()
	if c.dev == nil {
		c.tally.close()
		return b, nil
	}
	r := &reader{dev: c.dev, tally: c.tally}
	defer r.close()
	info, err := r.dev.Info()
	if err != nil || info.RingBytes == 0 {
		return b, err
	}
	if err := r.dev.Stop(); err != nil {
		return b, err
	}
	if err := r.mapRings(); err != nil {
		return b, err
	}
	if _, err := r.turn(); err != nil {
		return b, err
	}
	return r.audit()
}

// consume is the child.
func consume(args []string) error {
	bytes, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	crash := os.Getenv("CRASH")
	t, err := mapTally(os.NewFile(4, "tally"))
	if err != nil {
		return err
	}
	dev, err := driver.Open(driver.Path)
	if err != nil {
		return err
	}
	second, err := dev.Dup()
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(3, []byte{'d'}, unix.UnixRights(int(second.Fd())), nil, 0); err != nil {
		return err
	}
	second.Close()
	r := &reader{dev: dev, tally: t}
	if err := r.start(options{ringBytes: bytes}); err != nil {
		return err
	}
	unix.Write(3, []byte{'s'})
	until := make(chan struct{})
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		close(until)
	}()
	switch crash {
	case "":
		return r.follow(until)
	case "segv":
		err = r.followFor(50 * time.Millisecond)
		unix.Kill(os.Getpid(), unix.SIGSEGV) // not ours to catch: the runtime dies of it
		time.Sleep(10 * time.Second)
	case "bus":
		err = r.followFor(50 * time.Millisecond)
		for _, l := range r.lanes {
			if l != nil {
				unix.Madvise(l.control, unix.MADV_DONTNEED)
			}
		}
		_, err2 := r.turn()
		err = errors.Join(err, err2)
	}
	return errors.Join(err, errors.New("still alive"))
}

// startLoad lets programs make system calls until the returned function is called.
func (s *stage) startLoad(kind string, perCPU int, nice ...string) (stop func(), err error) {
	cmd := exec.Command(s.load, append([]string{kind, strconv.Itoa(perCPU)}, nice...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	}, nil
}
