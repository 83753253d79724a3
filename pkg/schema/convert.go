// SPDX-License-Identifier: Apache-2.0

package schema

// Conversion is a row of convert.tbl: what becomes of an event that a capture
// holds with that many parameters.
type Conversion struct {
	Type   EventType
	Params int
	Action ConvertAction
	To     EventType // of ConvertTo; Type otherwise
	Args   []ConvertArg
}

// ConvertAction is what a Conversion does.
type ConvertAction uint8

// Values of ConvertAction.
const (
	ConvertStore     ConvertAction = iota // kept for the exit event
	ConvertPass                           // an event of today
	ConvertStorePass                      // both
	ConvertAdd                            // Args are appended
	ConvertTo                             // Args are the parameters of another event
)

// ConvertArg says where one parameter comes from.
type ConvertArg struct {
	From  ConvertSource
	Index int
}

// ConvertSource is a place that parameters come from.
type ConvertSource uint8

// Values of ConvertSource.
const (
	FromOld          ConvertSource = iota // parameter Index of the event itself
	FromEnter                             // … of the enter event that was kept, or the default
	FromEnterOrEmpty                      // … or no value
	FromDefault                           // 0; of ids all bits set; no value where the width varies
	FromEmpty                             // no value
	FromContainer                         // what a container event tells, as JSON
)
