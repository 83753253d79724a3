// SPDX-License-Identifier: Apache-2.0

// Package config turns falco.yaml, its includes, the environment and -o options
// into one struct. Only daemon imports it.
//
// The table in keys.go names every key there is: what reads it, or that nothing
// reads it yet. A key that the table does not know gets a warning with the
// nearest name; none of the keys of old versions is an error.
package config

import "time"

// Config is the configuration, with defaults where nothing is said.
type Config struct {
	Files    []File   // what was read, ordered by path
	Includes []string // what config_files names, there or not
	Warnings []string // for the log, in the order found

	RulesFiles []string
	WatchFiles bool
	Rules      []Selection
	Severity   uint8 // rules that are less severe are not loaded; 0 emergency to 7 debug
	MatchAll   bool  // rule_matching: all

	StrictUpstream bool // behave as the original even where it errs

	Engine struct {
		Kind          string // KindKmod, KindNone or KindReplay
		BufSizePreset int    // as configured; RingBytes checks it
		DropFailed    bool
		Snaplen       int    // 0 means the module's default
		CaptureFile   string // that a replay reads
	}
	ThreadTableSize int
	ClassicFields   bool // container fields as up to 0.40
	Containers      Containers
	StateSocket     string // where the state is told, "" for nowhere

	BaseSyscalls struct {
		Custom      []string // names; "!name" takes one away
		Repair, All bool
	}

	JSON        bool
	JSONOutput  bool
	JSONMessage bool
	JSONFields  bool
	JSONTags    bool
	JSONUUID    bool
	ISO8601     bool
	Base64      bool
	Append      []Append
	Buffered    bool

	Capture Capture

	QueueCapacity int
	QueueRecovery string
	OutputTimeout time.Duration
	Rate          struct{ PerSecond, Burst float64 } // of alerts; 0 is any
	Static        []StaticField
	Stdout        bool
	Syslog        bool
	File          FileOutput
	Program       ProgramOutput
	HTTP          HTTPOutput
	StdoutSpool   bool
	SyslogSpool   bool
	Spool         Spool

	Web         Web
	Drops       Drops
	MaxTimeouts int // waits without an event that are told about

	CanaryInterval time.Duration // between system calls of our own that must come back; 0 is none
	Metrics        Metrics

	Log struct {
		Stderr, Syslog bool
		Level          Level
	}
}

// File is one configuration file.
type File struct {
	Path   string
	Schema string // "ok", or what does not fit
}

// Selection is one item of rules: enable or disable what matches.
type Selection struct {
	Enable          bool
	Rule, Tag       string
	HasRule, HasTag bool // whether they are given
}

// Append is one item of append_output.
type Append struct {
	Rule, Source string   // "" matches all
	Tags         []string // all of them must be on the rule
	Output       string
	Fields       []AppendField
	Suggested    bool
}

// AppendField is an item of extra_fields: a raw field, or a name with a template.
type AppendField struct {
	Name   string
	Format string // "" for a raw field
}

// Kinds of engines.
const (
	KindKmod   = "kmod"
	KindNone   = "nodriver"
	KindReplay = "replay"
)

// Level is how much the log says: 0 emergency to 7 debug.
type Level uint8

// Levels of the log.
const (
	Emergency Level = iota
	Alert
	Critical
	ErrorLevel
	Warning
	Notice
	Info
	Debug
)

// Error is a configuration that cannot be used. Text is the operator's message;
// At says where it comes from, and Hint what to do, as far as they are known.
type Error struct {
	Text string
	At   Pos
	Hint string
}

func (e *Error) Error() string { return e.Text }
