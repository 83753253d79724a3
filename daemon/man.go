// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

//go:generate sh -c "mkdir -p ../packaging/man && go run . man >../packaging/man/falco.8"

// manDate is when the page last changed in what it means.
const manDate = "2026-11-21"

// printMan writes the manual page falco(8), of the tables that help is made of.
func printMan(w io.Writer) {
	p := &roff{w: w}
	p.line(`.\" Made by "falco man"; do not edit.`)
	p.line(`.TH FALCO 8 ` + manDate + ` Falco "System Administration"`)
	p.section("NAME")
	p.text("falco \\- watches the system calls of this machine and tells when they break a rule")
	p.section("SYNOPSIS")
	for i, form := range []string{"[\\fIOPTION\\fR...]", "\\fIVERB\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]"} {
		if i > 0 {
			p.line(".br")
		}
		p.line(".B falco")
		p.line(form)
	}
	p.section("DESCRIPTION")
	p.text("A kernel module hands every interesting system call to this daemon, which knows which process and which container " +
		"makes it, and prints an alert when a rule matches. Without a verb, falco is that daemon. It reads the file of " +
		"-c, and the rules that this names or that are given with -r, and runs until it is told to stop.")
	p.section("OPTIONS")
	for i := range options {
		if o := &options[i]; !o.legacy() {
			p.option(o)
		}
	}
	p.section("VERBS")
	all := verbs()
	for i := range all {
		v := &all[i]
		later := ""
		if v.run == nil {
			later = " (not available yet)"
		}
		p.entry("\\fBfalco "+esc(v.name)+"\\fR "+manWords(v.words), v.usage+later+".")
		var flags []cli.Flag
		if v.flags != nil {
			flags = v.flags()
		}
		if len(flags) == 0 {
			continue
		}
		p.line(".RS")
		if v.name == "driver" {
			for _, d := range driverVerbs {
				p.entry("\\fB"+esc(d.name)+"\\fR", strings.ToUpper(d.usage[:1])+d.usage[1:]+".")
			}
		}
		for _, f := range flags {
			p.flag(f)
		}
		p.line(".RE")
	}
	p.section("OPTIONS OF EARLIER VERSIONS")
	p.text("They still work, with a warning that says what to use instead.")
	for i := range options {
		if o := &options[i]; o.legacy() && o.help != "" {
			p.option(o)
		}
	}
	for _, s := range manSections {
		p.section(s.name)
		if s.intro != "" {
			p.text(s.intro)
		}
		for _, e := range s.entries {
			p.entry("\\fB"+esc(e[0])+"\\fR", e[1])
		}
	}
	p.section("SEE ALSO")
	p.line(".BR modprobe (8),\n.BR systemctl (1),\n.BR sysdig (8)")
}

// manSections is what the tables do not say.
var manSections = []struct {
	name, intro string
	entries     [][2]string
}{
	{"SIGNALS", "", [][2]string{
		{"SIGINT, SIGTERM", "End: read what is in the rings, deliver what is in the queues, within output_timeout each, and print what was seen and lost."},
		{"SIGHUP", "Read configuration and rules again. What is wrong is told, and what was in force stays so; else it counts from the next event on, and none is missed. " +
			"Changed files are noticed without it if watch_config_files is on."},
		{"SIGUSR1", "Close and open again the files, programs and connections that alerts go to."},
	}},
	{"COMPATIBILITY", "Rule files, configurations and command lines of the original work, those of version 0.26, too.", [][2]string{
		{"strict_upstream: true", "Conditions, lists, exceptions, outputs and selections are read and evaluated as the original does, also where it errs: " +
			"for comparisons. It does not cover the tables that fields are made of. They stay better than the original's about the working " +
			"directory of threads, setsid(2), setpgid(2), ids of -1, descriptors that bpf(2) does not make, O_TMPFILE, servers of IPv6, " +
			"directories of the *at calls, and cgroups that look like containers and are none."},
		{"FALCO_STRICT_CLI=1", "The same, and of the command line: options of earlier versions do not exist."},
	}},
	{"EXIT STATUS", "", [][2]string{
		{"0", "The run ended as it should, also by a signal; a verb or -V found nothing wrong."},
		{"1", "Options, configuration, rules or the source of events have an error, which stands on the standard error; or it came to one later."},
		{"2", "What was asked for is not available in this version."},
		{"255", "The pid file cannot be written."},
	}},
	{"ENVIRONMENT", "", [][2]string{
		{"FALCO_HOSTNAME", "The name of this machine in alerts and metrics."},
		{"HOST_ROOT", "Where the machine's own /proc, /dev, /etc and /sys are found, for a daemon in a container: /host."},
		{"TZ", "The time zone of alerts and of the log."},
		{"FALCO_CGROUP_MEM_PATH", "The file that tells how much memory the container uses."},
		{"FALCO_STRICT_CLI", "1: options of earlier versions do not exist, and nothing takes the place of an engine that is not there."},
		{"NOTIFY_SOCKET, WATCHDOG_USEC", "Whom to tell that we are ready, reload, end, and still see; systemd(1) sets them."},
	}},
	{"FILES", "", [][2]string{
		{"/etc/falco/falco.yaml", "The configuration. The file that comes with falco explains each key."},
		{"/usr/share/falco/schema", "JSON schemas of the configuration and of rules files, which --config-schema and --rule-schema print, too."},
		{"/etc/falco/falco_rules.yaml", "The rules that come with falco. Yours belong into falco_rules.local.yaml or rules.d beside it."},
		{"/dev/falco", "The kernel module."},
		{"/run/falco/state.sock", "What falco ps and falco fds ask."},
	}},
	{"EXAMPLES", "", [][2]string{
		{"falco -r my_rules.yaml -o json_output=true", "Watch with rules of your own, and print alerts as JSON."},
		{"falco -V my_rules.yaml", "Say what is wrong with rules."},
		{"falco -w all.scap -M 60", "Keep all that happens in a minute, and look for what breaks a rule meanwhile."},
		{"falco -e all.scap -r other_rules.yaml", "Look what other rules would have said."},
	}},
}

// roff writes a page.
type roff struct{ w io.Writer }

func (p *roff) line(s string)       { fmt.Fprintln(p.w, s) }
func (p *roff) section(name string) { p.line(".SH " + name) }

// text writes a paragraph. A line that begins with a dot or a quote would be a request.
func (p *roff) text(s string) { p.lines(strings.ReplaceAll(s, "\\-", "\x00")) }

func (p *roff) lines(s string) {
	for _, l := range wrap(s, 100) {
		l = strings.ReplaceAll(esc(l), "\x00", "\\-")
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			l = "\\&" + l
		}
		p.line(l)
	}
}

// entry writes a term, which is roff already, and what it means.
func (p *roff) entry(term, text string) {
	p.line(".TP")
	p.line(strings.TrimSpace(term))
	p.lines(text)
}

func (p *roff) option(o *option) {
	var names []string
	if o.short != "" {
		names = append(names, "\\fB\\-"+o.short+"\\fR")
	}
	if o.long != "" {
		names = append(names, "\\fB"+esc("--"+o.long)+"\\fR")
	}
	term := strings.Join(names, ", ")
	switch {
	case o.optional:
		term += "[=\\fI" + esc(o.arg) + "\\fR]"
	case o.arg != "":
		term += " \\fI" + esc(o.arg) + "\\fR"
	}
	text := o.help
	if o.legacy() && o.old != "" && !strings.HasPrefix(o.old, "nothing") {
		text += " Instead: " + o.old + "."
	}
	p.entry(term, text)
}

func (p *roff) flag(f cli.Flag) {
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok || isHidden(f) {
		return
	}
	var names []string
	for _, n := range f.Names() {
		dashes := "--"
		if len(n) == 1 {
			dashes = "-"
		}
		names = append(names, "\\fB"+esc(dashes+n)+"\\fR")
	}
	term, usage := strings.Join(names, ", "), doc.GetUsage()
	if doc.TakesValue() { // the name of the value stands between backquotes
		value := "value"
		if _, rest, ok := strings.Cut(usage, "`"); ok {
			value, _, _ = strings.Cut(rest, "`")
		}
		term += " \\fI" + esc(value) + "\\fR"
	}
	usage = strings.ReplaceAll(usage, "`", "")
	if usage != "" {
		usage = strings.ToUpper(usage[:1]) + usage[1:] + "."
	}
	p.entry(term, usage)
}

func manWords(words string) string {
	if words == "" {
		return "[\\fIOPTION\\fR...]"
	}
	return "[\\fIOPTION\\fR...] " + esc(words)
}

// esc makes text what it looks like.
func esc(s string) string {
	return strings.NewReplacer("\\", "\\e", "-", "\\-", "'", "\\(aq", "`", "\\(ga", "^", "\\(ha", "~", "\\(ti").Replace(s)
}

// runMan is falco man.
func runMan(_ *cli.Context, d *daemon) error {
	printMan(d.stdout)
	return nil
}
