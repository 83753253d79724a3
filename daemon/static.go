// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/state"
)

const staticPrefix = "static."

// staticFields are the fields of the catalogue, and those that static_fields adds.
type staticFields struct {
	filter.Catalogue
	defs []*field.Def // the longest names first
}

func newStatic(list []config.StaticField) staticFields {
	s := staticFields{}
	for _, f := range list {
		s.defs = append(s.defs, &field.Def{Name: staticPrefix + f.Name, Type: field.String, Desc: "A text of static_fields.",
			Get: func(_ *state.Scene, _ *field.Arg, out []field.Value) []field.Value {
				return append(out, field.Value{Str: f.Value})
			}})
	}
	slices.SortStableFunc(s.defs, func(a, b *field.Def) int { return len(b.Name) - len(a.Name) })
	return s
}

// fieldClasses are the classes of the catalogue and, if there are any, static fields.
func fieldClasses(c *config.Config) []field.Class {
	list := slices.Clone(field.Classes)
	if len(c.Static) > 0 {
		own := newStatic(c.Static).defs
		slices.SortFunc(own, func(a, b *field.Def) int { return strings.Compare(a.Name, b.Name) })
		list = append(list, field.Class{Name: "static", Short: "All event types", Desc: "Texts that static_fields sets.", Fields: own})
	}
	return list
}

func refTo(d *field.Def) *field.Ref {
	return &field.Ref{Token: d.Name, Def: d, Type: d.Type, Arg: field.Arg{Index: -1}}
}

// Parse implements filter.Fields.
func (s staticFields) Parse(token string) (*field.Ref, error) {
	for _, d := range s.defs {
		if d.Name == token {
			return refTo(d), nil
		}
	}
	return s.Catalogue.Parse(token)
}

// Longest implements filter.Fields.
func (s staticFields) Longest(text string) (*field.Ref, int, bool) {
	for _, d := range s.defs {
		if strings.HasPrefix(text, d.Name) {
			return refTo(d), len(d.Name), true
		}
	}
	return s.Catalogue.Longest(text)
}
