// SPDX-License-Identifier: Apache-2.0

package capture

import "io"

// ahead unpacks in a goroutine of its own, some chunks before they are asked for:
// unpacking costs more than all the reading, and has a CPU to itself this way.
//
// Chunks go round: the goroutine fills those that come from free and sends them
// to full; Read empties them and sends them back. The goroutine ends with the
// file, or after stop.
type ahead struct {
	full chan chunk
	free chan []byte
	done chan struct{}
	cur  chunk  // being emptied
	all  []byte // the whole of cur, to be sent back
}

type chunk struct {
	b   []byte
	err error // that comes behind b
}

const (
	chunkBytes = 1 << 17
	chunks     = 4
)

// newAhead reads from r; end is called when nothing reads from it any more.
func newAhead(r io.Reader, end func()) *ahead {
	a := &ahead{full: make(chan chunk, chunks), free: make(chan []byte, chunks), done: make(chan struct{})}
	for range chunks {
		a.free <- make([]byte, chunkBytes)
	}
	go a.run(r, end)
	return a
}

func (a *ahead) run(r io.Reader, end func()) {
	defer end()
	for {
		var b []byte
		select {
		case b = <-a.free:
		case <-a.done:
			return
		}
		n, err := readFull(r, b[:chunkBytes])
		a.full <- chunk{b[:n], err} // never blocks: there is room for all that there are
		if err != nil {
			return
		}
	}
}

// readFull reads until b is full or r has nothing more.
func readFull(r io.Reader, b []byte) (n int, err error) {
	for idle := 0; n < len(b) && err == nil; idle++ {
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

// Read implements io.Reader.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.cur.b) == 0 {
		if a.cur.err != nil {
			return 0, a.cur.err
		}
		if a.all != nil {
			a.free <- a.all // never blocks either
		}
		a.cur = <-a.full
		a.all = a.cur.b
	}
	n := copy(p, a.cur.b)
	a.cur.b = a.cur.b[n:]
	return n, nil
}

// stop ends the goroutine; nothing may be read after it. It does not wait: the
// goroutine may hang in a pipe that nobody writes to.
func (a *ahead) stop() { close(a.done) }
