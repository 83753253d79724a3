// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Completion for shells: a script each, made of the flags that --help shows.

// shells are those that a script is made for.
var shells = map[string]func(w io.Writer, flags []word){"bash": bash, "zsh": zsh, "fish": fish}

// word is a flag as a shell sees it.
type word struct {
	names   []string // with their dashes
	use     string
	argFile bool // a file or folder is to follow
}

var completion = &cli.Command{
	Name: "completion", Usage: "print what lets a shell complete the command line", ArgsUsage: "bash|zsh|fish", HideHelp: true,
	Action: func(c *cli.Context) error {
		script := shells[c.Args().First()]
		if script == nil || c.NArg() != 1 {
			return fmt.Errorf("completion: for which shell? bash, zsh or fish")
		}
		script(c.App.Writer, flagWords(c.App.VisibleFlags()))
		return nil
	},
}

func flagWords(flags []cli.Flag) (out []word) {
	for _, f := range flags {
		w := word{use: f.(cli.DocGenerationFlag).GetUsage(), argFile: f.(cli.DocGenerationFlag).TakesValue()}
		for _, name := range f.Names() {
			if len(name) == 1 {
				w.names = append(w.names, "-"+name)
			} else {
				w.names = append(w.names, "--"+name)
			}
		}
		out = append(out, w)
	}
	return out
}

func bash(w io.Writer, flags []word) {
	var all, files []string
	for _, f := range flags {
		all = append(all, f.names...)
		if f.argFile {
			files = append(files, f.names...)
		}
	}
	fmt.Fprintf(w, `# bash completion for falcosidekick: falcosidekick completion bash >/usr/share/bash-completion/completions/falcosidekick
_falcosidekick() {
	local word
	COMPREPLY=()
	case ${COMP_WORDS[COMP_CWORD-1]} in
	%s)
		compopt -o filenames 2>/dev/null
		while IFS= read -r word; do
			COMPREPLY+=("$word")
		done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
		;;
	completion) COMPREPLY=($(compgen -W 'bash fish zsh' -- "${COMP_WORDS[COMP_CWORD]}")) ;;
	*) COMPREPLY=($(compgen -W '%s' -- "${COMP_WORDS[COMP_CWORD]}")) ;;
	esac
}
complete -F _falcosidekick falcosidekick
`, strings.Join(files, "|"), strings.Join(append(all, "completion"), " "))
}

func zsh(w io.Writer, flags []word) {
	fmt.Fprintln(w, "#compdef falcosidekick\n# zsh completion for falcosidekick: falcosidekick completion zsh >/usr/share/zsh/site-functions/_falcosidekick\n_arguments \\")
	quote := strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`)
	for _, f := range flags {
		what := "'[" + quote.Replace(f.use) + "]"
		if f.argFile {
			what += ":file:_files"
		}
		if len(f.names) > 1 {
			fmt.Fprintf(w, "\t'(%s)'{%s}%s' \\\n", strings.Join(f.names, " "), strings.Join(f.names, ","), what)
		} else {
			fmt.Fprintf(w, "\t%s%s' \\\n", f.names[0], what)
		}
	}
	fmt.Fprintln(w, "\t'1::verb:(completion)' \\\n\t'2::shell:(bash fish zsh)'")
}

func fish(w io.Writer, flags []word) {
	fmt.Fprintln(w, "# fish completion for falcosidekick: falcosidekick completion fish >/usr/share/fish/vendor_completions.d/falcosidekick.fish\ncomplete -c falcosidekick -f")
	for _, f := range flags {
		line := "complete -c falcosidekick"
		for _, n := range slices.Backward(f.names) {
			if name, ok := strings.CutPrefix(n, "--"); ok {
				line += " -l " + name
			} else {
				line += " -s " + n[1:]
			}
		}
		if f.argFile {
			line += " -r -F"
		}
		fmt.Fprintf(w, "%s -d '%s'\n", line, strings.ReplaceAll(f.use, "'", `\'`))
	}
	fmt.Fprintln(w, "complete -c falcosidekick -n __fish_is_first_token -a completion\ncomplete -c falcosidekick -n '__fish_seen_subcommand_from completion' -a 'bash fish zsh'")
}
