// SPDX-License-Identifier: Apache-2.0

package cost

import (
	"bufio"
	"debug/elf"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
)

// counts are instructions by phase and row.
type counts map[string]map[string]int

func (c counts) set(phase, row string, n int) {
	if c[phase] == nil {
		c[phase] = map[string]int{}
	}
	c[phase][row] = n
}

// adds is what the module costs in a phase.
func (c counts) adds(phase, row string) int { return c[phase][row] - c["bare"][row] }

// parse reads what guest/cost.c prints. Events that were lost, and phases in which there were none, count nothing.
func parse(text string) (counts, error) {
	c := counts{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 4 && f[0] == "cost":
			n, err := strconv.Atoi(f[3])
			if err != nil || n <= 0 {
				return nil, fmt.Errorf("cost: %q", line)
			}
			c.set(f[1], f[2], n)
		case len(f) == 5 && f[0] == "books":
			if f[2] != f[3] || f[4] != "0" || f[2] == "0" {
				return nil, fmt.Errorf("phase %s: %s events produced, %s published, %s lost", f[1], f[2], f[3], f[4])
			}
		}
	}
	for _, r := range rows {
		if c["bare"][r.name] == 0 || c[r.phase][r.name] == 0 {
			return nil, fmt.Errorf("phase %s has no row %s:\n%s", r.phase, r.name, text)
		}
	}
	for _, l := range limits {
		if c[l.phase][l.row] == 0 {
			return nil, fmt.Errorf("phase %s has no row %s:\n%s", l.phase, l.row, text)
		}
	}
	return c, nil
}

// compilerOf is what built a module, and decides what its instructions are: "gcc-12.2.0".
func compilerOf(module string) (string, error) {
	file, err := elf.Open(module)
	if err != nil {
		return "", err
	}
	defer file.Close()
	section := file.Section(".comment")
	if section == nil {
		return "", fmt.Errorf("%s: no .comment: which compiler?", module)
	}
	data, err := section.Data()
	if err != nil {
		return "", err
	}
	// "GCC: (Debian 12.2.0-14+deb12u1) 12.2.0", one of each object.
	first, _, _ := strings.Cut(strings.Trim(string(data), "\x00"), "\x00")
	words := strings.Fields(first)
	if len(words) < 2 {
		return "", fmt.Errorf("%s: .comment %q: which compiler?", module, first)
	}
	return strings.ToLower(strings.TrimSuffix(words[0], ":")) + "-" + words[len(words)-1], nil
}

// figures are counts by kernel and compiler.
type figures map[[2]string]counts

const figuresFile = "figures.txt"

func readFigures() (figures, error) {
	file, err := os.Open(figuresFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	kept := figures{}
	scanner := bufio.NewScanner(file)
	for n := 1; scanner.Scan(); n++ {
		line, _, _ := strings.Cut(scanner.Text(), "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 5 {
			return nil, fmt.Errorf("%s:%d: %d columns instead of 5", figuresFile, n, len(f))
		}
		key := [2]string{f[0], f[1]}
		if kept[key] == nil {
			kept[key] = counts{}
		}
		value, err := strconv.Atoi(f[4])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", figuresFile, n, err)
		}
		kept[key].set(f[2], f[3], value)
	}
	return kept, scanner.Err()
}

// tolerance is by what share a count may differ from the one that is kept.
func tolerance(row string) float64 {
	if strings.HasPrefix(row, "fork") {
		return 0.05
	}
	return 0.02
}

// compare says what is not as it is kept. Where nothing is kept of this kernel and compiler, additions are compared with
// those on the one that is nearest: the newest of the same compiler, else the newest.
func (kept figures) compare(abi, compiler string, counted counts) (wrong []string) {
	if same := kept[[2]string{abi, compiler}]; same != nil {
		each(same, func(phase, row string, want int) {
			if got := counted[phase][row]; differ(got, want, tolerance(row), 0) {
				wrong = append(wrong, fmt.Sprintf("%s, %s: %d instructions, %d are kept for %s", row, phase, got, want, abi))
			}
		})
		return wrong
	}
	other, from := kept.nearest(compiler)
	if other == nil {
		return []string{fmt.Sprintf("%s keeps nothing: count with -record", figuresFile)}
	}
	fmt.Printf("nothing is kept for %s (%s): what is added is compared with %s\n", abi, compiler, from)
	each(other, func(phase, row string, _ int) {
		got, want := counted.adds(phase, row), other.adds(phase, row)
		// Of a process the additions are the difference of two large counts, each of which is known to a percent.
		slack := noise(row) * float64(counted["bare"][row])
		if differ(got, want, 0.05, slack) {
			wrong = append(wrong, fmt.Sprintf("%s, %s: %+d instructions, %+d are kept for %s", row, phase, got, want, from))
		}
	})
	return wrong
}

func differ(got, want int, share, slack float64) bool {
	return math.Abs(float64(got-want)) > share*math.Abs(float64(want))+slack
}

func (kept figures) nearest(compiler string) (counts, string) {
	var best [2]string
	for key := range kept {
		better := key[0] > best[0]
		if (key[1] == compiler) != (best[1] == compiler) {
			better = key[1] == compiler
		}
		if better {
			best = key
		}
	}
	return kept[best], best[0] + " (" + best[1] + ")"
}

// each goes through counts in a fixed order.
func each(c counts, f func(phase, row string, n int)) {
	var phases []string
	for phase := range c {
		phases = append(phases, phase)
	}
	sort.Strings(phases)
	for _, phase := range phases {
		var names []string
		for row := range c[phase] {
			names = append(names, row)
		}
		sort.Strings(names)
		for _, row := range names {
			f(phase, row, c[phase][row])
		}
	}
}

// keep writes the figures of a kernel and compiler, in place of those there were.
func keep(abi, compiler string, counted counts) error {
	kept, err := readFigures()
	if os.IsNotExist(err) {
		kept, err = figures{}, nil
	}
	if err != nil {
		return err
	}
	kept[[2]string{abi, compiler}] = counted
	var keys [][2]string
	for key := range kept {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i][0]+keys[i][1] < keys[j][0]+keys[j][1] })
	var b strings.Builder
	b.WriteString("# Instructions of calls, by kernel and compiler: see cost_test.go, and -record.\n#\n# kernel compiler phase row instructions\n")
	for _, key := range keys {
		each(kept[key], func(phase, row string, n int) {
			fmt.Fprintf(&b, "%s %s %s %s %d\n", key[0], key[1], phase, row, n)
		})
	}
	return os.WriteFile(figuresFile, []byte(b.String()), 0o644)
}
