// SPDX-License-Identifier: Apache-2.0

package field

var k8sFields = []Def{
	{Name: "k8s.ns.name", Type: String, Traits: NotYet, Get: never,
		Desc: "Namespace of the pod that the container belongs to."},
	{Name: "k8s.pod.name", Type: String, Traits: NotYet, Get: never,
		Desc: "Name of the pod that the container belongs to."},
	{Name: "k8s.pod.uid", Type: String, Traits: NotYet, Get: never,
		Desc: "Unique id of the pod."},
	{Name: "k8s.pod.id", Type: String, Traits: NotYet | Deprecated, Get: never,
		Desc: "Older name of k8s.pod.uid."},
	{Name: "k8s.pod.sandbox_id", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "First 12 characters of the id of the pod's sandbox."},
	{Name: "k8s.pod.full_sandbox_id", Type: String, Traits: NotYet, Get: never,
		Desc: "Whole id of the pod's sandbox."},
	{Name: "k8s.pod.label", Type: String, Args: ArgKey | ArgDot | ArgRequired, Traits: NotYet, Get: never,
		Desc: "One label of the pod, by its key."},
	{Name: "k8s.pod.labels", Type: String, Traits: NotYet, Get: onHost(Value{}),
		Desc: "All labels of the pod, as key:value with commas between."},
	{Name: "k8s.pod.ip", Type: String, Traits: NotYet, Get: never,
		Desc: "Address of the pod."},
	{Name: "k8s.pod.cni.json", Type: String, Traits: NotYet, Get: never,
		Desc: "What the network plugin has said about the pod, as JSON."},
}
