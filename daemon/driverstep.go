// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/falco-go/falco/pkg/driver"
)

// showStep shows on a terminal that something takes its time, and for how long it
// has. What is returned ends it and leaves nothing behind. Elsewhere it is silent:
// logs of installations are no place for wheels that turn.
func showStep(stderr io.Writer, what string) (done func()) {
	f, ok := stderr.(*os.File)
	if !ok {
		return func() {}
	}
	columns, ok := driver.TerminalWidth(f)
	if !ok {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		began := time.Now()
		tick := time.NewTicker(drawEvery)
		defer tick.Stop()
		drawn := ""
		for {
			line := fmt.Sprintf("  %s ... %d s", what, int(time.Since(began).Seconds()))
			if columns > 1 && len(line) >= columns {
				line = line[:columns-1]
			}
			if line != drawn { // what package managers keep of their terminal need not have it five times
				fmt.Fprint(f, eraseLine, line)
				drawn = line
			}
			select {
			case <-quit:
				fmt.Fprint(f, eraseLine)
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}
