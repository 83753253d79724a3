// SPDX-License-Identifier: Apache-2.0

// Command readme writes the tables of rules/README.md from the rule files and from notes.yaml.
//
//	go run ./tests/attacks/readme          # writes
//	go run ./tests/attacks/readme -check   # says whether they are fresh, with its exit code
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/rules"
)

const (
	stockFile = "falco_rules.yaml"
	notesFile = "../tests/attacks/readme/notes.yaml" // seen from the folder of the rule files
	asleep    = "Asleep until "                      // how a rule's description begins that waits for a hook to be filled
)

// moreFiles are loaded by those who want more.
var moreFiles = []string{"falco-incubating_rules.yaml", "falco-sandbox_rules.yaml", "falco-deprecated_rules.yaml", "falco_rules.extended.yaml"}

// note is what notes.yaml says of a rule.
type note struct {
	Rule, Act, Blind string
}

func main() {
	check := flag.Bool("check", false, "only say whether the tables are fresh")
	dir := flag.String("rules", "rules", "folder of the rule files")
	flag.Parse()
	if err := run(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	path := filepath.Join(dir, "README.md")
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	stock, err := stockTable(dir)
	if err != nil {
		return err
	}
	more, err := moreTable(dir)
	if err != nil {
		return err
	}
	text := old
	for name, table := range map[string]string{"stock": stock, "more": more} {
		if text, err = between(text, name, table); err != nil {
			return err
		}
	}
	switch {
	case bytes.Equal(text, old):
		return nil
	case check:
		return fmt.Errorf("%s: the tables are not those of the rule files: make generate", path)
	}
	return os.WriteFile(path, text, 0o644)
}

// between puts a table between the two comments that carry its name.
func between(text []byte, name, table string) ([]byte, error) {
	begin, end := "<!-- "+name+": generated -->\n", "<!-- end -->"
	head, rest, found := strings.Cut(string(text), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		return nil, fmt.Errorf("README.md: no place for table %q", name)
	}
	return []byte(head + begin + table + end + tail), nil
}

// load gives the rules of a file, read after the stock file if it is another.
func load(dir, name string) ([]*rules.Rule, error) {
	names := []string{stockFile}
	if name != stockFile {
		names = append(names, name)
	}
	var files []rules.File
	for _, n := range names {
		text, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			return nil, err
		}
		files = append(files, rules.File{Name: n, Content: text})
	}
	set, results := rules.Load(files, rules.Options{Priority: rules.Debug})
	if set == nil {
		return nil, fmt.Errorf("%s", results[len(results)-1].Text(true))
	}
	own, err := rulesOf(files[len(files)-1].Content)
	if err != nil {
		return nil, err
	}
	var all []*rules.Rule
	for _, r := range set.Rules {
		if own[r.Name] || strings.Contains(r.Desc, "awake in "+name) {
			all = append(all, r)
		}
	}
	return all, nil
}

// rulesOf are the names of a file's own rules.
func rulesOf(text []byte) (map[string]bool, error) {
	var items []struct{ Rule string }
	if err := yaml.Unmarshal(text, &items); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, item := range items {
		if item.Rule != "" {
			names[item.Rule] = true
		}
	}
	return names, nil
}

func readNotes(dir string) (map[string]note, error) {
	text, err := os.ReadFile(filepath.Join(dir, notesFile))
	if err != nil {
		return nil, err
	}
	var list []note
	if err := yaml.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	notes := map[string]note{}
	for _, n := range list {
		if _, found := notes[n.Rule]; found || n.Act == "" || n.Blind == "" {
			return nil, fmt.Errorf("notes.yaml: %q is there twice, or says nothing", n.Rule)
		}
		notes[n.Rule] = n
	}
	return notes, nil
}

func stockTable(dir string) (string, error) {
	all, err := load(dir, stockFile)
	if err != nil {
		return "", err
	}
	notes, err := readNotes(dir)
	if err != nil {
		return "", err
	}
	var table strings.Builder
	table.WriteString("| Rule | Finds | Technique | An act that proves it | Cannot see |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range all {
		if !r.Enabled || strings.HasPrefix(r.Desc, asleep) {
			continue
		}
		n, found := notes[r.Name]
		if !found {
			return "", fmt.Errorf("notes.yaml: nothing on %q", r.Name)
		}
		delete(notes, r.Name)
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", r.Name, cell(firstSentence(r.Desc)), techniques(r.Tags), cell(n.Act), cell(n.Blind))
	}
	for name := range notes {
		return "", fmt.Errorf("notes.yaml: %q is no rule that is awake", name)
	}
	return table.String(), nil
}

func moreTable(dir string) (string, error) {
	var table strings.Builder
	table.WriteString("| File | Rule | Finds | Technique |\n| --- | --- | --- | --- |\n")
	for _, name := range moreFiles {
		all, err := load(dir, name)
		if err != nil {
			return "", err
		}
		for _, r := range all {
			off := ""
			if !r.Enabled {
				off = " (off)"
			}
			fmt.Fprintf(&table, "| %s | %s%s | %s | %s |\n", strings.TrimSuffix(name, ".yaml"), r.Name, off, cell(firstSentence(r.Desc)), techniques(r.Tags))
		}
	}
	return table.String(), nil
}

// firstSentence is what a description begins with, without its full stop and what it says of sleep.
func firstSentence(desc string) string {
	desc = strings.Join(strings.Fields(desc), " ")
	if strings.HasPrefix(desc, asleep) {
		_, desc, _ = strings.Cut(desc, ". ")
	}
	first, _, _ := strings.Cut(desc, ". ")
	return strings.TrimSuffix(first, ".")
}

func cell(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "|", "\\|") }

var technique = regexp.MustCompile(`^TA?[0-9]{4}(\.[0-9]{3})?$`)

// techniques links the numbers of MITRE ATT&CK among the tags of a rule.
func techniques(tags []string) string {
	var links []string
	for _, tag := range tags {
		if !technique.MatchString(tag) {
			continue
		}
		kind := "techniques"
		if strings.HasPrefix(tag, "TA") {
			kind = "tactics"
		}
		links = append(links, fmt.Sprintf("[%s](https://attack.mitre.org/%s/%s/)", tag, kind, strings.ReplaceAll(tag, ".", "/")))
	}
	return strings.Join(links, ", ")
}
