// SPDX-License-Identifier: Apache-2.0

package field

import "strings"

// Fields whose source is gone: old rules may name them, and they have no value.
// They are spelt out by prefix, since there is nothing to say about each.

var k8sLegacyFields = gone("k8s.", ArgNone,
	"rc.name rc.id rc.labels svc.name svc.id svc.labels ns.id ns.labels rs.name rs.id rs.labels "+
		"deployment.name deployment.id deployment.labels",
	"rc.label svc.label ns.label rs.label deployment.label")

var mesosFields = gone("mesos.", ArgNone,
	"task.name task.id task.labels framework.name framework.id", "task.label")

var marathonFields = gone("marathon.", ArgNone,
	"app.name app.id app.labels group.name group.id", "app.label")

var spanFields = gone("span.", ArgIndex|ArgDot,
	"id time ntags nargs tags tag args arg enterargs enterarg duration duration.quantized duration.human "+
		"duration.fortag count count.fortag childcount.fortag idtag rawtime rawparenttime", "")

var evtinFields = gone("evtin.span.", ArgIndex|ArgDot,
	"id ntags nargs tags tag args arg p.id p.ntags p.nargs p.tags p.tag p.args p.arg "+
		"s.id s.ntags s.nargs s.tags s.tag s.args s.arg m.id m.ntags m.nargs m.tags m.tag m.args m.arg", "")

// gone makes fields of names, which stand behind prefix and take args, and of
// labels, which take a key.
func gone(prefix string, args ArgPolicy, names, labels string) []Def {
	var out []Def
	add := func(names string, args ArgPolicy) {
		for _, n := range strings.Fields(names) {
			out = append(out, Def{Name: prefix + n, Type: String, Args: args, Traits: Deprecated | Hidden, Get: never,
				Desc: "Never has a value: its source is gone."})
		}
	}
	add(names, args)
	add(labels, ArgKey|ArgDot)
	return out
}
