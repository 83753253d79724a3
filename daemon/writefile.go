// SPDX-License-Identifier: Apache-2.0

package main

// everything is the tape of -w: all that the loop sees, in the order in which it
// sees it. A replay of it with the same rules gives the same alerts. A disk that
// takes nothing more ends the file and not the run, for the rules go on.
type everything struct{ recorder }

func (*everything) failed() error { return nil }

// writeEvents begins with what -w asks for; the function that it returns is called
// when the loop has ended.
func (d *daemon) writeEvents() (end func()) {
	if d.opt.writeFile == "" {
		return func() {}
	}
	_, live := d.pipe.source.(*kmod)
	e := &everything{recorder{path: d.opt.writeFile, opt: recordOptions{waits: !live}, state: d.pipe.state,
		machine: machineOf(d.pipe.source), end: func() {}}}
	d.pipe.tapes = append(d.pipe.tapes, e)
	return func() {
		if err := e.finish(); err != nil {
			d.log.warnf("%v", err)
		}
		e.tell(d)
	}
}
