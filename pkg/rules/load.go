// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/filter"
)

// Reading a file: documents, items and values, with their places. YAML is read
// into nodes, not into structs, because the language has its own idea of
// booleans, numbers and repeated keys (rules-language.md §1.2).

// stop is how reading ends early: the issue has been recorded.
var errStop = errors.New("the file has an error")

// reader reads one file into a collection.
type reader struct {
	*collection
	res     *Result
	entries int // values of exceptions read so far
}

func (r *reader) fail(code *Code, ctx *context, format string, args ...any) error {
	i := newIssue(code, ctx, fmt.Sprintf(format, args...))
	i.Hint = hintOf(i.Message)
	r.res.Errors = append(r.res.Errors, i)
	return errStop
}

func (r *reader) warn(code *Code, ctx *context, format string, args ...any) *Issue {
	i := newIssue(code, ctx, fmt.Sprintf(format, args...))
	r.res.Warnings = append(r.res.Warnings, i)
	return i
}

func newIssue(code *Code, ctx *context, msg string) *Issue {
	return &Issue{Code: code, Message: msg, Locations: ctx.locations(), Snippet: ctx.snippet()}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// readFile adds the items of f to the collection. On an error, what was read
// before stays.
func (r *reader) readFile(f File) error {
	src := newSource(f)
	ctx := fileContext(src)
	var docs []*yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(f.Content))
	for {
		n := new(yaml.Node)
		err := decode(d, n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line, text := 1, err.Error()
			if m := yamlLine.FindStringSubmatch(text); m != nil {
				if m[1] != "" {
					line, _ = strconv.Atoi(m[1])
				}
				text = m[2]
			}
			at := &yaml.Node{Line: line, Column: 1}
			return r.fail(ErrYAMLParse, ctx.in(inValue, "", at), "error at line %d: %s", line, text)
		}
		docs = append(docs, n)
	}
	for _, doc := range docs {
		root := resolve(doc.Content[0])
		if isNull(root) {
			return nil
		}
		r.validate(root)
		switch root.Kind {
		case yaml.ScalarNode:
			return r.fail(ErrYAMLValidate, ctx, "Rules content is not yaml")
		case yaml.MappingNode:
			return r.fail(ErrYAMLValidate, ctx, "Rules content is not yaml array of objects")
		}
		for _, n := range root.Content {
			n = resolve(n)
			if isNull(n) {
				continue
			}
			if err := r.item(n, ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// decode is d.Decode, and an error where that would panic.
func decode(d *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: %v", p)
		}
	}()
	if err = d.Decode(n); err == nil && len(n.Content) == 0 {
		n.Content = []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!null"}}
	}
	return err
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// get returns the value of key in the map n, nil if it has none. The first of
// two equal keys counts.
func get(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

// item reads one item of any kind.
func (r *reader) item(n *yaml.Node, ctx *context) error {
	if n.Kind != yaml.MappingNode {
		return r.fail(ErrYAMLValidate, ctx.in(inItem, "", n),
			"Unexpected element type. Each element should be a yaml associative array.")
	}
	for _, k := range []struct {
		key  string
		read func(*yaml.Node, *context) error
	}{
		{"required_engine_version", r.engineVersion},
		{"required_plugin_versions", r.pluginVersions},
		{"list", r.list},
		{"macro", r.macro},
		{"rule", r.rule},
	} {
		if get(n, k.key) != nil {
			r.order++
			return k.read(n, ctx)
		}
	}
	r.warn(WarnUnknownItem, ctx.in(inItem, "", n), "Unknown top level item")
	return nil
}

// named reads the name of an item and returns the item's context.
func (r *reader) named(n *yaml.Node, key string, ctx *context) (string, *context, error) {
	name, err := r.str(n, key, ctx.in(key, "", n))
	if err != nil {
		return "", nil, err
	}
	return name, ctx.in(key, name, n), nil
}

// unknownKeys warns about keys that the kind of item does not have.
func (r *reader) unknownKeys(n *yaml.Node, ctx *context, known string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i].Value; !hasWord(known, k) {
			r.warn(WarnUnknownKey, ctx, "Unknown key '%s'. The key will be ignored.", k).Hint = suggest(k, strings.Fields(known))
		}
	}
}

func hasWord(words, w string) bool {
	return w != "" && strings.Contains(" "+words+" ", " "+w+" ")
}

// need returns the value of a key that must be there.
func (r *reader) need(n *yaml.Node, key string, ctx *context) (*yaml.Node, error) {
	v := get(n, key)
	if v == nil {
		return nil, r.fail(ErrYAMLValidate, ctx, noKey+"'%s'", key)
	}
	if isNull(v) {
		return nil, r.fail(ErrYAMLValidate, ctx.in(inValue, key, v), "Mapping for key '%s' is empty", key)
	}
	return v, nil
}

func (r *reader) str(n *yaml.Node, key string, ctx *context) (string, error) {
	v, err := r.need(n, key, ctx)
	if err != nil {
		return "", err
	}
	return r.scalar(v, ctx.in(inValue, key, v))
}

func (r *reader) scalar(v *yaml.Node, ctx *context) (string, error) {
	if v.Kind != yaml.ScalarNode {
		return "", r.fail(ErrYAMLValidate, ctx, "Value is not a scalar value")
	}
	if v.Value == "" {
		return "", r.fail(ErrYAMLValidate, ctx, "Value must be non-empty")
	}
	return v.Value, nil
}

// boolean reads key into out, which keeps its value if there is no key.
func (r *reader) boolean(n *yaml.Node, key string, ctx *context, out *bool) error {
	if get(n, key) == nil {
		return nil
	}
	text, err := r.str(n, key, ctx)
	if err != nil {
		return err
	}
	for _, form := range []string{strings.ToLower(text), strings.ToUpper(text), capital(text)} {
		if form != text {
			continue
		}
		switch strings.ToLower(text) {
		case "true", "yes", "on", "y":
			*out = true
			return nil
		case "false", "no", "off", "n":
			*out = false
			return nil
		}
	}
	return r.fail(ErrYAMLValidate, ctx.in(inValue, key, get(n, key)), "Can't decode YAML scalar value")
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.ToLower(s[1:])
}

func (r *reader) uint32(n *yaml.Node, key string, ctx *context, out *uint32) error {
	if get(n, key) == nil {
		return nil
	}
	text, err := r.str(n, key, ctx)
	if err != nil {
		return err
	}
	v, ok := parseUint32(text)
	if !ok {
		return r.fail(ErrYAMLValidate, ctx.in(inValue, key, get(n, key)), "Can't decode YAML scalar value")
	}
	*out = v
	return nil
}

// parseUint32 reads a number in decimal, hexadecimal with 0x or octal with 0.
func parseUint32(text string) (uint32, bool) {
	base := 10
	switch {
	case strings.HasPrefix(text, "0x"), strings.HasPrefix(text, "0X"):
		base, text = 16, text[2:]
	case len(text) > 1 && text[0] == '0':
		base, text = 8, text[1:]
	}
	v, err := strconv.ParseUint(text, base, 32)
	return uint32(v), err == nil
}

// strings reads a sequence of scalars that are not null.
func (r *reader) strings(v *yaml.Node, ctx *context) ([]string, error) {
	if v.Kind != yaml.SequenceNode {
		return nil, r.fail(ErrYAMLValidate, ctx, "Value is not a sequence")
	}
	out := make([]string, 0, len(v.Content))
	for _, e := range v.Content {
		e = resolve(e)
		if e.Kind != yaml.ScalarNode || isNull(e) {
			return nil, r.fail(ErrYAMLValidate, ctx.in(inListItem, "", e), "sequence value is not scalar")
		}
		out = append(out, e.Value)
	}
	return out, nil
}

const (
	opAppend  = "append"
	opReplace = "replace"
)

// overrides reads the override map of an item and checks it against the keys
// that can be appended to and replaced. It returns nil if there is none.
func (r *reader) overrides(n *yaml.Node, ctx *context, name, appendable, replaceable, known string) (map[string]string, error) {
	v := get(n, "override")
	if v == nil || v.Kind == yaml.ScalarNode {
		return nil, nil
	}
	octx := ctx.in(inOverrides, "", v)
	if v.Kind == yaml.SequenceNode {
		return nil, r.fail(ErrValidate, octx, "invalid node; this may result from using a map iterator as a sequence iterator, or vice-versa")
	}
	ops := map[string]string{}
	for i := 0; i+1 < len(v.Content); i += 2 {
		key, val := v.Content[i].Value, resolve(v.Content[i+1])
		if ops[key] != "" {
			continue
		}
		kctx := octx.in(inValue, key, val)
		op, err := r.scalar(val, kctx)
		if err != nil {
			return nil, err
		}
		switch {
		case op != opAppend && op != opReplace:
			legal := ""
			if hasWord(appendable, key) {
				legal += "append "
			}
			if hasWord(replaceable, key) {
				legal += "replace "
			}
			return nil, r.fail(ErrYAMLValidate, kctx, "Invalid override operation for key '%s': '%s'. Allowed values are: %s", key, op, legal)
		case op == opAppend && !hasWord(appendable, key):
			return nil, r.fail(ErrYAMLValidate, kctx, "Key '%s' cannot be appended to, use 'replace' instead", key)
		case op == opReplace && !hasWord(replaceable, key):
			return nil, r.fail(ErrYAMLValidate, kctx, "Key '%s' cannot be replaced", key)
		case get(n, key) == nil:
			return nil, r.fail(ErrYAMLValidate, kctx, "An %s override for '%s' was specified but '%s' is not defined", op, key, key)
		}
		ops[key] = op
	}
	if len(ops) == 0 {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i].Value
		if k != name && k != "override" && ops[k] == "" && hasWord(known, k) {
			return nil, r.fail(ErrYAMLValidate, ctx.in(inValue, k, n.Content[i]),
				"Unexpected key '%s': no corresponding entry under 'override' is defined.", k)
		}
	}
	return ops, nil
}

// appendFlag reads "append: true", which is deprecated, and checks that it does
// not meet an override.
func (r *reader) appendFlag(n *yaml.Node, ctx *context) (bool, error) {
	on := false
	if err := r.boolean(n, "append", ctx, &on); err != nil || !on {
		return false, err
	}
	r.warn(WarnDeprecated, ctx, "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under 'override' instead.")
	if v := get(n, "override"); v != nil && v.Kind == yaml.MappingNode && len(v.Content) > 0 {
		return true, r.fail(ErrYAMLValidate, ctx, "Keys 'override' and 'append: true' cannot be used together. "+
			"Add an 'append' entry (e.g. 'condition: append') under 'override' instead.")
	}
	return true, nil
}

// Load reads the files in order and compiles what they define. Each file adds to
// what the files before it have defined, and the whole is compiled again, so
// that a result says what the file has changed.
//
// The Set is that of the last file that could be loaded; nil if none could, and
// empty if there are no files. A file that fails ends the loading, unless the
// options say otherwise.
func Load(files []File, opts Options) (*Set, []Result) {
	if opts.Fields == nil {
		opts.Fields = filter.Catalogue{}
	}
	c := &collection{opts: &opts}
	set := (*Set)(nil)
	if len(files) == 0 {
		set = &Set{compiler: &filter.Compiler{Fields: opts.Fields}}
	}
	results := make([]Result, 0, len(files))
	for _, f := range files {
		results = append(results, Result{Name: f.Name, Schema: SchemaNone})
		r := &reader{collection: c, res: &results[len(results)-1]}
		err := r.readFile(f)
		if err == nil {
			var next *Set
			if next, err = r.compile(); err == nil {
				set = next
			}
		}
		if err != nil && !opts.Continue {
			return nil, results
		}
	}
	if set != nil {
		set.finish(c)
	}
	return set, results
}
