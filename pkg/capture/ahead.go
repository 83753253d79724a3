// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"io"
	"sync/atomic"
)

// Ahead is for somebody who does not want to wait for a file.
type Ahead struct {
	Pauses bool   // the file is a pipe: what has come of it is read before there is a chunk of it
	Wake   func() // called, by another goroutine, when there is more to be read, and of a file much more; may be nil
}

// ahead reads, and unpacks, in a goroutine of its own, some chunks before they are
// asked for: unpacking costs more than all that comes after it, and has a CPU to
// itself this way.
//
// Chunks go round: the goroutine fills those that come from free and sends them to
// full; the source reads in them where they are, and sends them back. The goroutine
// ends with the file, or after stop.
//
// It is to be the one that never waits. Whoever reads is woken when half of the
// chunks are full, unless the file pauses: he finds much to do, and most of it no
// more in the cache of the other CPU.
type ahead struct {
	full  chan chunk
	free  chan []byte
	done  chan struct{}
	made  atomic.Uint64 // chunks that were filled
	waits atomic.Uint64 // how often none was empty when it was wanted
}

// chunk is a piece of the file, behind as much room as a block may need that began
// in the piece before.
type chunk struct {
	b   []byte // room and piece
	err error  // that comes behind b
}

const (
	chunkRoom  = 1 << 16
	chunkBytes = 1 << 17
	chunks     = 16
)

// newAhead reads from r; end is called when nothing reads from it any more.
func newAhead(r io.Reader, o Ahead, end func()) *ahead {
	a := &ahead{full: make(chan chunk, chunks), free: make(chan []byte, chunks), done: make(chan struct{})}
	for range chunks {
		a.free <- make([]byte, chunkRoom+chunkBytes)
	}
	go a.run(r, o, end)
	return a
}

func (a *ahead) run(r io.Reader, o Ahead, end func()) {
	defer end()
	least := chunkBytes
	if o.Pauses {
		least = 1
	}
	for {
		if len(a.free) == 0 {
			a.waits.Add(1)
		}
		var b []byte
		select {
		case b = <-a.free:
		case <-a.done:
			return
		}
		n, err := readAtLeast(r, b[chunkRoom:chunkRoom+chunkBytes], least)
		a.made.Add(1)
		a.full <- chunk{b[:chunkRoom+n], err} // never blocks: there is room for all that there are
		if o.Wake != nil && (o.Pauses || err != nil || len(a.full) >= chunks/2) {
			o.Wake()
		}
		if err != nil {
			return
		}
	}
}

// readAtLeast reads until b holds as much or r has nothing more.
func readAtLeast(r io.Reader, b []byte, least int) (n int, err error) {
	for idle := 0; n < least && err == nil; idle++ {
		var m int
		m, err = r.Read(b[n:])
		n += m
		if m > 0 {
			idle = 0
		} else if idle == 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

// take returns the next chunk. ok is false if there is none yet, and nobody wants to
// wait for it.
func (a *ahead) take(wait bool) (c chunk, ok bool) {
	if wait {
		return <-a.full, true
	}
	select {
	case c = <-a.full:
		return c, true
	default:
		return chunk{}, false
	}
}

// give takes a chunk back that has been read. It never blocks either.
func (a *ahead) give(b []byte) { a.free <- b[:cap(b)] }

// stop ends the goroutine; nothing may be taken after it. It does not wait: the
// goroutine may hang in a pipe that nobody writes to.
func (a *ahead) stop() { close(a.done) }
