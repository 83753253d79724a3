// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// read goes through the table and lets each key take its value from the tree.
func (l *loader) read() error {
	for i := range keys {
		k := &keys[i]
		if strings.Contains(k.path, "[]") {
			continue // known to validate; its list reads it
		}
		n, err := l.tree.find(k.path)
		if err != nil {
			return err
		}
		if n == nil || n.kind == null {
			continue
		}
		if k.old != "" && k.path != "rules_file" {
			l.warn(n.named(), "config key '%s' is deprecated: %s", k.path, k.old)
		}
		if k.read != nil {
			if err := k.read(l, n); err != nil {
				return err
			}
		}
	}
	return l.rulesFile()
}

// find returns the node at a dotted path, nil if there is none. A text where a
// map is expected cannot be read; a list there counts as an empty map.
func (n *node) find(path string) (*node, error) {
	at := n
	for _, part := range strings.Split(path, ".") {
		if at.kind == scalar {
			return nil, &Error{Text: fmt.Sprintf("Config error at key %q: operator[] call on a scalar (%q)", path, at.text), At: at.at,
				Hint: "a map is expected there"}
		}
		if at = at.get(part); at == nil {
			return nil, nil
		}
	}
	return at, nil
}

// Readers of the regular keys. As in the original, a value that cannot be read
// leaves the default; unlike there, the log says so.

func boolean(of func(*Config) *bool) func(*loader, *node) error {
	return func(l *loader, n *node) error {
		to := of(l.cfg)
		if v, ok := parseBool(n); ok {
			*to = v
		} else {
			l.warn(n.at, "%q is not a boolean (yes, no, true, false, on, off); %v is used", n.text, *to)
		}
		return nil
	}
}

func number(of func(*Config) *int) func(*loader, *node) error {
	return func(l *loader, n *node) error {
		to := of(l.cfg)
		if v, ok := parseNumber(n); ok {
			*to = v
		} else {
			l.warn(n.at, "%q is not a number; %d is used", n.text, *to)
		}
		return nil
	}
}

// milliseconds reads a number of them.
func milliseconds(of func(*Config) *time.Duration) func(*loader, *node) error {
	return func(l *loader, n *node) error {
		to := of(l.cfg)
		ms := int(*to / time.Millisecond)
		err := number(func(*Config) *int { return &ms })(l, n)
		*to = time.Duration(ms) * time.Millisecond
		return err
	}
}

// text reads any scalar.
func text(of func(*Config) *string) func(*loader, *node) error {
	return func(l *loader, n *node) error {
		*of(l.cfg) = n.text
		return nil
	}
}

// texts reads a list of texts; a single text is a list of one.
func texts(of func(*Config) *[]string) func(*loader, *node) error {
	return func(l *loader, n *node) error {
		v, err := n.texts()
		*of(l.cfg) = v
		return err
	}
}

// readContainerProfile reads how the fields of containers behave.
func readContainerProfile(l *loader, n *node) error {
	switch strings.ToLower(n.text) {
	case "modern", "":
		l.cfg.ClassicFields = false
	case "classic":
		l.cfg.ClassicFields = true
	default:
		l.warn(n.at, "%q is no profile (modern, classic); modern is used", n.text)
	}
	return nil
}

// unless reads a key of an earlier version where the present one is not set.
func unless(path string, read func(*loader, *node) error) func(*loader, *node) error {
	return func(l *loader, n *node) error {
		if now, err := l.tree.find(path); err != nil || now != nil {
			return err
		}
		return read(l, n)
	}
}

func badConversion(n *node, hint string) error {
	return &Error{Text: "bad conversion", At: n.at, Hint: hint}
}

func (n *node) texts() ([]string, error) {
	switch n.kind {
	case scalar:
		return []string{n.text}, nil
	case list:
		out := make([]string, 0, len(n.items))
		for _, v := range n.items {
			if v.kind != scalar {
				return nil, badConversion(v, "a list of texts is expected")
			}
			out = append(out, v.text)
		}
		return out, nil
	}
	return nil, nil
}

func parseBool(n *node) (v, ok bool) {
	if n.kind != scalar {
		return false, false
	}
	low := strings.ToLower(n.text)
	if n.text != low && n.text != strings.ToUpper(n.text) && n.text != strings.ToUpper(low[:1])+low[1:] {
		return false, false // tRue
	}
	switch low {
	case "y", "yes", "true", "on":
		return true, true
	case "n", "no", "false", "off":
		return false, true
	}
	return false, false
}

func parseNumber(n *node) (int, bool) {
	if n.kind != scalar || strings.Trim(strings.TrimPrefix(n.text, "0x"), "0123456789abcdefABCDEF") != "" {
		return 0, false // ParseUint knows more spellings than we do
	}
	if strings.HasPrefix(n.text, "0b") || strings.HasPrefix(n.text, "0B") {
		return 0, false
	}
	v, err := strconv.ParseUint(n.text, 0, 32)
	return int(v), err == nil
}

// The keys that need more than a conversion.

func (l *loader) reading(n *node, format string, args ...any) error {
	return &Error{Text: fmt.Sprintf("Error reading config file (%s): ", l.opt.Path) + fmt.Sprintf(format, args...), At: n.at}
}

// Words in any case, which a schema cannot say otherwise.
var (
	isPriority = shape{kind: scalarText}
	isMatching = shape{kind: scalarText}
)

var levelNames = []string{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"}

func readLogLevel(l *loader, n *node) error {
	if n.kind != scalar {
		return nil
	}
	i := slices.Index(levelNames, n.text)
	if i < 0 {
		return &Error{Text: "Unknown log level " + n.text, At: n.at, Hint: "one of " + strings.Join(levelNames, ", ") + ", in lower case"}
	}
	l.cfg.Log.Level = Level(i)
	return nil
}

var priorityNames = []string{"emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"}

func readPriority(l *loader, n *node) error {
	if n.kind != scalar {
		return nil
	}
	name := strings.ToLower(n.text)
	if name == "info" {
		name = "informational"
	}
	i := slices.Index(priorityNames, name)
	if i < 0 {
		return &Error{Text: fmt.Sprintf("Unknown priority %q--must be one of %s", n.text, strings.Join(priorityNames, ", ")), At: n.at}
	}
	l.cfg.Severity = uint8(i)
	return nil
}

func readMatching(l *loader, n *node) error {
	if n.kind != scalar {
		return nil
	}
	switch strings.ToLower(n.text) {
	case "first":
		l.cfg.MatchAll = false
	case "all":
		l.cfg.MatchAll = true
	default:
		return &Error{Text: fmt.Sprintf("Unknown rule matching strategy %q--must be one of first, all", n.text), At: n.at}
	}
	return nil
}

func readEngineKind(l *loader, n *node) error {
	switch n.text {
	case KindKmod, KindNone:
		l.cfg.Engine.Kind = n.text
	case "modern_ebpf":
		if l.opt.Strict {
			return l.reading(n, "engine.kind 'modern_ebpf' is not available in this build.")
		}
		l.warn(Pos{}, "engine.kind modern_ebpf is not available in this build, using kmod")
		l.cfg.Engine.Kind = KindKmod
	case KindReplay:
		l.cfg.Engine.Kind = KindReplay
		if file, err := l.tree.find("engine.replay.capture_file"); err != nil || file == nil || file.text == "" {
			return l.reading(n, "engine.kind is 'replay' but no engine.replay.capture_file specified.")
		}
	default:
		return l.reading(n, "engine.kind '%s' is not a valid kind.", n.text)
	}
	return nil
}

func readCaptureFile(l *loader, n *node) error {
	if n.kind == scalar {
		l.cfg.Engine.CaptureFile = n.text
	}
	return nil
}

func readRulesFiles(l *loader, n *node) error {
	if old := l.tree.get("rules_file"); old != nil {
		return l.reading(old, "both 'rules_files' and 'rules_file' keys set")
	}
	return texts(func(c *Config) *[]string { return &c.RulesFiles })(l, n)
}

// rulesFile reads the old name of rules_files.
func (l *loader) rulesFile() error {
	old := l.tree.get("rules_file")
	if old == nil {
		return nil
	}
	if l.tree.get("rules_files") != nil {
		return l.reading(old, "both 'rules_files' and 'rules_file' keys set")
	}
	l.warn(Pos{}, "Using deprecated config key 'rules_file' (singular form). Please use new 'rules_files' config key (plural form).")
	return texts(func(c *Config) *[]string { return &c.RulesFiles })(l, old)
}

func readRules(l *loader, n *node) error {
	const hint = "an item is {enable: {rule: NAME, tag: TAG}}, or the same with disable"
	if n.kind == scalar {
		return badConversion(n, hint)
	}
	if n.kind != list {
		return nil
	}
	for _, item := range n.items {
		sel, what := Selection{Enable: true}, item.get("enable")
		if what == nil {
			sel.Enable, what = false, item.get("disable")
		}
		rule, tag := what.get("rule"), what.get("tag")
		if rule == nil && tag == nil {
			return badConversion(item, hint)
		}
		for _, v := range []struct {
			n   *node
			to  *string
			has *bool
		}{{rule, &sel.Rule, &sel.HasRule}, {tag, &sel.Tag, &sel.HasTag}} {
			if v.n == nil {
				continue
			}
			if v.n.kind != scalar {
				return badConversion(v.n, hint)
			}
			*v.to, *v.has = v.n.text, true
		}
		l.cfg.Rules = append(l.cfg.Rules, sel)
	}
	return nil
}

func readAppendOutput(l *loader, n *node) error {
	if n.kind == scalar {
		return badConversion(n, "a list of maps is expected")
	}
	if n.kind != list {
		return nil
	}
	for _, item := range n.items {
		if item.kind != dict {
			return badConversion(item, "a map is expected")
		}
		var a Append
		if match := item.get("match"); match != nil {
			a.Rule, a.Source = match.textOf("rule"), match.textOf("source")
			if tags := match.get("tags"); tags != nil {
				var err error
				if a.Tags, err = tags.texts(); err != nil {
					return err
				}
			}
			if a.Rule != "" && len(a.Tags) > 0 {
				l.warn(match.at, "append_output: match.rule and match.tags are both set; both have to match")
			}
		}
		a.Output = item.textOf("extra_output")
		if s := item.get("suggested_output"); s != nil {
			a.Suggested, _ = parseBool(s)
		}
		if fields := item.get("extra_fields"); fields != nil {
			for _, f := range fields.items {
				field := AppendField{Name: f.text}
				if f.kind == dict && len(f.keys) == 1 && f.items[0].kind == scalar {
					field = AppendField{Name: f.keys[0], Format: f.items[0].text}
				} else if f.kind != scalar {
					return badConversion(f, "an item of extra_fields is a field, or one name with a text")
				}
				if slices.ContainsFunc(a.Fields, func(o AppendField) bool { return o.Name == field.Name }) {
					return badConversion(f, fmt.Sprintf("extra_fields has %q twice", field.Name))
				}
				a.Fields = append(a.Fields, field)
			}
		}
		l.cfg.Append = append(l.cfg.Append, a)
	}
	return nil
}

// textOf returns the text of key, "" if there is none.
func (n *node) textOf(key string) string {
	if v := n.get(key); v != nil && v.kind == scalar {
		return v.text
	}
	return ""
}

// readLoadPlugins: what plugins bring elsewhere is built in or not there.
func readLoadPlugins(l *loader, n *node) error {
	names, err := n.texts()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != "container" {
			return &Error{Text: "plugins are not supported in this build: " + name, At: n.at, Hint: "remove it from load_plugins"}
		}
	}
	return nil
}
