// SPDX-License-Identifier: Apache-2.0

package web

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

// openAPI describes the API: the table of routes, and the types that they take and
// return, as they are.
func (s *Server) openAPI() map[string]any {
	paths := map[string]map[string]any{}
	schemas := map[string]any{}
	for _, rt := range append(s.routesV1(), s.routesV2()...) {
		op := map[string]any{"summary": rt.summary, "operationId": operationID(rt), "responses": responsesOf(rt, schemas), "x-role": rt.role.String()}
		if rt.role != RoleNone {
			op["security"] = []any{map[string]any{"session": []any{}}, map[string]any{"token": []any{}}}
		} else {
			op["security"] = []any{}
		}
		params := []any{}
		for _, m := range pathParam.FindAllStringSubmatch(rt.path, -1) {
			params = append(params, map[string]any{"name": m[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
		for _, p := range rt.params {
			params = append(params, map[string]any{"name": p.name, "in": "query", "description": p.about, "schema": map[string]any{"type": p.kind}})
		}
		if rt.filters {
			for _, name := range filterParams {
				params = append(params, map[string]any{"$ref": "#/components/parameters/" + name})
			}
		}
		op["parameters"] = params
		if rt.body != nil {
			op["requestBody"] = map[string]any{"required": true, "content": map[string]any{
				"application/json": map[string]any{"schema": schemaOf(reflect.TypeOf(rt.body), schemas)}}}
		}
		if paths[rt.path] == nil {
			paths[rt.path] = map[string]any{}
		}
		paths[rt.path][strings.ToLower(rt.method)] = op
	}
	filters := map[string]any{}
	for _, name := range filterParams {
		schema := map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
		about := "one of these values; with not. in front: none of them. A * is any text."
		switch name {
		case "from", "to":
			schema, about = map[string]any{"type": "string"}, "a time of RFC 3339, or milliseconds of the epoch"
		case "since":
			schema, about = map[string]any{"type": "string"}, "a span such as 15m, 24h, 7d, 1M, 1y"
		case "q":
			schema, about = map[string]any{"type": "string"}, "what one types into the search box"
		case "min_priority":
			schema, about = map[string]any{"type": "string"}, "this priority and graver ones"
		}
		filters[name] = map[string]any{"name": name, "in": "query", "description": about, "schema": schema}
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "Falco events", "version": s.conf().Version,
			"description": "Paths below /api/v1 are those of the original's page. Beside the parameters that are named, field.NAME chooses by an output field."},
		"servers": []any{map[string]any{"url": s.base}},
		"paths":   paths,
		"components": map[string]any{"schemas": schemas, "parameters": filters, "securitySchemes": map[string]any{
			"session": map[string]any{"type": "apiKey", "in": "cookie", "name": sessionCookie},
			"token":   map[string]any{"type": "http", "scheme": "bearer"}}},
	}
}

func operationID(rt route) string {
	return strings.ToLower(rt.method) + strings.NewReplacer("/", "_", "{", "", "}", "", ".", "_").Replace(rt.path)
}

func responsesOf(rt route, schemas map[string]any) map[string]any {
	good := map[string]any{"description": "it is done"}
	switch {
	case rt.media != "":
		good["content"] = map[string]any{rt.media: map[string]any{}}
	case rt.result != nil:
		good["content"] = map[string]any{"application/json": map[string]any{"schema": schemaOf(reflect.TypeOf(rt.result), schemas)}}
	}
	status := 200
	if rt.media == "text/html" && strings.HasSuffix(rt.path, "login") {
		status = 302
	}
	return map[string]any{strconv.Itoa(status): good, "default": map[string]any{"description": "it is not, and why",
		"content": map[string]any{"application/json": map[string]any{"schema": schemaOf(reflect.TypeFor[apiError](), schemas)}}}}
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

// schemaOf describes a type as encoding/json writes it.
func schemaOf(t reflect.Type, schemas map[string]any) map[string]any {
	switch {
	case t == rawMessage:
		return map[string]any{}
	case t.PkgPath() == "time" && t.Name() == "Time":
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), schemas)
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint8:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), schemas)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), schemas)}
	case reflect.Struct:
		name := t.Name()
		if _, known := schemas[name]; !known {
			schemas[name] = nil // for types that hold themselves
			props, required := map[string]any{}, []any{}
			for f := range t.Fields() {
				tag := f.Tag.Get("json")
				if tag == "-" || !f.IsExported() {
					continue
				}
				key, opts, _ := strings.Cut(tag, ",")
				props[key] = schemaOf(f.Type, schemas)
				if opts != "omitempty" && f.Type.Kind() != reflect.Pointer {
					required = append(required, key)
				}
			}
			schemas[name] = map[string]any{"type": "object", "properties": props, "required": required, "additionalProperties": false}
		}
		return map[string]any{"$ref": "#/components/schemas/" + name}
	}
	return map[string]any{}
}
