// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Sync returns when everything appended so far is on the disk.
func (s *Spool) Sync() error {
	s.mu.Lock()
	upTo := s.next - 1
	s.mu.Unlock()
	return s.syncTo(upTo)
}

// syncTo returns when the record with that number is on the disk. Whoever comes
// while another is at it waits, and then finds that its records are there too.
func (s *Spool) syncTo(seq uint64) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	f, upTo := s.f, s.next-1
	if s.synced >= seq || f == nil {
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	began := time.Now()
	err := f.Sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, os.ErrClosed) && s.synced >= seq {
		return nil // the segment was full, and has been synced as that
	}
	s.stats.Syncs++
	s.stats.SyncTime += time.Since(began)
	if err == nil {
		s.synced = max(s.synced, upTo)
	}
	return s.failed(err)
}

// poke has the keeper look again.
func (s *Spool) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tend syncs, saves cursors and looks at ages, while there is something to do.
func (s *Spool) tend() {
	defer close(s.ended)
	each := s.opt.Save
	if s.opt.Sync > 0 {
		each = min(each, s.opt.Sync)
	}
	timer := time.NewTimer(each)
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-s.wake:
		case <-s.ageTimer():
		}
		timer.Reset(each)
		select {
		case <-s.done:
			return
		case <-timer.C:
		}
		s.opt.Report(s.Sync())
		s.save()
		s.mu.Lock()
		s.expire()
		s.mu.Unlock()
	}
}

// ageTimer fires now and then if records have an age.
func (s *Spool) ageTimer() <-chan time.Time {
	if s.opt.MaxAge == 0 {
		return nil
	}
	return time.After(max(s.opt.MaxAge/64, s.opt.Save))
}

// save writes the cursors that have moved.
func (s *Spool) save() {
	s.mu.Lock()
	var list []*Reader
	for _, r := range s.readers {
		list = append(list, r)
	}
	s.mu.Unlock()
	for _, r := range list {
		if err := r.save(); err != nil {
			s.mu.Lock()
			err = s.failed(err)
			s.mu.Unlock()
			s.opt.Report(err)
		}
	}
}

// Close syncs, saves and closes. Readers that wait get ErrClosed. If everybody
// has everything, nothing but the cursors stays.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for _, r := range s.readers {
		r.end()
	}
	s.mu.Unlock()
	close(s.done)
	<-s.ended
	err := s.Sync()
	s.mu.Lock()
	if s.f != nil {
		s.f.Close()
		s.f = nil
	}
	s.trim()
	s.mu.Unlock()
	s.save()
	s.release()
	return err
}

// release lets go of what is open.
func (s *Spool) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f != nil {
		s.f.Close()
		s.f = nil
	}
	for _, r := range s.readers {
		r.close()
	}
	s.lock.Close()
}

// trim deletes the segments that nobody needs any more.
func (s *Spool) trim() {
	if len(s.readers) == 0 {
		return
	}
	for len(s.segs) > 0 && s.segs[0] != s.active() {
		for _, r := range s.readers {
			if !r.past(s.segs[0]) {
				return
			}
		}
		s.remove(0)
	}
}

// remove deletes a segment. One that has damage is put aside, in the place of the
// one before it.
func (s *Spool) remove(i int) {
	seg := s.segs[i]
	seg.gone = true
	var err error
	if seg.damaged {
		err = os.Rename(seg.path, filepath.Join(s.dir, "damaged"))
	} else {
		err = os.Remove(seg.path)
	}
	s.opt.Report(s.failed(err))
	s.segs = slices.Delete(s.segs, i, i+1)
}
