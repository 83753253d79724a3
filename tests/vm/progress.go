// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Progress tells on stderr what the harness is about: a line a step, which counts seconds where somebody looks. A nil
// Progress tells nothing.
type Progress struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
}

// NewProgress writes to file.
func NewProgress(file *os.File) *Progress {
	info, err := file.Stat()
	return &Progress{out: file, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"}
}

// Say writes one line that is not a step.
func (p *Progress) Say(format string, args ...any) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "vm: "+format+"\n", args...)
}

// A Step is something that takes its time.
type Step struct {
	progress *Progress
	verb     string
	what     string
	start    time.Time
	over     chan struct{}
	idle     chan struct{}
}

// Step begins one. Exactly one of Done and Fail ends it; nothing else is told meanwhile.
func (p *Progress) Step(verb, what string) *Step {
	s := &Step{progress: p, verb: verb, what: what, start: time.Now(), over: make(chan struct{}), idle: make(chan struct{})}
	if p == nil || !p.terminal {
		close(s.idle)
		return s
	}
	go s.tick()
	return s
}

func (s *Step) tick() {
	defer close(s.idle)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		s.print("\r\x1b[K", fmt.Sprintf("… %ds", int(time.Since(s.start).Seconds())), "")
		select {
		case <-s.over:
			return
		case <-ticker.C:
		}
	}
}

func (s *Step) print(before, after, end string) {
	s.progress.mu.Lock()
	defer s.progress.mu.Unlock()
	fmt.Fprintf(s.progress.out, "%svm: %-6s %s %s%s", before, s.verb, s.what, after, end)
}

// Done ends a step that went well; result may say what came of it.
func (s *Step) Done(result string) { s.end(result) }

// Fail ends one that did not. Its error is the caller's to tell.
func (s *Step) Fail() { s.end("failed") }

func (s *Step) end(result string) {
	close(s.over)
	<-s.idle
	if s.progress == nil {
		return
	}
	before := ""
	if s.progress.terminal {
		before = "\r\x1b[K"
	}
	if result != "" {
		result = ": " + result
	}
	s.progress.mu.Lock()
	defer s.progress.mu.Unlock()
	fmt.Fprintf(s.progress.out, "%svm: %-6s %s%s (%.1fs)\n", before, s.verb, s.what, result, time.Since(s.start).Seconds())
}
