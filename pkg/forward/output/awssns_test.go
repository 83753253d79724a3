// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

var (
	snsMember = regexp.MustCompile(`^PublishBatchRequestEntries\.member\.1\.(.+)$`)
	snsAttr   = regexp.MustCompile(`^MessageAttributes\.entry\.(\d+)\.(Name|Value\.DataType|Value\.StringValue)$`)
	snsName   = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

// snsCheck holds one message against the limits of SNS.
func snsCheck(r *outputtest.Request) error {
	q, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return err
	}
	if q.Get("Action") != "PublishBatch" || !strings.HasPrefix(q.Get("TopicArn"), "arn:aws:sns:") {
		return fmt.Errorf("action %q, topic %q", q.Get("Action"), q.Get("TopicArn"))
	}
	attrs, size := map[string]map[string]string{}, 0
	for k := range q {
		m := snsMember.FindStringSubmatch(k)
		if m == nil {
			continue
		}
		if a := snsAttr.FindStringSubmatch(m[1]); a != nil {
			if attrs[a[1]] == nil {
				attrs[a[1]] = map[string]string{}
			}
			attrs[a[1]][a[2]] = q.Get(k)
			size += len(q.Get(k))
		}
	}
	message := q.Get("PublishBatchRequestEntries.member.1.Message")
	if size += len(message); size > 256<<10 || strings.TrimSpace(message) == "" || !utf8.ValidString(message) || strings.ContainsFunc(message, notXML) {
		return fmt.Errorf("%d bytes, message %.80q", size, message)
	}
	if len(attrs) > 10 {
		return fmt.Errorf("%d attributes", len(attrs))
	}
	for _, a := range attrs {
		if n := a["Name"]; !snsName.MatchString(n) || len(n) > 256 {
			return fmt.Errorf("attribute %q", n)
		}
		v := a["Value.StringValue"]
		if v == "" || !utf8.ValidString(v) || strings.ContainsFunc(v, notXML) {
			return fmt.Errorf("attribute %q: %.80q", a["Name"], v)
		}
		if a["Value.DataType"] == "Number" {
			if f, err := strconv.ParseFloat(v, 64); err != nil || f > 1e150 || f < -1e150 {
				return fmt.Errorf("attribute %q is no number: %.80q", a["Name"], v)
			}
		}
	}
	return nil
}

const snsOK = `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Successful><member><Id>0</Id><MessageId>m</MessageId></member></Successful></PublishBatchResult></PublishBatchResponse>`

func TestSNSHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Check: signed("sns", snsCheck), Body: snsOK})
	for _, more := range []string{"", ", rawjson: true"} {
		outputtest.Hostile(t, outputtest.Open(t, "awssns", "aws: {"+outputtest.AWS+", sns: {topicarn: 'arn:aws:sns:eu-west-1:1:t', endpoint: "+s.URL+more+"}}"))
	}
}

func TestSNSAnswers(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Check: signed("sns", snsCheck), Body: snsOK})
	o := outputtest.Open(t, "awssns", "aws: {"+outputtest.AWS+", sns: {topicarn: 'arn:aws:sns:eu-west-1:1:t', endpoint: "+s.URL+"}}")
	for _, c := range []struct {
		status int
		code   string
		want   output.Class
	}{{404, "NotFound", output.Configuration}, {403, "AuthorizationError", output.Configuration}, {400, "Throttling", output.Retryable}, {400, "InvalidParameter", output.Final}, {500, "InternalError", output.Retryable}} {
		s.Script(outputtest.Answer{Status: c.status, Body: "<ErrorResponse><Error><Code>" + c.code + "</Code><Message>m</Message></Error></ErrorResponse>"})
		outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), c.want)
	}
	s.Script(outputtest.Answer{Status: 200, Body: `<PublishBatchResponse><PublishBatchResult><Failed><member><Id>0</Id><Code>InvalidParameter</Code><SenderFault>true</SenderFault></member></Failed></PublishBatchResult></PublishBatchResponse>`})
	outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), output.Final)
	if _, err := outputtest.TryOpen(t, "awssns", "aws: {"+outputtest.AWS+", sns: {topicarn: t}}"); err == nil {
		t.Error("a topic that is no ARN")
	}
}
