// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/falco-go/falco/pkg/forward/event"
)

// SNS takes ten messages a request: the event as JSON, or its line of text with the
// rest as attributes, by which subscribers filter.

type snsConfig struct {
	TopicARN   string   `key:"topicarn" enables:"true"`
	RawJSON    bool     `key:"rawjson" doc:"the message is the event as JSON, without attributes"`
	Attributes []string `key:"attributes" doc:"fields that become attributes, before all others"`
	MaxAttrs   int      `key:"maxattributes" default:"10" doc:"subscribers with raw delivery get no message that has more than 10"`
	Endpoint   string   `key:"endpoint" doc:"URL of the service, if not the usual one"`
	AWSAccount `key:"/aws"`
	HTTP
}

var awssns = Define(Kind{
	Name: "awssns", Title: "AWSSNS", Section: "aws.sns", Workers: 4,
	Limits: Limits{Event: 120 << 10, Field: 32 << 10}, // what is text and attribute counts twice
	Batch:  Batch{Events: sqsEntries, Bytes: 120 << 10, Wait: 100 * time.Millisecond},
	Adjust: func(cfg any, k *Kind) {
		if strings.HasSuffix(cfg.(*snsConfig).TopicARN, ".fifo") {
			k.Workers = 1
		}
	},
}, newSNS)

type snsOutput struct {
	cfg     *snsConfig
	session *awsSession
	client  *sns.Client
}

func newSNS(cfg *snsConfig, env *Env) (Output, error) {
	region := arnRegion(cfg.TopicARN)
	if region == "" {
		return nil, errors.New("topicarn is no ARN")
	}
	s, err := cfg.AWSAccount.open(env, &cfg.HTTP, region, cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	return &snsOutput{cfg, s, sns.NewFromConfig(s.Config)}, nil
}

func (o *snsOutput) Send(ctx context.Context, batch []*Event) error {
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

func (o *snsOutput) send(ctx context.Context, batch []*Event, errs []error) {
	in := &sns.PublishBatchInput{TopicArn: &o.cfg.TopicARN}
	fifo := strings.HasSuffix(o.cfg.TopicARN, ".fifo")
	for i, e := range batch {
		m := types.PublishBatchRequestEntry{Id: aws.String(itoa(i))}
		if o.cfg.RawJSON {
			m.Message = aws.String(sqsText(e.JSON()))
		} else {
			m.Message, m.MessageAttributes = aws.String(snsText(e.Output)), o.attributes(e)
			if strings.TrimSpace(*m.Message) == "" {
				m.Message = aws.String(snsText(e.Rule + " ")) // an empty message is refused
				if strings.TrimSpace(*m.Message) == "" {
					m.Message = aws.String("an event without a text")
				}
			}
		}
		if fifo {
			m.MessageGroupId, m.MessageDeduplicationId = aws.String(sqsID(e.Hostname)), aws.String(sqsID(e.UUID))
		}
		in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, m)
		errs[i] = errors.New("the answer does not name this message")
	}
	out, err := o.client.PublishBatch(ctx, in)
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

// attributes are what is known about the event, as many as a message may have: first
// what every event has, then the fields of the settings, then all others.
func (o *snsOutput) attributes(e *Event) map[string]types.MessageAttributeValue {
	limit := max(o.cfg.MaxAttrs, 0)
	out := make(map[string]types.MessageAttributeValue, limit)
	add := func(name, kind, value string) {
		value = snsText(value)
		if name = snsName(name); name == "" || value == "" || len(out) >= limit {
			return
		}
		if _, there := out[name]; !there {
			out[name] = types.MessageAttributeValue{DataType: aws.String(kind), StringValue: aws.String(value)}
		}
	}
	add("priority", "String", e.Priority.String())
	add("rule", "String", e.Rule)
	add("source", "String", e.Source)
	if len(e.Tags) > 0 {
		add("tags", "String", strings.Join(e.Tags, ","))
	}
	add("hostname", "String", e.Hostname)
	field := func(f event.Field) {
		kind := "String"
		text, ok := f.Text()
		if isNumber(f.Value) && len(text) <= 38 && !strings.ContainsAny(text, "eE") {
			kind = "Number"
		}
		if ok {
			add(f.Key, kind, text)
		}
	}
	for _, name := range o.cfg.Attributes {
		if v, ok := e.Fields.Get(name); ok {
			field(event.Field{Key: name, Value: v})
		}
	}
	for _, f := range e.Fields {
		field(f)
	}
	return out
}

// snsText is a text that SNS takes: of what XML cannot hold, nothing.
func snsText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return 0xfffd
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// snsName returns the name of a field as that of an attribute: proc.aname[2] is
// proc.aname.2. Letters, digits, "_", "-" and "." may be in it, dots not at the ends, nor two
// of them; names that begin like those of AWS itself are refused.
func snsName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name) && b.Len() < 256; i++ {
		c := name[i]
		switch {
		case c == ']':
		case c == '[' || c == '.':
			if s := b.String(); s != "" && !strings.HasSuffix(s, ".") {
				b.WriteByte('.')
			}
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			b.WriteByte('_')
		}
	}
	s := strings.TrimRight(b.String(), ".")
	if l := strings.ToLower(s); strings.HasPrefix(l, "aws.") || strings.HasPrefix(l, "amazon.") {
		s = "_" + s
	}
	return s
}

func (o *snsOutput) Close() error { return nil }
