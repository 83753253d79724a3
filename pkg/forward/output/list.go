// SPDX-License-Identifier: Apache-2.0

package output

// Kinds lists all outputs, in the order of the alphabet: one line each.
func Kinds() []*Kind {
	return []*Kind{
		elasticsearch,
		kafka,
		kafkarest,
		loki,
		mattermost,
		natsKind,
		rabbitmq,
		rocketchat,
		slack,
		smtpKind,
		stanKind,
		syslog,
		webhook,
	}
}
