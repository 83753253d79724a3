// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"slices"
	"testing"
	"time"
)

// Every output has its spool, which is off; what cannot be read leaves the default
// and is told.
func TestSpool(t *testing.T) {
	standard := Spool{Path: "/var/lib/falco/spool", Megabytes: 256, MaxAge: 24 * time.Hour, SyncMs: 1000}
	with := func(change func(*Spool)) Spool {
		s := standard
		change(&s)
		return s
	}
	for _, tc := range []struct {
		options  []string
		want     Spool
		on       string // file stdout syslog program http
		warnings int
	}{
		{nil, standard, "-----", 0},
		{[]string{"file_output.spool=true", "program_output.spool=yes"}, standard, "f--p-", 0},
		{[]string{"stdout_output.spool=true", "syslog_output.spool=on", "http_output.spool=true"}, standard, "-os-h", 0},
		{[]string{"outputs_spool.path=/x", "outputs_spool.max_size_mb=1"}, with(func(s *Spool) { s.Path, s.Megabytes = "/x", 1 }), "-----", 0},
		{[]string{"outputs_spool.max_age=90m", "outputs_spool.sync_interval=0"}, with(func(s *Spool) { s.MaxAge, s.SyncMs = 90*time.Minute, 0 }), "-----", 0},
		{[]string{"outputs_spool.max_age=0"}, with(func(s *Spool) { s.MaxAge = 0 }), "-----", 0},
		{[]string{"outputs_spool.max_age=5", "outputs_spool.max_size_mb=0"}, standard, "-----", 2},
		{[]string{"outputs_spool.max_age=-5h", "outputs_spool.max_size_mb=many"}, standard, "-----", 2},
	} {
		c, err := Load(Options{Overrides: tc.options, Env: os.LookupEnv})
		if err != nil {
			t.Errorf("%q: %v", tc.options, err)
			continue
		}
		on := []byte("-----")
		for i, is := range []bool{c.File.Spool, c.StdoutSpool, c.SyslogSpool, c.Program.Spool, c.HTTP.Spool} {
			if is {
				on[i] = "fosph"[i]
			}
		}
		if c.Spool != tc.want || string(on) != tc.on || len(c.Warnings) != tc.warnings {
			t.Errorf("%q: %+v %s %q", tc.options, c.Spool, on, slices.Clone(c.Warnings))
		}
	}
	c, err := Load(Options{Overrides: []string{"json_include_uuid_property=true"}, Env: os.LookupEnv})
	if err != nil || !c.JSONUUID || len(c.Warnings) > 0 {
		t.Errorf("%v %q", err, c.Warnings)
	}
}
