// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/filter"
)

// exception says what a rule does not mean. The list form compares several
// fields with tuples of values, the single form one field with a list.
type exception struct {
	name   string
	fields *entry
	comps  *entry
	values []*entry
}

// entry is a text, or a list of entries.
type entry struct {
	text string
	list bool
	all  []*entry
}

func (e *entry) texts() []string {
	out := make([]string, len(e.all))
	for i, a := range e.all {
		out[i] = a.text
	}
	return out
}

// Aliases can make a small file mean a large value: these are the bounds.
const (
	maxEntryDepth = 4 // values, a tuple, a list, a scalar
	maxEntries    = 1 << 18
)

func (r *reader) entry(n *yaml.Node, ctx *context, depth int) (*entry, error) {
	if r.entries++; r.entries > maxEntries {
		return nil, r.fail(ErrYAMLValidate, ctx, "exceptions have more than %d values", maxEntries)
	}
	switch {
	case n.Kind == yaml.SequenceNode && depth < maxEntryDepth:
		e := &entry{list: true}
		for _, c := range n.Content {
			a, err := r.entry(resolve(c), ctx, depth+1)
			if err != nil {
				return nil, err
			}
			e.all = append(e.all, a)
		}
		return e, nil
	case n.Kind == yaml.ScalarNode && !isNull(n):
		return &entry{text: n.Value}, nil
	}
	return nil, r.fail(ErrYAMLValidate, ctx.in(inExcValue, "", n), "Can't decode YAML sequence value")
}

// exceptions reads the exceptions of a rule item and puts them into out.
func (r *reader) exceptions(v *yaml.Node, ctx *context, out *ruleItem, op string) error {
	ctx = ctx.in(inExceptions, "", v)
	if v.Kind != yaml.SequenceNode {
		return r.fail(ErrYAMLValidate, ctx, "Rule exceptions must be a sequence")
	}
	var next []*exception
	if op == opAppend {
		for _, e := range out.exceptions {
			c := *e
			c.values = append([]*entry(nil), e.values...)
			next = append(next, &c)
		}
	}
	seen := map[string]bool{}
	for _, n := range v.Content {
		n = resolve(n)
		ectx := ctx.in(inException, "", n)
		if n.Kind != yaml.MappingNode {
			return r.fail(ErrYAMLValidate, ectx, "Rule exception must be a mapping")
		}
		e, ectx, err := r.exception(n, ectx, op)
		if err != nil {
			return err
		}
		if seen[e.name] {
			r.warn(WarnExceptionName, ectx, "Multiple definitions of exception '%s' in the same rule", e.name)
		}
		seen[e.name] = true
		if op != "" && get(n, "values") == nil {
			r.warn(WarnNoValues, ectx, "Overriding/appending exception with no values")
		}
		var old *exception
		if op == opAppend {
			if i := slices.IndexFunc(next, func(o *exception) bool { return o.name == e.name }); i >= 0 {
				old = next[i]
			}
		}
		if old != nil {
			switch {
			case e.fields != nil:
				return r.fail(ErrValidate, ectx, "Can not append exception fields to existing exception, only values")
			case e.comps != nil:
				return r.fail(ErrValidate, ectx, "Can not append exception comps to existing exception, only values")
			}
			e.fields, e.comps = old.fields, old.comps
			if err := r.checkException(e, ectx); err != nil {
				return err
			}
			old.values = append(old.values, e.values...)
			continue
		}
		if op == opAppend {
			switch {
			case e.fields == nil:
				return r.fail(ErrValidate, ectx, "Rule exception must have fields property with a list of fields")
			case len(e.values) == 0:
				return r.fail(ErrValidate, ectx, "Rule exception must have values property with a list of values")
			}
		}
		if err := r.checkException(e, ectx); err != nil {
			return err
		}
		next = append(next, e)
	}
	out.exceptions = next
	return nil
}

func (r *reader) exception(n *yaml.Node, ctx *context, op string) (*exception, *context, error) {
	name, err := r.str(n, "name", ctx)
	if err != nil {
		return nil, ctx, err
	}
	ctx.loc.Name = name
	e := &exception{name: name}
	if get(n, "fields") != nil || op == "" {
		v, err := r.need(n, "fields", ctx)
		if err != nil {
			return nil, ctx, err
		}
		if e.fields, err = r.entry(v, ctx, 0); err != nil {
			return nil, ctx, err
		}
	}
	if v := get(n, "comps"); v != nil {
		if e.comps, err = r.entry(v, ctx, 0); err != nil {
			return nil, ctx, err
		}
	}
	if v := get(n, "values"); v != nil {
		if v.Kind != yaml.SequenceNode {
			return nil, ctx, r.fail(ErrYAMLValidate, ctx, "Rule exception values must be a sequence")
		}
		vctx := ctx.in(inExcValues, "", v)
		for _, c := range v.Content {
			a, err := r.entry(resolve(c), vctx, 1)
			if err != nil {
				return nil, ctx, err
			}
			e.values = append(e.values, a)
		}
	}
	return e, ctx, nil
}

// checkException fills in the operators that are not given, and checks that
// fields, operators and values fit.
func (r *reader) checkException(e *exception, ctx *context) error {
	if e.fields == nil || e.fields.list && len(e.fields.all) == 0 || !e.fields.list && e.fields.text == "" {
		return r.fail(ErrValidate, ctx, "Rule exception item must have fields property with a list of fields")
	}
	if !e.fields.list {
		return r.checkSingle(e, ctx)
	}
	if e.comps == nil {
		e.comps = &entry{list: true}
		for range e.fields.all {
			e.comps.all = append(e.comps.all, &entry{text: "="})
		}
	}
	if !e.comps.list || len(e.comps.all) != len(e.fields.all) {
		return r.fail(ErrValidate, ctx, "Fields and comps lists must have equal length")
	}
	for _, c := range e.comps.all {
		c.text = strings.TrimSpace(c.text)
		if _, _, ok := filter.ParseOp(c.text); !ok {
			return r.fail(ErrValidate, ctx, "'%s' is not a supported comparison operator", c.text)
		}
	}
	for _, f := range e.fields.all {
		if err := r.exceptionField(f.text, ctx); err != nil {
			return err
		}
	}
	for _, v := range e.values {
		if !v.list || len(v.all) != len(e.fields.all) {
			return r.fail(ErrValidate, ctx, "Fields and values lists must have equal length")
		}
	}
	return nil
}

func (r *reader) checkSingle(e *exception, ctx *context) error {
	if e.comps == nil {
		e.comps = &entry{text: "in"}
	}
	if e.comps.list {
		return r.fail(ErrValidate, ctx, "Fields and comps must both be strings")
	}
	e.comps.text = strings.TrimSpace(e.comps.text)
	if op, mod, ok := filter.ParseOp(e.comps.text); !ok || !op.List() && mod == filter.ModNone {
		return r.fail(ErrValidate, ctx, "When fields is a single value, comps must be one of (in, pmatch, intersects) or a modifier operator (e.g. startswith oneof)")
	}
	if err := r.exceptionField(e.fields.text, ctx); err != nil {
		return err
	}
	for _, v := range e.values {
		if v.list {
			return r.fail(ErrValidate, ctx, "Expected values array to contain a list of strings")
		}
	}
	return nil
}

func (r *reader) exceptionField(text string, ctx *context) error {
	o, n, err := filter.Syntax{Strict: r.opts.StrictUpstream}.Operand(&filter.Source{Text: text})
	if err == nil && n == len(text) {
		c := &filter.Compiler{Fields: r.opts.Fields}
		if _, err = c.Getter(o); err == nil {
			return nil
		}
	}
	return r.fail(ErrValidate, ctx, "'%s' is not a supported filter field", text)
}

// withExceptions returns the condition of a rule with its exceptions as text.
func (i *ruleItem) withExceptions() string {
	if len(i.exceptions) == 0 {
		return i.cond
	}
	var b strings.Builder
	b.WriteString("(" + i.cond + ")")
	for _, e := range i.exceptions {
		switch {
		case len(e.values) == 0:
		case e.fields.list:
			e.writeTuples(&b)
		default:
			e.writeSingle(&b)
		}
	}
	return b.String()
}

func (e *exception) writeTuples(b *strings.Builder) {
	b.WriteString(" and not (")
	for i, tuple := range e.values {
		if i > 0 {
			b.WriteString(" or ")
		}
		b.WriteByte('(')
		for j, v := range tuple.all {
			if j > 0 {
				b.WriteString(" and ")
			}
			comp := e.comps.all[j].text
			b.WriteString(e.fields.all[j].text + " " + comp + " " + v.value(comp))
		}
		b.WriteByte(')')
	}
	b.WriteByte(')')
}

func (e *exception) writeSingle(b *strings.Builder) {
	b.WriteString(" and not (" + e.fields.text + " " + e.comps.text + " (")
	for i, v := range e.values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteBlanks(v.text))
	}
	b.WriteString("))")
}

// value writes v as the operator wants it.
func (v *entry) value(comp string) string {
	if v.list {
		var parts []string
		for _, t := range v.texts() {
			parts = append(parts, quoteBlanks(t))
		}
		return "(" + strings.Join(parts, ", ") + ")"
	}
	if op, mod, _ := filter.ParseOp(comp); op.List() || mod != filter.ModNone {
		if strings.HasPrefix(v.text, "(") {
			return v.text
		}
		return "(" + v.text + ")"
	}
	return quoteBlanks(v.text)
}

// quoteBlanks puts a text with blanks inside in quotes, unless it has its own.
func quoteBlanks(s string) string {
	if strings.IndexByte(s, ' ') < 0 || s[0] == '"' || s[0] == '\'' {
		return s
	}
	return `"` + s + `"`
}
