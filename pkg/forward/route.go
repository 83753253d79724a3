// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/state"
)

// matchSettings choose events: all that is set has to fit, of each list one element. Patterns are
// those of path.Match.
type matchSettings struct {
	Rules      []string `key:"rules"`
	Priority   string   `key:"priority" doc:"notice, =notice, >=notice, <notice"`
	Sources    []string `key:"sources"`
	Hostnames  []string `key:"hostnames"`
	TagsAny    []string `key:"tags_any"`
	TagsAll    []string `key:"tags_all"`
	Namespaces []string `key:"namespaces"`
	Pods       []string `key:"pods"`
	Images     []string `key:"images"`
	Clusters   []string `key:"clusters"`
}

// Route says which events an output of the list gets. It keeps what it was asked last:
// it belongs to one goroutine.
type Route struct {
	match, not *match
	condition  *condition
	dedup      time.Duration
	throttle   *throttle

	seen *seen
}

func newRoute(e *listed) (*Route, error) {
	r := &Route{dedup: e.Dedup}
	var err error
	if r.match, err = newMatch(&e.Match); err != nil {
		return nil, fmt.Errorf("match: %w", err)
	}
	if r.not, err = newMatch(&e.NotMatch); err != nil {
		return nil, fmt.Errorf("not_match: %w", err)
	}
	if strings.TrimSpace(e.Cond) != "" {
		if r.condition, err = newCondition(e.Cond); err != nil {
			return nil, fmt.Errorf("condition: %w", err)
		}
	}
	if e.Dedup > 0 {
		r.seen = newSeen(maxKeys)
	}
	if e.Throttle.Per > 0 {
		r.throttle = newThrottle(e.Throttle.Key, e.Throttle.Max, e.Throttle.Per, e.Throttle.Summary)
	}
	return r, nil
}

// wants reports whether e is for the output.
func (r *Route) wants(e *event.Event) bool {
	switch {
	case r == nil:
		return true
	case r.match != nil && !r.match.fits(e):
		return false
	case r.not != nil && r.not.fits(e):
		return false
	}
	return r.condition == nil || r.condition.fits(e)
}

// match is matchSettings, checked.
type match struct {
	matchSettings
	op   string
	prio event.Priority
}

// newMatch returns nil if nothing is set.
func newMatch(s *matchSettings) (*match, error) {
	m := &match{matchSettings: *s}
	set := false
	for _, list := range [][]string{s.Rules, s.Sources, s.Hostnames, s.TagsAny, s.TagsAll, s.Namespaces, s.Pods, s.Images, s.Clusters} {
		for _, p := range list {
			if _, err := path.Match(p, ""); err != nil {
				return nil, fmt.Errorf("%q is no pattern", p)
			}
			set = true
		}
	}
	if text := strings.TrimSpace(s.Priority); text != "" {
		name := strings.TrimLeft(text, "<>=")
		m.op = text[:len(text)-len(name)]
		p, ok := event.ParsePriority(strings.TrimSpace(name))
		if !ok || !strings.Contains(" = == >= <= > < ", " "+m.op+" ") && m.op != "" {
			return nil, fmt.Errorf("priority %q is none", text)
		}
		m.prio, set = p, true
	}
	if !set {
		return nil, nil
	}
	return m, nil
}

func (m *match) fits(e *event.Event) bool {
	if m.prio != event.None {
		ok := false
		switch m.op {
		case "", ">=":
			ok = e.Priority >= m.prio
		case "=", "==":
			ok = e.Priority == m.prio
		case "<=":
			ok = e.Priority <= m.prio
		case ">":
			ok = e.Priority > m.prio
		case "<":
			ok = e.Priority < m.prio
		}
		if !ok {
			return false
		}
	}
	one := func(patterns []string, names ...string) bool {
		if len(patterns) == 0 {
			return true
		}
		for _, n := range names {
			if n != "" && like(patterns, n) {
				return true
			}
		}
		return false
	}
	for _, t := range m.TagsAll {
		if !one([]string{t}, e.Tags...) {
			return false
		}
	}
	return one(m.Rules, e.Rule) && one(m.Sources, e.Source) && one(m.Hostnames, e.Hostname) && one(m.TagsAny, e.Tags...) &&
		one(m.Namespaces, e.Fields.Str("k8s.ns.name"), e.Fields.Str("ka.target.namespace")) &&
		one(m.Pods, e.Fields.Str("k8s.pod.name"), e.Fields.Str("ka.target.pod.name")) &&
		one(m.Clusters, e.Fields.Str("cluster")) && (len(m.Images) == 0 || one(m.Images, images(e)...))
}

// images are the names under which the image of an event's container may be known.
func images(e *event.Event) []string {
	repo, tag := e.Fields.Str("container.image.repository"), e.Fields.Str("container.image.tag")
	out := []string{e.Fields.Str("container.image"), repo}
	if repo != "" && tag != "" {
		out = append(out, repo+":"+tag)
	}
	return out
}

// like reports whether name fits a pattern; "*" passes slashes too, names of rules and images have
// some.
func like(patterns []string, name string) bool {
	flat := strings.ReplaceAll(name, "/", "\x00")
	for _, p := range patterns {
		if ok, err := path.Match(strings.ReplaceAll(p, "/", "\x00"), flat); ok && err == nil {
			return true
		}
	}
	return false
}

// condition is one of the rule language, over what an event brings: its output_fields by their
// names, and alert.rule, .priority, .source, .hostname, .tags, .output, .uuid.
type condition struct {
	prog filter.Program
	env  *filter.Env
	now  *event.Event
}

func newCondition(text string) (*condition, error) {
	c := &condition{}
	expr, err := filter.Syntax{}.Parse(&filter.Source{Text: text})
	if err != nil {
		return nil, err
	}
	var macro error
	expr, err = filter.Expand(expr, func(id *filter.Ident) (filter.Expr, error) {
		macro = fmt.Errorf("%q is neither a comparison nor a macro that is known here (members of the alert itself are %s%s and so on)", id.Name, own, members[0])
		return nil, macro
	})
	if err != nil {
		return nil, err
	}
	comp := &filter.Compiler{Fields: (*names)(c)}
	if c.prog, err = comp.Compile(expr); err != nil {
		return nil, err
	}
	c.env = comp.NewEnv()
	return c, nil
}

func (c *condition) fits(e *event.Event) bool {
	c.now = e
	c.env.Begin(nil)
	return c.prog.Match(c.env)
}

// names are the fields of a condition.
type names condition

// own is in front of the names of an event's own members: names without a dot are macros.
const own = "alert."

func (n *names) Parse(token string) (*field.Ref, error) {
	switch name, is := strings.CutPrefix(token, own); {
	case is && !slices.Contains(members, name):
		return nil, fmt.Errorf("%q is no field: of an alert there are %s", token, strings.Join(members, ", "))
	case !strings.Contains(token, "."):
		return nil, fmt.Errorf("%q is no field", token)
	}
	def := &field.Def{Name: token, Type: field.String}
	if r, err := field.Parse(token); err == nil {
		def.Type = plain(r.Type)
	}
	switch token {
	case own + "tags":
		def.Traits = field.List
	case own + "priority": // "Warning" and "warning"
		def.Traits = field.Multi
	}
	def.Get = func(_ *state.Scene, _ *field.Arg, out []field.Value) []field.Value {
		return n.get(token, def.Type, out)
	}
	return &field.Ref{Token: token, Def: def, Type: def.Type, Arg: field.Arg{Index: -1}}, nil
}

var members = []string{"rule", "priority", "source", "hostname", "tags", "output", "uuid"}

func (n *names) Longest(text string) (*field.Ref, int, bool) { return nil, 0, false }

// plain is the type that a field's text is read back to.
func plain(t field.Type) field.Type {
	switch {
	case t >= field.Int8 && t <= field.PID, t == field.Port, t == field.RelTime, t == field.AbsTime:
		return field.Int64
	case t == field.Double, t == field.Bool, t == field.IP, t == field.IPNet:
		return t
	}
	return field.String
}

func (n *names) get(name string, t field.Type, out []field.Value) []field.Value {
	e := n.now
	switch name {
	case own + "rule":
		return text(out, e.Rule)
	case own + "priority":
		return text(out, e.Priority.Lower(), e.Priority.String())
	case own + "source":
		return text(out, e.Source)
	case own + "hostname":
		return text(out, e.Hostname)
	case own + "output":
		return text(out, e.Output)
	case own + "uuid":
		return text(out, e.UUID)
	case own + "tags":
		return text(out, e.Tags...)
	}
	v, ok := e.Fields.Get(name)
	if !ok {
		return out
	}
	if list, ok := v.([]any); ok {
		for _, x := range list {
			out = value(out, t, x)
		}
		return out
	}
	return value(out, t, v)
}

func text(out []field.Value, texts ...string) []field.Value {
	for _, s := range texts {
		out = append(out, field.Value{Str: s})
	}
	return out
}

func value(out []field.Value, t field.Type, v any) []field.Value {
	s, ok := event.Field{Value: v}.Text()
	if !ok {
		return out
	}
	switch t {
	case field.Int64:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return append(out, field.Value{Num: uint64(n), Str: s})
		}
		if f, err := json.Number(s).Float64(); err == nil {
			return append(out, field.Value{Num: uint64(int64(f)), Str: s})
		}
		return out
	case field.Double:
		if f, err := json.Number(s).Float64(); err == nil {
			return append(out, field.Value{Num: math.Float64bits(f)})
		}
		return out
	case field.Bool:
		if b, err := strconv.ParseBool(s); err == nil {
			n := uint64(0)
			if b {
				n = 1
			}
			return append(out, field.Value{Num: n})
		}
		return out
	case field.IP, field.IPNet:
		if ip, err := netip.ParseAddr(s); err == nil {
			return append(out, field.Value{IP: ip})
		}
		return out
	}
	return append(out, field.Value{Str: s})
}

// chosen reports whether an instance gets e at all, before its own suppression.
func (i *Instance) chosen(e *event.Event) bool {
	k := i.Kind
	if len(k.Sources) > 0 && !contains(k.Sources, e.Source) {
		return false
	}
	if i.Minimum != event.None && !k.NoMinimum && e.Priority < i.Minimum && (e.Rule != event.Test || k.Strict) {
		return false
	}
	return i.Route.wants(e)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}
