// SPDX-License-Identifier: Apache-2.0

package filter_test

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falco-go/falco/pkg/filter"
)

// sameTree compares trees but for the places.
func sameTree(a, b filter.Expr) string { return cmp.Diff(a, b, cmpopts.IgnoreTypes(filter.Pos{})) }

// TestPrint makes conditions at random, and reads what they print.
func TestPrint(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	pick := func(words string) string {
		w := strings.Fields(words)
		return w[rng.Intn(len(w))]
	}
	var cond func(depth int) string
	cond = func(depth int) string {
		if depth > 0 {
			switch rng.Intn(6) {
			case 0:
				return "(" + cond(depth-1) + " and " + cond(depth-1) + ")"
			case 1:
				return "(" + cond(depth-1) + " or " + cond(depth-1) + " or " + cond(depth-1) + ")"
			case 2:
				return "not " + cond(depth-1)
			case 3:
				return "not (not " + cond(depth-1) + ")"
			}
		}
		left := pick(`a.b a.b[0] a.b["[x]"] tolower(a.b) len(toupper(a.c)) getopt(a.b,"nt")[x] join(",",(a.b,"x","7",7)) join(",",())`)
		value := pick(`x "a\tb" "a\"b" 'it' <NA> /a/b "\x41\n" not "" "5" "(a,b)" \x "val(c.d)" anyof "a\\" "=>"`)
		switch rng.Intn(7) {
		case 0:
			return left + " exists"
		case 1:
			return left + " >= -5.5"
		case 2:
			return left + " in (" + value + "," + value + ")"
		case 3:
			return left + " startswith allof (" + value + ")"
		case 4:
			return pick("m1 m2")
		case 5:
			return left + pick(" =>5 intersects() <val(c.d) contains(x)")
		}
		return left + " = " + value
	}
	for range 5000 {
		text := cond(4)
		e, err := filter.Syntax{}.Parse(&filter.Source{Text: text})
		if err != nil {
			continue // "contains(x)" is not a check
		}
		printed := filter.Print(e)
		again, err := filter.Syntax{}.Parse(&filter.Source{Text: printed})
		if err != nil {
			t.Fatalf("%s\nprints as %s\n%v", text, printed, err)
		}
		if diff := sameTree(e, again); diff != "" {
			t.Fatalf("%s\nprints as %s\n%s", text, printed, diff)
		}
	}
}
