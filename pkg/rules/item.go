// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"
)

// collection is what all files read so far have defined. It grows with each
// file and is compiled as a whole after each.
type collection struct {
	opts    *Options
	order   int // number of the item being read
	lists   lists
	macros  shelf[macroItem]
	rules   shelf[ruleItem]
	engine  string // the largest required_engine_version
	plugins []pluginNeed
}

type listItem struct {
	name        string
	ctx         *context
	items       []string
	first, last int // items at which it was defined first, and changed last
	used        bool
	expanded    []string
}

type macroItem struct {
	name        string
	ctx, cctx   *context
	cond        string
	pieces      []piece // of cond
	first, last int
	used        bool
}

type ruleItem struct {
	name, cond, output, desc, source string
	ctx, cctx, octx                  *context
	pieces                           []piece // of cond
	priority                         Priority
	tags                             []string
	enabled, warnTypes, skipUnknown  bool
	capture                          bool
	captureMs                        uint32
	exceptions                       []*exception
}

type pluginNeed struct {
	name, version string
	or            []pluginNeed
}

// shelf holds items in the order in which they were defined first.
type shelf[T any] struct {
	all []*T
	at  map[string]int
}

func (s *shelf[T]) find(name string) *T {
	if i, ok := s.at[name]; ok {
		return s.all[i]
	}
	return nil
}

func (s *shelf[T]) add(name string, item *T) {
	if s.at == nil {
		s.at = map[string]int{}
	}
	s.at[name] = len(s.all)
	s.all = append(s.all, item)
}

// names returns the names of all, in order.
func (s *shelf[T]) names() []string {
	out := make([]string, len(s.all))
	for name, i := range s.at {
		out[i] = name
	}
	return out
}

var semver = regexp.MustCompile(`^\s*(\d+)\.(\d+)\.(\d+)`)

// parseVersion reads x.y.z and ignores what follows.
func parseVersion(text string) (v [3]uint64, ok bool) {
	m := semver.FindStringSubmatch(text)
	if m == nil {
		return v, false
	}
	for i := range v {
		n, err := strconv.ParseUint(m[i+1], 10, 32)
		if err != nil {
			return v, false
		}
		v[i] = n
	}
	return v, true
}

// atLeast reports whether v can stand in for want.
func atLeast(v, want [3]uint64) bool {
	if v[0] != want[0] || v[1] != want[1] {
		return v[0] == want[0] && v[1] > want[1]
	}
	return v[2] >= want[2]
}

func (r *reader) engineVersion(n *yaml.Node, ctx *context) error {
	ctx = ctx.in(inEngine, "", n)
	text, err := r.str(n, "required_engine_version", ctx)
	if err != nil {
		return err
	}
	if v, ok := parseUint32(text); ok {
		text = "0." + strconv.FormatUint(uint64(v), 10) + ".0"
	}
	want, ok := parseVersion(text)
	if !ok {
		return r.fail(ErrYAMLValidate, ctx, "Unable to parse engine version '%s' as a semver string. Expected \"x.y.z\" semver format.", text)
	}
	have, _ := parseVersion(EngineVersion)
	if !atLeast(have, want) {
		return r.fail(ErrValidate, ctx, "Rules require engine version %s, but engine version is %s", text, EngineVersion)
	}
	if old, ok := parseVersion(r.engine); !ok || atLeast(want, old) {
		r.engine = text
	}
	return nil
}

func (r *reader) pluginVersions(n *yaml.Node, ctx *context) error {
	ctx = ctx.in(inPlugins, "", n)
	v := get(n, "required_plugin_versions")
	if v.Kind != yaml.SequenceNode {
		return r.fail(ErrYAMLValidate, ctx, "Value of required_plugin_versions must be a sequence")
	}
	for _, e := range v.Content {
		e = resolve(e)
		ectx := ctx.in(inPlugin, "", e)
		if e.Kind != yaml.MappingNode {
			return r.fail(ErrYAMLValidate, ectx, "Plugin version must be a mapping")
		}
		need, err := r.pluginNeed(e, ectx)
		if err != nil {
			return err
		}
		if alts := get(e, "alternatives"); alts != nil {
			if alts.Kind != yaml.SequenceNode {
				return r.fail(ErrYAMLValidate, ectx, "Value of plugin version alternatives must be a sequence")
			}
			names := map[string]bool{need.name: true}
			for _, a := range alts.Content {
				a = resolve(a)
				actx := ectx.in(inPluginAlt, "", a)
				if a.Kind != yaml.MappingNode {
					return r.fail(ErrYAMLValidate, actx, "Plugin version alternative must be a mapping")
				}
				alt, err := r.pluginNeed(a, actx)
				if err != nil {
					return err
				}
				if names[alt.name] {
					return r.fail(ErrValidate, actx, "Defined multiple alternative version requirements for plugin '%s'", alt.name)
				}
				names[alt.name] = true
				need.or = append(need.or, alt)
			}
		}
		r.plugins = append(r.plugins, need)
	}
	return nil
}

func (r *reader) pluginNeed(n *yaml.Node, ctx *context) (p pluginNeed, err error) {
	if p.name, err = r.str(n, "name", ctx); err != nil {
		return p, err
	}
	if p.version, err = r.str(n, "version", ctx); err != nil {
		return p, err
	}
	if _, ok := parseVersion(p.version); !ok {
		err = r.fail(ErrValidate, ctx, "Invalid required version '%s' for plugin '%s'", p.version, p.name)
	}
	return p, err
}

const listKeys = "list items append override"

var listName = regexp.MustCompile(`^[^()"'\s=,]+$`)

func (r *reader) list(n *yaml.Node, ctx *context) error {
	name, ctx, err := r.named(n, inList, ctx)
	if err != nil {
		return err
	}
	r.unknownKeys(n, ctx, listKeys)
	if !listName.MatchString(name) {
		r.warn(WarnListName, ctx, `List has an invalid name. List names should match a regular expression: ([^()\"'[:space:]=,]+)`)
	}
	adding, err := r.appendFlag(n, ctx)
	if err != nil {
		return err
	}
	ops, err := r.overrides(n, ctx, "list", "items", "items", listKeys)
	if err != nil {
		return err
	}
	v, err := r.need(n, "items", ctx)
	if err != nil {
		return err
	}
	items, err := r.strings(v, ctx.in(inValue, "items", v))
	if err != nil {
		return err
	}
	old := r.lists.find(name)
	if adding || ops["items"] == opAppend {
		if old == nil {
			return r.absent(ctx, name, r.lists.names(), "List uses 'append' or 'override.items: append' but no list by that name already exists")
		}
		old.items = append(old.items, items...)
		old.last = r.order
		return nil
	}
	l := &listItem{name: name, ctx: ctx, items: items, first: r.order, last: r.order}
	if old != nil {
		l.first = old.first
		*old = *l
		return nil
	}
	r.lists.add(name, l)
	return nil
}

const macroKeys = "macro condition append override"

func (r *reader) macro(n *yaml.Node, ctx *context) error {
	name, ctx, err := r.named(n, inMacro, ctx)
	if err != nil {
		return err
	}
	r.unknownKeys(n, ctx, macroKeys)
	if !r.macroName(name) {
		r.warn(WarnMacroName, ctx, "Macro has an invalid name. Macro names should match a regular expression: ([a-zA-Z]+[a-zA-Z0-9_]*)")
	}
	adding, err := r.appendFlag(n, ctx)
	if err != nil {
		return err
	}
	ops, err := r.overrides(n, ctx, "macro", "condition", "condition", macroKeys)
	if err != nil {
		return err
	}
	cond, err := r.str(n, "condition", ctx)
	if err != nil {
		return err
	}
	old := r.macros.find(name)
	if adding || ops["condition"] == opAppend {
		if old == nil {
			return r.absent(ctx, name, r.macros.names(), "Macro uses 'append' or 'override.condition: append' but no macro by that name already exists")
		}
		old.cond += " " + cond
		old.pieces = append(old.pieces, piece{ctx.in(inMacroCond, "", get(n, "condition")), cond})
		old.last = r.order
		return nil
	}
	m := &macroItem{name: name, ctx: ctx, cctx: ctx.in(inMacroCond, "", get(n, "condition")), cond: cond, first: r.order, last: r.order}
	m.pieces = []piece{{m.cctx, cond}}
	if old != nil {
		m.first = old.first
		*old = *m
		return nil
	}
	r.macros.add(name, m)
	return nil
}

// macroName reports whether a condition can refer to name. Old rules begin some
// with an underscore (EXT 5).
func (r *reader) macroName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i] | 0x20
		letter := c >= 'a' && c <= 'z'
		if !letter && (i > 0 || r.opts.StrictUpstream || name[i] != '_') &&
			(i == 0 || name[i] != '_' && (name[i] < '0' || name[i] > '9')) {
			return false
		}
	}
	return name != ""
}
