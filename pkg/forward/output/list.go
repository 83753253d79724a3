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
		azureeventhub,
		datadog,
		discord,
		dogstatsd,
		elasticsearch,
		fission,
		gcpcloudfunctions,
		gcpcloudrun,
		gcppubsub,
		gcpstorage,
		googlechat,
		grafana,
		influxdb,
		kafka,
		kafkarest,
		kubeless,
		loki,
		mattermost,
		natsKind,
		openfaas,
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
		wavefront,
		webhook,
		webui,
		yandexs3,
	}
}
