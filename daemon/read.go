// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/format"
	"github.com/falco-go/falco/pkg/state"
)

// readFormat is how sysdig prints an event.
const readFormat = "*%evt.num %evt.outputtime %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.info"

func readFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "filter", Usage: "print the events that this `CONDITION` of a rule is true for"},
		&cli.IntFlag{Name: "n", Aliases: []string{"count"}, Usage: "print so many events at most"},
		&cli.StringFlag{Name: "p", Aliases: []string{"print"}, Usage: "print this `FORMAT` for each event, as in \"%evt.num %proc.name\"; " +
			"events that lack one of its fields are left out unless it begins with a *"},
	}
}

// runRead is falco read. What stands behind the file is a condition as well, as
// people type it for sysdig.
func runRead(c *cli.Context, d *daemon) error {
	words := c.Args().Slice()
	if len(words) == 0 {
		return &failure{form: plain, text: "read: which file?", hint: "falco read --help lists the options"}
	}
	e, err := newEventPrinter(c.String("filter"), words[1:], c.String("p"))
	if err != nil {
		return err
	}
	e.limit = c.Int("n")
	r, err := openReplay(words[0], nil)
	if err != nil {
		return err
	}
	defer r.Close()
	st := state.New(state.Options{})
	if err := r.begin(st); err != nil {
		return err
	}
	out := bufio.NewWriterSize(d.stdout, 64<<10)
	err = e.print(r, st, out)
	if e := out.Flush(); err == nil || err == io.EOF && e != nil {
		err = e
	}
	switch {
	case errors.Is(err, capture.ErrTruncated), errors.Is(err, capture.ErrNoEvents):
		fmt.Fprintf(d.stderr, "falco: %s: %v\n", r.name, err)
		return nil
	case err != nil && !errors.Is(err, io.EOF):
		return r.failure(err)
	}
	return nil
}

// flagsFirst puts the flags in words in front of the others: people type them
// behind the file too. What stands behind -- is no flag.
func flagsFirst(words []string, flags []cli.Flag) []string {
	takes := map[string]bool{}
	for _, f := range flags {
		_, boolean := f.(*cli.BoolFlag)
		for _, name := range f.Names() {
			takes[name] = !boolean
		}
	}
	var first, rest []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "--" {
			rest = append(rest, words[i+1:]...)
			break
		}
		if len(w) < 2 || w[0] != '-' {
			rest = append(rest, w)
			continue
		}
		first = append(first, w)
		if takes[strings.TrimLeft(w, "-")] && i+1 < len(words) {
			i++
			first = append(first, words[i])
		}
	}
	return append(append(first, "--"), rest...)
}

// eventPrinter prints the events that a condition holds for.
type eventPrinter struct {
	match  *filter.Program // nil: all
	format *format.Template
	whole  bool // leave out events that lack a field
	env    *filter.Env
	limit  int // 0: none
	line   []byte
}

func newEventPrinter(condition string, more []string, text string) (*eventPrinter, error) {
	e := &eventPrinter{}
	if len(more) > 0 {
		if condition != "" {
			return nil, &failure{form: plain, text: "read: two conditions: --filter, and what stands behind the file"}
		}
		condition = strings.Join(more, " ")
	}
	c := &filter.Compiler{Fields: filter.Catalogue{}}
	if condition != "" {
		expr, err := filter.Syntax{}.Parse(&filter.Source{Text: condition})
		if err == nil {
			var p filter.Program
			p, err = c.Compile(expr)
			e.match = &p
		}
		if err != nil {
			return nil, conditionFailure(err)
		}
	}
	if text == "" {
		text = readFormat
	}
	e.whole = !strings.HasPrefix(text, "*")
	t, err := format.Parse(text, c, format.Options{})
	if err != nil {
		f := &failure{form: plain, text: fmt.Sprintf("-p: %v", err)}
		var u *format.UnknownError
		if errors.As(err, &u) {
			f.text = fmt.Sprintf("-p: unknown field %q", "%"+u.Token)
			f.hint = nearest(u.Token)
		}
		return nil, f
	}
	e.format, e.env = t, c.NewEnv()
	return e, nil
}

// conditionFailure says where a condition is wrong.
func conditionFailure(err error) error {
	f := &failure{form: plain, text: fmt.Sprintf("condition: %v", err)}
	var fe *filter.Error
	if errors.As(err, &fe) {
		f.text = fmt.Sprintf("condition:%d:%d: %s", fe.Pos.Line, fe.Pos.Column, fe.Msg)
		if fe.Unknown != "" {
			f.hint = nearest(fe.Unknown)
		}
	}
	return f
}

func nearest(token string) string {
	if name, ok := field.Suggest(token); ok {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return "falco --list prints all fields"
}

// print goes through r to its end.
func (e *eventPrinter) print(r *replay, st *state.State, out *bufio.Writer) error {
	var ev event.Event
	for n := 0; ; {
		ok, err := r.Next(&ev)
		if err != nil {
			return err
		}
		if !ok {
			if out.Buffered() > 0 {
				if err := out.Flush(); err != nil {
					return err
				}
			}
			<-r.C()
			continue
		}
		if scene := st.Apply(&ev); scene != nil && !ev.StateOnly && e.wants(scene) {
			e.line = append(e.format.Append(e.line[:0], e.env), '\n')
			if _, err := out.Write(e.line); err != nil {
				return err
			}
			if n++; n == e.limit {
				return nil
			}
		}
		st.Settle()
	}
}

func (e *eventPrinter) wants(scene *state.Scene) bool {
	e.env.Begin(scene)
	return (e.match == nil || e.match.Match(e.env)) && !(e.whole && !e.format.Whole(e.env))
}
