// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"strings"
)

// hasSource reports whether events of the source can come at all.
func (o *Options) hasSource(source string) bool {
	if o.Sources == nil {
		return source == syscallSource
	}
	for _, s := range o.Sources {
		if s == source {
			return true
		}
	}
	return false
}

// CheckSelection reports ways to select rules that exclude each other.
func (o *Options) CheckSelection() error {
	disable := len(o.Legacy.DisabledSubstrings) > 0 || len(o.Legacy.DisabledTags) > 0
	enable := len(o.Legacy.EnabledTags) > 0
	switch {
	case disable && enable:
		//lint:ignore ST1005 the text is an interface
		return errors.New("You can not specify both disabled (-D/-T) and enabled (-t) rules")
	case (disable || enable) && len(o.Selection) > 0:
		//lint:ignore ST1005 the text is an interface
		return errors.New(`Specifying -D, -t, -T command line options together with "rules:" configuration or -o "rules..." is not supported.`)
	}
	return nil
}

// SelectionLog says what the selection does, one line an entry, for the log.
func (o *Options) SelectionLog() []string {
	var out []string
	for _, s := range o.Legacy.DisabledSubstrings {
		out = append(out, "Disabling rules matching substring: "+s)
	}
	for _, t := range o.Legacy.DisabledTags {
		out = append(out, "Disabling rules with tag: "+t)
	}
	for _, t := range o.Legacy.EnabledTags {
		out = append(out, "Enabling rules with tag: "+t)
	}
	for _, s := range o.Selection {
		verb := "Disabling"
		if s.Enable {
			verb = "Enabling"
		}
		if s.HasRule {
			out = append(out, verb+" rules with name: "+s.Rule)
		}
		if s.HasTag {
			out = append(out, verb+" rules with tag: "+s.Tag)
		}
	}
	return out
}

func (r *Rule) hasTag(tag string) bool {
	for _, t := range r.Tags {
		if t == tag {
			return true
		}
	}
	return false
}

// selectRules enables and disables the rules of s as the options say.
func (s *Set) selectRules(o *Options) {
	for _, r := range s.Rules {
		for _, sub := range o.Legacy.DisabledSubstrings {
			if strings.Contains(r.Name, sub) {
				r.Enabled = false
			}
		}
		for _, t := range o.Legacy.DisabledTags {
			if r.hasTag(t) {
				r.Enabled = false
			}
		}
		if len(o.Legacy.EnabledTags) > 0 {
			r.Enabled = false
			for _, t := range o.Legacy.EnabledTags {
				r.Enabled = r.Enabled || r.hasTag(t)
			}
		}
		for _, e := range o.Selection {
			if e.HasRule && wildcard(e.Rule, r.Name, o.StrictUpstream) || e.HasTag && r.hasTag(e.Tag) {
				r.Enabled = e.Enable
			}
		}
	}
}

// wildcard matches the whole of name; * is any text. The original takes each
// literal part at its first place and never goes back (QUIRK 9).
func wildcard(pattern, name string, strict bool) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, first) {
		return false
	}
	name = name[len(first):]
	middle := parts[1 : len(parts)-1]
	if strict && last != "" {
		middle = parts[1:]
	}
	for _, p := range middle {
		i := strings.Index(name, p)
		if i < 0 {
			return false
		}
		name = name[i+len(p):]
	}
	if strict {
		return last == "" || name == ""
	}
	return strings.HasSuffix(name, last)
}
