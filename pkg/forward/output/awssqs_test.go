// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

type sqsBatch struct {
	QueueURL string `json:"QueueUrl"`
	Entries  []struct{ ID, MessageBody, MessageGroupID, MessageDeduplicationID string }
}

// sqsServer plays SQS, with its limits.
func sqsServer(t *testing.T) *outputtest.Server {
	id := regexp.MustCompile(`^[!-~]{1,128}$`)
	return outputtest.Serve(t, outputtest.Want{Path: "/", Header: map[string]string{"X-Amz-Target": "AmazonSQS.SendMessageBatch", "Content-Type": "application/x-amz-json-1.0"},
		Respond: func(r *outputtest.Request) string { // the SDK compares the sums
			b, _ := awsBody[sqsBatch](r)
			var done []string
			for _, e := range b.Entries {
				done = append(done, fmt.Sprintf(`{"Id":%q,"MessageId":"m","MD5OfMessageBody":"%x"}`, e.ID, md5.Sum([]byte(e.MessageBody))))
			}
			return `{"Successful":[` + strings.Join(done, ",") + `],"Failed":[]}`
		},
		Check: signed("sqs", func(r *outputtest.Request) error {
			b, err := awsBody[sqsBatch](r)
			if err != nil {
				return err
			}
			if len(b.Entries) < 1 || len(b.Entries) > 10 || len(r.Body) > 3*(256<<10) {
				return fmt.Errorf("%d entries, %d bytes", len(b.Entries), len(r.Body))
			}
			sum := 0
			for _, e := range b.Entries {
				sum += len(e.MessageBody)
				fifo := strings.HasSuffix(b.QueueURL, ".fifo")
				if fifo != (e.MessageGroupID != "") || fifo && (!id.MatchString(e.MessageGroupID) || !id.MatchString(e.MessageDeduplicationID)) {
					return fmt.Errorf("group %q, id %q", e.MessageGroupID, e.MessageDeduplicationID)
				}
				if !utf8.ValidString(e.MessageBody) || strings.ContainsFunc(e.MessageBody, notXML) || !json.Valid([]byte(e.MessageBody)) {
					return fmt.Errorf("message %.80q", e.MessageBody)
				}
			}
			if sum > 256<<10 {
				return fmt.Errorf("%d bytes in all", sum)
			}
			return nil
		})})
}

func notXML(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

func TestSQSAnswers(t *testing.T) {
	s := sqsServer(t)
	o := outputtest.Open(t, "awssqs", "aws: {"+outputtest.AWS+", sqs: {url: "+s.URL+"/1/q.fifo}}")
	sum := func(i int) string { return fmt.Sprintf("%x", md5.Sum(outputtest.Event(i).JSON())) }
	s.Script(outputtest.Answer{Status: 200, Body: `{"Successful":[{"Id":"0","MD5OfMessageBody":"` + sum(0) + `"},{"Id":"3","MD5OfMessageBody":"` + sum(3) + `"}],"Failed":[{"Id":"1","SenderFault":true,"Code":"InvalidMessageContents","Message":"no"},{"Id":"2","SenderFault":false,"Code":"InternalError"}]}`})
	p, ok := o.Send(t, outputtest.Events(5)...).(*output.Partial)
	if !ok || p.Errs[0] != nil || p.Errs[3] != nil {
		t.Fatalf("%v", p)
	}
	outputtest.Class(t, p.Errs[1], output.Final)
	outputtest.Class(t, p.Errs[2], output.Retryable)
	outputtest.Class(t, p.Errs[4], output.Retryable) // the answer does not name it
	for _, c := range []struct {
		status int
		code   string
		want   output.Class
	}{
		{400, "com.amazonaws.sqs#QueueDoesNotExist", output.Configuration}, {403, "AccessDeniedException", output.Configuration}, {400, "com.amazonaws.sqs#RequestThrottled", output.Retryable},
		{400, "com.amazonaws.sqs#BatchRequestTooLong", output.Big}, {503, "ServiceUnavailable", output.Retryable}, {0, "", output.Retryable},
	} {
		s.Script(outputtest.Answer{Status: c.status, Body: `{"__type":"` + c.code + `","message":"m"}`})
		outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), c.want)
	}
}

func TestSQSHostile(t *testing.T) {
	s := sqsServer(t)
	outputtest.Hostile(t, outputtest.Open(t, "awssqs", "aws: {"+outputtest.AWS+", sqs: {url: "+s.URL+"/1/q.fifo}}"))
	outputtest.Hostile(t, outputtest.Open(t, "awssqs", "aws: {"+outputtest.AWS+", sqs: {url: "+s.URL+"/1/q}}"))
}

func TestSQSAndSNSIntoARealServer(t *testing.T) {
	url := fauxqs(t, `{"queues": [{"name": "plain"}, {"name": "ordered.fifo", "attributes": {"FifoQueue": "true"}}, {"name": "subscribed"}, {"name": "raw"}],
		"topics": [{"name": "alerts"}, {"name": "rawalerts"}],
		"subscriptions": [{"topic": "alerts", "queue": "subscribed"}, {"topic": "rawalerts", "queue": "raw", "attributes": {"RawMessageDelivery": "true"}}]}`)
	client := sqs.NewFromConfig(awsConfig(url))
	take := func(queue string) (out []types.Message) {
		t.Helper()
		for {
			res, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: ptr(url + "/000000000000/" + queue), MaxNumberOfMessages: 10})
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Messages) == 0 {
				return out
			}
			for _, m := range res.Messages {
				out = append(out, m)
				if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: ptr(url + "/000000000000/" + queue), ReceiptHandle: m.ReceiptHandle}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	events := outputtest.Events(35)
	named := func(list []types.Message) map[string]bool {
		t.Helper()
		out := map[string]bool{}
		for _, m := range list {
			var e struct{ UUID string }
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
				t.Fatal(err)
			}
			out[e.UUID] = true
		}
		return out
	}
	o := outputtest.Open(t, "awssqs", "aws: {"+outputtest.AWS+", sqs: {url: "+url+"/000000000000/plain}}")
	if err := o.Send(t, events...); err != nil {
		t.Fatal(err)
	}
	sameSet(t, named(take("plain")), uuids(events))

	o = outputtest.Open(t, "awssqs", "aws: {"+outputtest.AWS+", sqs: {url: "+url+"/000000000000/ordered.fifo}}")
	for range 2 { // the second time the queue knows them
		if err := o.Send(t, events...); err != nil {
			t.Fatal(err)
		}
	}
	got := take("ordered.fifo")
	if len(got) != len(events) {
		t.Fatalf("%d messages, want %d", len(got), len(events))
	}
	for i, m := range got {
		outputtest.SameJSON(t, []byte(*m.Body), events[i].JSON())
	}

	o = outputtest.Open(t, "awssns", "aws: {"+outputtest.AWS+", sns: {topicarn: 'arn:aws:sns:eu-west-1:000000000000:alerts', endpoint: "+url+", attributes: [proc.pid, 'proc.aname[2]']}}")
	if err := o.Send(t, events...); err != nil {
		t.Fatal(err)
	}
	list := take("subscribed")
	if len(list) != len(events) {
		t.Fatalf("%d notifications, want %d", len(list), len(events))
	}
	var n struct {
		Message           string
		MessageAttributes map[string]struct{ Type, Value string }
	}
	if err := json.Unmarshal([]byte(*list[0].Body), &n); err != nil {
		t.Fatal(err)
	}
	if a := n.MessageAttributes; n.Message != events[0].Output || len(a) != 10 || a["priority"].Value != "Warning" || a["proc.pid"].Type != "Number" || a["proc.aname.2"].Value != "sshd" || a["rule"].Value != events[0].Rule {
		t.Errorf("notification %+v", n)
	}
	o = outputtest.Open(t, "awssns", "aws: {"+outputtest.AWS+", sns: {topicarn: 'arn:aws:sns:eu-west-1:000000000000:rawalerts', rawjson: true, endpoint: "+url+"}}")
	if err := o.Send(t, events...); err != nil {
		t.Fatal(err)
	}
	sameSet(t, named(take("raw")), uuids(events))
	o = outputtest.Open(t, "awssns", "aws: {"+outputtest.AWS+", sns: {topicarn: 'arn:aws:sns:eu-west-1:000000000000:nosuch', endpoint: "+url+"}}")
	outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), output.Configuration)
}
