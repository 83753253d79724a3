// SPDX-License-Identifier: Apache-2.0

package filter_test

import (
	"fmt"
	"math/rand"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/filter/filtertest"
	"github.com/falco-go/falco/pkg/state"
)

// toy is a catalogue of one field of every kind, with values at random.
type toy struct {
	rng  *rand.Rand
	defs []*field.Def
	vals map[string][]field.Value
	from []kind // the fields that conditions use
}

type kind struct {
	name   string
	typ    field.Type
	traits field.Traits
}

// kinds of toy fields: name, type, traits.
var kinds = []kind{
	{"t.a", field.String, 0}, {"t.b", field.String, 0}, {"t.path", field.Path, 0}, {"t.buf", field.Bytes, 0}, {"t.odd", field.String, 0},
	{"n.int", field.Int64, 0}, {"n.byte", field.Uint8, 0}, {"n.word", field.Uint32, 0}, {"n.port", field.Port, 0}, {"n.short", field.Int16, 0},
	{"b.x", field.Bool, 0}, {"b.y", field.Bool, 0},
	{"ip.one", field.IP, 0}, {"ip.ends", field.IP, field.Multi}, {"ip.net", field.IPNet, 0}, {"ip.nets", field.IPNet, field.Multi},
	{"ip.ports", field.Port, field.Multi}, {"m.names", field.String, field.Multi}, {"m.pids", field.Int64, field.Multi},
	{"l.words", field.String, field.List},
}

func newToy(rng *rand.Rand) *toy {
	f := &toy{rng: rng, vals: map[string][]field.Value{}, from: kinds}
	if rng.Intn(2) == 0 { // few fields: many checks of each, so that there are tables
		f.from = []kind{pick(rng, kinds[:5]), pick(rng, kinds), pick(rng, kinds[:5])}
	}
	for _, k := range kinds {
		name := k.name
		f.defs = append(f.defs, &field.Def{Name: name, Type: k.typ, Traits: k.traits,
			Get: func(_ *state.Scene, _ *field.Arg, out []field.Value) []field.Value {
				return append(out, f.vals[name]...)
			}})
	}
	return f
}

func (f *toy) Parse(token string) (*field.Ref, error) {
	for _, d := range f.defs {
		if d.Name == token {
			return &field.Ref{Token: token, Def: d, Type: d.Type, Arg: field.Arg{Index: -1}}, nil
		}
	}
	return nil, &field.UnknownError{Token: token}
}

func (f *toy) Longest(string) (*field.Ref, int, bool) { return nil, 0, false }

var (
	textWords = []string{"", "a", "ab", "abc", "abcd", "abcde", "bash", "bas", "sh", "/", "/etc", "/etc/", "/etc/passwd", "/etc/pam.d/x", "/usr/bin/abc",
		"usr/bin", "//usr//bin/x", "passwd", "GET /etc/passwd", "xabcdefgh", "xx abcde yy abcdef", "Abc", "/ETC", "\x00\x01", "bashful", "x", "etc/pam"}
	numWords = []int64{0, 1, 2, 7, 80, 443, 255, 256, 65535, -1, -2, 1 << 31, 1<<63 - 1}
	ipWords  = []string{"10.0.0.1", "10.0.0.2", "10.1.2.3", "192.168.1.1", "::1", "2001:db8::5", "0.0.0.0"}
	netWords = []string{"10.0.0.0/8", "10.0.0.0/24", "192.168.1.7/16", "0.0.0.0/0", "2001:db8::/32", "::1/128"}
	globs    = []string{"*", "a*", "*c", "a?c", "/etc/*", "*abc*", "ba[sx]h", "abc", "/*/bin/*", "?"}
	regexes  = []string{"a.*", "abc|bash", "(a|b)+", "/etc/.*", "bash(ful)?", "x*", "[a-c]+", "a", "abc(d|e)*", "[ab].*", "[ac]b?c?"}
	paths    = []string{"/", "/e*/pam.d", "/usr/b*", "x/*", "/etc", "etc", "/etc/pam.d/", "/usr/*/abc", "/*/passwd", "/usr/bin", "/e*", "x"}
)

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.Intn(len(from))] }

// turn gives every field other values, a fifth of them none.
func (f *toy) turn() {
	for _, k := range kinds {
		n := 1
		if k.traits != 0 {
			n = f.rng.Intn(4)
		}
		if f.rng.Intn(5) == 0 {
			n = 0
		}
		vals := f.vals[k.name][:0]
		for range n {
			var v field.Value
			switch k.typ {
			case field.String, field.Path, field.Bytes:
				v.Str = pick(f.rng, textWords)
				if f.rng.Intn(4) == 0 {
					v.Str += pick(f.rng, textWords)
				}
			case field.IP, field.IPNet:
				v.IP = netip.MustParseAddr(pick(f.rng, ipWords))
			case field.Bool:
				v.Num = uint64(f.rng.Intn(2))
			case field.Uint8:
				v.Num = uint64(pick(f.rng, numWords)) & 0xff
			case field.Port:
				v.Num = uint64(pick(f.rng, numWords)) & 0xffff
			case field.Uint32:
				v.Num = uint64(pick(f.rng, numWords)) & 0xffffffff
			case field.Int16:
				v.Num = uint64(int64(int16(pick(f.rng, numWords))))
			default:
				v.Num = uint64(pick(f.rng, numWords))
			}
			vals = append(vals, v)
		}
		f.vals[k.name] = vals
	}
}

// condition writes a condition. It may name the macros m0 to mN-1.
func (f *toy) condition(depth, macros int) string {
	rng := f.rng
	if depth > 0 && rng.Intn(5) > 0 {
		word := " and "
		switch rng.Intn(6) {
		case 0:
			return "not (" + f.condition(depth-1, macros) + ")"
		case 1, 2:
			word = " or "
		}
		var kids []string
		for range 2 + rng.Intn(3) {
			kids = append(kids, f.condition(depth-1, macros))
		}
		return "(" + strings.Join(kids, word) + ")"
	}
	if macros > 0 && rng.Intn(4) == 0 {
		return fmt.Sprintf("m%d", rng.Intn(macros))
	}
	k := pick(rng, f.from)
	not := ""
	if rng.Intn(4) == 0 {
		not = "not "
	}
	return not + f.check(k.name, k.typ, k.traits)
}

func (f *toy) check(name string, typ field.Type, traits field.Traits) string {
	rng := f.rng
	if rng.Intn(12) == 0 {
		return name + " exists"
	}
	quote := func(s string) string { return strconv.Quote(s) }
	list := func(word func() string) string {
		var words []string
		for range rng.Intn(1 + rng.Intn(12)) {
			words = append(words, word())
		}
		return "(" + strings.Join(words, ", ") + ")"
	}
	text := func() string {
		return quote(strings.ReplaceAll(pick(rng, textWords), "\x00\x01", "zz"))
	}
	number := func() string { return strconv.FormatInt(pick(rng, numWords), 10) }
	if rng.Intn(40) == 0 {
		number = func() string {
			return pick(rng, []string{"99999999999999999999", "-99999999999999999999", "4294967296", "-5"})
		}
	}
	if typ == field.Port {
		number = func() string { return strconv.Itoa(pick(rng, []int{0, 1, 80, 443, 65535, 65536})) }
	}
	mod := func() string { return " " + pick(rng, []string{"oneof", "anyof", "allof"}) + " " }
	if traits&field.List != 0 {
		return name + pick(rng, []string{" in ", " intersects "}) + list(text)
	}
	switch typ {
	case field.Bool:
		if rng.Intn(6) == 0 {
			return "b.x" + pick(rng, []string{" = ", " != "}) + "val(b.y)"
		}
		return name + pick(rng, []string{" = ", " != "}) + pick(rng, []string{"true", "false"})
	case field.IP, field.IPNet:
		word := func() string { return pick(rng, ipWords) }
		if typ == field.IPNet {
			word = func() string { return pick(rng, netWords) }
		}
		op := pick(rng, []string{" = ", " != "})
		switch rng.Intn(4) {
		case 0:
			return name + op[:len(op)-1] + mod() + list(word)
		case 1:
			return name + pick(rng, []string{" in ", " intersects "}) + list(word)
		}
		return name + op + word()
	case field.String, field.Path, field.Bytes:
		if traits == 0 && typ == field.String {
			switch rng.Intn(12) {
			case 0:
				return "tolower(" + name + ") = " + text()
			case 1:
				return "basename(" + name + ") in " + list(text)
			case 2:
				return "len(" + name + pick(rng, []string{") > ", ") = ", ") <= "}) + "4"
			case 3:
				return "concat(" + name + ",t.b) startswith " + text()
			case 4:
				return name + pick(rng, []string{" = ", " != ", " < ", " startswith ", " contains ", " endswith ", " in "}) + "val(t.b)"
			}
		}
		if typ == field.Bytes {
			switch rng.Intn(3) {
			case 0:
				return name + " bcontains " + pick(rng, []string{"6162", "2f", "0001"})
			case 1:
				return name + " bstartswith " + pick(rng, []string{"6162", "2f65", "61"})
			}
		}
		ops := []string{"=", "==", "!=", "contains", "startswith", "endswith", "in", "intersects"}
		if typ != field.Bytes {
			ops = append(ops, "icontains", "glob", "iglob", "regex", "pmatch", "pmatch", "glob")
		}
		op := pick(rng, ops)
		word := text
		switch op {
		case "glob", "iglob":
			word = func() string { return quote(pick(rng, globs)) }
		case "regex":
			word = func() string { return quote(pick(rng, regexes)) }
		case "pmatch":
			word = func() string { return quote(pick(rng, paths)) }
		}
		switch {
		case op == "in" || op == "intersects" || op == "pmatch":
			return name + " " + op + " " + list(word)
		case rng.Intn(5) == 0:
			return name + " " + op + mod() + list(word)
		}
		return name + " " + op + " " + word()
	}
	switch rng.Intn(6) {
	case 0:
		return name + pick(rng, []string{" in ", " intersects "}) + list(number)
	case 1:
		return name + pick(rng, []string{" <= ", " < ", " > ", " >= "}) + number()
	case 2:
		return name + pick(rng, []string{" =", " !="}) + mod() + list(number)
	case 3:
		if name == "n.int" {
			return name + pick(rng, []string{" = ", " < ", " >= ", " != "}) + pick(rng, []string{"val(n.int)", "val(m.pids)"})
		}
	}
	return name + pick(rng, []string{" = ", " != ", " == ", " =>", " =<"}) + number()
}

// parts is how many conditions are compiled together, and events how many
// events they meet.
const parts, events = 40, 250

// difference compiles conditions together and compares them with the walker on
// events. It returns how many pairs were compared.
func difference(t *testing.T, seed int64) int {
	rng := rand.New(rand.NewSource(seed))
	f := newToy(rng)
	var macros []filter.Expr
	expand := func(e filter.Expr) filter.Expr {
		out, err := filter.Expand(e, func(id *filter.Ident) (filter.Expr, error) {
			n, _ := strconv.Atoi(id.Name[1:])
			return macros[n], nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	read := func(text, name string) filter.Expr {
		e, err := filter.Syntax{Depth: filter.RulesDepth}.Parse(&filter.Source{Text: text, Name: name})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return e
	}
	for i := range 8 {
		macros = append(macros, expand(read(f.condition(2, i), fmt.Sprint("m", i))))
	}
	c := &filter.Compiler{Fields: f}
	var trees []filter.Expr
	var programs []filter.Ranked
	for len(trees) < parts {
		text := f.condition(rng.Intn(4), len(macros))
		e := expand(read(text, ""))
		p, err := c.Compile(e)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		programs = append(programs, filter.Ranked{Program: p, Rank: int32(2 * len(trees))})
		trees = append(trees, e)
	}
	choice := c.NewChoice(programs)
	env := c.NewEnv()
	w := &filtertest.Walker{Fields: f}
	var ranks []int32
	for range events {
		f.turn()
		first := -1
		var want []int32
		for i, e := range trees {
			if w.Match(e, nil) {
				want = append(want, programs[i].Rank)
				if first < 0 {
					first = int(programs[i].Rank)
				}
			}
		}
		env.Begin(nil)
		ranks = choice.All(env, ranks[:0])
		if fmt.Sprint(ranks) != fmt.Sprint(want) {
			t.Fatalf("seed %d, event %v:\nchosen %v\nwant   %v%s", seed, f.vals, ranks, want, explain(ranks, want, trees))
		}
		env.Begin(nil)
		if got := choice.First(env); got != first {
			t.Fatalf("seed %d, event %v: first is %d, want %d", seed, f.vals, got, first)
		}
		env.Begin(nil)
		at := 0
		for i := range programs {
			match := at < len(want) && want[at] == programs[i].Rank
			if match {
				at++
			}
			if programs[i].Match(env) != match {
				t.Fatalf("seed %d, event %v: %s\nis %v for the walker", seed, f.vals, trees[i], match)
			}
		}
	}
	return parts * events
}

func explain(got, want []int32, trees []filter.Expr) (out string) {
	in := map[int32]int{}
	for _, r := range got {
		in[r]++
	}
	for _, r := range want {
		in[r] -= 1
	}
	for r, n := range in {
		if n != 0 {
			out += fmt.Sprintf("\n%+d: %s", n, filter.Print(trees[r/2]))
		}
	}
	return out
}

// TestDifference compares compiled programs with the tree walker: ten million
// pairs of condition and event in the long form, or as many as FALCO_PAIRS says.
func TestDifference(t *testing.T) {
	pairs := 400_000
	if os.Getenv("FALCO_LONG") != "" {
		pairs = 10_000_000
	}
	if s := os.Getenv("FALCO_PAIRS"); s != "" {
		var err error
		if pairs, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	done := 0
	for seed := int64(1); done < pairs; seed++ {
		done += difference(t, seed)
	}
	t.Logf("%d pairs, no difference", done)
}

// FuzzDifference is the same with seeds from the fuzzer.
func FuzzDifference(f *testing.F) {
	f.Add(int64(0))
	f.Fuzz(func(t *testing.T, seed int64) { difference(t, seed) })
}
