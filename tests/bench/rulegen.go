// SPDX-License-Identifier: Apache-2.0

// Package bench measures how the cost of an event and the time to load grow
// with the number of rules. Its rules are made of real ones by renaming and by
// varying literals (rulegen.go); its events are a scripted day of a small
// machine (day.go). The tests print tables; what they assert are ratios within
// one run and counts, never wall-clock time alone.
package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/rules"
)

// stock are the real rules that all others are made of, in the given material.
var stock = []string{"falco_rules-5.1.0.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"}

// A corpus is the items of rule files.
type corpus struct {
	lists, macros, rules []*yaml.Node
	isList, isMacro      map[string]bool
}

// shared is the folder of the given material.
func shared() string {
	if dir := os.Getenv("FALCO_SHARED"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared")
}

// readCorpus reads the stock rules, or our own where those are not at hand.
func readCorpus() (*corpus, error) {
	c := &corpus{isList: map[string]bool{}, isMacro: map[string]bool{}}
	var texts [][]byte
	for _, name := range stock {
		text, err := os.ReadFile(filepath.Join(shared(), "data", "rules", name))
		if err != nil {
			if texts = nil; !os.IsNotExist(err) {
				return nil, err
			}
			break
		}
		texts = append(texts, text)
	}
	if texts == nil {
		text, err := os.ReadFile(filepath.Join("..", "..", "rules", "falco_rules.yaml"))
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		var items []yaml.Node
		if err := yaml.Unmarshal(text, &items); err != nil {
			return nil, err
		}
		for i := range items {
			n := &items[i]
			switch {
			case value(n, "list") != nil:
				c.lists, c.isList[value(n, "list").Value] = append(c.lists, n), true
			case value(n, "macro") != nil:
				c.macros, c.isMacro[value(n, "macro").Value] = append(c.macros, n), true
			case value(n, "rule") != nil:
				c.rules = append(c.rules, n)
			}
		}
	}
	return c, nil
}

func value(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func clone(n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = make([]*yaml.Node, len(n.Content))
	for i, k := range n.Content {
		out.Content[i] = clone(k)
	}
	return &out
}

// kind says what differs between two copies of the rules.
type kind int

const (
	literals kind = iota // the literals that stand in the rules themselves; macros and lists are shared
	names                // nothing but the names of the rules
	all                  // each copy has macros and lists of its own, all with their own literals
)

func (k kind) String() string { return [...]string{"literals", "names", "all"}[k] }

// file makes a rules file of n rules: the stock rules first, then copies.
func (c *corpus) file(n int, k kind) (rules.File, error) {
	var items []*yaml.Node
	items = append(append(items, c.lists...), c.macros...)
	for i := range n {
		from, copy := c.rules[i%len(c.rules)], i/len(c.rules)
		if copy == 0 {
			items = append(items, from)
			continue
		}
		v := variation{c, strconv.Itoa(copy), k}
		if i%len(c.rules) == 0 && k == all {
			for _, l := range c.lists {
				items = append(items, v.list(l))
			}
			for _, m := range c.macros {
				out := clone(m)
				name := value(out, "macro")
				name.Value += "_" + v.suffix
				if err := v.condition(out); err != nil {
					return rules.File{}, fmt.Errorf("macro %s: %w", name.Value, err)
				}
				items = append(items, out)
			}
		}
		out := clone(from)
		name := value(out, "rule")
		name.Value += " " + v.suffix
		if k != names {
			if err := v.condition(out); err != nil {
				return rules.File{}, fmt.Errorf("rule %s: %w", name.Value, err)
			}
		}
		items = append(items, out)
	}
	text, err := yaml.Marshal(items)
	return rules.File{Name: fmt.Sprintf("%d.yaml", n), Content: text}, err
}

// variation is what makes one copy differ from the others.
type variation struct {
	*corpus
	suffix string
	kind   kind
}

func (v variation) list(n *yaml.Node) *yaml.Node {
	out := clone(n)
	value(out, "list").Value += "_" + v.suffix
	if items := value(out, "items"); items != nil {
		for _, item := range items.Content {
			item.Value = v.text(item.Value)
		}
	}
	return out
}

// text varies a literal, or renames a list.
func (v variation) text(s string) string {
	switch {
	case v.isList[s]:
		if v.kind == all {
			return s + "_" + v.suffix
		}
		return s
	case field.KnownType(s), s == "", strings.Trim(s, "-0123456789.:/abcdef\"'") == "", s == "<NA>":
		return s
	}
	if q := s[len(s)-1]; q == '"' || q == '\'' {
		return s[:len(s)-1] + v.suffix + s[len(s)-1:]
	}
	return s + v.suffix
}

// fixed are fields whose values are words of our own, and those of which almost
// every value is the same: other literals would make another kind of rule.
var fixed = []string{"evt.", "syscall.", "container.id", "fd.type", "fd.l4proto", "fd.sockfamily", "fd.ip", "fd.net", "fd.sip", "fd.cip",
	"fd.snet", "fd.cnet", "fd.rip", "fd.lip", "fd.rnet", "fd.lnet", "user.name", "proc.stdin", "proc.stdout", "proc.stderr"}

// condition varies the literals in the condition of n, a rule or a macro.
func (v variation) condition(n *yaml.Node) error {
	cond := value(n, "condition")
	e, err := filter.Syntax{}.Parse(&filter.Source{Text: cond.Value})
	if err != nil {
		return err
	}
	filter.Walk(e, func(e filter.Expr) {
		switch e := e.(type) {
		case *filter.Ident:
			if v.kind == all && v.isMacro[e.Name] {
				e.Name += "_" + v.suffix
			}
		case *filter.Check:
			v.check(e)
		}
	})
	cond.Value, cond.Style = filter.Print(e), yaml.FoldedStyle
	return nil
}

func (v variation) check(e *filter.Check) {
	f, ok := e.Left.(*filter.Field)
	if !ok || e.Op == filter.OpRegex {
		return
	}
	vary := v.text
	for _, name := range fixed {
		if strings.HasPrefix(f.Name, name) {
			vary = func(s string) string {
				if v.isList[s] {
					return v.text(s)
				}
				return s
			}
		}
	}
	if ref, err := field.Parse(f.Token()); err != nil || ref.Type != field.String && ref.Type != field.Path {
		vary = func(s string) string {
			if v.isList[s] {
				return v.text(s)
			}
			if n, err := strconv.Atoi(s); err == nil && ref != nil && ref.Type == field.Port {
				k, _ := strconv.Atoi(v.suffix)
				return strconv.Itoa((n + k) & 0xffff)
			}
			return s
		}
	}
	for i := range e.Right.Values {
		e.Right.Values[i].Text = vary(e.Right.Values[i].Text)
	}
}
