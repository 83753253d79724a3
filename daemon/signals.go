// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/signal"
	"syscall"
)

func (d *daemon) handleSignals() error {
	if d.opt.dryRun {
		d.log.debugf("Skipping signal handlers creation in dry-run")
		return nil
	}
	c := make(chan os.Signal, 8)
	// A pipe that nobody reads is an error of a write, here and not in the programs
	// that we start: an ignored signal would be inherited, a handled one is not.
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-c:
				d.signalled(s)
			case <-done:
				return
			}
		}
	}()
	d.atEnd(func() {
		signal.Stop(c)
		close(done)
	})
	return nil
}

// signalled runs beside the loop: it leaves everything to it.
func (d *daemon) signalled(s os.Signal) {
	switch s {
	case syscall.SIGUSR1:
		d.log.infof("SIGUSR1 received, reopening outputs...")
		d.post(func() {
			for _, q := range d.pipe.outputs {
				q.Reopen()
			}
		})
	case syscall.SIGHUP:
		d.reload.trigger()
	case syscall.SIGPIPE:
	default:
		select {
		case <-d.stop: // again: we are at it
		default:
			d.log.infof("SIGINT received, exiting...")
			d.asked.Store(true)
			d.end()
		}
	}
}

// post hands f to the loop. If the loop has more than enough to do, f is not
// worth waiting for.
func (d *daemon) post(f func()) {
	select {
	case d.mail <- f:
	default:
	}
}
