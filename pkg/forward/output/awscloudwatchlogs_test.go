// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

type cwlPut struct {
	LogGroupName, LogStreamName string
	LogEvents                   []struct {
		Timestamp int64
		Message   string
	}
}

// cwlCheck holds requests against the limits of PutLogEvents.
func cwlCheck(r *outputtest.Request) error {
	switch target := r.Header.Get("X-Amz-Target"); target {
	case "Logs_20140328.CreateLogStream":
		return nil
	case "Logs_20140328.PutLogEvents":
	default:
		return fmt.Errorf("target %q", target)
	}
	p, err := awsBody[cwlPut](r)
	if err != nil {
		return err
	}
	size, last := 0, int64(0)
	for _, e := range p.LogEvents {
		if e.Message == "" || len(e.Message) > 256<<10-26 || !json.Valid([]byte(e.Message)) {
			return fmt.Errorf("a message of %d bytes, or no JSON", len(e.Message))
		}
		if e.Timestamp < last {
			return errors.New("the events are not in order of time")
		}
		last = e.Timestamp
		size += len(e.Message) + 26
	}
	if n := len(p.LogEvents); n < 1 || n > 10000 || size > 1<<20 || last-p.LogEvents[0].Timestamp > 24*3600*1000 {
		return fmt.Errorf("%d events, %d bytes", n, size)
	}
	if strings.ContainsAny(p.LogStreamName, ":*") || len(p.LogStreamName) > 512 || p.LogStreamName == "" {
		return fmt.Errorf("stream %q", p.LogStreamName)
	}
	return nil
}

func cwlServer(t *testing.T) *outputtest.Server {
	return outputtest.Serve(t, outputtest.Want{Check: signed("logs", cwlCheck), Body: "{}", Header: map[string]string{"Content-Type": "application/x-amz-json-1.1"}})
}

func TestCloudWatchLogs(t *testing.T) {
	s := cwlServer(t)
	o := outputtest.Open(t, "awscloudwatchlogs", "aws: {"+outputtest.AWS+", cloudwatchlogs: {loggroup: g, endpoint: "+s.URL+"}}")
	s.Script(outputtest.Answer{Status: 400, Body: `{"__type":"ResourceAlreadyExistsException","message":"there"}`})
	events := outputtest.Events(20)
	events[3], events[11] = events[11], events[3]
	late := outputtest.Event(20).Clone()
	late.Time = late.Time.Add(25 * time.Hour)
	if err := o.Send(t, append(events, late.Seal())...); err != nil {
		t.Fatal(err)
	}
	var puts []cwlPut
	for _, r := range s.Requests() {
		p, err := awsBody[cwlPut](&r)
		if err != nil {
			t.Fatal(err)
		}
		puts = append(puts, p)
	}
	if len(puts) != 2 || len(puts[0].LogEvents) != 20 || len(puts[1].LogEvents) != 1 || puts[0].LogStreamName != "falcosidekick-logstream" || puts[0].LogGroupName != "g" {
		t.Fatalf("requests %+v", puts)
	}
	outputtest.SameJSON(t, []byte(puts[0].LogEvents[3].Message), outputtest.Event(3).JSON())
	if got, want := puts[0].LogEvents[3].Timestamp, outputtest.Event(3).Time.UnixMilli(); got != want {
		t.Errorf("time %d, want %d", got, want)
	}
}

// 200 is not success for all: what is too old or too new is named by its place.
func TestCloudWatchLogsRejects(t *testing.T) {
	s := cwlServer(t)
	o := outputtest.Open(t, "awscloudwatchlogs", "aws: {"+outputtest.AWS+", cloudwatchlogs: {loggroup: g, logstream: s, endpoint: "+s.URL+"}}")
	s.Script(outputtest.Answer{Status: 200, Body: `{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1,"expiredLogEventEndIndex":2,"tooNewLogEventStartIndex":4}}`})
	p, ok := o.Send(t, outputtest.Events(5)...).(*output.Partial)
	if !ok || p.Errs[2] != nil || p.Errs[3] != nil {
		t.Fatalf("%v", p)
	}
	for _, i := range []int{0, 1, 4} {
		outputtest.Class(t, p.Errs[i], output.Final)
	}
	for _, c := range []struct {
		status int
		code   string
		want   output.Class
	}{{400, "ResourceNotFoundException", output.Configuration}, {400, "InvalidParameterException", output.Final}, {400, "ThrottlingException", output.Retryable},
		{400, "UnrecognizedClientException", output.Configuration}, {500, "ServiceUnavailableException", output.Retryable}} {
		s.Script(outputtest.Answer{Status: c.status, Body: `{"__type":"` + c.code + `","message":"m"}`})
		outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), c.want)
	}
}

func TestCloudWatchLogsStreams(t *testing.T) {
	s := cwlServer(t)
	o := outputtest.Open(t, "awscloudwatchlogs", "aws: {"+outputtest.AWS+", cloudwatchlogs: {loggroup: g, streamperhost: true, endpoint: "+s.URL+"}}")
	other := outputtest.Event(1).Clone()
	other.Hostname = "a:b*c"
	for range 2 {
		if err := o.Send(t, outputtest.Event(0), other.Seal()); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range s.Requests() {
		p, _ := awsBody[cwlPut](&r)
		got = append(got, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "Logs_20140328.")+" "+p.LogStreamName)
	}
	a, b := "falcosidekick-logstream/node-1", "falcosidekick-logstream/a_b_c"
	if want := fmt.Sprint([]string{"CreateLogStream " + a, "PutLogEvents " + a, "CreateLogStream " + b, "PutLogEvents " + b, "PutLogEvents " + a, "PutLogEvents " + b}); fmt.Sprint(got) != want {
		t.Errorf("requests\n%s\nwant\n%s", got, want)
	}
}

func TestCloudWatchLogsHostile(t *testing.T) {
	s := cwlServer(t)
	outputtest.Hostile(t, outputtest.Open(t, "awscloudwatchlogs", "aws: {"+outputtest.AWS+", cloudwatchlogs: {loggroup: g, streamperhost: true, endpoint: "+s.URL+"}}"))
}
