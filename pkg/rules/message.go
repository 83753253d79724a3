// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
)

// Code names a kind of error or warning. Codes and texts are an interface:
// scripts look for them.
type Code struct {
	Name  string
	Short string
	Long  string // of warnings, for JSON
}

// Errors. A file has at most one.
var (
	ErrYAMLParse        = &Code{Name: "LOAD_ERR_YAML_PARSE", Short: "YAML parse error"}
	ErrYAMLValidate     = &Code{Name: "LOAD_ERR_YAML_VALIDATE", Short: "Error validating internal structure of YAML file"}
	ErrCompileCondition = &Code{Name: "LOAD_ERR_COMPILE_CONDITION", Short: "Error compiling condition"}
	ErrCompileOutput    = &Code{Name: "LOAD_ERR_COMPILE_OUTPUT", Short: "Error compiling output"}
	ErrValidate         = &Code{Name: "LOAD_ERR_VALIDATE", Short: "Error validating rule/macro/list/exception objects"}
)

// Warnings.
var (
	WarnUnknownSource = &Code{"LOAD_UNKNOWN_SOURCE", "Unknown event source",
		"A rule has a unknown event source. This can occur when reading rules content without having a corresponding plugin loaded, etc. The rule will be silently ignored."}
	WarnUnsafeNA = &Code{"LOAD_UNSAFE_NA_CHECK", "Unsafe <NA> comparison in condition",
		"Comparing a field value with <NA> is unsafe and can lead to unpredictable behavior of the rule condition. If you need to check for the existence of a field, consider using the 'exists' operator instead."}
	WarnNoEventType = &Code{"LOAD_NO_EVTTYPE", "Condition has no event-type restriction",
		"A rule condition matches too many evt.type values. This has a significant performance penalty. Make the condition more specific by adding an evt.type field or further restricting the number of evt.type values in the condition."}
	WarnUnknownFilter = &Code{"LOAD_UNKNOWN_FILTER", "Unknown field or event-type in condition or output",
		"A rule condition or output refers to a field or evt.type that does not exist. This is normally an error, but if a rule has a skip-if-unknown-filter property, the error is downgraded to a warning."}
	WarnUnusedMacro = &Code{"LOAD_UNUSED_MACRO", "Unused macro",
		"A macro is defined in the rules content but is not used by any other macro or rule."}
	WarnUnusedList = &Code{"LOAD_UNUSED_LIST", "Unused list",
		"A list is defined in the rules content but is not used by any other list, macro, or rule."}
	WarnUnknownItem = &Code{"LOAD_UNKNOWN_ITEM", "Unknown rules file item",
		"An unknown top-level object is in the rules content. It will be ignored."}
	WarnDeprecated = &Code{"LOAD_DEPRECATED_ITEM", "Used deprecated item",
		"A deprecated item is employed by lists, macros, or rules."}
	WarnNoValues = &Code{"LOAD_APPEND_NO_VALUES", "Overriding/appending with no values",
		"A rule exception is overriding/appending with no values"}
	WarnExceptionName = &Code{"LOAD_EXCEPTION_NAME_NOT_UNIQUE", "Multiple exceptions defined with the same name",
		"A rule is defining multiple exceptions with the same name"}
	WarnMacroName = &Code{"LOAD_INVALID_MACRO_NAME", "Invalid macro name", "A macro is defined with an invalid name"}
	WarnListName  = &Code{"LOAD_INVALID_LIST_NAME", "Invalid list name", "A list is defined with an invalid name"}
	WarnCondition = &Code{"LOAD_COMPILE_CONDITION", "Warning in rule condition",
		"A rule condition or output have been parsed with a warning"}
	WarnUnknownKey = &Code{"LOAD_UNKNOWN_KEY", "Unknown key in item definition",
		"An item in the rules content contains an unrecognized key. The key will be ignored. This may indicate a typo or a property placed on the wrong item type."}
)

// Issue is an error or a warning.
type Issue struct {
	Code            *Code
	Message         string
	Locations       []Location
	Snippet         string
	DeprecatedField string // JSON key deprecated_field, if not ""
	Hint            string // the next step, if we have an idea; no part of the report

	old string // what this was called once: the text report has it for those who look for it
}

// Error returns the message with its code; the place is in Locations.
func (i *Issue) Error() string { return i.title() }

func (i *Issue) title() string {
	short := i.Code.Short
	if i.DeprecatedField != "" {
		short += ": field '" + i.DeprecatedField + "'"
	}
	return i.Code.Name + " (" + short + "): " + i.Message
}

// Result is what became of one file.
type Result struct {
	Name     string
	Errors   []*Issue // none or one
	Warnings []*Issue

	Schema         SchemaStatus
	SchemaWarnings []string

	notes []string // hints about what is no error
}

// Successful reports whether the file could be loaded.
func (r *Result) Successful() bool { return len(r.Errors) == 0 }

func (r *Result) state() string {
	switch {
	case !r.Successful():
		return "Invalid"
	case len(r.Warnings) > 0:
		return "Ok, with warnings"
	}
	return "Ok"
}

// Hints returns what might help with the errors or, if there is none, what may
// not mean what it looks like; one line each. They are ours and go below the
// report, which is not.
func (r *Result) Hints() []string {
	if r.Successful() {
		return r.notes
	}
	var out []string
	for _, e := range append(append([]*Issue(nil), r.Warnings...), r.Errors...) {
		if e.Hint == "" || len(out) > 0 && strings.HasPrefix(e.Message, noKey) { // it is there, with another name
			continue
		}
		out = append(out, e.Hint)
	}
	return out
}

const rule = "------\n"

// Text returns the report, the full one if verbose and else the summary. It ends
// with a newline unless it is the one line of a file without any issue.
func (r *Result) Text(verbose bool) string {
	var b strings.Builder
	b.WriteString(r.Name + ": " + r.state())
	if !verbose {
		summary(&b, "errors", r.Errors)
		summary(&b, "warnings", r.Warnings)
		if n := len(r.SchemaWarnings); n > 0 {
			fmt.Fprintf(&b, "\n %d schema warnings: [%s]", n, strings.Join(r.SchemaWarnings, " "))
		}
		return b.String()
	}
	if r.Successful() && len(r.Warnings) == 0 && len(r.SchemaWarnings) == 0 {
		return b.String()
	}
	b.WriteByte('\n')
	empty := ""
	if n := len(r.SchemaWarnings); n > 0 {
		fmt.Fprintf(&b, "%d Schema warnings:\n", n)
		for _, w := range r.SchemaWarnings {
			b.WriteString(rule + w + "\n")
		}
		b.WriteString(rule)
		empty = "\n"
	}
	for _, part := range []struct {
		name   string
		issues []*Issue
	}{{"Errors", r.Errors}, {"Warnings", r.Warnings}} {
		if len(part.issues) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s%d %s:\n", empty, len(part.issues), part.name)
		for _, i := range part.issues {
			i.write(&b)
		}
		empty = "\n"
	}
	return b.String()
}

func summary(b *strings.Builder, what string, issues []*Issue) {
	if len(issues) == 0 {
		return
	}
	fmt.Fprintf(b, "\n %d %s: [", len(issues), what)
	for n, i := range issues {
		if n > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(i.Code.Name + " (" + i.Code.Short + ")")
	}
	b.WriteByte(']')
}

func (i *Issue) write(b *strings.Builder) {
	for n, l := range i.Locations {
		if n == 0 {
			b.WriteString("In ")
		} else {
			b.WriteString("    ")
		}
		b.WriteString(l.String() + "\n")
	}
	b.WriteString(rule + i.Snippet + rule + i.title())
	if i.old != "" {
		b.WriteString(" (" + i.old + ")")
	}
	b.WriteByte('\n')
}

// JSON returns the report as a value for encoding/json, which sorts its keys.
func (r *Result) JSON() any {
	m := map[string]any{
		"name":       r.Name,
		"successful": r.Successful(),
		"errors":     issuesJSON(r.Errors, func(c *Code) string { return c.Short }),
		"warnings":   issuesJSON(r.Warnings, func(c *Code) string { return c.Long }),
	}
	if r.Schema != SchemaNone {
		m["schema_valid"] = r.Schema == SchemaOK
		m["schema_warnings"] = append([]string{}, r.SchemaWarnings...)
	}
	return m
}

func issuesJSON(issues []*Issue, desc func(*Code) string) []any {
	out := []any{}
	for _, i := range issues {
		locs := []any{}
		for _, l := range i.Locations {
			locs = append(locs, map[string]any{"item_name": l.Name, "item_type": l.Type, "position": map[string]any{
				"column": l.Column, "line": l.Line, "name": l.File, "offset": l.Offset}})
		}
		m := map[string]any{"code": i.Code.Name, "codedesc": desc(i.Code), "message": i.Message,
			"context": map[string]any{"locations": locs, "snippet": i.Snippet}}
		if i.DeprecatedField != "" {
			m["deprecated_field"] = i.DeprecatedField
		}
		out = append(out, m)
	}
	return out
}
