// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"strings"
)

// Readers take texts of the tables up to a limit, and give up on a file with a
// longer one. So what is longer is cut where they look, and stands whole in a
// block of our own in front of the list that has it next. Others skip that, as
// they do with all blocks that they do not know.
//
// Entries of a BlockLongTexts: u32 length with itself, s64 thread, s64
// descriptor or noFD, u8 which text, the text.

// Limits of texts in lists, and of whole ones.
const (
	maxName  = 1023 // names and paths
	maxTexts = 4095 // arguments, environment, cgroups
	maxUser  = 255  // whatever passwd says
	maxLong  = 1<<16 - 1
)

// Which text is long.
const (
	longComm = iota + 1
	longExe
	longExePath
	longCwd
	longRoot
	longArgs
	longEnv
	longCgroups
	longName // of a descriptor
	numLong
)

// noFD stands for a descriptor where a thread is meant.
const noFD = -1

// maxLongs is how many texts of one record can be long.
const maxLongs = numLong

// longText is a text that waits for its record.
type longText struct {
	tid, fd int64
	which   uint8
	text    string
}

// longTexts reads texts for the record that comes next.
func (r *Reader) longTexts(c *cursor) uint64 {
	r.long = r.long[:0]
	return c.entries(true, true, func() {
		l := longText{tid: c.i64(), fd: c.i64(), which: c.u8()}
		if c.rest() > maxLong || len(r.long) == maxLongs {
			c.short = true
			return
		}
		if l.text = string(c.take(c.rest())); !c.short && c.err == nil {
			r.long = append(r.long, l)
		}
	})
}

// lengthen visits the texts that wait for a record. They wait for the next one
// alone.
func (r *Reader) lengthen(tid, fd int64, with func(which uint8, text string)) {
	for _, l := range r.long {
		if l.tid == tid && l.fd == fd {
			with(l.which, l.text)
		}
	}
	clear(r.long)
	r.long = r.long[:0]
}

func (p *Proc) long(which uint8, text string) {
	switch which {
	case longComm:
		p.Comm = text
	case longExe:
		p.Exe = text
	case longExePath:
		p.ExePath = text
	case longCwd:
		p.Cwd = text
	case longRoot:
		p.Root = text
	case longArgs:
		p.Args = split(text)
	case longEnv:
		p.Env = split(text)
	case longCgroups:
		p.Cgroups = split(text)
	}
}

func (f *FD) long(which uint8, text string) {
	if which == longName {
		f.Name = text
	}
}

// split takes texts apart that each end with a NUL, save perhaps the last.
func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\x00"), "\x00")
}

// longProc writes the long texts of a thread.
func (w *Writer) longProc(p *Proc) {
	for _, l := range []struct {
		which uint8
		text  string
	}{{longComm, p.Comm}, {longExe, p.Exe}, {longExePath, p.ExePath}, {longCwd, p.Cwd}, {longRoot, p.Root}} {
		if len(l.text) > maxName {
			w.longText(p.Tid, noFD, l.which, l.text)
		}
	}
	for _, l := range []struct {
		which uint8
		texts []string
	}{{longArgs, p.Args}, {longEnv, p.Env}, {longCgroups, p.Cgroups}} {
		size := 0
		for _, s := range l.texts {
			size += len(s) + 1
		}
		if size > maxTexts {
			w.longText(p.Tid, noFD, l.which, strings.Join(l.texts, "\x00")+"\x00")
		}
	}
}

// longText writes a text; what is too long here as well is cut, and counted.
func (w *Writer) longText(tid, fd int64, which uint8, text string) {
	if w.legacy || len(text) > maxLong {
		w.stats.Cut++
	}
	if w.legacy {
		return
	}
	w.openList(BlockLongTexts, 0)
	at := w.entry()
	w.u64(uint64(tid), uint64(fd))
	w.buf = append(append(w.buf, which), text[:min(len(text), maxLong)]...)
	w.entryEnd(at)
}
