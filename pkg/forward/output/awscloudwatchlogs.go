// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// CloudWatch Logs keeps events in streams. A request is for one stream, its events stand in
// order of time and within 24 hours.

type cwlConfig struct {
	Group      string `key:"loggroup" enables:"true"`
	Stream     string `key:"logstream" doc:"by default falcosidekick-logstream, which is made if it is not there"`
	PerHost    bool   `key:"streamperhost" doc:"a stream for each host, made if it is not there: its name is logstream, a slash, the hostname"`
	Endpoint   string `key:"endpoint" doc:"URL of the service, if not the usual one"`
	AWSAccount `key:"/aws"`
	HTTP
}

const (
	cwlStream = "falcosidekick-logstream"
	cwlEvents = 10000
	cwlBytes  = 1 << 20
	cwlExtra  = 26 // counted for each event
	cwlSpan   = 24 * time.Hour
	maxKnown  = 10000 // streams that we remember
)

var awscloudwatchlogs = Define(Kind{
	Name: "awscloudwatchlogs", Title: "AWSCloudWatchLogs", Section: "aws.cloudwatchlogs", Workers: 1,
	Limits: Limits{Event: 240 << 10, Field: 64 << 10},
	Batch:  Batch{Events: cwlEvents, Bytes: 900 << 10, Wait: time.Second},
}, newCWL)

type cwlOutput struct {
	cfg     *cwlConfig
	session *awsSession
	client  *cloudwatchlogs.Client

	mu    sync.Mutex
	known map[string]bool // streams that are there
}

func newCWL(cfg *cwlConfig, env *Env) (Output, error) {
	s, err := cfg.AWSAccount.open(env, &cfg.HTTP, "", cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	return &cwlOutput{cfg: cfg, session: s, client: cloudwatchlogs.NewFromConfig(s.Config), known: map[string]bool{}}, nil
}

func (o *cwlOutput) Send(ctx context.Context, batch []*Event) error {
	if err := o.session.ready(ctx); err != nil {
		return err
	}
	errs := make([]error, len(batch))
	streams, order := map[string][]int{}, []string{}
	for i, e := range batch {
		name := o.stream(e)
		if streams[name] == nil {
			order = append(order, name)
		}
		streams[name] = append(streams[name], i)
	}
	for _, name := range order {
		list := streams[name]
		slices.SortStableFunc(list, func(a, b int) int { return batch[a].Time.Compare(batch[b].Time) })
		for len(list) > 0 {
			n := cwlFits(batch, list)
			o.put(ctx, name, batch, list[:n], errs)
			list = list[n:]
		}
	}
	return Results(errs)
}

// cwlFits returns how many of list go into one request.
func cwlFits(batch []*Event, list []int) int {
	size := 0
	for k, i := range list {
		size += len(batch[i].JSON()) + cwlExtra
		if k > 0 && (k == cwlEvents || size > cwlBytes || batch[i].Time.Sub(batch[list[0]].Time) >= cwlSpan) {
			return k
		}
	}
	return len(list)
}

// stream is the name of the stream for an event.
func (o *cwlOutput) stream(e *Event) string {
	name := o.cfg.Stream
	if name == "" {
		name = cwlStream
	}
	if !o.cfg.PerHost {
		return name
	}
	host := strings.Map(func(r rune) rune {
		if r < ' ' || r == ':' || r == '*' || r == 0x7f || r == 0xfffd {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(e.Hostname, "_"))
	if host == "" {
		host = "unknown"
	}
	name += "/" + host
	return strings.ToValidUTF8(name[:min(len(name), 200)], "")
}

func (o *cwlOutput) put(ctx context.Context, name string, batch []*Event, list []int, errs []error) {
	err := o.ensure(ctx, name)
	var out *cloudwatchlogs.PutLogEventsOutput
	if err == nil {
		in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: &o.cfg.Group, LogStreamName: &name}
		for _, i := range list {
			in.LogEvents = append(in.LogEvents, types.InputLogEvent{Message: aws.String(string(batch[i].JSON())), Timestamp: aws.Int64(max(batch[i].Time.UnixMilli(), 0))})
		}
		out, err = o.client.PutLogEvents(ctx, in)
		if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
			o.mu.Lock()
			delete(o.known, name)
			o.mu.Unlock()
		}
	}
	if err != nil {
		err = o.session.failure(err)
		for _, i := range list {
			errs[i] = err
		}
		return
	}
	r := out.RejectedLogEventsInfo
	if r == nil {
		return
	}
	for k, i := range list {
		switch {
		case r.TooOldLogEventEndIndex != nil && k < int(*r.TooOldLogEventEndIndex):
			errs[i] = Permanent(errors.New("CloudWatch Logs takes no event that is older than 14 days"))
		case r.ExpiredLogEventEndIndex != nil && k < int(*r.ExpiredLogEventEndIndex):
			errs[i] = Permanent(errors.New("the event is older than the log group keeps events"))
		case r.TooNewLogEventStartIndex != nil && k >= int(*r.TooNewLogEventStartIndex):
			errs[i] = Permanent(errors.New("the event is more than two hours in the future"))
		}
	}
}

// ensure makes streams that are ours to make.
func (o *cwlOutput) ensure(ctx context.Context, name string) error {
	if o.cfg.Stream != "" && !o.cfg.PerHost {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known[name] {
		return nil
	}
	_, err := o.client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &o.cfg.Group, LogStreamName: &name})
	if _, there := errors.AsType[*types.ResourceAlreadyExistsException](err); err != nil && !there {
		return fmt.Errorf("create the stream: %w", err)
	}
	if len(o.known) >= maxKnown {
		clear(o.known)
	}
	o.known[name] = true
	return nil
}

func (o *cwlOutput) Close() error { return nil }
