// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"slices"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/settings"
	"gopkg.in/yaml.v3"
)

// others are the outputs of the original, by the section of their settings, with the keys that
// enable them. Its example of a configuration names them all, with empty values: a section
// that no kind of ours reads is passed over then, and refused if it is meant.
var others = map[string][]string{
	"webex": {"webhookurl"}, "cliq": {"webhookurl"}, "telegram": {"token", "chatid"}, "gotify": {"hostport"}, "datadoglogs": {"apikey"},
	"dynatrace": {"apitoken", "apiurl"}, "splunk": {"host"}, "sumologic": {"receiverurl"}, "quickwit": {"hostport"}, "zincsearch": {"hostport"},
	"openobserve": {"hostport"}, "logstash": {"address"}, "mqtt": {"broker"}, "redis": {"address"}, "timescaledb": {"host"}, "nodered": {"address"},
	"n8n": {"address"}, "tekton": {"eventlistener"}, "talon": {"address"}, "cloudevents": {"address"}, "grafanaoncall": {"webhookurl"},
	"spyderbat": {"orguid"}, "otlp.traces": {"endpoint"}, "otlp.logs": {"endpoint"}, "otlp.metrics": {"endpoint"}, "policyreport": {"enabled"},
	"aws.kinesis": {"streamname"}, "aws.securitylake": {"bucket"}, "gcp.chronicle": {"instanceid"}, "yandex.datastreams": {"streamname"},
	"slack": {"webhookurl"}, "rocketchat": {"webhookurl"}, "mattermost": {"webhookurl"}, "teams": {"webhookurl"}, "discord": {"webhookurl"},
	"googlechat": {"webhookurl"}, "datadog": {"apikey"}, "influxdb": {"hostport"}, "statsd": {"forwarder"}, "dogstatsd": {"forwarder"},
	"wavefront": {"endpointtype", "endpointhost"}, "alertmanager": {"hostport"}, "opsgenie": {"apikey"}, "pagerduty": {"routingkey"},
	"elasticsearch": {"hostport"}, "loki": {"hostport"}, "aws.cloudwatchlogs": {"loggroup"}, "grafana": {"hostport", "apikey"}, "syslog": {"host"},
	"aws.s3": {"bucket"}, "gcp.storage": {"bucket"}, "yandex.s3": {"bucket"}, "aws.lambda": {"functionname"}, "kubeless": {"function", "namespace"},
	"openfaas": {"functionname"}, "gcp.cloudrun": {"endpoint"}, "gcp.cloudfunctions": {"name"}, "fission": {"function"}, "nats": {"hostport"},
	"stan": {"hostport", "clusterid", "clientid"}, "aws.sqs": {"url"}, "aws.sns": {"topicarn"}, "gcp.pubsub": {"projectid", "topic"},
	"kafka": {"hostport", "topic"}, "kafkarest": {"address"}, "rabbitmq": {"url", "queue"}, "azure.eventhub": {"name", "namespace"},
	"smtp": {"hostport", "from", "to"}, "webhook": {"address"},
}

// absent looks for outputs that are meant and not there.
func (c *Config) absent(l *settings.Loader) {
	for section, keys := range others {
		if slices.ContainsFunc(output.Kinds(), func(k *output.Kind) bool { return k.Section == section }) {
			continue
		}
		l.Ignore(section)
		meant := true
		for _, k := range keys {
			n := l.Section(section + "." + k)
			set := n != nil && (n.Kind != yaml.ScalarNode || n.Value != "" && n.Value != "false" && n.Tag != "!!null")
			if v := c.Getenv(settings.EnvName(section + "." + k)); v != "" && v != "false" {
				set = true
			}
			meant = meant && set
		}
		if meant {
			l.Complain(l.Section(section), section, "is an output that this version does not have")
		}
	}
}
