// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
)

// suggestedFields are appended to a rule's output where append_output asks for
// suggested_output, in this order.
var suggestedFields = []string{"container.id", "container.name", "container.image.repository", "container.image.tag", "k8s.pod.name", "k8s.ns.name"}

// Texts that stand for %container.info, and what -p calls them.
const (
	containerInfo  = "%container.name (id=%container.id)"
	containerInfoC = "container=" + containerInfo
	containerInfoK = "k8s.ns=%k8s.ns.name k8s.pod=%k8s.pod.name container=%container.id"
)

// ruleOptions turns the configuration and the command line into what rules.Load
// has to know.
func (d *daemon) ruleOptions() (rules.Options, error) {
	c := d.cfg
	o := rules.Options{
		Priority: rules.Priority(c.Severity), All: c.MatchAll, Legacy: d.opt.legacy, Base64: c.Base64,
		StrictUpstream: c.StrictUpstream || d.opt.strict,
		Plugins:        map[string]string{"container": "0.7.1"}, // what is built in
		ContainerInfo:  containerInfo,
	}
	if len(c.Static) > 0 {
		o.Fields = newStatic(c.Static)
	}
	for _, s := range c.Rules {
		o.Selection = append(o.Selection, rules.Selection{Enable: s.Enable, Rule: s.Rule, HasRule: s.HasRule, Tag: s.Tag, HasTag: s.HasTag})
	}
	if err := o.CheckSelection(); err != nil {
		return o, optionErrorf("%s", err)
	}
	for _, a := range c.Append {
		out := rules.AppendOutput{Source: a.Source, Tags: a.Tags, Rule: a.Rule, Output: a.Output}
		for _, f := range a.Fields {
			out.Fields = append(out.Fields, rules.ExtraField{Key: f.Name, Format: f.Format, Raw: f.Format == ""})
			if last := &out.Fields[len(out.Fields)-1]; last.Raw {
				last.Format = f.Name
			}
		}
		o.Append = append(o.Append, out)
		if a.Suggested {
			o.Append = append(o.Append, rules.AppendOutput{Source: a.Source, Tags: a.Tags, Rule: a.Rule, Output: suggested(c.Static)})
		}
	}
	switch d.opt.print {
	case "", "m", "mesos":
	case "c", "container":
		o.ContainerInfo = containerInfoC
	case "k", "kubernetes":
		o.ContainerInfo = containerInfoK
	default:
		o.Append = append(o.Append, rules.AppendOutput{Output: d.opt.print})
	}
	if o.StrictUpstream {
		o.ContainerInfo = ""
	}
	return o, nil
}

// suggested returns " name=%field" for all suggested fields, those of
// static_fields last, without the blank in front.
func suggested(static []config.StaticField) string {
	var parts []string
	names := slices.Clone(suggestedFields)
	for _, s := range static {
		names = append(names, staticPrefix+s.Name)
	}
	for _, f := range names {
		parts = append(parts, strings.ReplaceAll(f, ".", "_")+"=%"+f)
	}
	return strings.Join(parts, " ")
}

// validate is -V.
func (d *daemon) validate() error {
	if len(d.opt.validate) == 0 {
		return nil
	}
	d.log.infof("Validating rules file(s):")
	var files []rules.File
	for _, name := range d.opt.validate {
		d.log.infof("   %s", name)
	}
	for _, name := range d.opt.validate {
		f, err := readRules(name)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	o, err := d.ruleOptions()
	if err != nil {
		return err
	}
	o.Continue = true
	set, results := rules.Load(files, o)
	bad := false
	var short, full []string
	reports := []any{}
	for i := range results {
		r := &results[i]
		reports = append(reports, r.JSON())
		text := strings.TrimSuffix(r.Text(true), "\n")
		full = append(full, text)
		if r.Successful() {
			if len(r.Warnings) > 0 || len(r.SchemaWarnings) > 0 {
				d.log.warnf("%s", text)
			}
			d.logHints(r)
			text, _, _ = strings.Cut(text, "\n")
		} else {
			bad = true
		}
		short = append(short, text)
	}
	if !bad {
		if err := set.CheckPlugins(o.Plugins); err != nil {
			return &failure{form: block, text: err.Error()}
		}
	}
	if d.cfg.JSON {
		out := map[string]any{"falco_load_results": reports}
		if !bad && (d.opt.describe || d.opt.describeRule != "") {
			if out["falco_describe_results"], err = d.describeJSON(set); err != nil {
				return err
			}
		}
		d.stdout.Write(oneLine(out))
	} else {
		fmt.Fprintln(d.stdout, strings.Join(short, "\n"))
	}
	if bad {
		return d.rulesError(strings.Join(full, "\n"), results)
	}
	if !d.cfg.JSON && (d.opt.describe || d.opt.describeRule != "") {
		fmt.Fprintln(d.stdout)
		return d.describeText(set)
	}
	return errDone
}

// uncaught is within the messages of the errors of rules that the original does
// not report but ends with (QUIRK 8).
const uncaught = "event code search"

// rulesError shows the report, and below it what might help.
func (d *daemon) rulesError(report string, results []rules.Result) error {
	f := &failure{form: block, text: report}
	var hints []string
	for i := range results {
		r := &results[i]
		hints = append(hints, r.Hints()...)
		for _, e := range r.Errors {
			if d.opt.strict && strings.Contains(e.Message, uncaught) {
				f.form, f.text = exiting, e.Message
			}
		}
	}
	f.hint = strings.Join(hints, "\nfalco: hint: ")
	return f
}

// logHints tells what is no error and may still not be meant.
func (d *daemon) logHints(r *rules.Result) {
	for _, h := range r.Hints() {
		d.log.noticef("hint: %s", h)
	}
}

// loadRules makes the set that events are matched with.
func (d *daemon) loadRules() error {
	files, err := d.ruleFiles()
	if err != nil {
		return err
	}
	o, err := d.ruleOptions()
	if err != nil {
		return err
	}
	set, results := rules.Load(files, o)
	if len(files) == 0 { // that is allowed, and makes a set without rules
		if d.opt.strict && (d.opt.describe || d.opt.describeRule != "") {
			return &failure{form: exiting, text: rules.ErrNotLoaded.Error()}
		}
		set, _ = rules.Load([]rules.File{{Name: "none"}}, o)
	}
	d.log.infof("Loading rules from:")
	for i := range results {
		r := &results[i]
		level, status := config.Info, string(r.Schema)
		if r.Schema == rules.SchemaFailed {
			level = config.Warning
			if len(r.SchemaWarnings) > 0 {
				status = r.SchemaWarnings[0]
			}
		}
		d.log.say(level, "   %s | schema validation: %s", r.Name, status)
		if !r.Successful() {
			return d.rulesError(r.Text(true), results)
		}
	}
	for i := range results {
		r := &results[i]
		if len(r.Warnings) > 0 || len(r.SchemaWarnings) > 0 {
			d.log.warnf("%s", r.Text(true))
		}
		d.logHints(r)
	}
	if err := set.CheckPlugins(o.Plugins); err != nil {
		return &failure{form: block, text: err.Error()}
	}
	for _, line := range o.SelectionLog() {
		d.log.infof("%s", line)
	}
	d.set = set
	n := 0
	d.log.debugf("Enabled rules:")
	for _, r := range set.Rules {
		if set.Runs(r) {
			n++
			d.log.debugf("   %s", r.Name)
		}
	}
	d.log.debugf("(%d) enabled rules in total", n)
	return nil
}

// describe is -L and -l.
func (d *daemon) describe() error {
	switch {
	case !d.opt.describe && d.opt.describeRule == "":
		return nil
	case d.cfg.JSON:
		out, err := d.describeJSON(d.set)
		if err != nil {
			return err
		}
		d.stdout.Write(oneLine(out))
		return errDone
	}
	return d.describeText(d.set)
}

// describeJSON is what -L and -l print for programs.
func (d *daemon) describeJSON(set *rules.Set) (any, error) {
	if d.opt.describeRule == "" {
		return set.JSON(), nil
	}
	r, err := findRule(set, d.opt.describeRule)
	if err != nil {
		return nil, err
	}
	return set.DescribeJSON(r), nil
}

func (d *daemon) describeText(set *rules.Set) error {
	list := set.Rules
	if d.opt.describeRule != "" {
		r, err := findRule(set, d.opt.describeRule)
		if err != nil {
			return err
		}
		list = []*rules.Rule{r}
	}
	io.WriteString(d.stdout, rules.Describe(list))
	return errDone
}

func findRule(set *rules.Set, name string) (*rules.Rule, error) {
	r, err := set.Rule(name)
	if err != nil {
		return nil, &failure{form: exiting, text: err.Error(), hint: "falco -L lists the rules"}
	}
	return r, nil
}

// rulesCalls returns the system calls and tracepoints that the enabled rules
// look at. A rule that looks at everything asks for no tracepoint.
func rulesCalls(set *rules.Set) (out calls) {
	for _, r := range set.Rules {
		if !set.Runs(r) {
			continue
		}
		everything := r.Events.Len() > everythingTypes
		for i := range schema.Syscalls {
			switch c := &schema.Syscalls[i]; {
			case c.Name == "": // a code that nobody has
			case tracepoint(c):
				out[i] = out[i] || !everything && r.Events.HasType(c.Enter)
			default:
				out[i] = out[i] || r.Events.HasCall(c.Code)
			}
		}
	}
	return out
}

// everythingTypes is from how many event types on a rule counts as one that
// looks at everything; it gets LOAD_NO_EVTTYPE for it.
const everythingTypes = 100

// tracepoint reports whether c stands for a tracepoint and not for a call.
func tracepoint(c *schema.Syscall) bool {
	return c.Enter == c.Exit
}
