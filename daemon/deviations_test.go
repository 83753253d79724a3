// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/filter/filtertest"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// A deviation is where we differ from the original on purpose, by its name in
// rules-language.md §11: what is seen in default mode, and in strict mode. An
// empty strict text means that the original ends or goes wrong in no fixed way.
type deviation struct {
	id           string
	ours, strict string
	see          func(t *testing.T, strict bool) string
}

var deviations = []deviation{
	{"QUIRK 1", "a.yaml.d/r.yaml, q.yaml.bak.yaml", "", seeFiles},
	{"QUIRK 2", "evt.type = open and not proc.name in (cat)", "", seeReplacedException("proc.name", "[cat]")},
	{"QUIRK 2", "LOAD_ERR_VALIDATE: Fields and values lists must have equal length", "", seeReplacedException("[proc.name, fd.name]", "[[cat]]")},
	{"QUIRK 3", "evt.type = open and proc.name in (x, y)", "evt.type = open and proc.name in (a, y)",
		seeCondition("- {list: a, items: [x]}\n- {list: b, items: [a]}\n- {list: c, items: [b, y]}\n", "evt.type=open and proc.name in (c)")},
	{"QUIRK 3", "evt.type = open and proc.name in (x, y)", "", // a list that stands behind the one that names it
		seeCondition("- {list: c, items: [b, y]}\n- {list: b, items: [a]}\n- {list: a, items: [x]}\n", "evt.type=open and proc.name in (c)")},
	{"QUIRK 3", "evt.type = open and proc.name in (x, y)", "", // lists that name each other
		seeCondition("- {list: c, items: [b, y]}\n- {list: b, items: [c, x]}\n", "evt.type=open and proc.name in (c)")},
	{"QUIRK 4", `a.b = "x\\"`, "expected a string value or a field with a valid transformer: 'val', 'tolower', 'toupper', 'b64', 'basename', 'len', 'join', 'concat', 'getopt'",
		seeTree(`a.b = "x\\"`)},
	{"QUIRK 5", `unsupported string escape sequence: \q`, "a.b in ()", seeTree(`a.b in ("\q")`)},
	{"QUIRK 6", "true", "", seeMatch("fd.name pmatch (/*/nope, /e*/shad*)")},
	{"QUIRK 7", "true", "true", seeMatch("proc.tty = -1")},
	{"QUIRK 7", "false, LOAD_COMPILE_CONDITION: '4294967296' is out of the range of type 'UINT32': the check always gives the same result", "true",
		seeMatch("user.uid = 4294967296")},
	{"QUIRK 7", "true, LOAD_COMPILE_CONDITION: '99999999999999999999' is out of the range of type 'INT64': the check always gives the same result", "true",
		seeMatch("fd.num < 99999999999999999999")},
	{"QUIRK 8", "LOAD_ERR_COMPILE_CONDITION: right-hand field comparisons on `evt.type`/`syscall.type` checks are not supported by event code search", "",
		seeMatch("evt.type = val(proc.name)")},
	{"QUIRK 8", "LOAD_ERR_COMPILE_CONDITION: event code search does not support field transformers on `evt.type`/`syscall.type` checks", "",
		seeMatch("tolower(evt.type) = open")},
	{"QUIRK 9", "abb", "abab, abb", seeSelection("*ab")},
	{"QUIRK 10", "4 40,5", "", seeOutput(`%len(proc.name) %join(",",(proc.pid,fd.num))`)},
	{"QUIRK 11", "true", "false", seeMatch("fd.ip in (9.9.9.9, 10.0.0.5)")},
	{"QUIRK 11", "true", "false", seeMatch("proc.apid in (99, 30)")},
	{"QUIRK 11", "true", "false", seeMatch("evt.rawarg.uid in (1, 263)")},
	{"QUIRK 11", "true", "false", seeMatch("fd.net in (127.0.0.0/8, 10.0.0.0/8)")},
	{"QUIRK 11", "true", "false", seeMatch("fd.ip = anyof (9.9.9.9, 10.0.0.5)")},
	{"QUIRK 11", "true", "false", seeMatch("fd.port = anyof (1, 443)")},
	{"QUIRK 11", "true", "false", seeMatch("fd.net = oneof (127.0.0.0/8, 10.0.0.0/8)")},
	{"QUIRK 11", "true", "false", seeMatch("proc.aname = anyof (zzz, sshd)")},
	{"QUIRK 11", "true", "", seeMatch("tolower(fd.types) in (ipv4, file)")},
	{"QUIRK 11", "true", "", seeMatch(`len(getopt(("-a","-bx"),"ab:")) = 3`)},
	{"QUIRK 12", "true", "", seeMatch("fd.ip intersects (9.9.9.9, 10.0.0.5)")},
	{"QUIRK 12", "true", "", seeMatch("fd.port intersects (1, 443)")},
	{"QUIRK 13", "o", "", seeHalfOverride},
	{"EXT 1", "true, LOAD_COMPILE_CONDITION: '=>0' is read as '>= 0'", "LOAD_ERR_COMPILE_CONDITION: >0 is not a valid number", seeMatch("evt.num=>0")},
	{"EXT 1", "false, LOAD_COMPILE_CONDITION: '=<5' is read as '<= 5'", "LOAD_ERR_COMPILE_CONDITION: <5 is not a valid number", seeMatch("proc.pid=<5")},
	{"EXT 2", "disabled, LOAD_DEPRECATED_ITEM", "LOAD_ERR_VALIDATE: Appended rule must have exceptions or condition property", seeAppendedSwitch},
	{"EXT 3", "0 0 0 0 0 0 0 0 0", "1 1 1 1 1 1 1 1 1", seeOldFlags},
	{"EXT 4", "false", "false", seeMatch("evt.dir = >")},
	{"EXT 5", "evt.type = open", "LOAD_ERR_COMPILE_CONDITION: expected a '(' token, a field check, or an identifier",
		seeCondition("- {macro: _m, condition: evt.type=open}\n", "_m")},
	{"EXT 6", "x %container.name (id=%container.id) y, LOAD_DEPRECATED_ITEM", "x  y, LOAD_DEPRECATED_ITEM", seeContainerInfo},
}

// TestDeviations shows each of them, in both modes.
func TestDeviations(t *testing.T) {
	for _, d := range deviations {
		t.Run(d.id, func(t *testing.T) {
			if got := d.see(t, false); got != d.ours {
				t.Errorf("ours\ngot  %s\nwant %s", got, d.ours)
			}
			if d.strict == "" {
				return
			}
			if got := d.see(t, true); got != d.strict {
				t.Errorf("strict\ngot  %s\nwant %s", got, d.strict)
			}
		})
	}
}

// TestDeviationsComplete holds the table above against the page that lists them.
func TestDeviationsComplete(t *testing.T) {
	shared := os.Getenv("FALCO_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "shared")
	}
	text, err := os.ReadFile(filepath.Join(shared, "spec", "rules-language.md"))
	if err != nil {
		t.Skip("SKIP 1 case: FALCO_SHARED not found")
	}
	var written, shown []string
	for _, m := range regexp.MustCompile(`(?m)^\| ((?:QUIRK|EXT) \d+) \|`).FindAllStringSubmatch(string(text), -1) {
		written = append(written, m[1])
	}
	for _, d := range deviations {
		shown = append(shown, d.id)
	}
	slices.Sort(written)
	slices.Sort(shown)
	if shown = slices.Compact(shown); len(written) < 10 || !slices.Equal(written, shown) {
		t.Errorf("written: %s\nshown:   %s", written, shown)
	}
}

// oneRule writes a rules file with a rule r behind the items.
func oneRule(items, cond, output string) string {
	return fmt.Sprintf("%s- rule: r\n  desc: d\n  condition: %q\n  output: %q\n  priority: INFO\n", items, cond, output)
}

// loadOne loads a file; it returns what is wrong with it, or the warnings.
func loadOne(strict bool, fields filter.Fields, text string) (set *rules.Set, bad string, warnings string) {
	set, results := rules.Load([]rules.File{{Name: "r.yaml", Content: []byte(text)}},
		rules.Options{Priority: rules.Debug, Fields: fields, StrictUpstream: strict, ContainerInfo: map[bool]string{false: containerInfo}[strict]})
	for _, w := range results[0].Warnings {
		if w.Code != rules.WarnNoEventType {
			warnings += ", " + w.Code.Name + ": " + w.Message
		}
	}
	for _, e := range results[0].Errors {
		bad = e.Code.Name + ": " + e.Message
	}
	return set, bad, warnings
}

func seeTree(text string) func(*testing.T, bool) string {
	return func(_ *testing.T, strict bool) string {
		e, err := filter.Syntax{Strict: strict}.Parse(&filter.Source{Text: text})
		if err != nil {
			return err.Error()
		}
		return e.String()
	}
}

func seeCondition(items, cond string) func(*testing.T, bool) string {
	return func(_ *testing.T, strict bool) string {
		set, bad, _ := loadOne(strict, nil, oneRule(items, cond, "o"))
		if set == nil {
			return bad
		}
		text := set.Rules[0].Expr.String()
		if _, and := set.Rules[0].Expr.(*filter.And); and {
			text = text[1 : len(text)-1]
		}
		return text
	}
}

// facts of an event: process 40 reads from a connection.
var facts = filtertest.Facts{
	"evt.num": 7, "evt.type": "read", "evt.dir": "<", "evt.rawarg.uid": 263, "proc.name": "bash", "proc.pid": 40, "proc.tty": 1<<32 - 1,
	"proc.apid[1]": 20, "proc.apid[2]": 30, "proc.aname[1]": "init", "proc.aname[2]": "sshd", "user.uid": 0, "fd.name": "/etc/shadow", "fd.num": 5,
	"fd.cip": "93.184.216.34", "fd.sip": "10.0.0.5", "fd.cport": 54321, "fd.sport": 443, "fd.types": []any{"IPV4", "file"},
}

func scene() *state.Scene {
	return &state.Scene{Event: &event.Event{Num: 7, Type: schema.ReadX, Info: schema.ReadX.Info()}, FDNum: -1}
}

func seeMatch(cond string) func(*testing.T, bool) string {
	return func(_ *testing.T, strict bool) string {
		fields := new(filtertest.Real)
		fields.Set(facts)
		set, bad, warnings := loadOne(strict, fields, oneRule("", cond, "o"))
		if set == nil {
			return bad
		}
		if strings.HasPrefix(cond, "evt.dir") { // what is said of evt.dir is another matter
			warnings = ""
		}
		return fmt.Sprint(len(set.Match(scene(), nil)) == 1) + warnings
	}
}

func seeOutput(output string) func(*testing.T, bool) string {
	return func(_ *testing.T, strict bool) string {
		fields := new(filtertest.Real)
		fields.Set(facts)
		set, bad, _ := loadOne(strict, fields, oneRule("", "evt.num > 0", output))
		if set == nil {
			return bad
		}
		matched := set.Match(scene(), nil)
		return string(set.Text(matched[0], nil))
	}
}

// seeFiles lists the rules files that are taken of a folder and a folder in it.
func seeFiles(t *testing.T, strict bool) string {
	t.Setenv("FALCO_STRICT_CLI", map[bool]string{true: "1"}[strict])
	rule := oneRule("", "evt.type=open", "o")
	_, _, err := play(t, map[string]string{"a.yaml.d/r.yaml": rule, "d/q.yaml.bak.yaml": rule, "d/x.txt": "no"}, "-r", "a.yaml.d", "-r", "d", "--dry-run")
	var out []string
	for _, m := range regexp.MustCompile(`   (\S+) \| schema`).FindAllStringSubmatch(err, -1) {
		if m[1] != "falco.yaml" { // the configuration has a schema too
			out = append(out, strings.TrimPrefix(m[1], "d/"))
		}
	}
	return strings.Join(out, ", ")
}

func seeReplacedException(fields, values string) func(*testing.T, bool) string {
	return func(t *testing.T, strict bool) string {
		text := oneRule("", "evt.type=open", "o") +
			"- rule: r\n  exceptions:\n  - {name: e, fields: " + fields + ", values: " + values + "}\n  override: {exceptions: replace}\n"
		set, bad, _ := loadOne(strict, nil, text)
		if set == nil {
			return bad
		}
		return strings.Trim(set.Rules[0].Expr.String(), "()") + ")"
	}
}

// seeSelection tells which rules are left when those that fit a pattern are off.
func seeSelection(pattern string) func(*testing.T, bool) string {
	return func(t *testing.T, strict bool) string {
		text := strings.ReplaceAll(oneRule("", "evt.type=open", "o"), "rule: r", "rule: abab") +
			strings.ReplaceAll(oneRule("", "evt.type=open", "o"), "rule: r", "rule: abb")
		set, _ := rules.Load([]rules.File{{Name: "r.yaml", Content: []byte(text)}}, rules.Options{Priority: rules.Debug, StrictUpstream: strict,
			Selection: []rules.Selection{{Rule: pattern, HasRule: true}}})
		var out []string
		for _, r := range set.Rules {
			if set.Runs(r) {
				out = append(out, r.Name)
			}
		}
		return strings.Join(out, ", ")
	}
}

// seeHalfOverride tells the output of a rule after an override that would change
// it, and is wrong further on.
func seeHalfOverride(t *testing.T, strict bool) string {
	files := []rules.File{{Name: "a.yaml", Content: []byte(oneRule("", "evt.type=open", "o"))},
		{Name: "b.yaml", Content: []byte("- rule: r\n  output: changed\n  priority: none\n  override: {output: replace, priority: replace}\n")}}
	files = append(files, rules.File{Name: "c.yaml", Content: []byte(strings.ReplaceAll(oneRule("", "evt.type=close", "o"), "rule: r", "rule: s"))})
	set, results := rules.Load(files, rules.Options{Priority: rules.Debug, StrictUpstream: strict, Continue: true})
	if results[1].Successful() {
		return "no error"
	}
	return set.Rules[0].Output.Text
}

func seeAppendedSwitch(_ *testing.T, strict bool) string {
	set, bad, warnings := loadOne(strict, nil, oneRule("", "evt.type=open", "o")+"- {rule: r, append: true, enabled: false}\n")
	if set == nil {
		return bad
	}
	warnings, _, _ = strings.Cut(warnings, ":")
	return map[bool]string{true: "enabled", false: "disabled"}[set.Rules[0].Enabled] + warnings
}

// seeOldFlags gives the exit codes of runs with one of them each.
func seeOldFlags(t *testing.T, strict bool) string {
	t.Setenv("FALCO_STRICT_CLI", map[bool]string{true: "1"}[strict])
	var codes []string
	for _, args := range []string{"-D r", "-T x", "-t x", "-A", "-S 100", "-b", "-k http://x", "-K cert", "-m x"} {
		code, _, _ := play(t, map[string]string{"r.yaml": oneRule("", "evt.type=open", "o")}, append(strings.Fields(args), "-r", "r.yaml", "--dry-run")...)
		codes = append(codes, fmt.Sprint(code))
	}
	return strings.Join(codes, " ")
}

func seeContainerInfo(_ *testing.T, strict bool) string {
	set, bad, warnings := loadOne(strict, nil, oneRule("", "evt.type=open", "x %container.info y"))
	if set == nil {
		return bad
	}
	warnings, _, _ = strings.Cut(warnings, ":")
	return set.Rules[0].Output.Text + warnings
}
