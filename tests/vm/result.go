// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/falco-go/falco/tests/vm/wire"
)

// Exit codes of the harness itself; all others are the script's.
const (
	ExitHarness = 1 // no guest, or the daemon did not start
	ExitLater   = 2 // not available yet, and wrong usage
	ExitGuest   = 3 // the kernel complained, hung or ended early
)

// An Alert is one line of the daemon in JSON.
type Alert struct {
	Rule     string         `json:"rule"`
	Priority string         `json:"priority"`
	Output   string         `json:"output"`
	Source   string         `json:"source"`
	Hostname string         `json:"hostname"`
	Time     time.Time      `json:"time"`
	Tags     []string       `json:"tags"`
	Fields   map[string]any `json:"output_fields"`
	Raw      string         `json:"-"`
}

// A Result is what a guest has left behind.
type Result struct {
	Alerts  []Alert // in the order in which they came; with Config.Text they stay in AlertText
	Ledger  Ledger  // what the daemon said at its end
	Reports []wire.Report

	AlertText string // what the daemon printed, but for
	Sums      string // the block with which it ends
	Log       string // its standard error
	Act       string // what the script printed
	Setup     string // what Config.Setup printed
	Capture   []byte // all that the daemon saw, with Config.Capture
	Console   string
	Dmesg     string

	ExitCode    int    // the script's; 128 and the signal's number for one that was killed
	ActEnded    bool   // the script came to its end
	ActLimit    bool   // it was given up on
	Ready       bool   // the daemon was ready
	FalcoCode   int    // the daemon's, as ExitCode
	FalcoSignal string // what killed it
	FalcoAsked  bool   // it ended because it was asked to, after the script
	FalcoLate   bool   // it had to be killed

	Trouble  []string // what init could not do
	Unload   string   // why the module could not be unloaded at the end; "" if it could
	Complete bool     // init came to the end of its story
	Splats   []Splat  // what the kernel complained about

	MemoryBefore, MemoryAfter map[string]int64 // /proc/meminfo before module and daemon, and after both
	Boot, Total               time.Duration    // until init could report, until QEMU had ended; host's clock
	Booted                    time.Duration    // until the services of a Debian were up
}

// Rules counts alerts by rule.
func (r *Result) Rules() map[string]int {
	counts := map[string]int{}
	for _, alert := range r.Alerts {
		counts[alert.Rule]++
	}
	return counts
}

// consoleTrouble is how init's kmsg looks.
var consoleTrouble = regexp.MustCompile(`(?m)^\[[^\]]*\] init: trouble (.*?)\r?$`)

// Err is what went wrong with the guest, its kernel or its daemon, in one error; not that a script fails, or that an act
// has killed the daemon.
func (r *Result) Err() error {
	var wrong []string
	for _, splat := range r.Splats {
		wrong = append(wrong, "the kernel complained: "+splat.Title)
	}
	wrong = append(wrong, r.Trouble...)
	if r.Unload != "" {
		wrong = append(wrong, "unload the module: "+r.Unload)
	}
	if r.ActLimit {
		wrong = append(wrong, "the script did not end in time")
	}
	if len(wrong) == 0 && !r.Complete {
		// Without its port, init has only the console.
		for _, m := range consoleTrouble.FindAllStringSubmatch(r.Console, -1) {
			wrong = append(wrong, m[1])
		}
	}
	if len(wrong) == 0 && !r.Complete {
		wrong = append(wrong, "the guest ended early")
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(wrong, "; "))
}

// collector takes what comes through the ports while the guest runs.
type collector struct {
	mu      sync.Mutex
	start   time.Time
	reports []wire.Report
	bad     []string
	boot    time.Duration
	booted  time.Duration
	up      func()
}

// reportLine is the sink of the report port.
func (c *collector) reportLine(line []byte) {
	var report wire.Report
	err := json.Unmarshal(line, &report)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.bad = append(c.bad, fmt.Sprintf("unreadable report %.100q: %v", line, err))
		return
	}
	c.reports = append(c.reports, report)
	switch report.Kind {
	case wire.KindUp:
		c.boot = time.Since(c.start)
		c.up()
	case wire.KindBooted:
		c.booted = time.Since(c.start)
	}
}

func (c *collector) isUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.boot > 0
}

// fill moves the reports into a result.
func (c *collector) fill(r *Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Reports, r.Boot, r.Booted, r.Trouble = c.reports, c.boot, c.booted, c.bad
	for _, report := range c.reports {
		switch report.Kind {
		case wire.KindReady:
			r.Ready, r.MemoryBefore = true, report.Memory
		case wire.KindActEnd:
			r.ExitCode, r.ActEnded, r.ActLimit = report.Code, !report.Limit, report.Limit
		case wire.KindFalco:
			r.FalcoCode, r.FalcoSignal, r.FalcoAsked, r.FalcoLate = report.Code, report.Signal, report.Asked, report.Limit
		case wire.KindUnload:
			if report.Code != 0 {
				r.Unload = report.Text
			}
		case wire.KindMemory:
			r.MemoryAfter = report.Memory
		case wire.KindDmesg:
			r.Dmesg = report.Text
		case wire.KindTrouble:
			r.Trouble = append(r.Trouble, report.Text)
		case wire.KindDone:
			r.Complete = true
		}
	}
}

// readAlerts takes the lines that are JSON objects.
func readAlerts(text string) []Alert {
	var alerts []Alert
	for _, line := range strings.Split(text, "\n") {
		var alert Alert
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &alert) == nil {
			alert.Raw = line
			alerts = append(alerts, alert)
		}
	}
	return alerts
}

// Save leaves the guest's files in a folder: four, and the capture if there is one.
func (r *Result) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"alerts.jsonl": r.AlertText, "falco.log": r.Log + r.Sums, "console.log": r.Console, "act.log": r.Act,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if r.Setup != "" {
		if err := os.WriteFile(filepath.Join(dir, "setup.log"), []byte(r.Setup), 0o644); err != nil {
			return err
		}
	}
	if len(r.Capture) > 0 {
		return os.WriteFile(filepath.Join(dir, "capture.scap"), r.Capture, 0o644)
	}
	return nil
}

// lineWriter calls line with every whole line, without its end, and with what is left at flush.
type lineWriter struct {
	line func([]byte)
	rest []byte
}

// lineLimit bounds what is kept of a line that does not end.
const lineLimit = 4 << 20

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			if len(w.rest)+len(p) <= lineLimit {
				w.rest = append(w.rest, p...)
			}
			return n, nil
		}
		w.rest = append(w.rest, p[:i]...)
		w.line(w.rest)
		w.rest = w.rest[:0]
		p = p[i+1:]
	}
}

// keep is a sink that remembers, up to a limit, and passes on.
type keep struct {
	mu    sync.Mutex
	text  bytes.Buffer
	limit int
	cut   bool // there was more
	also  io.Writer
}

func (k *keep) Write(p []byte) (int, error) {
	k.mu.Lock()
	fits := min(len(p), k.limit-k.text.Len()) // nothing may be missing in the middle
	k.text.Write(p[:fits])
	k.cut = k.cut || fits < len(p)
	k.mu.Unlock()
	if k.also != nil {
		k.also.Write(p)
	}
	return len(p), nil
}

func (k *keep) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Len()
}

func (k *keep) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}
