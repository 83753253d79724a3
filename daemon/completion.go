// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/falco-go/falco/pkg/config"
)

// Completion is asked of the program itself: the scripts for the shells hand over
// the words of the line and show what comes back. So it knows what help knows,
// and no script has to be made again.
//
//	falco __complete -- WORD... LAST
//
// prints the words that LAST could become, each with a tab and what it is for,
// and then, if files are welcome, ":files"; ":nospace" means that the word goes
// on.

const completeVerb = "__complete"

// complete is what may stand at the end of a line.
type complete struct {
	words   []candidate
	files   bool
	nospace bool
}

type candidate struct{ word, what string }

// add takes in word if it begins with what has been typed.
func (c *complete) add(typed, word, what string) {
	if strings.HasPrefix(word, typed) {
		c.words = append(c.words, candidate{word, what})
	}
}

// completions returns what the last of words could become; words stand behind the
// program's name.
func completions(words []string) (c complete) {
	if len(words) == 0 {
		words = []string{""}
	}
	last, before := words[len(words)-1], words[:len(words)-1]
	if v := typedVerb(before); v != nil {
		c.verb(v, before[1:], last)
		return c
	}
	if len(before) > 0 { // the argument of the option in front of it?
		if o := optionNamed(before[len(before)-1]); o != nil && o.arg != "" && !o.optional {
			c.argument(o, "", last)
			return c
		}
	}
	if name, value, ok := strings.Cut(last, "="); ok && strings.HasPrefix(last, "--") {
		if o := optionNamed(name); o != nil && o.arg != "" {
			c.argument(o, name+"=", value)
		}
		return c
	}
	if !strings.HasPrefix(last, "-") {
		if len(before) == 0 {
			for _, v := range verbs() {
				c.add(last, v.name, v.usage)
			}
		}
		return c
	}
	for i := range options {
		o := &options[i]
		if o.legacy() {
			continue
		}
		if o.short != "" {
			c.add(last, "-"+o.short, o.help)
		}
		if o.long != "" {
			c.add(last, "--"+o.long, o.help)
		}
	}
	return c
}

// optionNamed returns the option that word is, with its dashes; nil for none.
func optionNamed(word string) *option {
	s := scanner{}
	switch {
	case strings.HasPrefix(word, "--"):
		return s.find(word[2:], "")
	case len(word) > 1 && word[0] == '-':
		return s.find("", word[len(word)-1:]) // of a cluster, the last one
	}
	return nil
}

// argument completes what is typed of the argument of o, behind prefix.
func (c *complete) argument(o *option, prefix, typed string) {
	values := func(list ...string) {
		for _, v := range list {
			c.add(prefix+typed, prefix+v, "")
		}
	}
	switch o.arg {
	case "path", "rules_file", "pid_file", "events_file", "file", "cert":
		c.files = true
	case "format":
		values("text", "markdown", "json")
	case "source", "event_source":
		values(syscallSource)
	case "output_format":
		values("container", "kubernetes")
	case "opt=val":
		c.nospace = true
		for _, k := range config.Names() {
			values(k + "=")
		}
	}
}

// verb completes the words behind a verb.
func (c *complete) verb(v *verb, before []string, last string) {
	if v.flags == nil {
		return
	}
	if len(before) > 0 && strings.HasPrefix(before[len(before)-1], "-") && !strings.Contains(before[len(before)-1], "=") {
		name := strings.TrimLeft(before[len(before)-1], "-")
		for _, f := range v.allFlags() {
			if doc, ok := f.(cli.DocGenerationFlag); ok && doc.TakesValue() && slices.Contains(f.Names(), name) {
				c.files = true
				return
			}
		}
	}
	if !strings.HasPrefix(last, "-") {
		c.files = strings.Contains(v.words, "FILE")
		if len(before) > 0 {
			return
		}
		for _, w := range v.choices {
			c.add(last, w, "")
		}
		if v.name == "driver" {
			for _, d := range driverVerbs {
				c.add(last, d.name, d.usage)
			}
		}
		return
	}
	for _, f := range v.allFlags() {
		if isHidden(f) {
			continue
		}
		doc, _ := f.(cli.DocGenerationFlag)
		for _, name := range f.Names() {
			dashes := "--"
			if len(name) == 1 {
				dashes = "-"
			}
			what := ""
			if doc != nil {
				what = strings.ReplaceAll(doc.GetUsage(), "`", "")
			}
			c.add(last, dashes+name, what)
		}
	}
}

// isHidden reports whether help does not show f.
func isHidden(f cli.Flag) bool {
	v, ok := f.(cli.VisibleFlag)
	return ok && !v.IsVisible()
}

// print writes c for the scripts.
func (c *complete) print(w io.Writer) {
	for _, x := range c.words {
		what, _, _ := strings.Cut(x.what, ". ")
		fmt.Fprintf(w, "%s\t%s\n", x.word, strings.TrimSuffix(what, "."))
	}
	if c.nospace {
		fmt.Fprintln(w, ":nospace")
	}
	if c.files {
		fmt.Fprintln(w, ":files")
	}
}

// Scripts for the shells, by name. Each is for falco and falcoctl.
var shells = map[string]string{
	"bash": `# bash completion for falco: falco completion bash >/usr/share/bash-completion/completions/falco
_falco() {
	local line=${COMP_LINE:0:$COMP_POINT} words cur word what files= behind
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	cur=${words[${#words[@]}-1]}
	behind= # bash takes what stands behind "=" and ":" for a word of its own
	[[ $cur == *[=:]* ]] && behind=${cur%"${cur##*[=:]}"}
	COMPREPLY=()
	while IFS=$'\t' read -r word what; do
		case $word in
		:files) files=1 ;;
		:nospace) compopt -o nospace 2>/dev/null ;;
		*) COMPREPLY+=("${word#"$behind"}") ;;
		esac
	done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
	if [[ $files ]]; then
		compopt -o filenames 2>/dev/null
		while IFS= read -r word; do
			COMPREPLY+=("$word")
		done < <(compgen -f -- "${cur#"$behind"}")
	fi
}
complete -F _falco falco falcoctl
`,
	"zsh": `#compdef falco falcoctl
# zsh completion for falco: falco completion zsh >/usr/share/zsh/site-functions/_falco
_falco() {
	local line word what files
	local -a found more
	for line in "${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		case $line in
		'') ;;
		:files) files=1 ;;
		:nospace) more=(-S '') ;;
		*)
			word=${line%%$'\t'*} what=${line#*$'\t'}
			found+=("${word//:/\\:}${what:+:$what}")
			;;
		esac
	done
	(( ${#found} )) && _describe -o 'falco' found "${more[@]}"
	[[ -n $files ]] && _files
	return 0
}
if [[ $funcstack[1] == _falco ]]; then
	_falco "$@"
else
	compdef _falco falco falcoctl
fi
`,
	"fish": `# fish completion for falco: falco completion fish >/usr/share/fish/vendor_completions.d/falco.fish
function __falco_ask
	set -l words (commandline -opc)
	command $words[1] __complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end
for name in falco falcoctl
	complete -c $name -f -a '(__falco_ask | string match -rv "^:")'
	complete -c $name -n '__falco_ask | string match -q :files' -F
end
`,
}

// runCompletion is falco completion SHELL.
func runCompletion(c *cli.Context, d *daemon) error {
	script, known := shells[c.Args().First()]
	if !known || c.Args().Len() > 1 {
		return &failure{form: plain, text: fmt.Sprintf("completion: what is %q?", strings.Join(c.Args().Slice(), " ")), hint: "falco completion bash, zsh or fish"}
	}
	_, err := io.WriteString(d.stdout, script)
	return err
}
