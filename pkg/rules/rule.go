// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	ruleKeys = "rule condition output desc priority source enabled tags exceptions warn_evttypes " +
		"skip-if-unknown-filter capture capture_duration append override"
	ruleAppendable  = "condition output desc tags exceptions"
	ruleReplaceable = "condition output desc priority enabled tags exceptions warn_evttypes skip-if-unknown-filter capture capture_duration"
)

func (r *reader) rule(n *yaml.Node, ctx *context) error {
	name, ctx, err := r.named(n, inRule, ctx)
	if err != nil {
		return err
	}
	r.unknownKeys(n, ctx, ruleKeys)
	adding, err := r.appendFlag(n, ctx)
	if err != nil {
		return err
	}
	ops, err := r.overrides(n, ctx, "rule", ruleAppendable, ruleReplaceable, ruleKeys)
	switch {
	case err != nil:
		return err
	case ops != nil:
		return r.overrideRule(n, ctx, name, ops)
	case adding:
		return r.appendRule(n, ctx, name)
	}
	for _, k := range []string{"condition", "output", "desc", "priority"} {
		if get(n, k) != nil {
			return r.defineRule(n, ctx, name)
		}
	}
	return r.toggleRule(n, ctx, name)
}

func (r *reader) toggleRule(n *yaml.Node, ctx *context, name string) error {
	if _, err := r.need(n, "enabled", ctx); err != nil {
		return err
	}
	on := false
	if err := r.boolean(n, "enabled", ctx, &on); err != nil {
		return err
	}
	r.warn(WarnDeprecated, ctx, "The standalone 'enabled' key usage is deprecated. The correct approach requires also a "+
		"'replace' entry under the 'override' key (i.e. 'enabled: replace').")
	old := r.rules.find(name)
	if old == nil {
		return r.absent(ctx, name, r.rules.names(), "Rule has 'enabled' key but no rule by that name already exists")
	}
	old.enabled = on
	return nil
}

// appendRule reads an item with "append: true": condition and exceptions count.
func (r *reader) appendRule(n *yaml.Node, ctx *context, name string) error {
	ops := map[string]string{}
	for _, k := range []string{"condition", "exceptions"} {
		if get(n, k) != nil {
			ops[k] = opAppend
		}
	}
	if len(ops) == 0 {
		if r.opts.StrictUpstream || get(n, "enabled") == nil {
			return r.fail(ErrValidate, ctx, "Appended rule must have exceptions or condition property")
		}
		ops["enabled"] = opReplace // EXT 2
	}
	return r.overrideRule(n, ctx, name, ops)
}

// overrideRule changes an earlier rule: appends first, then replacements, and
// nothing at all if one of them is wrong.
func (r *reader) overrideRule(n *yaml.Node, ctx *context, name string, ops map[string]string) error {
	old := r.rules.find(name)
	if old == nil {
		for _, op := range ops {
			if op == opAppend {
				return r.absent(ctx, name, r.rules.names(), "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists")
			}
		}
		return r.absent(ctx, name, r.rules.names(), "An 'override.<key>: replace' to a rule was requested but no rule by that name already exists")
	}
	if ops["condition"] != "" && get(n, "source") != nil {
		source, err := r.str(n, "source", ctx)
		if err != nil {
			return err
		}
		if source != old.source {
			return r.fail(ErrValidate, ctx, "Rule has been re-defined with a different source")
		}
	}
	next := *old
	keys := make([]string, 0, len(ops))
	for k := range ops {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if ops[keys[i]] != ops[keys[j]] {
			return ops[keys[i]] == opAppend
		}
		return keys[i] < keys[j]
	})
	for _, k := range keys {
		if err := r.ruleKey(n, k, ctx, &next, ops[k]); err != nil {
			return err
		}
	}
	*old = next
	return nil
}

func (r *reader) defineRule(n *yaml.Node, ctx *context, name string) error {
	next := ruleItem{name: name, ctx: ctx, source: "syscall", enabled: true, warnTypes: true}
	for _, k := range []string{"condition", "output", "desc", "priority"} {
		if err := r.ruleKey(n, k, ctx, &next, ""); err != nil {
			return err
		}
	}
	next.output = strings.TrimSpace(next.output)
	if get(n, "source") != nil {
		var err error
		if next.source, err = r.str(n, "source", ctx); err != nil {
			return err
		}
	}
	for _, k := range []string{"enabled", "warn_evttypes", "skip-if-unknown-filter", "capture", "capture_duration", "tags", "exceptions"} {
		if get(n, k) != nil {
			if err := r.ruleKey(n, k, ctx, &next, ""); err != nil {
				return err
			}
		}
	}
	old := r.rules.find(name)
	if old == nil {
		r.rules.add(name, &next)
		return nil
	}
	if old.source != next.source {
		return r.fail(ErrValidate, ctx, "Rule has been re-defined with a different source")
	}
	*old = next
	return nil
}

// ruleKey reads one key of a rule item into out. op is append, replace, or ""
// in a definition.
func (r *reader) ruleKey(n *yaml.Node, key string, ctx *context, out *ruleItem, op string) (err error) {
	v := get(n, key)
	text := func(to *string) error {
		s, err := r.str(n, key, ctx)
		if err == nil && op == opAppend {
			s = *to + " " + s
		}
		if err == nil {
			*to = s
		}
		return err
	}
	switch key {
	case "condition":
		was := out.cond
		if err = text(&out.cond); err != nil {
			break
		}
		here := ctx.in(inRuleCond, "", v)
		if op != opAppend || out.cctx == nil {
			out.cctx, out.pieces = here, nil
			was = ""
		}
		out.pieces = append(slices.Clip(out.pieces), piece{here, out.cond[len(was):]})
	case "output":
		if err = text(&out.output); err == nil && (op != opAppend || out.octx == nil) {
			out.octx = ctx.in(inOutput, "", v)
		}
	case "desc":
		err = text(&out.desc)
	case "priority":
		s, err := r.str(n, key, ctx)
		if err != nil {
			return err
		}
		if out.priority, err = ParsePriority(s); err != nil {
			return r.fail(ErrYAMLValidate, ctx.in(inPriority, "", v), "Invalid priority")
		}
	case "enabled":
		err = r.boolean(n, key, ctx, &out.enabled)
	case "warn_evttypes":
		err = r.boolean(n, key, ctx, &out.warnTypes)
	case "skip-if-unknown-filter":
		err = r.boolean(n, key, ctx, &out.skipUnknown)
	case "capture":
		err = r.boolean(n, key, ctx, &out.capture)
	case "capture_duration":
		err = r.uint32(n, key, ctx, &out.captureMs)
	case "tags":
		tags, err := r.strings(v, ctx.in(inValue, key, v))
		if err != nil {
			return err
		}
		if op == opAppend {
			tags = append(tags, out.tags...)
		}
		out.tags = sortedSet(tags)
	case "exceptions":
		return r.exceptions(v, ctx, out, op)
	}
	return err
}

func sortedSet(in []string) []string {
	out := append([]string{}, in...)
	sort.Strings(out)
	n := 0
	for i, s := range out {
		if i == 0 || s != out[n-1] {
			out[n] = s
			n++
		}
	}
	return out[:n]
}
