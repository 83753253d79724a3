// SPDX-License-Identifier: Apache-2.0

package field

import (
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/state"
)

// Messages that are written to /dev/log begin with "<N>", where N is eight times the
// facility plus the severity (RFC 3164).
var syslogFields = []Def{
	{Name: "syslog.facility.str", Type: String, Traits: Deprecated, Get: syslogName(facilities[:], func(p uint64) uint64 { return p >> 3 }),
		Desc: "Facility of a message that is written to /dev/log, by name."},
	{Name: "syslog.facility", Type: Uint32, Traits: Deprecated, Get: syslogNumber(func(p uint64) uint64 { return p >> 3 }),
		Desc: "Facility of a message that is written to /dev/log, by number."},
	{Name: "syslog.severity.str", Type: String, Traits: Deprecated, Get: syslogName(severities[:], func(p uint64) uint64 { return p & 7 }),
		Desc: "Severity of a message that is written to /dev/log, by name."},
	{Name: "syslog.severity", Type: Uint32, Traits: Deprecated, Get: syslogNumber(func(p uint64) uint64 { return p & 7 }),
		Desc: "Severity of a message that is written to /dev/log, by number."},
	{Name: "syslog.message", Type: String, Traits: Deprecated, Get: syslogMessage,
		Desc: "Text of a message that is written to /dev/log."},
}

// Names of syslog(3).
var (
	facilities = [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"ntp", "logaudit", "logalert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	severities = [...]string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"}
)

// syslogParts cuts a message that the event writes to /dev/log.
func syslogParts(s *state.Scene) (priority uint64, message string, ok bool) {
	i := dataParam.in(s.Event)
	if i < 0 || !isSyslog(s) {
		return 0, "", false
	}
	number, message, ok := strings.Cut(event.View(s.Event.Param(i)), ">")
	if !ok || !strings.HasPrefix(number, "<") {
		return 0, "", false
	}
	priority, err := strconv.ParseUint(number[1:], 10, 10)
	return priority, strings.TrimRight(message, "\x00"), err == nil
}

func syslogNumber(part func(uint64) uint64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if p, _, ok := syslogParts(s); ok {
			return number(out, part(p))
		}
		return out
	}
}

func syslogName(names []string, part func(uint64) uint64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if p, _, ok := syslogParts(s); ok && part(p) < uint64(len(names)) {
			return text(out, names[part(p)])
		}
		return out
	}
}

func syslogMessage(s *state.Scene, _ *Arg, out []Value) []Value {
	if _, m, ok := syslogParts(s); ok {
		return text(out, m)
	}
	return out
}
