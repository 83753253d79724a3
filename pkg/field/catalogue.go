// SPDX-License-Identifier: Apache-2.0

package field

// Class is a group of fields as --list shows them.
type Class struct {
	Name   string // "evt"
	Short  string // what stands in parentheses behind it
	Desc   string
	Fields []*Def
}

// Classes lists the groups in the order in which --list shows them.
var Classes = []Class{
	{"evt", "All event types", "What every event has: number, time, type, CPU, result, and the parameters that it carries.",
		ptrs(evtFields)},
	{"process", "System calls", "The process and the thread that the event is about, and their ancestors.",
		ptrs(procFields, threadFields)},
	{"user", "System calls", "The user that the process acts for.",
		ptrs(userFields)},
	{"group", "System calls", "The group that the process acts for.",
		ptrs(groupFields)},
	{"fd", "System calls", "The descriptor that the event is about: files, sockets, pipes and all else that a number stands for.",
		ptrs(fdFields)},
	{"fdlist", "Poll events", "The descriptors that poll and ppoll wait for.",
		ptrs(fdListFields)},
	{"fs.path", "System calls on paths", "The paths that a successful system call works on, made absolute.",
		ptrs(fsFields)},
	{"container", "Container metadata", "The container that the process runs in.",
		ptrs(containerFields)},
	{"k8s", "Kubernetes metadata", "The pod that the container belongs to.",
		ptrs(k8sFields, k8sLegacyFields)},
	{"mesos", "No longer filled", "Metadata of Mesos, which old rules may ask for.",
		ptrs(mesosFields)},
	{"marathon", "No longer filled", "Metadata of Marathon, which old rules may ask for.",
		ptrs(marathonFields)},
	{"span", "No longer filled", "Traces that a program told by writing to /dev/null, which old rules may ask for.",
		ptrs(spanFields, evtinFields)},
	{"syslog", "Messages to syslog", "What is written to /dev/log.",
		ptrs(syslogFields)},
	{"util", "For tests", "Helpers for testing rules.",
		ptrs(utilFields)},
}

// Catalogue lists every field.
var Catalogue = func() []*Def {
	var out []*Def
	for i := range Classes {
		out = append(out, Classes[i].Fields...)
	}
	return out
}()

func ptrs(lists ...[]Def) []*Def {
	var out []*Def
	for _, defs := range lists {
		for i := range defs {
			out = append(out, &defs[i])
		}
	}
	return out
}
