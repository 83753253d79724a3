// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/config"
)

// The command line is read twice. The scanner here knows how people have always
// typed it: -M5, -pk, -Lv, --list=syscall, words that mean nothing. It turns argv
// into words of one form, --name=value, and is the one that complains. urfave/cli
// then sees nothing but those, and owns verbs and completion.

// option is a row of the table of options.
type option struct {
	short    string // one letter, or ""
	long     string
	arg      string // what help calls the argument; "" if it takes none
	optional bool   // the argument is only taken after "="
	number   bool   // the argument is an integer
	multi    bool   // may be given several times
	help     string

	// One of these for an option that does not simply do its work.
	gone string // the error that it ends in
	old  string // an option of old versions: what to use instead, or why it does nothing
}

// name is what the canonical form is called.
func (o *option) name() string {
	if o.long != "" {
		return o.long
	}
	return o.short
}

// options lists all of them in the order in which help shows them.
var options = []option{
	{short: "h", long: "help", help: "Print this help and exit."},
	{short: "c", arg: "path", help: "Configuration file. If it is not given, " + config.DefaultPath + " is used."},
	{long: "config-schema", help: "Print the JSON schema of the configuration and exit."},
	{long: "rule-schema", help: "Print the JSON schema of rules files and exit."},
	{long: "disable-source", arg: "event_source", multi: true, help: "Turn off an event source. May be given several times; not together with --enable-source."},
	{long: "dry-run", help: "Read configuration and rules and check everything, but do not look at events."},
	{long: "enable-source", arg: "event_source", multi: true, help: "Turn on this event source and leave the others off. May be given several times."},
	{short: "i", help: "Print the system calls that are left out by default because there are so many of them, and exit."},
	{short: "L", help: "Print name and description of all rules and exit."},
	{short: "l", arg: "rule", help: "Print name and description of one rule and exit."},
	{long: "list", arg: "source", optional: true, help: "Print the fields that conditions and outputs can use and exit, those of one source if it is given."},
	{long: "list-events", help: "Print the events with their parameters and exit."},
	{long: "list-plugins", help: "Print the plugins that are loaded and exit."},
	{long: "format", arg: "format", help: "How --list and --list-events print: text, markdown or json."},
	{long: "markdown", help: "The same as --format markdown. Deprecated."},
	{short: "M", arg: "num_seconds", number: true, help: "Stop after so many seconds; 0 means never."},
	{short: "N", help: "With --list: print names only."},
	{short: "o", long: "option", arg: "opt=val", multi: true, help: "Set a value of the configuration, whatever the file says: key=val, key.sub=val, key[0]=val, key[]=val. May be given several times."},
	{long: "plugin-info", arg: "plugin_name", help: "Print what a plugin says about itself and exit."},
	{short: "p", long: "print", arg: "output_format", help: "Append a text to the output of all rules. Deprecated, use -o append_output[]=..."},
	{short: "P", long: "pidfile", arg: "pid_file", help: "Write the process id to this file."},
	{short: "r", arg: "rules_file", multi: true, help: "Rules file or directory, instead of those in the configuration. May be given several times: they are read in this order."},
	{long: "support", help: "Print what is useful in a report of a problem and exit."},
	{short: "U", long: "unbuffered", help: "Write every alert at once, whatever buffered_outputs says."},
	{short: "V", long: "validate", arg: "rules_file", multi: true, help: "Read rules files, say whether they are right, and exit. May be given several times."},
	{short: "v", help: "Print more: statistics at the end, types with --list."},
	{long: "version", help: "Print versions and exit."},
	{long: "page-size", help: "Print the system's page size and exit."},

	// Of versions up to 0.40; people still type them.
	{short: "A", old: "-o base_syscalls.all=true", help: "Consider all system calls."},
	{short: "b", long: "print-base64", old: "-o buffer_format_base64=true", help: "Print buffers in base64."},
	{short: "d", long: "daemon", help: "Run in the background, with a pid file."},
	{short: "D", arg: "substring", multi: true, old: "-o rules[].disable.rule=...", help: "Disable the rules whose name contains this."},
	{short: "T", arg: "tag", multi: true, old: "-o rules[].disable.tag=...", help: "Disable the rules that have this tag."},
	{short: "t", arg: "tag", multi: true, old: "-o rules[].enable.tag=...", help: "Run only the rules that have one of these tags."},
	{short: "e", arg: "events_file", old: "-o engine.kind=replay -o engine.replay.capture_file=...", help: "Read events from a capture."},
	{short: "s", long: "stats-file", arg: "file", old: "-o metrics.enabled=true -o metrics.output_file=...", help: "Write statistics to a file."},
	{long: "stats-interval", arg: "msec", number: true, old: "-o metrics.interval=...ms", help: "How often statistics are written."},
	{long: "stats_interval", arg: "msec", number: true, old: "-o metrics.interval=...ms"},
	{short: "S", long: "snaplen", arg: "len", number: true, old: "-o falco_libs.snaplen=...", help: "Bytes of I/O data in an event."},
	{short: "k", long: "k8s-api", arg: "url", old: "nothing, it has no effect", help: "No effect."},
	{short: "K", long: "k8s-api-cert", arg: "cert", old: "nothing, it has no effect", help: "No effect."},
	{long: "k8s-node", arg: "node", old: "nothing, it has no effect", help: "No effect."},
	{short: "m", long: "mesos-api", arg: "url", old: "nothing, it has no effect", help: "No effect."},
	{long: "cri", arg: "path", multi: true, old: "-o containers.engines.cri.sockets[]=...", help: "Socket of the container runtime, instead of the usual ones."},
	{long: "disable-cri-async", old: "nothing, it has no effect", help: "No effect."},
	{short: "u", long: "userspace", gone: "userspace engine is not supported", help: "Not supported."},
	{long: "nodriver", old: "-o engine.kind=nodriver", help: "Run without events."},
	{long: "modern-bpf", old: "-o engine.kind=modern_ebpf", help: "Take the kernel module."},
	{short: "g", long: "gvisor-config", arg: "file", gone: "gVisor engine is not supported", help: "Not supported."},
	{long: "gvisor-root", arg: "path", gone: "gVisor engine is not supported", help: "Not supported."},
	{long: "gvisor-generate-config", arg: "path", optional: true, gone: "gVisor engine is not supported", help: "Not supported."},
	{short: "w", long: "writefile", arg: "file", help: "Write all events to a capture, while looking for what breaks a rule. Without rules: falco record."},
	{short: "F", arg: "mb", old: "nothing, it has no effect", help: "No effect."},
	{long: "alternate-lua-dir", arg: "path", old: "nothing, it has no effect", help: "No effect."},
	{long: "ignored-events", old: "-i", help: "The same as -i."},
	{long: "list-fields-markdown", old: "--list --format markdown", help: "The same as --list --format markdown."},
	{long: "list-syscall-events", old: "--list-events", help: "The same as --list-events."},
}

// legacy reports whether o belongs to old versions only.
func (o *option) legacy() bool {
	i := slices.IndexFunc(options, func(x option) bool { return x.short == "A" })
	j := slices.IndexFunc(options, func(x option) bool { return x.name() == o.name() })
	return j >= i
}

// scanner turns argv into canonical words.
type scanner struct {
	strict bool // FALCO_STRICT_CLI: the options of old versions do not exist
	words  []string
	used   []used // options of old versions, for a warning each
}

// used is an option of an old version as it was typed.
type used struct{ typed, instead string }

// scan reads the words after the program's name. What is no option is ignored.
func (s *scanner) scan(argv []string) error {
	for i := 0; i < len(argv); i++ {
		word := argv[i]
		switch {
		case word == "--":
			return nil
		case strings.HasPrefix(word, "--"):
			name, value, given := strings.Cut(word[2:], "=")
			o := s.find(name, "")
			if o == nil {
				return s.unknown(name)
			}
			if !given && o.arg != "" && !o.optional {
				if i++; i == len(argv) {
					return optionErrorf("Option ‘%s’ is missing an argument", name)
				}
				value, given = argv[i], true
			}
			if err := s.take(o, "--"+name, value, given); err != nil {
				return err
			}
		case len(word) > 1 && word[0] == '-':
			for letters := word[1:]; letters != ""; {
				letter := letters[:1]
				o := s.find("", letter)
				if o == nil {
					return s.unknown(letter)
				}
				letters = letters[1:]
				value, given := "", false
				if o.arg != "" && !o.optional {
					value, given, letters = letters, letters != "", ""
					if !given {
						if i++; i == len(argv) {
							return optionErrorf("Option ‘%s’ is missing an argument", letter)
						}
						value, given = argv[i], true
					}
				}
				if err := s.take(o, "-"+letter, value, given); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// find returns the option with that long or short name, nil if there is none.
func (s *scanner) find(long, short string) *option {
	for i := range options {
		o := &options[i]
		if (long != "" && o.long == long || short != "" && o.short == short) && !(s.strict && o.legacy()) {
			return o
		}
	}
	return nil
}

func (s *scanner) unknown(name string) error {
	e := optionErrorf("Option ‘%s’ does not exist", name)
	var names []string
	for i := range options {
		if len(options[i].long) > 1 && !options[i].legacy() {
			names = append(names, options[i].long)
		}
	}
	e.hint = "falco --help lists the options"
	if near := config.Nearest(name, names); len(name) > 1 && near != "" {
		e.hint = fmt.Sprintf("did you mean --%s?", near)
	}
	return e
}

// take appends o in its canonical form.
func (s *scanner) take(o *option, typed, value string, given bool) error {
	switch {
	case o.gone != "":
		return optionErrorf("%s", o.gone)
	case o.arg == "":
		if !given {
			value = "true"
		}
		on, err := strconv.ParseBool(value)
		if err != nil {
			return optionErrorf("Argument ‘%s’ failed to parse", value)
		}
		value = strconv.FormatBool(on)
	case o.number:
		n, err := strconv.ParseInt(value, 0, 32)
		if err != nil {
			return optionErrorf("Argument ‘%s’ failed to parse", value)
		}
		value = strconv.FormatInt(n, 10)
	}
	if o.old != "" {
		s.used = append(s.used, used{typed, o.old})
	}
	s.words = append(s.words, "--"+o.name()+"="+value)
	return nil
}
