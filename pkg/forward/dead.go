// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Letter is an event that an output has refused for good, as a line of its file.
type Letter struct {
	At       time.Time       `json:"at"`
	Accepted time.Time       `json:"accepted"`
	Attempts int             `json:"attempts"`
	Error    string          `json:"error"`
	Event    json.RawMessage `json:"event"`
}

// Names in the folder of an output's dead letters.
const (
	deadName   = "dead.ndjson"
	replayName = "replay.ndjson" // being put back; read again after a crash
)

var errDeadFull = errors.New("there is no room for dead letters")

// deadLetters are those of one output.
type deadLetters struct {
	dir string
	max int64

	mu    sync.Mutex
	f     *os.File
	bytes int64
	n     int
}

// openDead looks at what is there. The folder is made when there is a letter.
func openDead(dir string, max int64) (*deadLetters, error) {
	d := &deadLetters{dir: dir, max: max}
	f, err := os.Open(filepath.Join(dir, deadName))
	if errors.Is(err, os.ErrNotExist) {
		return d, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	for {
		line, err := r.ReadSlice('\n')
		d.bytes += int64(len(line))
		if err == nil {
			d.n++
		} else if errors.Is(err, io.EOF) {
			if len(line) > 0 { // torn by a crash: the event is in the spool still
				d.bytes -= int64(len(line))
				return d, os.Truncate(f.Name(), d.bytes)
			}
			return d, nil
		} else if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

// add writes letters, and returns when they are on the disk.
func (d *deadLetters) add(letters []Letter) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	for i := range letters {
		if err := enc.Encode(&letters[i]); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bytes+int64(text.Len()) > d.max {
		return errDeadFull
	}
	if d.f == nil {
		if err := os.MkdirAll(d.dir, 0o700); err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(d.dir, deadName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		d.f = f
	}
	if _, err := d.f.Write(text.Bytes()); err != nil {
		d.f.Truncate(d.bytes)
		return err
	}
	if err := d.f.Sync(); err != nil {
		return err
	}
	d.bytes += int64(text.Len())
	d.n += len(letters)
	return nil
}

func (d *deadLetters) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut()
}

func (d *deadLetters) shut() {
	if d.f != nil {
		d.f.Close()
		d.f = nil
	}
}

func (d *deadLetters) stats() (n int, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n, d.bytes
}

// purge throws all of them away and returns how many there were.
func (d *deadLetters) purge() (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut()
	if err := os.Remove(filepath.Join(d.dir, deadName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	n := d.n
	d.n, d.bytes = 0, 0
	return n, nil
}

// list returns the first letters.
func (d *deadLetters) list(limit int) ([]Letter, error) {
	var out []Letter
	err := each(filepath.Join(d.dir, deadName), func(l *Letter) error {
		if len(out) >= limit {
			return io.EOF
		}
		out = append(out, *l)
		return nil
	})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return out, err
}

// replayChunk is how many letters are put back at once.
const replayChunk = 256

// replay gives the letters to put, which returns when they are safe elsewhere, and forgets them. A
// replay that was interrupted is begun anew: some are put twice, none is lost.
func (d *deadLetters) replay(put func(l []Letter) error) (n int, err error) {
	d.mu.Lock()
	d.shut()
	from, to := filepath.Join(d.dir, deadName), filepath.Join(d.dir, replayName)
	if _, err = os.Stat(to); errors.Is(err, os.ErrNotExist) {
		if err = os.Rename(from, to); err == nil {
			d.n, d.bytes = 0, 0
		}
	}
	d.mu.Unlock()
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	var chunk []Letter
	flush := func() error {
		err := put(chunk)
		if err == nil {
			n += len(chunk)
		}
		chunk = chunk[:0]
		return err
	}
	err = each(to, func(l *Letter) error {
		if chunk = append(chunk, *l); len(chunk) < replayChunk {
			return nil
		}
		return flush()
	})
	if err == nil && len(chunk) > 0 {
		err = flush()
	}
	if err != nil {
		return n, err
	}
	return n, os.Remove(to)
}

// each calls f with each letter of a file.
func each(name string, f func(*Letter) error) error {
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer file.Close()
	dec := json.NewDecoder(bufio.NewReaderSize(file, 1<<16))
	for {
		var l Letter
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := f(&l); err != nil {
			return err
		}
	}
}
