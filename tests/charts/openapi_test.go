// SPDX-License-Identifier: Apache-2.0

package charts

import (
	"bufio"
	"strings"
	"testing"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

// validateOpenAPI holds a document against Kubernetes' own OpenAPI schema of its kind, which kyaml carries along.
func validateOpenAPI(t *testing.T, apiVersion, kind string, doc []byte) {
	t.Helper()
	s := openapi.SchemaForResourceType(kyaml.TypeMeta{APIVersion: apiVersion, Kind: kind})
	if s == nil {
		t.Errorf("there is no OpenAPI schema of %s %s", apiVersion, kind)
		return
	}
	var value any
	if err := yaml.Unmarshal(doc, &value); err != nil {
		t.Fatal(err)
	}
	whole := inlined(t, *s.Schema, 0)
	result := validate.NewSchemaValidator(&whole, nil, kind, strfmt.Default).Validate(value)
	for _, err := range result.Errors {
		t.Errorf("%v\n%s", err, doc)
	}
}

// inlined puts definitions in the place of references to them. Nothing that we render refers to itself; what is deeper
// than any of it stays open.
func inlined(t *testing.T, s spec.Schema, depth int) spec.Schema {
	t.Helper()
	if depth > 24 {
		return spec.Schema{}
	}
	if s.Ref.String() != "" {
		definition, err := openapi.Resolve(&s.Ref, openapi.Schema())
		if err != nil {
			t.Fatal(err)
		}
		return inlined(t, *definition, depth+1)
	}
	if len(s.Properties) > 0 {
		properties := make(map[string]spec.Schema, len(s.Properties))
		for name, property := range s.Properties {
			properties[name] = inlined(t, property, depth+1)
		}
		s.Properties = properties
	}
	if s.Items != nil && s.Items.Schema != nil {
		item := inlined(t, *s.Items.Schema, depth+1)
		s.Items = &spec.SchemaOrArray{Schema: &item}
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		more := inlined(t, *s.AdditionalProperties.Schema, depth+1)
		s.AdditionalProperties = &spec.SchemaOrBool{Allows: true, Schema: &more}
	}
	if len(s.Type) == 0 && s.Format == "int-or-string" {
		s.Format = ""
	}
	// A quantity or an int-or-string may be a number, which the schema calls a string.
	if len(s.Type) == 1 && s.Type[0] == "string" && (s.Format == "int-or-string" || strings.Contains(s.Description, "Quantity is a fixed-point")) {
		s.Type, s.Format = nil, ""
	}
	return s
}

func bufferedReader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }
