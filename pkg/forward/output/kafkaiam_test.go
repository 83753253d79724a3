// SPDX-License-Identifier: Apache-2.0

package output

import "testing"

func TestRegionOfBroker(t *testing.T) {
	for host, want := range map[string]string{
		"b-1.falco.abc123.c2.kafka.us-east-1.amazonaws.com":         "us-east-1",
		"b-2-public.falco.abc123.c2.kafka.eu-west-3.amazonaws.com":  "eu-west-3",
		"boot-xyz.c1.kafka-serverless.ap-southeast-2.amazonaws.com": "ap-southeast-2",
		"b-1.falco.abc123.c2.kafka.cn-north-1.amazonaws.com.cn":     "cn-north-1",
		"kafka.example.org": "eu-west-1",
		"127.0.0.1":         "eu-west-1",
		"vpce-1.kafka.eu-central-1.amazonaws.com.evil.example": "eu-west-1",
	} {
		if got := mskRegion(host, "eu-west-1"); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}
