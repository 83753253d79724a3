// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/format"
)

// compiler makes a Set of a collection. The checks stand in the order in which
// their warnings are reported: lists, macros, rules, then what is not used.
type compiler struct {
	*reader
	syntax filter.Syntax
	fc     *filter.Compiler
	set    *Set
	near   map[string]string // words, and the lists that are called nearly so
}

func (r *reader) compile() (*Set, error) {
	c := &compiler{
		reader: r,
		syntax: filter.Syntax{Depth: filter.RulesDepth, Strict: r.opts.StrictUpstream},
		fc:     &filter.Compiler{Fields: r.opts.Fields, Strict: r.opts.StrictUpstream},
	}
	c.set = &Set{all: r.opts.All, compiler: c.fc}
	c.resolveLists()
	macros, err := c.macroTrees()
	if err != nil {
		return nil, err
	}
	c.set.macros = macros.trees
	for _, i := range c.rules.all {
		out, err := c.rule(i, macros)
		if err != nil {
			return nil, err
		}
		if out != nil {
			out.Index = len(c.set.Rules)
			c.set.Rules = append(c.set.Rules, out)
		}
	}
	for _, m := range c.macros.all {
		if !m.used {
			c.warn(WarnUnusedMacro, m.ctx, "Macro not referred to by any other rule/macro")
		}
	}
	for _, l := range c.lists.all {
		if !l.used {
			c.warn(WarnUnusedList, l.ctx, "List not referred to by any other rule/macro")
		}
	}
	return c.set, nil
}

// deprecatedFields are those whose use earns a warning.
var deprecatedFields = []string{"evt.dir", "evt.latency", "evt.latency.human", "evt.latency.ns", "evt.latency.s", "evt.wait_latency"}

const (
	dirWarning = "due to the drop of enter events, 'evt.dir = <' always evaluates to true, and 'evt.dir = >' always evaluates " +
		"to false. The rule expression can be simplified by removing the condition on 'evt.dir'"
	latencyWarning  = "field is not available due to the drop of enter events."
	containerInfo   = "%container.info"
	containerNotice = "%container.info is deprecated and no more useful, and will be dropped by Falco 1.0.0. " +
		"The container plugin will automatically add required fields to the output message."
	manyTypes = 100 // a set of more event types is as good as all
)

// rule compiles one rule. It returns nil without an error if the rule is left out.
func (c *compiler) rule(i *ruleItem, macros *resolver) (*Rule, error) {
	if !c.opts.hasSource(i.source) {
		c.warn(WarnUnknownSource, i.ctx, "Unknown source %s, skipping", i.source)
		return nil, nil
	}
	out := &Rule{Name: i.name, Desc: i.desc, Priority: i.priority, Source: i.source, Tags: i.tags, Enabled: i.enabled,
		Capture: i.capture, CaptureDuration: i.captureMs, Condition: i.cond, info: i}
	skipped, err := c.output(i, out)
	if err != nil || skipped {
		return nil, err
	}
	cond := i.withExceptions()
	text := c.putLists(cond)
	src := &filter.Source{Text: text}
	src.Place = func(offset int) (string, int) { return placeOf(text, offset, i.pieces, i.ctx) }
	tree, err := c.syntax.Parse(src)
	if err != nil {
		err = c.filterError(err, i.cctx, text, text)
		if h := c.listHint(cond); h != "" {
			c.res.Errors[len(c.res.Errors)-1].Hint = h
		}
		return nil, err
	}
	expr, _, err := macros.run(tree, func(*macroTree) bool { return true })
	if err != nil {
		return nil, c.macroError(err, i.ctx, cond)
	}
	out.Expr = expr
	c.deprecated(i, expr)
	c.fc.Warnings = nil
	out.prog, err = c.fc.Compile(expr)
	if err != nil {
		if c.skippable(i, err) {
			c.warn(WarnUnknownFilter, i.expressionAt(err, cond), "%s", err)
			return nil, nil
		}
		return nil, c.filterError(err, i.cctx, cond, text)
	}
	for _, w := range c.fc.Warnings {
		c.warn(WarnCondition, i.cctx.expression(w.Pos, cond), "%s", w.Msg)
	}
	c.strayWords(tree)
	out.Events = filter.Events(expr)
	if i.source == syscallSource && i.warnTypes && out.Events.Len() > manyTypes {
		w := c.warn(WarnNoEventType, i.ctx, "Rule matches too many evt.type values. This has a significant performance penalty.")
		if !c.opts.StrictUpstream {
			w.old = "no-evttype"
		}
	}
	return out, nil
}

func (i *ruleItem) expressionAt(err error, cond string) *context {
	var fe *filter.Error
	if errors.As(err, &fe) {
		return i.cctx.expression(fe.Pos, cond)
	}
	return i.cctx
}

// skippable reports whether skip-if-unknown-filter covers the error.
func (c *compiler) skippable(i *ruleItem, err error) bool {
	if !i.skipUnknown {
		return false
	}
	for _, s := range []string{"nonexistent field", "unknown event type", "unknown filter:", "invalid formatting token"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}

// deprecated warns about fields in the condition that say nothing any more.
func (c *compiler) deprecated(i *ruleItem, e filter.Expr) {
	used := map[string]bool{}
	filter.Walk(e, func(e filter.Expr) {
		if check, ok := e.(*filter.Check); ok {
			filter.EachField(check, func(f *filter.Field) { used[f.Name] = true })
		}
	})
	for _, name := range deprecatedFields {
		if !used[name] {
			continue
		}
		msg := latencyWarning
		if name == "evt.dir" {
			msg = dirWarning
		}
		c.warn(WarnDeprecated, i.cctx, "%s", msg).DeprecatedField = name
	}
	filter.Walk(e, func(e filter.Expr) {
		if check, ok := e.(*filter.Check); ok && unsafeNA(check) {
			c.warn(WarnUnsafeNA, i.cctx, "")
		}
	})
}

// unsafeNA reports a comparison with <NA> of a field that has that as a value.
func unsafeNA(c *filter.Check) bool {
	f, ok := c.Left.(*filter.Field)
	if !ok || !strings.HasPrefix(f.Name, "ka.") && !strings.HasPrefix(f.Name, "jevt.") {
		return false
	}
	switch c.Op {
	case filter.OpEQ, filter.OpEQ2, filter.OpNE, filter.OpIn, filter.OpIntersects:
		for _, v := range c.Right.Values {
			if v.Text == "<NA>" {
				return true
			}
		}
	}
	return false
}

// output compiles the output of a rule and its extra fields.
func (c *compiler) output(i *ruleItem, out *Rule) (skipped bool, err error) {
	text := i.output
	for _, a := range c.opts.Append {
		if a.matches(i) && a.Output != "" {
			text += " " + a.Output
		}
	}
	if strings.Contains(text, containerInfo) {
		c.warn(WarnDeprecated, i.octx, "%s", containerNotice)
		if c.opts.ContainerInfo != "" && !c.opts.StrictUpstream {
			text = strings.Replace(text, containerInfo, c.opts.ContainerInfo, 1)
		}
		text = strings.ReplaceAll(text, containerInfo, "")
	}
	o := format.Options{Base64: c.opts.Base64, Strict: c.opts.StrictUpstream}
	if out.Output, err = format.Parse(text, c.fc, o); err != nil {
		return c.outputError(i, err)
	}
	c.deprecatedOutput(i, text)
	for _, a := range c.opts.Append {
		if !a.matches(i) {
			continue
		}
		for _, f := range a.Fields {
			text := f.Format
			if f.Raw {
				text = "%" + f.Format
			}
			t, err := format.Parse(text, c.fc, o)
			if err != nil {
				return c.outputError(i, err)
			}
			c.deprecatedOutput(i, text)
			out.Extra = append(out.Extra, Extra{f.Key, t, f.Raw})
		}
	}
	out.late = out.Output.Late() || slices.ContainsFunc(out.Extra, func(e Extra) bool { return e.Value.Late() })
	return false, nil
}

func (c *compiler) outputError(i *ruleItem, err error) (skipped bool, _ error) {
	if c.skippable(i, err) {
		c.warn(WarnUnknownFilter, i.octx, "%s", err)
		return true, nil
	}
	stop := c.fail(ErrCompileOutput, i.octx, "%s", err)
	var u *format.UnknownError
	if errors.As(err, &u) {
		issue := c.res.Errors[len(c.res.Errors)-1]
		if issue.Hint = fieldHint(u.Token); issue.Hint == "" {
			issue.Hint = fmt.Sprintf("%%%s names no field; a %% cannot be escaped", u.Token)
		}
	}
	return false, stop
}

func (c *compiler) deprecatedOutput(i *ruleItem, text string) {
	for _, name := range deprecatedFields {
		if strings.Contains(text, name) {
			c.warn(WarnDeprecated, i.octx, "usage of deprecated field '%s' has been detected in the rule output", name).DeprecatedField = name
		}
	}
}

// filterError reports an error in a condition. The snippet shows shown; text is
// what was parsed.
func (c *compiler) filterError(err error, ctx *context, shown, text string) error {
	var fe *filter.Error
	if !errors.As(err, &fe) {
		return c.fail(ErrCompileCondition, ctx, "%s", err)
	}
	stop := c.fail(ErrCompileCondition, ctx.expression(fe.Pos, shown), "%s", fe.Msg)
	h, place := c.hint(fe, text), c.place(fe, ctx, text)
	switch {
	case h != "" && place != "":
		h += " (" + place + ")"
	case h == "":
		h = place
	}
	c.res.Errors[len(c.res.Errors)-1].Hint = h
	return stop
}

func (a *AppendOutput) matches(i *ruleItem) bool {
	if a.Source != "" && a.Source != i.source || a.Rule != "" && a.Rule != i.name {
		return false
	}
	for _, t := range a.Tags {
		if !slices.Contains(i.tags, t) {
			return false
		}
	}
	return true
}
