// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
)

const (
	helpColumn = 32 // where descriptions begin, from 0
	helpWidth  = 140
)

// printHelp writes the usage, and the options of old versions too if old is set.
func printHelp(w io.Writer, old bool) {
	fmt.Fprint(w, "Falco - watches the system calls of this machine and tells when they break a rule\nUsage:\n  falco [OPTION...]\n")
	fmt.Fprint(w, "  falco VERB, one of:\n")
	for _, v := range verbs() {
		later := " (not available yet)"
		if v.run != nil {
			later = ""
		}
		fmt.Fprintf(w, "    %-*s%s%s\n", helpColumn-4, v.name, v.usage, later)
	}
	fmt.Fprintln(w)
	for i := range options {
		if o := &options[i]; !o.legacy() {
			fmt.Fprint(w, o.describe())
		}
	}
	if old {
		fmt.Fprint(w, "\nLegacy options:\n")
		for i := range options {
			if o := &options[i]; o.legacy() && o.help != "" {
				fmt.Fprint(w, o.describe())
			}
		}
	}
	fmt.Fprintln(w)
}

// describe returns the lines of o.
func (o *option) describe() string {
	left := "      "
	switch {
	case o.short != "" && o.long != "":
		left = "  -" + o.short + ", --" + o.long
	case o.short != "":
		left = "  -" + o.short
	default:
		left += "--" + o.long
	}
	text := o.help
	switch {
	case o.optional:
		left += " [=<" + o.arg + ">(=)]"
	case o.arg != "":
		left += " <" + o.arg + ">"
	}
	switch o.short {
	case "M":
		text += " (default: 0)"
	case "P":
		text += ` (default: "")`
	}
	if len(left) > helpColumn-2 {
		left += "\n" + strings.Repeat(" ", helpColumn)
	} else {
		left += strings.Repeat(" ", helpColumn-len(left))
	}
	return left + strings.Join(wrap(text, helpWidth-helpColumn), "\n"+strings.Repeat(" ", helpColumn)) + "\n"
}

// wrap breaks text at blanks into lines of at most width bytes; a longer word
// has a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
