// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"sort"
	"strings"

	"github.com/falco-go/falco/pkg/filter"
)

// Listings for -L and -l (rules-language.md §8.10).

// ErrNotLoaded is what a listing says if nothing has been loaded.
var ErrNotLoaded = fmt.Errorf("rules must be loaded before describing them")

// Rule returns the rule called name.
func (s *Set) Rule(name string) (*Rule, error) {
	for _, r := range s.Rules {
		if r.Name == name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("Rule \"%s\" is not loaded", name)
}

const (
	nameWidth = 50
	lineEnd   = 110
)

// Describe returns the text listing of the rules.
func Describe(rules []*Rule) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s %s\n%-*s %s\n", nameWidth, "Rule", "Description", nameWidth, "----", "-----------")
	for _, r := range rules {
		line := fmt.Sprintf("%-*s ", nameWidth, r.Name)
		for _, w := range strings.Fields(r.Desc) {
			if len(line)+len(w) >= lineEnd && len(line) > nameWidth+1 {
				b.WriteString(line + "\n")
				line = strings.Repeat(" ", nameWidth+1)
			}
			line += w + " "
		}
		b.WriteString(line + "\n\n")
	}
	return b.String()
}

// DescribeJSON returns the listing of one rule, as a value for encoding/json.
func (s *Set) DescribeJSON(r *Rule) any { return map[string]any{"rules": []any{s.ruleJSON(r)}} }

// JSON returns the listing of everything, as a value for encoding/json.
func (s *Set) JSON() any {
	rules, macros, lists := []any{}, []any{}, []any{}
	for _, r := range s.Rules {
		rules = append(rules, s.ruleJSON(r))
	}
	for _, m := range s.macros {
		macros = append(macros, s.macroJSON(m))
	}
	for _, l := range s.lists.all {
		lists = append(lists, s.listJSON(l))
	}
	return map[string]any{"rules": rules, "macros": macros, "lists": lists,
		"required_engine_version": s.EngineVersion, "required_plugin_versions": s.pluginsJSON()}
}

func (s *Set) pluginsJSON() []any {
	out := []any{}
	for _, p := range s.pluginNeeds {
		alts := []any{}
		for _, a := range p.or {
			alts = append(alts, map[string]any{"name": a.name, "version": a.version})
		}
		out = append(out, map[string]any{"name": p.name, "version": p.version, "alternatives": alts})
	}
	return out
}

func (s *Set) ruleJSON(r *Rule) any {
	i := r.info
	fields, ops := used(r.Expr)
	excNames, excFields, excOps := []string{}, []string{}, []string{}
	for _, e := range i.exceptions {
		excNames = append(excNames, e.name)
		excFields = append(excFields, flat(e.fields)...)
		excOps = append(excOps, flat(e.comps)...)
	}
	events := r.Events
	events.AddType(asyncEvent)
	details := map[string]any{
		"condition_compiled":  r.Expr.String(),
		"condition_fields":    fields,
		"condition_operators": ops,
		"output_compiled":     r.Output.Text,
		"output_fields":       sortedSet(r.Output.Tokens()),
		"events":              events.Names(),
		"macros":              s.macrosIn(i.withExceptions()),
		"lists":               s.listsIn(i.withExceptions()),
		"exception_names":     sortedSet(excNames),
		"exception_fields":    sortedSet(excFields),
		"exception_operators": sortedSet(excOps),
		"plugins":             []string{},
	}
	plain, raw := map[string]any{}, map[string]any{}
	for _, e := range r.Extra {
		if e.Raw {
			raw[e.Key] = strings.TrimPrefix(e.Value.Text, "%")
		} else {
			plain[e.Key] = e.Value.Text
		}
	}
	if len(plain) > 0 {
		details["extra_output_formatted_fields"] = plain
	}
	if len(raw) > 0 {
		details["extra_output_unformatted_fields"] = raw
	}
	return map[string]any{"details": details, "info": map[string]any{
		"name": r.Name, "condition": i.cond, "output": i.output, "description": r.Desc, "priority": r.Priority.String(),
		"source": r.Source, "enabled": r.Enabled, "tags": append([]string{}, r.Tags...),
		"capture": r.Capture, "capture_duration": r.CaptureDuration,
	}}
}

func (s *Set) macroJSON(m *macroTree) any {
	fields, ops := used(m.expr)
	events := filter.Events(m.expr)
	events.AddType(asyncEvent)
	return map[string]any{"info": map[string]any{"name": m.name, "condition": m.cond}, "details": map[string]any{
		"condition_compiled": m.expr.String(), "condition_fields": fields, "condition_operators": ops,
		"events": events.Names(), "macros": s.macrosIn(m.cond), "lists": s.listsIn(m.cond), "plugins": []string{}, "used": m.used,
	}}
}

func (s *Set) listJSON(l *listItem) any {
	items, lists := []string{}, []string{}
	for _, i := range l.items {
		if s.lists.find(i) != nil {
			lists = append(lists, i)
		} else {
			items = append(items, i)
		}
	}
	return map[string]any{"info": map[string]any{"name": l.name, "items": items}, "details": map[string]any{
		"items_compiled": append([]string{}, l.expanded...), "lists": sortedSet(lists), "plugins": []string{}, "used": l.used,
	}}
}

// used returns the fields and operators of a condition.
func used(e filter.Expr) (fields, ops []string) {
	filter.Walk(e, func(e filter.Expr) {
		if c, ok := e.(*filter.Check); ok {
			filter.EachField(c, func(f *filter.Field) { fields = append(fields, f.Token()) })
			op := c.Op.String()
			if c.Mod != filter.ModNone {
				op += " " + c.Mod.String()
			}
			ops = append(ops, op)
		}
	})
	return sortedSet(fields), sortedSet(ops)
}

func flat(e *entry) []string {
	if e == nil {
		return nil
	}
	if e.list {
		return e.texts()
	}
	return []string{e.text}
}

// macrosIn returns the macros that a condition names itself.
func (s *Set) macrosIn(cond string) []string {
	out := []string{}
	cond = s.lists.put(cond, func(*listItem) {})
	e, err := filter.Syntax{Depth: filter.RulesDepth}.Parse(&filter.Source{Text: cond})
	if err != nil {
		return out // it could be parsed when it was loaded
	}
	filter.Walk(e, func(e filter.Expr) {
		if id, ok := e.(*filter.Ident); ok {
			out = append(out, id.Name)
		}
	})
	return sortedSet(out)
}

// listsIn returns the lists that a condition names itself.
func (s *Set) listsIn(cond string) []string {
	out := []string{}
	for i := s.lists.next(cond, 0); i >= 0; i = s.lists.next(cond, i+1) {
		if _, ok := s.lists.all[i].put(cond); ok {
			out = append(out, s.lists.all[i].name)
		}
	}
	sort.Strings(out)
	return out
}

// CheckPlugins checks the required_plugin_versions of the rules against the
// plugins that are loaded.
func (s *Set) CheckPlugins(loaded map[string]string) error {
	for _, p := range s.pluginNeeds {
		if err := p.check(loaded); err != nil {
			return err
		}
	}
	return nil
}

func (p *pluginNeed) check(loaded map[string]string) error {
	var words []string
	for _, n := range append([]pluginNeed{*p}, p.or...) {
		words = append(words, fmt.Sprintf("%s (>= %s)", n.name, n.version))
		version, ok := loaded[n.name]
		if !ok {
			continue
		}
		have, ok := parseVersion(version)
		if !ok {
			//lint:ignore ST1005 the text is an interface
			return fmt.Errorf("Plugin '%s' has invalid version string '%s'", n.name, version)
		}
		if want, _ := parseVersion(n.version); !atLeast(have, want) {
			//lint:ignore ST1005 the text is an interface
			return fmt.Errorf("Plugin '%s' version '%s' is not compatible with required plugin version '%s'", n.name, version, n.version)
		}
		return nil
	}
	//lint:ignore ST1005 the text is an interface
	return fmt.Errorf("Plugin requirement not satisfied, must load one of: %s", strings.Join(words, ", "))
}
