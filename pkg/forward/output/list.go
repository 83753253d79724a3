// SPDX-License-Identifier: Apache-2.0

package output

// Kinds lists all outputs, in the order of the alphabet: one line each.
func Kinds() []*Kind {
	return []*Kind{
		alertmanager,
		awscloudwatchlogs,
		awslambda,
		awss3,
		awssns,
		awssqs,
		discord,
		dogstatsd,
		elasticsearch,
		googlechat,
		influxdb,
		kafka,
		kafkarest,
		loki,
		mattermost,
		natsKind,
		opsgenie,
		pagerduty,
		rabbitmq,
		rocketchat,
		slack,
		smtpKind,
		stanKind,
		statsd,
		syslog,
		teams,
		webhook,
		yandexs3,
	}
}
