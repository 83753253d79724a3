// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Limits of what is read.
const (
	maxFile  = 4 << 20
	maxNodes = 100_000
)

// Problem is something that is wrong with the settings.
type Problem struct {
	Where   string // "falcosidekick.yaml:3: slack.webhookurl", or the name of a variable
	What    string
	Warning bool
	Enables bool // it is about a key that switches something on
}

func (p Problem) String() string { return p.Where + ": " + p.What }

// Loader reads settings from one file and one environment.
type Loader struct {
	Problems []Problem

	file  string
	root  *yaml.Node
	env   map[string]string
	paths map[string]bool // known keys; true: the value is a map
	nodes map[string]bool // sections that somebody else reads
}

// Load reads file, which may be "" for none, beside environ (as os.Environ has it).
func Load(file string, environ []string) (*Loader, error) {
	l := New(environ)
	if file == "" {
		return l, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	return l, l.Parse(file, text)
}

// New returns a Loader that has an environment alone.
func New(environ []string) *Loader {
	l := &Loader{env: map[string]string{}, paths: map[string]bool{}, nodes: map[string]bool{}}
	for _, s := range environ {
		k, v, _ := strings.Cut(s, "=")
		l.env[k] = v
	}
	return l
}

// Parse gives l a YAML text; file is its name in messages.
func (l *Loader) Parse(file string, text []byte) error {
	if len(text) > maxFile {
		return fmt.Errorf("%s: longer than %d bytes", file, maxFile)
	}
	l.file = file
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	left := maxNodes
	if err := tame(&doc, &left); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	root := doc.Content[0]
	switch {
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return nil
	case root.Kind != yaml.MappingNode:
		return fmt.Errorf("%s:%d: the file is no mapping", file, root.Line)
	}
	l.root = root
	return nil
}

// tame puts what aliases stand for in their place, as long as that stays small.
func tame(n *yaml.Node, left *int) error {
	if *left--; *left < 0 {
		return fmt.Errorf("more than %d values", maxNodes)
	}
	for i, c := range n.Content {
		if c.Kind == yaml.AliasNode {
			c = c.Alias
			n.Content[i] = c
		}
		if err := tame(c, left); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loader) complain(where, format string, args ...any) {
	l.Problems = append(l.Problems, Problem{Where: where, What: fmt.Sprintf(format, args...)})
}

// Warn adds something that is odd but does no harm.
func (l *Loader) Warn(where, format string, args ...any) {
	l.Problems = append(l.Problems, Problem{Where: where, What: fmt.Sprintf(format, args...), Warning: true})
}

// get returns the value of a key below n, whatever the case, and nil if it is not there.
func get(n *yaml.Node, path string) *yaml.Node {
	for name := range strings.SplitSeq(path, ".") {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var found *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if strings.EqualFold(n.Content[i].Value, name) {
				found = n.Content[i+1]
			}
		}
		n = found
	}
	return n
}

func (l *Loader) at(n *yaml.Node, path string) string {
	if n == nil || n.Line == 0 {
		return path
	}
	return fmt.Sprintf("%s:%d: %s", l.file, n.Line, path)
}

// Bind fills dst, the struct of a section ("" for the top).
func (l *Loader) Bind(dst any, section string) {
	for _, k := range Describe(dst, section) {
		l.know(&k)
		l.bind(&k, func(path string) *yaml.Node { return get(l.root, path) }, k.Path, true)
	}
}

// BindNode fills dst from the mapping n alone, but for sections that it shares, for which the
// top counts where n says nothing. where names n in messages.
func (l *Loader) BindNode(dst any, section string, n *yaml.Node, where string) {
	known := map[string]bool{}
	for _, k := range Describe(dst, section) {
		known[strings.ToLower(k.name)] = k.v.Kind() == reflect.Map
		from := func(path string) *yaml.Node { return get(n, path) }
		if k.Shared && get(n, k.name) == nil && get(n, k.name+"_file") == nil {
			l.bind(&k, func(path string) *yaml.Node { return get(l.root, path) }, k.Path, true)
			continue
		}
		at := k
		at.Path = where + "." + k.name
		l.bind(&at, from, k.name, false)
	}
	l.unknown(n, "", where+".", known, nil)
}

func (l *Loader) know(k *Key) {
	l.paths[strings.ToLower(k.Path)] = k.v.Kind() == reflect.Map
}

// Ignore makes a section, and what is below, known: somebody else reads it.
func (l *Loader) Ignore(section string) { l.nodes[strings.ToLower(section)] = true }

// Know makes the keys of dst known without filling it.
func (l *Loader) Know(dst any, section string) {
	for _, k := range Describe(dst, section) {
		l.know(&k)
	}
}

// bind reads one key: from the environment if env is true, and from what node finds.
func (l *Loader) bind(k *Key, node func(string) *yaml.Node, path string, env bool) {
	was := len(l.Problems)
	defer func() {
		for i := range l.Problems[was:] {
			l.Problems[was+i].Enables = k.Enables
		}
	}()
	take := func(where, text string) {
		if err := k.set(text); err != nil {
			l.complain(where, "%s", redact(k, text, err))
		}
	}
	if err := k.set(k.Default); err != nil {
		panic(fmt.Sprintf("default of %s: %v", k.Path, err))
	}
	if env {
		text, ok := l.env[k.Env]
		if ok && text != "" {
			if l.injected(k, text) {
				l.Warn(k.Env, "looks like the variable of a Kubernetes service of that name, and is not read")
			} else {
				take(k.Env, text)
				return
			}
		}
		if name := l.env[k.Env+"_FILE"]; name != "" {
			if text, err := readSecret(name); err != nil {
				l.complain(k.Env+"_FILE", "%v", err)
			} else {
				take(k.Env+"_FILE", text)
			}
			return
		}
	}
	n := node(path)
	if f := node(path + "_file"); f != nil && f.Value != "" && (n == nil || n.Value == "" && n.Kind == yaml.ScalarNode) {
		if text, err := readSecret(f.Value); err != nil {
			l.complain(l.at(f, k.Path+"_file"), "%v", err)
		} else {
			take(l.at(f, k.Path+"_file"), text)
		}
		return
	}
	if n == nil {
		return
	}
	where := l.at(n, k.Path)
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
	case n.Kind == yaml.ScalarNode:
		if n.Value != "" || n.Tag == "!!str" && k.v.Kind() == reflect.String {
			take(where, n.Value)
		}
	case n.Kind == yaml.SequenceNode && k.v.Kind() == reflect.Slice:
		var out []string
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				l.complain(l.at(c, k.Path), "an element is no text")
				return
			}
			out = append(out, c.Value)
		}
		k.v.Set(reflect.ValueOf(out))
	case n.Kind == yaml.MappingNode && k.v.Kind() == reflect.Map:
		m := map[string]string{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v := n.Content[i+1]
			if v.Kind != yaml.ScalarNode {
				l.complain(l.at(v, k.Path+"."+n.Content[i].Value), "is no text")
				return
			}
			if v.Tag != "!!null" {
				m[n.Content[i].Value] = v.Value
			}
		}
		k.v.Set(reflect.ValueOf(m))
	case len(n.Content) == 0: // {} and [] are how charts write nothing
	default:
		l.complain(where, "is not of the right kind")
	}
}

// redact keeps secrets out of messages.
func redact(k *Key, text string, err error) string {
	if k.Secret {
		return "is not of the right form"
	}
	return err.Error()
}

// injected tells the variables apart that Kubernetes makes of services: a service "redis"
// is told to every pod of its namespace as REDIS_PORT=tcp://….
func (l *Loader) injected(k *Key, text string) bool {
	name, ok := strings.CutSuffix(k.Env, "_PORT")
	if !ok {
		return false
	}
	_, host := l.env[name+"_SERVICE_HOST"]
	return host && strings.Contains(text, "://")
}

const maxSecret = 1 << 20

func readSecret(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxSecret {
		return "", fmt.Errorf("%s: longer than %d bytes", name, maxSecret)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// Section returns the node of a section, for what a struct cannot describe; nil if
// it is not there.
func (l *Loader) Section(path string) *yaml.Node { return get(l.root, path) }

// Complain adds a problem with a node.
func (l *Loader) Complain(n *yaml.Node, path, format string, args ...any) {
	l.complain(l.at(n, path), format, args...)
}

// Unknown complains about keys of the file that nobody has asked for, and warns about
// variables that begin like ours and are none.
func (l *Loader) Unknown() {
	if l.root != nil {
		l.unknown(l.root, "", "", l.paths, l.nodes)
	}
	envs, sections := map[string]bool{}, map[string]bool{}
	for p := range l.paths {
		envs[EnvName(p)] = true
		if s, _, ok := strings.Cut(p, "."); ok {
			sections[strings.ToUpper(s)] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		base := strings.TrimSuffix(name, "_FILE")
		section, _, ok := strings.Cut(name, "_")
		if !ok || !sections[section] || envs[base] || foreign(name) {
			continue
		}
		if _, k8s := l.env[section+"_SERVICE_HOST"]; k8s {
			continue
		}
		if near := Nearest(name, slices.Collect(maps.Keys(envs))); near != "" {
			l.Warn(name, "is no setting; did you mean %s?", near)
		}
	}
}

// foreign reports whether a variable belongs to the libraries that read it themselves.
func foreign(name string) bool {
	for _, p := range []string{"AWS_", "AZURE_", "GOOGLE_", "OTEL_", "KAFKA_"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func (l *Loader) unknown(n *yaml.Node, path, where string, known, nodes map[string]bool) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		p := join(path, strings.ToLower(key.Value))
		if nodes[p] {
			continue
		}
		isMap, ok := known[p]
		if !ok {
			_, ok = known[strings.TrimSuffix(p, "_file")]
		}
		inner := below(known, p) || below(nodes, p)
		switch {
		case ok && (isMap || v.Kind != yaml.MappingNode):
			continue
		case v.Kind == yaml.MappingNode && inner:
			l.unknown(v, p, where, known, nodes)
			continue
		case inner && (v.Tag == "!!null" || len(v.Content) == 0 && v.Value == ""):
			continue
		}
		text := "is not known"
		if near := Nearest(p, level(known, p)); near != "" {
			text += "; did you mean " + near + "?"
		}
		l.complain(l.at(key, where+join(path, key.Value)), "%s", text)
	}
}

// level returns the keys and sections that are as deep as p.
func level(known map[string]bool, p string) []string {
	depth, out := strings.Count(p, ".")+1, map[string]bool{}
	for k := range known {
		if parts := strings.Split(k, "."); len(parts) >= depth {
			out[strings.Join(parts[:depth], ".")] = true
		}
	}
	return slices.Collect(maps.Keys(out))
}

func below(known map[string]bool, p string) bool {
	for k := range known {
		if strings.HasPrefix(k, p+".") {
			return true
		}
	}
	return false
}

// Nearest returns the name that is most like a misspelt one, "" if none is.
func Nearest(name string, names []string) string {
	slices.Sort(names)
	best, found := 1+len(name)/4, ""
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d <= best && (found == "" || d < best) {
			best, found = d, n
		}
	}
	return found
}

// distance counts the letters to add, drop or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diag
			if a[i] != b[j] {
				d = 1 + min(diag, row[j], row[j+1])
			}
			diag, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}

// Child returns the value of a key of a mapping, nil if it is not there.
func Child(n *yaml.Node, key string) *yaml.Node { return get(n, key) }

// Without returns a mapping without one of its keys.
func Without(n *yaml.Node, key string) *yaml.Node {
	c := *n
	c.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !strings.EqualFold(n.Content[i].Value, key) {
			c.Content = append(c.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &c
}

// Inherit copies what is the default in dst, and is not in src, from src. Both point to the
// same struct.
func Inherit(dst, src any) {
	from := Describe(src, "")
	for i, k := range Describe(dst, "") {
		_, here := k.Text()
		if _, there := from[i].Text(); there && !here {
			k.v.Set(from[i].v)
		}
	}
}
