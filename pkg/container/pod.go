// SPDX-License-Identifier: Apache-2.0

package container

import "strings"

// PodUID returns the unique id of the pod that the path of a cgroup names, "" if it
// names none: "…/kubepods-burstable-podUID.slice…" with _ for each -, or
// "/kubepods/burstable/podUID/…".
func PodUID(path string) string {
	i := strings.Index(path, "kubepods")
	if i < 0 {
		return ""
	}
	for part := range strings.SplitSeq(path[i:], "/") {
		part, _, _ = strings.Cut(part, ":") // of a driver that joins its names so
		uid, ok := strings.CutPrefix(part, "pod")
		if slice, isSlice := strings.CutSuffix(part, ".slice"); isSlice {
			if i := strings.LastIndex(slice, "-pod"); i >= 0 {
				uid, ok = strings.ReplaceAll(slice[i+len("-pod"):], "_", "-"), true
			}
		}
		if ok && uid != "" {
			return uid
		}
	}
	return ""
}
