// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"strings"

	"github.com/falco-go/falco/pkg/field"
)

// Estimates of what reading a field costs, in ns, and of how often a check is
// true. They only decide the order of evaluation and what rules are filed
// under: a wrong one costs time, never truth.

// costs of the fields that are dearer than a load or two, by the start of their names.
var costs = []struct {
	name string
	ns   float32
}{
	{"proc.aname", 40}, {"proc.aexe", 40}, {"proc.acmdline", 40}, {"proc.apid", 40}, {"proc.aargs", 100}, {"proc.aenv", 200}, {"proc.a", 40},
	{"proc.env", 60}, {"proc.exeline", 40}, {"proc.args", 30}, {"proc.p", 8}, {"proc.s", 15}, {"proc.vpgid.", 15}, {"proc.pgid.", 15},
	{"proc.loginshellid", 40}, {"proc.fdopencount", 40},
	{"evt.args", 150}, {"evt.info", 150}, {"evt.arg", 30}, {"evt.abspath", 40}, {"evt.time", 60}, {"evt.datetime", 60},
	{"fs.path", 40}, {"fd.types", 60}, {"fd.containername", 30}, {"fd.directory", 12}, {"fd.lip", 12}, {"fd.rip", 12},
	{"user.", 15}, {"group.", 15}, {"thread.cgroup", 30}, {"container.", 8}, {"k8s.", 15},
}

// callCost is that of a transformer.
const callCost = 25

func readCost(r *field.Ref) float32 {
	for _, c := range costs {
		if strings.HasPrefix(r.Def.Name, c.name) {
			return c.ns
		}
	}
	return 4
}

// typeFields are the fields that say the same of all events of a type: their
// checks are decided when the rules are loaded.
var typeFields = map[string]bool{
	"evt.type": true, "syscall.type": true, "evt.type.is": true, "evt.dir": true, "evt.source": true, "evt.is_async": true,
	"evt.is_io": true, "evt.is_io_read": true, "evt.is_io_write": true, "evt.io_dir": true, "evt.is_wait": true, "evt.count": true,
}

// typeAlone reports whether d is one of them. The fields that tests make up are
// not: they may say anything.
func typeAlone(d *field.Def) bool { return typeFields[d.Name] && real(d) }

// real reports whether d is a row of the catalogue.
func real(d *field.Def) bool {
	own, ok := field.Lookup(d.Name)
	return ok && own == d
}

// likely says of fields that have few values how often one of them is the one that a
// condition asks for; of a yes-or-no, how often it is yes.
var likely = map[string]float32{
	"fd.typechar": 0.7, "fd.type": 0.4, "fd.l4proto": 0.4, "container.id": 0.5, "user.name": 0.3, "evt.is_open_read": 0.7, "evt.is_open_write": 0.2,
}

func (v *operand) likely() float32 {
	if v.ref == nil {
		return 0
	}
	return likely[v.ref.Def.Name]
}

// chances of operators that are not looked up in tables.
var chances = [numOps]float32{
	OpExists: 0.9, OpNE: 0.9, OpLT: 0.5, OpLE: 0.5, OpGT: 0.5, OpGE: 0.5, OpEQ: 0.3, OpEQ2: 0.3, OpGlob: 0.05, OpIGlob: 0.05,
	OpContains: 0.05, OpIContains: 0.05, OpBContains: 0.05, OpStartsWith: 0.05, OpBStartsWith: 0.05, OpEndsWith: 0.05,
	OpRegex: 0.05, OpIntersects: 0.1, OpIn: 0.1, OpPMatch: 0.05,
}

// weights of operators, in ns.
var weights = [numOps]float32{
	OpGlob: 40, OpIGlob: 60, OpContains: 15, OpIContains: 80, OpRegex: 300, OpPMatch: 60,
}
