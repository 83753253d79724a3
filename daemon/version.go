// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/rules"
)

// version is set when a release is built (-ldflags -X main.version=...).
var version = "0.1.0"

// What tools compare to find out what we can do. The library and the plugin
// interface are those of the original that we behave like.
const (
	libsVersion   = "0.25.4"
	pluginVersion = "3.12.0"
)

// printVersion writes the versions as text or as one line of JSON.
func printVersion(w io.Writer, asJSON bool) {
	api, schema := driver.APIVersion.String(), driver.SchemaVersion.String()
	if !asJSON {
		fmt.Fprintf(w, "Falco version: %s\nLibs version:  %s\nPlugin API:    %s\nEngine:        %s\nDriver:\n", version, libsVersion, pluginVersion, rules.EngineVersion)
		fmt.Fprintf(w, "  API version:    %s\n  Schema version: %s\n  Default driver: %s+driver\n", api, schema, version)
		return
	}
	line, _ := json.Marshal(versions()) // sorted by key
	fmt.Fprintf(w, "%s\n", line)
}

// versions is the JSON form of all of them.
func versions() map[string]string {
	api, schema := driver.APIVersion.String(), driver.SchemaVersion.String()
	var major, minor, patch int
	fmt.Sscanf(rules.EngineVersion, "%d.%d.%d", &major, &minor, &patch)
	return map[string]string{
		"falco_version":          version,
		"libs_version":           libsVersion,
		"plugin_api_version":     pluginVersion,
		"engine_version":         fmt.Sprint(minor),
		"engine_version_semver":  rules.EngineVersion,
		"driver_api_version":     api,
		"driver_schema_version":  schema,
		"default_driver_version": version + "+driver",
	}
}

// machine names the architecture as uname does.
func machine() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}
