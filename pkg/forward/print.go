// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"
	"io"
	"strings"

	"github.com/falco-go/falco/pkg/forward/settings"
)

// Print writes the settings as they are in force: those of the forwarder, and those of the
// outputs that are on. Secrets are not shown; what is the default is a comment.
func (c *Config) Print(w io.Writer) {
	printKeys(w, settings.Describe(&c.Settings, ""), "")
	if c.Consume.On() {
		printKeys(w, settings.Describe(&c.Consume, "consume"), "")
	}
	for _, s := range c.sections {
		printKeys(w, settings.Describe(s.Into, s.Name), "")
	}
	for _, i := range c.Instances {
		fmt.Fprintf(w, "\n# output %s\n", i.Destination())
		if !i.Named {
			printKeys(w, append(settings.Describe(i.Config, i.Kind.Section), settings.Describe(&i.common, i.Kind.Section)...), "")
			continue
		}
		fmt.Fprintf(w, "outputs:\n  - name: %s\n    type: %s\n    settings:\n", i.ID, i.Kind.Name)
		printKeys(w, settings.Describe(i.Config, ""), "      ")
		printKeys(w, settings.Describe(&i.common, ""), "    ")
	}
}

// printKeys writes keys as a tree. They come in the order of their struct: those of one section stand
// together.
func printKeys(w io.Writer, keys []settings.Key, indent string) {
	var open []string
	for i := range keys {
		k := &keys[i]
		parts := strings.Split(k.Path, ".")
		dirs, name := parts[:len(parts)-1], parts[len(parts)-1]
		n := 0
		for n < len(open) && n < len(dirs) && open[n] == dirs[n] {
			n++
		}
		for ; n < len(dirs); n++ {
			fmt.Fprintf(w, "%s%s%s:\n", indent, strings.Repeat("  ", n), dirs[n])
		}
		open = dirs
		text, set := k.Text()
		mark := ""
		if !set {
			mark = "# "
		}
		fmt.Fprintf(w, "%s%s%s%s: %s\n", indent, strings.Repeat("  ", len(dirs)), mark, name, k.YAML(text))
	}
}
