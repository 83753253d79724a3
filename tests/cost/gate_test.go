// SPDX-License-Identifier: Apache-2.0

package cost

import (
	"strings"
	"testing"
)

// some are counts of two rows, with and without the module.
func some(bare, read, fork int) counts {
	return counts{
		"bare": {"read": bare, "fork+exit+wait": 100000},
		"all":  {"read": bare + read, "fork+exit+wait": 100000 + fork},
	}
}

// The gate must be able to close.
func TestCompare(t *testing.T) {
	kept := figures{{"6.1", "gcc-12"}: some(600, 300, 6000), {"6.2", "gcc-13"}: some(600, 200, 6000)}
	for _, c := range []struct {
		abi, compiler string
		counted       counts
		wrong         string
	}{
		{"6.1", "gcc-12", some(600, 300, 6000), ""},
		{"6.1", "gcc-12", some(600, 317, 6000), ""},          // 917 is within 2 % of 900
		{"6.1", "gcc-12", some(600, 320, 6000), "read, all"}, // 920 is not
		{"6.1", "gcc-12", some(600, 280, 6000), "read, all"}, // less is news, too
		{"6.1", "gcc-12", some(600, 300, 11000), ""},         // 5 % for processes
		{"6.1", "gcc-12", some(600, 300, 12000), "fork+exit+wait, all"},
		{"6.3", "gcc-12", some(900, 300, 6000), ""}, // an unknown kernel: bare is as it is
		{"6.3", "gcc-12", some(900, 310, 6000), ""},
		{"6.3", "gcc-12", some(900, 330, 6000), "read, all"},
		{"6.3", "gcc-13", some(900, 200, 6000), ""},          // the nearest has the same compiler
		{"6.3", "gcc-14", some(900, 300, 6000), "read, all"}, // else it is the newest
	} {
		wrong := strings.Join(kept.compare(c.abi, c.compiler, c.counted), "\n")
		if (wrong == "") != (c.wrong == "") || !strings.HasPrefix(wrong, c.wrong) {
			t.Errorf("%s %s: %q, not %q", c.abi, c.compiler, wrong, c.wrong)
		}
	}
}

// Nothing that was counted is too much, and one more of anything is.
func TestOverspent(t *testing.T) {
	most := func() counts {
		c := counts{}
		for _, r := range rows {
			c.set("bare", r.name, r.bare)
		}
		for _, r := range rows {
			c.set(r.phase, r.name, r.bare+r.adds/3)
		}
		c.set("bare", "close-ebadf", 300)
		for _, l := range limits {
			c.set(l.phase, l.row, c["bare"][l.row]+l.most)
		}
		return c
	}
	if wrong := overspent(most()); wrong != nil {
		t.Errorf("within all limits: %q", wrong)
	}
	check := func(phase, row string, more int) {
		c := most()
		c[phase][row] += more
		if wrong := overspent(c); len(wrong) != 1 || !strings.HasPrefix(wrong[0], row+", "+phase+":") {
			t.Errorf("%d more for %s in phase %s: %q", more, row, phase, wrong)
		}
	}
	for _, r := range rows[1:] { // the first one's limit is not a third
		check(r.phase, r.name, 1)
	}
	for _, l := range limits {
		check(l.phase, l.row, 1+slack(l.phase, most()["bare"][l.row]))
	}
}

// Lost events make a phase cheaper than it is.
func TestParseRefusesLoss(t *testing.T) {
	for _, text := range []string{
		"books all 100 90 10\n", "books all 0 0 0\n", "cost all read x\n", "cost bare read 600\n",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
