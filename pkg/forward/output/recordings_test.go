// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// What the original has sent, recording by recording, is compared by a test of that output, Test…AsTheOriginal, which
// names what is different because the original is wrong there:
//
//	alertmanager     endsAt of the year 1 is not sent
//	discord          the colour is a number; at most 25 fields; nobody is mentioned
//	elasticsearch    a bulk request with an id, in the index of the event's date; refusals are failures
//	googlechat       the empty header is left out (cards; cardsv2 is what is sent by default)
//	influxdb         the line is escaped and has a time
//	smtp             the subject is encoded and bounded, the boundary random, the connection ends with QUIT
//	slack, mattermost, webhook, webui, cloudrun, kafkarest, statsd: the same fields; numbers are shown beside strings
//
// The recording of the syslog form CEF is not there: TestSyslogCEF has its escapes.
func TestEveryRecordingIsCompared(t *testing.T) {
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = "../../../../shared"
	}
	files, err := filepath.Glob(filepath.Join(dir, "data/forwarder/*.txt"))
	if err != nil || len(files) == 0 {
		t.Skip("SKIP 1 cases: FALCO_SHARED not found")
	}
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range tests {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		if !strings.Contains(all.String(), `outputtest.Original(t, "`+name+`")`) && !strings.Contains(all.String(), `outputtest.Recording(t, "`+name+`")`) {
			t.Errorf("nobody compares with the recording of %s", name)
		}
	}
}

// Those that send the event as it is, to somebody who reads JSON.
func TestFunctionsAndStoresHostile(t *testing.T) {
	for name, yaml := range map[string]string{
		"kubeless": "kubeless: {function: fn, namespace: ns, kubeconfig: %K}", "fission": "fission: {function: fn, kubeconfig: %K}",
		"gcpstorage": "gcp: {credentials: %G, storage: {bucket: alerts, endpoint: %U}}", "webui": "webui: {url: %U}",
	} {
		t.Run(name, func(t *testing.T) {
			want := outputtest.Want{Schema: webhookSchema, Body: `{"kind":"storage#object"}`}
			if name == "webui" {
				want = outputtest.Want{Schema: webuiSchema}
			}
			if strings.Contains(yaml, "%K") {
				s := outputtest.ServeTLS(t, want)
				yaml = strings.ReplaceAll(yaml, "%K", kubeconfigFor(t, s, "token: tok"))
			} else {
				s := outputtest.Serve(t, want)
				yaml = strings.ReplaceAll(yaml, "%U", s.URL)
			}
			if strings.Contains(yaml, "%G") {
				account, _ := googleAccount(t)
				yaml = strings.ReplaceAll(yaml, "%G", account)
			}
			outputtest.Hostile(t, outputtest.Open(t, name, yaml))
		})
	}
}
