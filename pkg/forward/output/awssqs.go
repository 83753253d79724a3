// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// SQS takes ten messages a request. In a FIFO queue the messages of a host stay in
// order, and the event's UUID is the id by which the queue knows a second delivery.

type sqsConfig struct {
	URL        string `key:"url" enables:"true" doc:"of the queue"`
	Endpoint   string `key:"endpoint" doc:"URL of the service, if not the usual one"`
	GroupID    string `key:"messagegroupid" doc:"of messages in a FIFO queue; by default the hostname of the event"`
	AWSAccount `key:"/aws"`
	HTTP
}

const (
	sqsEntries = 10
	sqsBytes   = 256 << 10 // of a request, and of a message
)

var awssqs = Define(Kind{
	Name: "awssqs", Title: "AWSSQS", Section: "aws.sqs", Workers: 4,
	Limits: Limits{Event: sqsBytes - 1024, Field: 64 << 10},
	Batch:  Batch{Events: sqsEntries, Bytes: sqsBytes - 2048, Wait: 100 * time.Millisecond},
	Adjust: func(cfg any, k *Kind) {
		if strings.HasSuffix(cfg.(*sqsConfig).URL, ".fifo") {
			k.Workers = 1
		}
	},
}, newSQS)

type sqsOutput struct {
	cfg     *sqsConfig
	session *awsSession
	client  *sqs.Client
}

func newSQS(cfg *sqsConfig, env *Env) (Output, error) {
	if err := CheckURL("url", cfg.URL); err != nil {
		return nil, err
	}
	u, _ := url.Parse(cfg.URL)
	region, endpoint := "", cfg.Endpoint
	if p := strings.Split(u.Hostname(), "."); len(p) > 3 && p[0] == "sqs" {
		region = p[1]
	} else if endpoint == "" {
		endpoint = u.Scheme + "://" + u.Host // somebody else who speaks it
	}
	s, err := cfg.AWSAccount.open(env, &cfg.HTTP, region, endpoint)
	if err != nil {
		return nil, err
	}
	return &sqsOutput{cfg, s, sqs.NewFromConfig(s.Config)}, nil
}

func (o *sqsOutput) Send(ctx context.Context, batch []*Event) error {
	if err := o.session.ready(ctx); err != nil {
		return err
	}
	errs := make([]error, len(batch))
	for from := 0; from < len(batch); from += sqsEntries {
		n := min(sqsEntries, len(batch)-from)
		o.send(ctx, batch[from:from+n], errs[from:from+n])
	}
	return Results(errs)
}

// send delivers up to ten.
func (o *sqsOutput) send(ctx context.Context, batch []*Event, errs []error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: &o.cfg.URL}
	fifo := strings.HasSuffix(o.cfg.URL, ".fifo")
	for i, e := range batch {
		m := types.SendMessageBatchRequestEntry{Id: aws.String(itoa(i)), MessageBody: aws.String(sqsText(e.JSON()))}
		if fifo {
			group := o.cfg.GroupID
			if group == "" {
				group = e.Hostname
			}
			m.MessageGroupId, m.MessageDeduplicationId = aws.String(sqsID(group)), aws.String(sqsID(e.UUID))
		}
		in.Entries = append(in.Entries, m)
		errs[i] = errors.New("the answer does not name this message")
	}
	out, err := o.client.SendMessageBatch(ctx, in)
	if err != nil {
		err = o.session.failure(err)
		for i := range errs {
			errs[i] = err
		}
		return
	}
	for _, r := range out.Successful {
		if i, ok := atoi(aws.ToString(r.Id), len(batch)); ok {
			errs[i] = nil
		}
	}
	for _, r := range out.Failed {
		if i, ok := atoi(aws.ToString(r.Id), len(batch)); ok {
			errs[i] = awsEntry(aws.ToString(r.Code), aws.ToString(r.Message), r.SenderFault)
		}
	}
}

// sqsText returns a message's text: of what XML cannot hold SQS takes nothing.
// The JSON has control characters escaped already.
func sqsText(p []byte) string {
	return strings.Map(func(r rune) rune {
		if r == 0xfffe || r == 0xffff {
			return 0xfffd
		}
		return r
	}, string(p))
}

// sqsID returns text as an id of a message or group: 128 characters of ASCII that can be seen.
func sqsID(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c <= ' ' || c >= 0x7f {
			b[i] = '_'
		}
	}
	if len(b) == 0 {
		return "unknown"
	}
	return string(b[:min(len(b), 128)])
}

func (o *sqsOutput) Close() error { return nil }
