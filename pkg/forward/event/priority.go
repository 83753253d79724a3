// SPDX-License-Identifier: Apache-2.0

package event

import "strings"

// Priority is how grave an event is: the higher, the graver. The numbers are those of
// the metric's label; the zero value is none.
type Priority uint8

// Values of Priority.
const (
	None Priority = iota
	Debug
	Informational
	Notice
	Warning
	Error
	Critical
	Alert
	Emergency
)

// look is what the receivers' own scales make of a priority.
type look struct {
	name         string
	color        string // attachments of Slack and its kin
	teams        string
	discord      int
	mail         string
	page         string
	alertmanager string
	opsgenie     string
	datadog      string
	cef          int
	syslog       int
	ocsf         string
	ocsfID       int
	pagerduty    string
	gotify       int
	short        string // another spelling
}

var looks = [...]look{
	None:          {"", "#ccfff2", "ccfff2", 12370112, "#ccfff2", "#29B6F6", "information", "P5", "info", 0, 7, "Informational", 1, "info", 1, ""},
	Debug:         {"Debug", "#ccfff2", "ccfff2", 12370112, "#ccfff2", "#29B6F6", "information", "P5", "info", 0, 7, "Informational", 1, "info", 1, ""},
	Informational: {"Informational", "#68c2ff", "68c2ff", 3447003, "#68c2ff", "#03A9F4", "information", "P5", "info", 3, 6, "Informational", 1, "info", 2, "info"},
	Notice:        {"Notice", "#5bffb5", "5bffb5", 3066993, "#5bffb5", "#1976D2", "information", "P5", "info", 4, 5, "Low", 2, "info", 3, ""},
	Warning:       {"Warning", "#ffc700", "ffff00", 12745742, "#ffff00", "#FB8C00", "warning", "P4", "warning", 6, 4, "Medium", 3, "warning", 4, ""},
	Error:         {"Error", "#e20b0b", "ffc700", 15844367, "#ffc700", "#FF5252", "warning", "P3", "error", 7, 3, "High", 4, "error", 5, ""},
	Critical:      {"Critical", "#ff5400", "ff9000", 15105570, "#ff9000", "#E53935", "critical", "P2", "error", 8, 2, "Critical", 5, "critical", 6, ""},
	Alert:         {"Alert", "#ff5400", "ff5400", 11027200, "#ff5400", "#D32F2F", "critical", "P1", "error", 9, 1, "Fatal", 6, "critical", 7, ""},
	Emergency:     {"Emergency", "#e20b0b", "e20b0b", 15158332, "#e20b0b", "#C62828", "critical", "P1", "error", 10, 0, "Fatal", 6, "critical", 8, ""},
}

// ParsePriority reads a name, in any case; "info" is Informational.
func ParsePriority(text string) (Priority, bool) {
	for p := Debug; p <= Emergency; p++ {
		if strings.EqualFold(text, looks[p].name) || looks[p].short != "" && strings.EqualFold(text, looks[p].short) {
			return p, true
		}
	}
	return None, false
}

func (p Priority) look() *look {
	if int(p) >= len(looks) {
		p = None
	}
	return &looks[p]
}

// String returns the usual spelling: "Warning".
func (p Priority) String() string { return p.look().name }

// Lower returns the name in lower case.
func (p Priority) Lower() string { return strings.ToLower(p.look().name) }

// Class is that of the spool: 0 is the most important.
func (p Priority) Class() uint8 { return uint8(Emergency - min(p, Emergency)) }

// Color is that of attachments (Slack, Rocketchat, Mattermost): "#e20b0b".
func (p Priority) Color() string { return p.look().color }

// TeamsColor is a themeColor: "e20b0b".
func (p Priority) TeamsColor() string { return p.look().teams }

// DiscordColor is that of an embed.
func (p Priority) DiscordColor() int { return p.look().discord }

// MailColor is that of a mail's header.
func (p Priority) MailColor() string { return p.look().mail }

// PageColor is that of the web page.
func (p Priority) PageColor() string { return p.look().page }

// Alertmanager is a severity there: critical, warning, information.
func (p Priority) Alertmanager() string { return p.look().alertmanager }

// Opsgenie is P1 to P5.
func (p Priority) Opsgenie() string { return p.look().opsgenie }

// Datadog is an alert_type: error, warning, info.
func (p Priority) Datadog() string { return p.look().datadog }

// CEF is 0 to 10.
func (p Priority) CEF() int { return p.look().cef }

// Syslog is a severity of RFC 5424: 0 is the gravest.
func (p Priority) Syslog() int { return p.look().syslog }

// OCSF is the name and the number of a severity there.
func (p Priority) OCSF() (string, int) { return p.look().ocsf, p.look().ocsfID }

// PagerDuty is a severity: critical, error, warning, info.
func (p Priority) PagerDuty() string { return p.look().pagerduty }

// Gotify is 1 to 8.
func (p Priority) Gotify() int { return p.look().gotify }
