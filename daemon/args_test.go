// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"-M5 -o a=b -o c=d=e", "--M=5 --option=a=b --option=c=d=e"},
		{"-M -1 -M 0x10", "--M=-1 --M=16"},
		{"-o=a=b", "--option==a=b"},
		{"-Lv -pk -Vfile -V=x", "--L=true --v=true --print=k --validate=file --validate==x"},
		{"--list -N", "--list= --N=true"},
		{"--list=syscall", "--list=syscall"},
		{"--list syscall", "--list="},
		{"--dry-run=false --unbuffered", "--dry-run=false --unbuffered=true"},
		{"some words -r a more -r b -", "--r=a --r=b"},
		{"-r a,b -r -L", "--r=a,b --r=-L"},
		{"-r a -- -r b", "--r=a"},
		{"-S 200 --snaplen=1", "--snaplen=200 --snaplen=1"},
	} {
		var s scanner
		if err := s.scan(strings.Fields(tc.in)); err != nil {
			t.Errorf("%q: %v", tc.in, err)
		}
		if got := strings.Join(s.words, " "); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.in, got, tc.want)
		}
	}
}

// No option is called twice, and each has a text for help.
func TestOptions(t *testing.T) {
	seen := map[string]bool{}
	for i := range options {
		o := &options[i]
		for _, name := range []string{o.short, o.long} {
			if name != "" && seen[name] {
				t.Errorf("%s stands twice", name)
			}
			seen[name] = true
		}
		if o.help == "" && !o.legacy() || o.legacy() != (o.old != "" || o.gone != "" || seen["A"]) {
			t.Errorf("%s: help %q, legacy %v", o.name(), o.help, o.legacy())
		}
	}
}

// FuzzScan: whatever is typed, what comes out are options that exist, in their
// one form.
func FuzzScan(f *testing.F) {
	f.Add("-M5 -pk --list=x -- y", false)
	f.Add("-\xff --=a -=-", true)
	f.Fuzz(func(t *testing.T, line string, strict bool) {
		s := scanner{strict: strict}
		if s.scan(strings.Split(line, " ")) != nil {
			return
		}
		for _, w := range s.words {
			name, _, ok := strings.Cut(strings.TrimPrefix(w, "--"), "=")
			if !ok || s.find(name, "") == nil && s.find("", name) == nil {
				t.Errorf("%q became %q", line, w)
			}
		}
	})
}
