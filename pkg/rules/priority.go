// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
)

// Priority is how severe a rule is: 0 is the worst.
type Priority uint8

// Values of Priority.
const (
	Emergency Priority = iota
	Alert
	Critical
	Error
	Warning
	Notice
	Informational
	Debug
)

var priorityNames = [...]string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}

// String returns the name as alerts print it.
func (p Priority) String() string {
	if int(p) >= len(priorityNames) {
		return fmt.Sprintf("Priority(%d)", uint8(p))
	}
	return priorityNames[p]
}

// ParsePriority reads a name in any letter case; "info" is Informational.
func ParsePriority(text string) (Priority, error) {
	if strings.EqualFold(text, "info") {
		return Informational, nil
	}
	for i, n := range priorityNames {
		if strings.EqualFold(text, n) {
			return Priority(i), nil
		}
	}
	//lint:ignore ST1005 the text is an interface
	return Debug, fmt.Errorf("Unknown priority %q--must be one of %s", text, strings.ToLower(strings.Join(priorityNames[:], ", ")))
}
