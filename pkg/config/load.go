// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// DefaultPath is read when no -c is given.
const DefaultPath = "/etc/falco/falco.yaml"

// Find returns the path of the main file: the given one, which has to be
// readable, or the default one if there is one, or "".
func Find(given string) (string, error) {
	path := given
	if path == "" {
		path = DefaultPath
	}
	f, err := os.Open(path)
	if err == nil {
		f.Close()
		return path, nil
	}
	if given == "" {
		return "", nil
	}
	return "", &Error{Text: "Could not find configuration file at " + given, At: Pos{File: given}, Hint: err.Error()}
}

// Options say what is loaded.
type Options struct {
	Path      string   // the main file, "" for none
	Overrides []string // -o options, in order
	Strict    bool     // what is not there is an error, where otherwise something else is taken
	Env       func(string) (string, bool)
}

// Load reads the main file, the files that it includes, and the overrides, in
// the order in which a later one wins.
func Load(opt Options) (*Config, error) {
	l := loader{opt: opt, cfg: defaults(), tree: &node{at: Pos{File: opt.Path}}}
	if err := l.merge(); err != nil {
		return nil, err
	}
	sort.SliceStable(l.cfg.Files, func(i, j int) bool { return l.cfg.Files[i].Path < l.cfg.Files[j].Path })
	if err := l.read(); err != nil {
		return nil, err
	}
	return l.cfg, nil
}

// merge makes the tree of all that is said.
func (l *loader) merge() error {
	opt := l.opt
	if opt.Path != "" {
		tree, err := l.file(opt.Path)
		if err != nil {
			return err
		}
		l.tree = tree
	}
	for _, o := range opt.Overrides {
		if strings.HasPrefix(o, "config_files") {
			if err := l.tree.override(o); err != nil {
				return err
			}
		}
	}
	if err := l.includes(); err != nil {
		return err
	}
	for _, o := range opt.Overrides {
		if err := l.tree.override(o); err != nil {
			return err
		}
		l.checkOverride(o)
	}
	return nil
}

// checkOverride warns of keys that nobody knows, as for a file.
func (l *loader) checkOverride(option string) {
	alone := &node{}
	if alone.overrideAnyItem(option) == nil {
		for i, name := range alone.keys { // LIST.KEY=x is how a list is emptied
			if v := alone.items[i]; v.kind == dict && len(children(name+"[]")) > 0 {
				alone.items[i] = &node{kind: list, items: []*node{v}, at: v.at}
			}
		}
		status := ""
		l.unknown(alone, "", "", &status)
	}
}

type loader struct {
	opt     Options
	strange int // unknown keys so far
	cfg     *Config
	tree    *node
}

func (l *loader) warn(at Pos, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if at.File != "" {
		text = at.String() + ": " + text
	}
	l.cfg.Warnings = append(l.cfg.Warnings, text)
}

// file reads one file, expands what its environment names, and notes which of
// its keys nobody knows.
func (l *loader) file(path string) (*node, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Text: fmt.Sprintf("Cannot read config file (%s): %v", path, err), At: Pos{File: path}}
	}
	defer f.Close()
	n, err := parse(f, path)
	if err != nil {
		return nil, err
	}
	if l.opt.Env != nil {
		n.expand(l.opt.Env)
	}
	l.cfg.Files = append(l.cfg.Files, File{Path: path, Schema: l.validate(n)})
	return n, nil
}

// Strategies of config_files.
const (
	strategyAppend   = "append"
	strategyOverride = "override"
	strategyAddOnly  = "add-only"
)

// includes merges the files that config_files names into the tree.
func (l *loader) includes() error {
	key := l.tree.get("config_files")
	if key == nil {
		return nil
	}
	items := key.items
	switch key.kind {
	case null:
		return nil
	case scalar:
		items = []*node{key}
	case dict:
		items = nil
	}
	for _, item := range items {
		path, strategy := item.text, strategyAppend
		if item.kind == dict {
			p := item.get("path")
			if p == nil || p.kind != scalar {
				return &Error{Text: "Config error: 'config_files' item without 'path'.", At: item.at}
			}
			path = p.text
			if s := item.get("strategy"); s != nil && s.kind == scalar {
				strategy = s.text
			}
		}
		if l.opt.Path != "" && path == l.opt.Path {
			return &Error{Text: fmt.Sprintf("Config error: 'config_files' directive tried to recursively include main config file: %s.", path), At: item.at}
		}
		l.cfg.Includes = append(l.cfg.Includes, path)
		paths, err := filesOf(path)
		if err != nil {
			return &Error{Text: fmt.Sprintf("Config error: %v", err), At: item.at}
		}
		for _, p := range paths {
			n, err := l.file(p)
			if err != nil {
				return err
			}
			if n.get("config_files") != nil {
				return &Error{Text: fmt.Sprintf("Config error: 'config_files' directive in included config file %s.", p), At: n.get("config_files").at}
			}
			l.tree.merge(n, strategy)
		}
	}
	return nil
}

// filesOf returns path itself if it is a file, the files directly inside if it
// is a directory, and nothing if it does not exist.
func filesOf(path string) ([]string, error) {
	st, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return nil, nil
	case err != nil:
		return nil, err
	case st.Mode().IsRegular():
		return []string{path}, nil
	case !st.IsDir():
		return nil, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		p := filepath.Join(path, e.Name())
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			out = append(out, p)
		}
	}
	sort.Strings(out)
	return out, nil
}

// merge takes over the top-level keys of from. Maps are replaced as a whole.
func (n *node) merge(from *node, strategy string) {
	for i, key := range from.keys {
		v, old := from.items[i], n.get(key)
		switch {
		case old == nil || strategy == strategyOverride:
			n.put(key, v)
		case strategy == strategyAddOnly:
		case v.kind == list && old.kind == list:
			old.items = append(old.items, v.items...)
		case v.kind == list && old.kind == scalar:
			n.put(key, &node{kind: list, at: old.at, items: append([]*node{old}, v.items...)})
		default:
			n.put(key, v)
		}
	}
}
