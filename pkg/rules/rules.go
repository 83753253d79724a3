// SPDX-License-Identifier: Apache-2.0

// Package rules turns rule files into a Set: which rules ask at all about an
// event, and which of them match.
//
// Load reads the files (load.go), resolves lists, macros, exceptions, appends
// and overrides (resolve.go), compiles conditions and outputs (compile.go) and
// files the rules under the event types that they can match (set.go). What goes
// wrong, and where, is a Result (message.go).
//
// A Set never changes, but for the scratch memory inside: it belongs to the one
// goroutine that calls Match. A reload makes a new Set.
package rules

import (
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/format"
)

// EngineVersion is what required_engine_version is compared with.
const EngineVersion = "0.63.0"

// File is a rules file that has been read.
type File struct {
	Name    string
	Content []byte
}

// Options of Load.
type Options struct {
	Fields filter.Fields // nil: the catalogue of package field

	Sources  []string          // event sources; nil: syscall
	Plugins  map[string]string // loaded plugins and their versions, for required_plugin_versions
	Priority Priority          // rules less severe are left out. The zero value is Emergency: say Debug
	All      bool              // rule_matching: all

	Selection []Selection // configuration key "rules", in order
	Legacy    Legacy      // -D, -T, -t

	Append        []AppendOutput // configuration key append_output
	ContainerInfo string         // replaces %container.info once; "" removes it

	Continue       bool // go on with the next file after one that fails (-V)
	StrictUpstream bool // behave as the original even where it errs (strict_upstream)
	Base64         bool // print bytes as base64 (buffer_format_base64)
}

// Selection enables or disables rules by name or tag. Both may be given.
type Selection struct {
	Enable  bool // or disable
	Rule    string
	HasRule bool
	Tag     string
	HasTag  bool
}

// Legacy is what -D, -T and -t ask for.
type Legacy struct {
	DisabledSubstrings []string // -D
	DisabledTags       []string // -T
	EnabledTags        []string // -t
}

// AppendOutput is an entry of append_output.
type AppendOutput struct {
	Source string   // "" matches every source
	Tags   []string // all must be on the rule
	Rule   string   // "" matches every rule

	Output string       // appended to the template, behind a blank
	Fields []ExtraField // appear in output_fields only
}

// ExtraField is a key of output_fields that a configuration adds.
type ExtraField struct {
	Key    string
	Format string // a template, or the name of a field if Raw
	Raw    bool   // keep the JSON type of the field's value
}

// Rule is a loaded rule.
type Rule struct {
	Index    int // place in load order: the identity for counters
	Name     string
	Desc     string
	Priority Priority
	Source   string
	Tags     []string // sorted
	Enabled  bool     // after selection

	Capture         bool
	CaptureDuration uint32 // ms; 0: the configured default

	Condition string      // source text, without exceptions
	Expr      filter.Expr // macros expanded
	Output    *format.Template
	Extra     []Extra

	Events filter.EventSet // what can match, before the async event is added

	info *ruleItem
	prog filter.Program
	runs bool

	late  bool    // its output shows what a runtime tells of a container
	slots []int32 // what has to be kept of an event to try r later, once that was needed
	lines bool    // the lineage of its process as well
}

// Extra is an extra field of a rule, compiled.
type Extra struct {
	Key   string
	Value *format.Template
	Raw   bool
}
