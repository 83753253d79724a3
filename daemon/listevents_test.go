// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestListEvents(t *testing.T) {
	var out, stderr bytes.Buffer
	if code := falco([]string{"falco", "--list-events"}, &out, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	text := out.String()
	for _, want := range []string{
		"The events below are valid for Falco *Schema Version*: 4.5.1\n## Syscall events\n\n",
		"\n< close(ERRNO **res**, FD **fd**)\n",
		"\n> openat(", "\n< openat(FD **fd**, FD **dirfd**, FSRELPATH **name**, FLAGS32 **flags**: ",
		"\n## Tracepoint events\n\n", "\n> procexit(", "\n## Plugin events\n\n", "\n## Metaevents\n\n",
		"\n< getpid(SYSCALLID **ID**", // has no event of its own
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%.2000s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "> close(") || strings.HasPrefix(line, "> execve(") {
			t.Errorf("nobody makes %s any more", line)
		}
	}

	out.Reset()
	falco([]string{"falco", "--list-events", "--format", "Markdown"}, &out, &stderr)
	for _, want := range []string{"\nDefault | Dir | Name | Params \n:-------|:----|:-----|:-----\n", "\nNo | `<` | `read` | ", "\nYes | `<` | `close` | ERRNO **res**, FD **fd**\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("markdown: no %q", want)
		}
	}

	out.Reset()
	falco([]string{"falco", "--list-syscall-events", "--format", "json"}, &out, &stderr)
	var j map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &j); err != nil || len(j) != 5 {
		t.Fatalf("%d keys, %v", len(j), err)
	}
	var calls []listedEvent
	if err := json.Unmarshal(j["Syscall events"], &calls); err != nil || len(calls) < 300 {
		t.Errorf("%d calls, %v", len(calls), err)
	}
}
